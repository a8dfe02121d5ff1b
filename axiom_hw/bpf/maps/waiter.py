"""How a consumer sleeps until a producer wakes it, without the producer ever waiting."""

from __future__ import annotations

import os
import select
from contextlib import suppress
from typing import Final, Protocol

from axiom_hw.bpf.maps.mem import Mem, store_u32

# What the bell of a ring says to native producers (`RingBuf.bell`).
SILENT: Final = 0  # there is nobody to wake
AWAKE: Final = 2  # there is somebody, who doesn't sleep: look once more behind a fence
ARMED: Final = 3  # wake


class Waiter(Protocol):
    """A bed for one sleeper.

    The sleeper calls `arm`, looks once more whether there is work, and only then calls `wait`: a wake-up in between
    isn't lost.
    """

    def arm(self) -> None:
        """From now on a `wake` ends the next `wait`. Sets the bells."""
        ...

    def add_bell(self, bell: Mem) -> None:
        """From now on `arm` sets this u32 to `ARMED`: native producers look at it before they call anybody."""
        ...

    def wait(self, timeout_ns: int | None) -> None:
        """Sleep until woken, at most `timeout_ns`. May wake for no reason."""
        ...

    def wake(self) -> None:
        """Wake the sleeper. From any thread; never blocks, and costs one test while nobody is about to sleep."""
        ...


class PipeWaiter:
    """Sleeps in `poll` on a pipe, so that signals and Ctrl-C get through.

    Synchronization: one sleeper, any number of wakers.
    """

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)
        self._armed = False
        self._bells: tuple[Mem, ...] = ()
        self._poll = select.poll()  # select(2) stops at descriptor 1023
        self._poll.register(self._read, select.POLLIN)

    def arm(self) -> None:
        self._armed = True
        # Then the sleeper looks for records. This must be seen first, and is: Python runs thousands of instructions
        # until then, while a processor's stores wait for less than a hundred.
        for bell in self._bells:
            store_u32(bell, 0, ARMED)

    def add_bell(self, bell: Mem) -> None:
        self._bells = (*self._bells, bell)

    def wait(self, timeout_ns: int | None) -> None:
        self._poll.poll(None if timeout_ns is None else max(0, -(-timeout_ns // 1_000_000)))  # ms, rounded up
        self._armed = False
        with suppress(BlockingIOError):  # the time was up: there is nothing to read
            os.read(self._read, 64)

    def wake(self) -> None:
        if self._armed:
            self._armed = False
            with suppress(BlockingIOError):  # the pipe is full: the sleeper has plenty to wake up by
                os.write(self._write, b"\0")

    def __del__(self) -> None:
        # Not on request: a waker that is under way holds a reference, and would write to whatever has the number next.
        os.close(self._read)
        os.close(self._write)
