"""Time as an argument: the monotonic clock, and a virtual one that moves only when it is told to.

Everything that waits (timers, debounce, watchdogs, `--for 10s`) waits on a `Clock`. With a `VirtualClock` waiting is
moving the clock, so an hour of timers passes in milliseconds, in the same order every time.

    clock = VirtualClock()
    scheduler = Scheduler(clock)
    scheduler.every(100 * MS, tick)
    scheduler.start()
    clock.advance(1 * S)          # tick runs ten times, at 0.1 s, 0.2 s, ...
"""

from __future__ import annotations

import threading
import time
from typing import Protocol

from axiom_hw.errors import ClockError

US = 1_000
MS = 1_000_000
S = 1_000_000_000

_STUCK_AFTER = 1_000_000  # rounds at one instant of virtual time: nobody has that many timers due at once


class Wake(Protocol):
    """Ends a wait early. `threading.Event` is one."""

    def is_set(self) -> bool: ...

    def wait(self, timeout: float | None = None) -> bool: ...


class Clock(Protocol):
    """Where time comes from, in ns of CLOCK_MONOTONIC."""

    def now_ns(self) -> int: ...

    def wait_until(self, deadline_ns: int | None, wake: Wake) -> None:
        """Return at the deadline, or as soon as `wake` is set; with None only then."""


class Driven(Protocol):
    """What a virtual clock runs as it moves: something with timers, such as the scheduler."""

    def next_due_ns(self) -> int | None:
        """When it wants to run next, or None."""

    def run_due(self) -> int:
        """Run what is due now; returns how much that was."""


class MonotonicClock:
    """The kernel's CLOCK_MONOTONIC, which GPIO edges are stamped with too.

    Synchronization: none needed.
    """

    __slots__ = ()

    def now_ns(self) -> int:
        return time.monotonic_ns()

    def wait_until(self, deadline_ns: int | None, wake: Wake) -> None:
        if deadline_ns is None:
            wake.wait()
            return
        while (left_ns := deadline_ns - time.monotonic_ns()) > 0:
            # The kernel may round a time-out down: look at the clock again rather than return early.
            if wake.wait(min(left_ns / 1e9, threading.TIMEOUT_MAX)):
                return


class VirtualClock:
    """A clock that stands still until it is moved, and runs each timer at the very instant that it is due.

    Synchronization: `now_ns` from any thread; one thread at a time moves the clock, and no timer may move it.
    """

    __slots__ = ("_driven", "_moving", "_now_ns")

    def __init__(self, start_ns: int = 0) -> None:
        _check_time("start_ns", start_ns)
        self._now_ns = start_ns
        self._driven: tuple[Driven, ...] = ()
        self._moving = threading.Lock()  # tried, never waited for

    def now_ns(self) -> int:
        return self._now_ns

    def drive(self, driven: Driven) -> None:
        """From now on run it as the clock moves. Of several that are due at once, the first driven runs first."""
        if driven not in self._driven:
            self._driven = (*self._driven, driven)

    def release(self, driven: Driven) -> None:
        """Undo `drive`; no error if it isn't driven."""
        self._driven = tuple(d for d in self._driven if d is not driven)

    def advance(self, duration_ns: int) -> None:
        """Move on by a duration, running every timer that falls due on the way, each at its time.

        Raises `ClockError` for a negative duration, or when called from a timer. An exception of a timer comes out
        here, with the clock standing at that timer's time.
        """
        _check_time("advance", duration_ns)
        self.advance_to(self._now_ns + duration_ns)

    def advance_to(self, time_ns: int) -> None:
        """Move on to a time, as `advance` does. Raises `ClockError` for a time that has passed."""
        _check_time("advance_to", time_ns)
        if time_ns < self._now_ns:
            raise ClockError(
                "advance_to",
                f"{time_ns} ns is {self._now_ns - time_ns} ns ago; it is {self._now_ns} ns now",
                "clocks run forwards: make a new VirtualClock to start again",
            )
        self._move(time_ns, None)

    def jump(self, duration_ns: int) -> None:
        """Move on by a duration without running what falls due on the way, as a machine does that was suspended.

        Timers then learn how many periods they missed. From a timer too. Raises `ClockError` for a negative duration.
        """
        _check_time("jump", duration_ns)
        self._now_ns += duration_ns

    def run_next(self) -> bool:
        """Move to the next time at which something is due and run that; False, and no move, when nothing is."""
        due_ns = self._next_due_ns()
        if due_ns is None:
            return False
        self._move(max(due_ns, self._now_ns), None)
        return True

    def wait_until(self, deadline_ns: int | None, wake: Wake) -> None:
        """Move to the deadline, or until a timer sets `wake`.

        Raises `ClockError` where this would wait for ever: no deadline, no timer, and nobody to set `wake`.
        """
        if deadline_ns is not None:
            if deadline_ns > self._now_ns:
                self._move(deadline_ns, wake)
            return
        while not wake.is_set():
            due_ns = self._next_due_ns()
            if due_ns is None:
                raise ClockError(
                    "wait_until",
                    f"would wait for ever: no deadline, and no timer is left at {self._now_ns} ns of virtual time",
                    "give a deadline, or start a scheduler that has a timer",
                )
            self._move(max(due_ns, self._now_ns), wake)

    def _next_due_ns(self) -> int | None:
        return min((due for d in self._driven if (due := d.next_due_ns()) is not None), default=None)

    def _move(self, time_ns: int, wake: Wake | None) -> None:
        if not self._moving.acquire(blocking=False):
            raise ClockError(
                "virtual clock",
                f"is being moved already, at {self._now_ns} ns; a timer can't move the clock that runs it",
                "let the timer start another timer, and move the clock from outside",
            )
        try:
            rounds, instant_ns = 0, self._now_ns
            while wake is None or not wake.is_set():
                due_ns = self._next_due_ns()
                if due_ns is None or due_ns > time_ns:
                    self._now_ns = max(self._now_ns, time_ns)  # a timer may have jumped
                    return
                self._now_ns = max(self._now_ns, due_ns)
                rounds = rounds + 1 if self._now_ns == instant_ns else 0
                instant_ns = self._now_ns
                if rounds > _STUCK_AFTER:
                    raise ClockError(
                        "virtual clock",
                        f"ran {_STUCK_AFTER} rounds of timers without leaving {instant_ns} ns",
                        "a timer that starts itself again needs a delay above 0 ns",
                    )
                self._run_due()
        finally:
            self._moving.release()

    def _run_due(self) -> None:
        for driven in self._driven:
            due_ns = driven.next_due_ns()
            if due_ns is not None and due_ns <= self._now_ns:
                driven.run_due()


def _check_time(place: str, time_ns: int) -> None:
    if not isinstance(time_ns, int):
        raise ClockError(place, f"{time_ns!r} isn't a whole number of nanoseconds", "write 1_500_000 for 1.5 ms")
    if time_ns < 0:
        raise ClockError(place, f"{time_ns} ns is negative; clocks run forwards", "give 0 ns or more")
