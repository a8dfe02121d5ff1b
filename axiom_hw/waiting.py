"""How an app waits: in real time it sleeps; in virtual time whoever waits moves the clock, one thread at a time.

Synchronization: any thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from axiom_hw.bpf.maps import Mem, PipeWaiter
from axiom_hw.clock import MS, Clock, MonotonicClock, VirtualClock

_LOOK_AGAIN_NS: Final = 2 * MS  # of real time: how long a thread sleeps before it sees that nobody moves time now
# A signal that comes while the process is stopped may be handed to any thread; Python's handlers run in the main one,
# which hears of it when it wakes.
_HEAR_SIGNALS_NS: Final = 1000 * MS


class Pace:
    """The clock of an app's run, and whose turn it is to move it. Before the run it is the monotonic one.

    `at_rest` is called when somebody waits for ever in virtual time and nothing is left that could happen.
    """

    def __init__(self, at_rest: Callable[[], None]) -> None:
        self.clock: Clock = MonotonicClock()
        self._at_rest = at_rest
        self._turn = threading.Lock()  # tried, never waited for
        self._mover: int | None = None

    def now_ns(self) -> int:
        """The time of the clock."""
        return self.clock.now_ns()

    @contextmanager
    def turn(self) -> Iterator[bool]:
        """Whether the clock is the caller's to move, until the end of the block; False while another thread moves it.

        True also to the thread that is moving it already: the clock then says what is wrong with that.
        """
        me = threading.get_ident()
        if self._mover == me:
            yield True
        elif self._turn.acquire(blocking=False):
            self._mover = me
            try:
                yield True
            finally:
                self._mover = None
                self._turn.release()
        else:
            yield False

    def run_out(self, ended: threading.Event) -> None:
        """Wait until `ended` is set."""
        while isinstance(self.clock, VirtualClock) and not ended.is_set():
            with self.turn() as mine:
                if mine and not self.clock.run_next():
                    self._at_rest()
            if not mine:
                ended.wait(_LOOK_AGAIN_NS / 1e9)
        while not ended.wait(_HEAR_SIGNALS_NS / 1e9):
            pass

    def move(self, clock: VirtualClock, timeout_ns: int | None, woken: threading.Event) -> bool:
        """Move the clock on until `woken`, or by `timeout_ns`. False where another thread moves it."""
        with self.turn() as mine:
            if not mine:
                return False
            if timeout_ns is not None:
                clock.wait_until(clock.now_ns() + timeout_ns, woken)
            elif not woken.is_set() and not clock.run_next():
                self._at_rest()
            return True


class PacedWaiter:
    """A `Waiter` at an app's pace: on a pipe, or, in virtual time, by moving the clock until a record comes.

    What wakes it wakes its `followers` too.
    """

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._pipe = PipeWaiter()
        self._woken = threading.Event()
        self.followers: tuple[PacedWaiter, ...] = ()

    def arm(self) -> None:
        self._woken.clear()
        self._pipe.arm()

    def add_bell(self, bell: Mem) -> None:
        self._pipe.add_bell(bell)

    def wake(self) -> None:
        self._woken.set()
        self._pipe.wake()
        for follower in self.followers:
            follower.wake()

    def wait(self, timeout_ns: int | None) -> None:
        clock = self._pace.clock
        if not isinstance(clock, VirtualClock):
            self._pipe.wait(_HEAR_SIGNALS_NS if timeout_ns is None else timeout_ns)
        elif not self._pace.move(clock, timeout_ns, self._woken):
            self._pipe.wait(_LOOK_AGAIN_NS)
