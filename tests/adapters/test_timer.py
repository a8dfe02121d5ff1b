"""The timer adapter turns expirations into packed events."""

from __future__ import annotations

import pytest

from axiom_hw.adapters.timer import TimerAdapter
from axiom_hw.clock import VirtualClock
from axiom_hw.errors import ClockError, HookError
from axiom_hw.events import TimerEvent
from axiom_hw.keys import HookKey, TimerKey
from axiom_hw.scheduler import Scheduler


class Bench:
    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.scheduler = Scheduler(self.clock)
        self.scheduler.start()
        self.seen: list[tuple[HookKey, TimerEvent]] = []
        self.adapter = TimerAdapter(self.scheduler, self.fire)

    def fire(self, key: HookKey, ctx: bytes) -> None:
        self.seen.append((key, TimerEvent.unpack(ctx)))  # type: ignore[attr-defined]


def test_each_expiration_is_one_event() -> None:
    bench = Bench()
    key = bench.adapter.add(10)
    assert key == TimerKey(period_ns=10, id=1)
    bench.clock.advance(25)
    assert bench.seen == [(key, TimerEvent(10, 1, 0)), (key, TimerEvent(20, 2, 0))]


def test_missed_periods_ride_on_the_next_event() -> None:
    bench = Bench()
    key = bench.adapter.add(10)
    bench.scheduler.stop()
    bench.clock.advance(35)
    bench.scheduler.start()
    bench.clock.advance(5)
    assert bench.seen == [(key, TimerEvent(30, 3, 2)), (key, TimerEvent(40, 4, 0))]


def test_the_counter_of_the_context_wraps_at_32_bits() -> None:
    bench = Bench()
    bench.adapter.add(1)
    bench.scheduler.stop()
    bench.clock.advance(2**32 + 5)
    bench.scheduler.start()
    bench.clock.advance(0)
    assert [event for _, event in bench.seen] == [TimerEvent(2**32 + 5, 5, 0xFFFF_FFFF)]


def test_timers_of_one_period_are_two_hooks_and_priority_orders_them() -> None:
    bench = Bench()
    second, first = bench.adapter.add(10, priority=1), bench.adapter.add(10, priority=0)
    assert second != first
    bench.clock.advance(10)
    assert [key for key, _ in bench.seen] == [first, second]


def test_removed_timers_are_silent() -> None:
    bench = Bench()
    gone, kept = bench.adapter.add(10), bench.adapter.add(10)
    bench.adapter.remove(gone)
    bench.clock.advance(10)
    assert [key for key, _ in bench.seen] == [kept]
    with pytest.raises(HookError) as caught:
        bench.adapter.remove(gone)
    assert str(caught.value) == (
        "timer/10ns#1: isn't a timer of this adapter; running: timer/10ns#2\n    fix    add it first"
    )
    bench.adapter.close()
    bench.adapter.close()
    bench.clock.advance(10)
    assert len(bench.seen) == 1
    assert bench.adapter.keys() == ()


def test_a_program_may_remove_the_timer_that_runs_it() -> None:
    bench = Bench()
    adapter = TimerAdapter(bench.scheduler, lambda key, ctx: (bench.fire(key, ctx), adapter.close())[0])
    adapter.add(10)
    bench.clock.advance(100)
    assert len(bench.seen) == 1


def test_a_period_of_nothing_is_refused_and_leaves_no_timer() -> None:
    bench = Bench()
    with pytest.raises(ClockError, match="0 isn't a period"):
        bench.adapter.add(0)
    assert bench.adapter.keys() == ()
