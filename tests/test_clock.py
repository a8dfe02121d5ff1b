"""The virtual clock moves only when told to, and runs each timer at its time; the real one waits and wakes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from axiom_hw.clock import MS, MonotonicClock, S, VirtualClock
from axiom_hw.errors import AxiomError, ClockError


class Alarms:
    """A minimal thing with timers: (due, action) in any order."""

    def __init__(self, clock: VirtualClock, *alarms: tuple[int, Callable[[], None]]) -> None:
        self.clock = clock
        self.alarms = list(alarms)

    def next_due_ns(self) -> int | None:
        return min((due for due, _ in self.alarms), default=None)

    def run_due(self) -> int:
        due = [alarm for alarm in self.alarms if alarm[0] <= self.clock.now_ns()]
        self.alarms = [alarm for alarm in self.alarms if alarm not in due]
        for _, action in due:
            action()
        return len(due)


def test_stands_still_until_it_is_moved() -> None:
    clock = VirtualClock(start_ns=5)
    assert clock.now_ns() == clock.now_ns() == 5
    clock.advance(0)
    assert clock.now_ns() == 5
    clock.advance(7)
    assert clock.now_ns() == 12
    clock.advance_to(12)
    assert clock.now_ns() == 12


def test_runs_what_is_due_at_its_own_time_and_in_order() -> None:
    clock = VirtualClock()
    seen: list[tuple[str, int]] = []

    def note(name: str) -> Callable[[], None]:
        return lambda: seen.append((name, clock.now_ns()))

    clock.drive(Alarms(clock, (30, note("c")), (10, note("a")), (20, note("b")), (41, note("later"))))
    clock.drive(Alarms(clock, (20, note("second source")), (40, note("at the end"))))
    clock.advance_to(40)
    assert seen == [("a", 10), ("b", 20), ("second source", 20), ("c", 30), ("at the end", 40)]
    assert clock.now_ns() == 40


def test_an_overdue_alarm_runs_now_and_time_never_goes_back() -> None:
    clock = VirtualClock(start_ns=100)
    seen: list[int] = []
    clock.drive(Alarms(clock, (10, lambda: seen.append(clock.now_ns()))))
    clock.advance(0)
    assert seen == [100]


def test_run_next_moves_to_the_next_due_time_only() -> None:
    clock = VirtualClock()
    seen: list[int] = []
    alarms = Alarms(clock, *((due, lambda: seen.append(clock.now_ns())) for due in (7, 9)))
    clock.drive(alarms)
    assert clock.run_next()
    assert seen == [7]
    assert clock.run_next()
    assert seen == [7, 9]
    assert not clock.run_next()
    assert clock.now_ns() == 9


def test_released_things_are_left_alone() -> None:
    clock = VirtualClock()
    seen: list[int] = []
    alarms = Alarms(clock, (5, lambda: seen.append(5)))
    clock.drive(alarms)
    clock.drive(alarms)  # twice is once
    clock.release(alarms)
    clock.release(alarms)
    clock.advance(10)
    assert seen == []


def test_refuses_to_run_backwards() -> None:
    clock = VirtualClock(start_ns=50)
    with pytest.raises(ClockError) as caught:
        clock.advance_to(20)
    assert str(caught.value) == (
        "advance_to: 20 ns is 30 ns ago; it is 50 ns now\n"
        "    fix    clocks run forwards: make a new VirtualClock to start again"
    )
    with pytest.raises(ClockError, match="-1 ns is negative"):
        clock.advance(-1)
    with pytest.raises(ClockError, match=r"1.5 isn't a whole number of nanoseconds"):
        clock.advance(1.5)  # type: ignore[arg-type]
    assert clock.now_ns() == 50
    assert issubclass(ClockError, ValueError)
    assert issubclass(ClockError, AxiomError)


def test_a_timer_cannot_move_the_clock_that_runs_it() -> None:
    clock = VirtualClock()
    clock.drive(Alarms(clock, (5, lambda: clock.advance(1))))
    with pytest.raises(ClockError, match="is being moved already, at 5 ns"):
        clock.advance(10)
    clock.advance(1)  # and it isn't jammed afterwards
    assert clock.now_ns() == 6


def test_a_timer_that_never_lets_time_pass_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("axiom_hw.clock._STUCK_AFTER", 100)
    clock = VirtualClock()
    alarms = Alarms(clock)

    def again() -> None:
        alarms.alarms.append((clock.now_ns(), again))

    again()
    clock.drive(alarms)
    with pytest.raises(ClockError, match="ran 100 rounds of timers without leaving 0 ns"):
        clock.advance(10)


def test_an_exception_leaves_the_clock_at_the_time_of_its_timer() -> None:
    clock = VirtualClock()

    def fail() -> None:
        raise LookupError("of the timer")

    clock.drive(Alarms(clock, (5, fail)))
    with pytest.raises(LookupError, match="of the timer"):
        clock.advance(10)
    assert clock.now_ns() == 5
    clock.advance_to(10)
    assert clock.now_ns() == 10


def test_waiting_on_a_virtual_clock_moves_it() -> None:
    clock, wake, seen = VirtualClock(), threading.Event(), []
    clock.drive(Alarms(clock, (3, lambda: seen.append(clock.now_ns()))))
    clock.wait_until(10, wake)
    assert (seen, clock.now_ns()) == ([3], 10)
    clock.wait_until(4, wake)  # has passed
    assert clock.now_ns() == 10


def test_a_wake_ends_a_virtual_wait_at_the_instant_of_the_timer_that_set_it() -> None:
    clock, wake = VirtualClock(), threading.Event()
    clock.drive(Alarms(clock, (3, wake.set), (6, lambda: pytest.fail("is after the wake"))))
    clock.wait_until(10, wake)
    assert clock.now_ns() == 3
    clock.wait_until(None, wake)
    assert clock.now_ns() == 3


def test_a_virtual_wait_without_end_is_refused() -> None:
    clock, wake = VirtualClock(), threading.Event()
    with pytest.raises(ClockError, match="would wait for ever: no deadline, and no timer is left at 0 ns"):
        clock.wait_until(None, wake)
    clock.drive(Alarms(clock, (3, wake.set)))
    clock.wait_until(None, wake)
    assert clock.now_ns() == 3


def test_the_monotonic_clock_is_the_one_that_edges_are_stamped_with() -> None:
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    now = MonotonicClock().now_ns()
    assert before <= now <= time.clock_gettime_ns(time.CLOCK_MONOTONIC)


def test_the_monotonic_clock_never_returns_before_its_deadline() -> None:
    clock, wake = MonotonicClock(), threading.Event()
    deadline_ns = clock.now_ns() + 2 * MS
    clock.wait_until(deadline_ns, wake)
    assert clock.now_ns() >= deadline_ns
    clock.wait_until(deadline_ns, wake)  # has passed


@pytest.mark.parametrize("deadline_ns", [None, 3600 * S])
def test_a_wake_ends_a_real_wait(deadline_ns: int | None) -> None:
    clock, wake = MonotonicClock(), threading.Event()
    start_ns = clock.now_ns()
    waiter = threading.Thread(
        target=clock.wait_until, args=(None if deadline_ns is None else start_ns + deadline_ns, wake)
    )
    waiter.start()
    wake.set()
    waiter.join(timeout=10)
    assert not waiter.is_alive()
