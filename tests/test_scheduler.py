"""Timers in virtual time: no drift, no bursts, a fixed order; and the thread that serves them on a real clock."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from axiom_hw.clock import MS, MonotonicClock, S, VirtualClock
from axiom_hw.errors import ClockError
from axiom_hw.scheduler import Scheduler, Timer

Row = tuple[int, int, int]


class Bench:
    """A scheduler on a virtual clock, and what its timers were told."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.scheduler = Scheduler(self.clock)
        self.scheduler.start()
        self.seen: list[Row] = []
        self.names: list[str] = []

    def note(self, due_ns: int, count: int, overruns: int) -> None:
        self.seen.append((due_ns, count, overruns))

    def named(self, name: str) -> Callable[[int, int, int], None]:
        return lambda *_: self.names.append(f"{name}@{self.clock.now_ns()}")


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_periodic_timer_expires_at_start_plus_n_periods(bench: Bench) -> None:
    bench.clock.advance(7)
    bench.scheduler.every(10, bench.note)
    bench.clock.advance(35)
    assert bench.seen == [(17, 1, 0), (27, 2, 0), (37, 3, 0)]


def test_ten_ticks_of_a_hundred_milliseconds_make_a_second(bench: Bench) -> None:
    bench.scheduler.every(100 * MS, bench.note)
    bench.clock.advance(1 * S)
    assert [due for due, _, _ in bench.seen] == [n * 100 * MS for n in range(1, 11)]


def test_missed_periods_are_reported_not_fired_in_a_burst() -> None:
    clock, seen = VirtualClock(), list[Row]()
    scheduler = Scheduler(clock)  # not started: nobody serves it while time passes
    scheduler.every(10, lambda *row: seen.append(row))
    clock.advance(35)
    assert scheduler.run_due() == 1
    assert seen == [(30, 3, 2)]  # due at 10, 20 and 30: the last one, and two missed
    assert scheduler.run_due() == 0
    clock.advance(5)
    assert scheduler.run_due() == 1
    assert seen[1:] == [(40, 4, 0)]  # still on the grid


def test_a_given_start_sets_the_grid(bench: Bench) -> None:
    bench.clock.advance(25)
    bench.scheduler.every(10, bench.note, start_ns=3)
    bench.clock.advance(10)
    assert bench.seen == [(23, 2, 1), (33, 3, 0)]


def test_one_shots(bench: Bench) -> None:
    at, after = bench.scheduler.at(20, bench.note), bench.scheduler.after(5, bench.note)
    assert at.active
    bench.clock.advance(100)
    assert bench.seen == [(5, 1, 0), (20, 1, 0)]
    assert not at.active
    assert not after.active
    bench.scheduler.at(3, bench.note)  # has passed: at once
    bench.clock.advance(0)
    assert bench.seen[2:] == [(3, 1, 0)]


def test_at_equal_times_priority_decides_then_age(bench: Bench) -> None:
    for name, priority in (("old", 0), ("last", 5), ("young", 0), ("first", -1)):
        bench.scheduler.at(10, bench.named(name), priority=priority)
    bench.scheduler.at(9, bench.named("earlier"), priority=99)
    bench.clock.advance(10)
    assert bench.names == ["earlier@9", "first@10", "old@10", "young@10", "last@10"]


def test_cancel_from_outside_from_its_own_callback_and_from_another(bench: Bench) -> None:
    outside = bench.scheduler.every(10, bench.note)
    outside.cancel()
    outside.cancel()
    own: list[Timer] = []
    own.append(bench.scheduler.every(10, lambda *_: (bench.names.append("own"), own[0].cancel())[0]))
    victim = bench.scheduler.at(10, bench.note, priority=1)
    bench.scheduler.at(10, lambda *_: victim.cancel(), priority=-1)
    bench.clock.advance(50)
    assert bench.seen == []
    assert bench.names == ["own"]
    assert "over" in repr(own[0])


def test_a_callback_starts_timers_and_they_run_in_the_same_advance(bench: Bench) -> None:
    def first(due_ns: int, count: int, overruns: int) -> None:
        bench.scheduler.after(5, bench.named("second"))
        bench.scheduler.after(0, bench.named("at once"))

    bench.scheduler.at(10, first)
    bench.clock.advance(20)
    assert bench.names == ["at once@10", "second@15"]


def test_cancelled_timers_do_not_pile_up(bench: Bench) -> None:
    for _ in range(5000):  # a watchdog that is fed: each feeding cancels an hour's timer and starts another
        bench.scheduler.after(3600 * S, bench.note).cancel()
        bench.clock.advance(1)
    assert len(bench.scheduler._heap) < 200


def test_an_exception_goes_to_on_error_and_the_other_timers_go_on() -> None:
    clock, told, seen = VirtualClock(), list[str](), list[Row]()

    def fail(*_: int) -> None:
        raise LookupError("mine")

    scheduler = Scheduler(clock, on_error=lambda timer, error: told.append(f"{error} {timer.count}"))
    scheduler.start()
    scheduler.every(10, fail)
    scheduler.every(10, lambda *row: seen.append(row))
    clock.advance(20)
    assert told == ["mine 1", "mine 2"]
    assert seen == [(10, 1, 0), (20, 2, 0)]


def test_without_on_error_the_exception_comes_out_of_advance_and_the_timer_lives(bench: Bench) -> None:
    def fail(*_: int) -> None:
        raise LookupError("of the callback")

    bench.scheduler.every(10, fail)
    for due_ns in (10, 20):
        with pytest.raises(LookupError, match="of the callback"):
            bench.clock.advance(10)
        assert bench.clock.now_ns() == due_ns


def test_stop_in_virtual_time_is_idempotent_and_start_goes_on(bench: Bench) -> None:
    bench.scheduler.every(10, bench.note)
    bench.clock.advance(10)
    bench.scheduler.stop()
    bench.scheduler.stop()
    assert not bench.scheduler.running
    bench.clock.advance(30)
    assert bench.seen == [(10, 1, 0)]
    bench.scheduler.start()
    bench.scheduler.start()
    bench.clock.advance(10)
    assert bench.seen[1:] == [(40, 4, 2), (50, 5, 0)]


def test_stop_from_a_callback_serves_nothing_more_at_that_instant(bench: Bench) -> None:
    bench.scheduler.at(10, lambda *_: bench.scheduler.stop())
    bench.scheduler.at(10, bench.note, priority=1)
    bench.clock.advance(50)
    assert bench.seen == []
    assert bench.clock.now_ns() == 50


def test_run_on_a_virtual_clock_ends_with_the_last_timer_or_with_stop(bench: Bench) -> None:
    bench.scheduler.stop()
    bench.scheduler.after(3600 * S, bench.note)
    bench.scheduler.run()
    assert bench.seen == [(3600 * S, 1, 0)]
    bench.scheduler.every(10, bench.note)
    bench.scheduler.after(35, lambda *_: bench.scheduler.stop())
    bench.scheduler.run()
    assert len(bench.seen) == 4


@pytest.mark.parametrize("period_ns", [0, -5, 1.5])
def test_a_period_has_to_be_one(bench: Bench, period_ns: int) -> None:
    with pytest.raises(ClockError) as caught:
        bench.scheduler.every(period_ns, bench.note)
    assert str(caught.value) == (
        f"period_ns: {period_ns} isn't a period; the least is 1 ns\n    fix    100 ms is 100_000_000"
    )
    with pytest.raises(ClockError, match="isn't a delay"):
        bench.scheduler.after(-1, bench.note)
    with pytest.raises(ClockError, match="isn't a time"):
        bench.scheduler.at(-1, bench.note)


def test_the_thread_serves_in_order_and_stops() -> None:
    clock = MonotonicClock()
    scheduler, done, seen = Scheduler(clock), threading.Event(), list[Row]()

    def note(due_ns: int, count: int, overruns: int) -> None:
        assert clock.now_ns() >= due_ns
        seen.append((due_ns, count, overruns))
        if len(seen) == 5:
            done.set()

    scheduler.start()
    timer = scheduler.every(1 * MS, note)
    assert done.wait(10)
    scheduler.stop()
    scheduler.stop()
    served = len(seen)
    assert not scheduler.running
    assert [(due - timer.start_ns) // MS for due, _, _ in seen] == [count for _, count, _ in seen]
    assert sum(1 + overruns for _, _, overruns in seen) == seen[-1][1]  # none lost, none twice
    assert len(seen) == served


def test_an_added_timer_wakes_the_thread_from_a_longer_sleep() -> None:
    scheduler, done = Scheduler(MonotonicClock()), threading.Event()
    scheduler.every(3600 * S, lambda *_: None)
    scheduler.start()
    scheduler.after(0, lambda *_: done.set())
    assert done.wait(10)
    scheduler.stop()


def test_stop_from_a_callback_of_the_thread_does_not_wait_for_itself() -> None:
    scheduler, ended = Scheduler(MonotonicClock()), threading.Event()

    def stop(*_: int) -> None:
        scheduler.stop()
        ended.set()

    scheduler.after(0, stop)
    scheduler.run()  # returns, because the callback stopped it
    assert ended.is_set()
    assert not scheduler.running


def test_stop_waits_for_the_callback_under_way() -> None:
    scheduler, entered, leave, left = Scheduler(MonotonicClock()), threading.Event(), threading.Event(), list[bool]()

    def slow(*_: int) -> None:
        entered.set()
        leave.wait(10)
        left.append(True)

    scheduler.after(0, slow)
    scheduler.start()
    assert entered.wait(10)
    stopper = threading.Thread(target=lambda: (scheduler.stop(), left.append(False)))
    stopper.start()
    leave.set()
    stopper.join(10)
    assert left == [True, False]


def test_timers_are_not_served_twice() -> None:
    scheduler = Scheduler(MonotonicClock())
    scheduler.start()
    with pytest.raises(ClockError, match="are being served already"):
        scheduler.run()
    scheduler.stop()


def test_timers_added_from_many_threads_all_run() -> None:
    scheduler, done, seen = Scheduler(MonotonicClock()), threading.Event(), list[int]()

    def note(due_ns: int, count: int, overruns: int) -> None:
        seen.append(due_ns)
        if len(seen) == 800:
            done.set()

    scheduler.start()
    threads = [threading.Thread(target=lambda: [scheduler.after(n % 7, note) for n in range(200)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done.wait(10)
    scheduler.stop()
    assert len(seen) == 800
