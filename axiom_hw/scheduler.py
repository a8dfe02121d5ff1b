"""Timers on a clock: periodic without drift, one-shot, in order of due time, then priority, then age.

On a real clock one thread sleeps until the next deadline and runs what is due; on a virtual clock whoever moves the
clock does. A timer that is served late runs once and is told how many periods it missed, instead of running in a burst.

Synchronization: timers are added and cancelled from any thread, from a timer's callback too, without a lock: an added
timer goes through an inbox to the heap, which only the serving thread touches.
"""

from __future__ import annotations

import heapq
import threading
from collections import deque
from collections.abc import Callable
from itertools import count

from axiom_hw.clock import Clock, VirtualClock
from axiom_hw.errors import ClockError

OnTimer = Callable[[int, int, int], None]
"""Called with the time at which the timer was due (ns), the expirations so far (this one and the missed ones
included), and the periods that were missed just before."""

OnError = Callable[["Timer", Exception], None]

_SWEEP_FROM = 64  # cancelled timers that lie in the heap until a sweep is worth its while


class Timer:
    """One timer. Its n-th expiration is due at `start_ns + n * period_ns`; a one-shot has no period."""

    __slots__ = ("_active", "age", "callback", "count", "due_ns", "period_ns", "priority", "start_ns")

    def __init__(
        self, callback: OnTimer, start_ns: int, due_ns: int, period_ns: int | None, priority: int, age: int
    ) -> None:
        self.callback = callback
        self.start_ns = start_ns
        self.due_ns = due_ns
        self.period_ns = period_ns
        self.priority = priority
        self.age = age
        self.count = 0  # expirations so far, missed ones included
        self._active = True

    def __lt__(self, other: Timer) -> bool:
        return (self.due_ns, self.priority, self.age) < (other.due_ns, other.priority, other.age)

    def __repr__(self) -> str:
        kind = f"every {self.period_ns} ns" if self.period_ns else "once"
        return f"<Timer {kind}, next at {self.due_ns} ns>" if self._active else f"<Timer {kind}, over>"

    @property
    def active(self) -> bool:
        """Whether it will run again."""
        return self._active

    def cancel(self) -> None:
        """Don't run it again; a run under way goes on. Twice is fine."""
        self._active = False

    def expire(self, now_ns: int) -> tuple[int, int, int]:
        """Take the expiration that is due, and set the next; returns the callback's arguments."""
        if self.period_ns is None:
            self._active = False
            self.count = 1
            return self.due_ns, 1, 0
        overruns = (now_ns - self.due_ns) // self.period_ns
        due_ns = self.due_ns + overruns * self.period_ns
        self.count += 1 + overruns
        self.due_ns = due_ns + self.period_ns
        return due_ns, self.count, overruns


class _Service:
    """One stretch of serving timers, from start to stop."""

    __slots__ = ("ended", "own_thread", "stopping", "thread_id")

    def __init__(self) -> None:
        self.stopping = False
        self.ended = threading.Event()
        self.thread_id: int | None = None  # who serves; None on a virtual clock, where whoever moves it does
        self.own_thread: threading.Thread | None = None  # made by start(), so joined by stop()


class Scheduler:
    """Timers, served by `start` (a thread, or the virtual clock) or by `run` (the calling thread).

    `on_error(timer, error)` is told of a callback's exception, and the other timers go on; without it the exception
    comes out of `run`, out of the thread, or out of `VirtualClock.advance`.
    """

    __slots__ = ("_ages", "_clock", "_heap", "_inbox", "_on_error", "_service", "_swept", "_wake")

    def __init__(self, clock: Clock, on_error: OnError | None = None) -> None:
        self._clock = clock
        self._on_error = on_error
        self._ages = count()
        self._heap: list[Timer] = []
        self._inbox: deque[Timer] = deque()
        self._swept = 0  # length of the heap after the last sweep
        self._wake = threading.Event()
        self._service: _Service | None = None

    def every(self, period_ns: int, callback: OnTimer, *, priority: int = 0, start_ns: int | None = None) -> Timer:
        """Run `callback` at `start_ns + n * period_ns` for n = 1, 2, ...; the start is now unless given.

        Raises `ClockError` for a period below 1 ns.
        """
        if not isinstance(period_ns, int) or period_ns < 1:
            raise ClockError("period_ns", f"{period_ns!r} isn't a period; the least is 1 ns", "100 ms is 100_000_000")
        start_ns = self._clock.now_ns() if start_ns is None else start_ns
        return self._add(Timer(callback, start_ns, start_ns + period_ns, period_ns, priority, next(self._ages)))

    def at(self, due_ns: int, callback: OnTimer, *, priority: int = 0) -> Timer:
        """Run `callback` once, at a time of this clock; at once if it has passed. Raises `ClockError` below 0."""
        if not isinstance(due_ns, int) or due_ns < 0:
            raise ClockError("due_ns", f"{due_ns!r} isn't a time in whole ns", "give clock.now_ns() plus a delay")
        return self._add(Timer(callback, due_ns, due_ns, None, priority, next(self._ages)))

    def after(self, delay_ns: int, callback: OnTimer, *, priority: int = 0) -> Timer:
        """Run `callback` once, this much later. Raises `ClockError` for a negative delay."""
        if not isinstance(delay_ns, int) or delay_ns < 0:
            raise ClockError("delay_ns", f"{delay_ns!r} isn't a delay in whole ns", "give 0 ns or more")
        return self.at(self._clock.now_ns() + delay_ns, callback, priority=priority)

    @property
    def running(self) -> bool:
        """Whether timers are being served."""
        return self._service is not None

    def start(self) -> None:
        """Serve the timers from now on: in a thread of its own, or, on a virtual clock, as the clock moves.

        Does nothing when they are served already. One owner starts and stops.
        """
        if self._service is not None:
            return
        service = self._service = _Service()
        if isinstance(self._clock, VirtualClock):
            self._clock.drive(self)
            return
        # A daemon: a program that forgets stop() must still be able to exit.
        service.own_thread = threading.Thread(target=self._serve, args=(service,), name="axiom-timers", daemon=True)
        service.own_thread.start()

    def run(self) -> None:
        """Serve the timers in the calling thread until `stop`; on a virtual clock, also until none is left.

        Raises `ClockError` when they are served already.
        """
        if self._service is not None:
            raise ClockError("scheduler", "its timers are being served already", "call stop() before run()")
        if isinstance(self._clock, VirtualClock):
            self.start()
            while self._service is not None and self._clock.run_next():
                pass
            self.stop()
            return
        service = self._service = _Service()
        self._serve(service)

    def stop(self) -> None:
        """Serve no more timers; they stay, and go on after the next `start`. Twice is fine.

        Returns when the callback under way has ended; called from a timer's callback, at once. Don't call it from a
        program on another thread than the timers': the callback under way may be waiting for that program's end.
        """
        service = self._service
        if service is None:
            return
        service.stopping = True
        self._wake.set()
        if isinstance(self._clock, VirtualClock):
            self._clock.release(self)
            self._service = None
        elif service.thread_id != threading.get_ident():
            service.ended.wait()
            if service.own_thread is not None:
                service.own_thread.join()

    def next_due_ns(self) -> int | None:
        """When the next timer is due, or None. For the serving thread."""
        self._take_in()
        while self._heap and not self._heap[0].active:
            heapq.heappop(self._heap)
        return self._heap[0].due_ns if self._heap else None

    def run_due(self) -> int:
        """Run every timer that is due now, in order; returns how many ran. For the serving thread."""
        self._take_in()
        now_ns, service, ran = self._clock.now_ns(), self._service, 0
        while self._heap and self._heap[0].due_ns <= now_ns and not (service is not None and service.stopping):
            timer = heapq.heappop(self._heap)
            if not timer.active:
                continue
            expiration = timer.expire(now_ns)
            if timer.active:
                heapq.heappush(self._heap, timer)  # before the callback: its exception must not lose the timer
            ran += 1
            try:
                timer.callback(*expiration)
            except Exception as error:
                if self._on_error is None:
                    raise
                self._on_error(timer, error)
        return ran

    def _serve(self, service: _Service) -> None:
        service.thread_id = threading.get_ident()
        try:
            while True:
                # Cleared before looking: whatever is added or stopped from here on ends the wait.
                self._wake.clear()
                if service.stopping:
                    return
                self._clock.wait_until(self.next_due_ns(), self._wake)
                self.run_due()
        finally:
            self._service = None
            service.ended.set()

    def _add(self, timer: Timer) -> Timer:
        self._inbox.append(timer)
        self._wake.set()
        return timer

    def _take_in(self) -> None:
        while self._inbox:
            heapq.heappush(self._heap, self._inbox.popleft())
        if len(self._heap) > 2 * self._swept + _SWEEP_FROM:
            self._heap = [timer for timer in self._heap if timer.active]
            heapq.heapify(self._heap)
            self._swept = len(self._heap)
