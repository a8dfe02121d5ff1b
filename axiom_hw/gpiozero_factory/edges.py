"""The thread that brings edges: it sleeps in the kernel until a pin has some, and lets that pin deliver them."""

from __future__ import annotations

import os
import select
import sys
import threading
from contextlib import suppress
from typing import Protocol


class Delivering(Protocol):
    """What the thread needs of a pin."""

    def deliver(self) -> None:
        """Hand on what is queued now."""


class EdgeThread:
    """Serves the pins whose edges somebody wants; it begins with the first of them.

    Synchronization: `watch` and `forget` from any thread. A handler that raises is reported as Python reports what ends
    a thread, and this thread goes on.
    """

    def __init__(self) -> None:
        self._pins: dict[int, Delivering] = {}
        self._readable, self._wake = os.pipe()
        os.set_blocking(self._wake, False)
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._ended = False

    def watch(self, fd: int, pin: Delivering) -> None:
        """From now on let `pin` deliver when `fd` is readable."""
        with self._lock:
            self._pins = {**self._pins, fd: pin}
            if self._thread is None:
                # A daemon: a script that ends by an exception must not hang here.
                self._thread = threading.Thread(target=self._serve, name="axiom-gpiozero", daemon=True)
                self._thread.start()
            self._look_again()

    def forget(self, fd: int) -> None:
        """Leave `fd` alone; call it before the descriptor is closed."""
        with self._lock:
            self._pins = {other: pin for other, pin in self._pins.items() if other != fd}
            self._look_again()

    def close(self) -> None:
        """End the thread. It isn't waited for where a handler of it is still running: that may never end."""
        with self._lock:
            if self._ended:
                return
            self._look_again()
            self._ended = True
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout=1.0)
        if thread is None or not thread.is_alive():
            os.close(self._readable)
            os.close(self._wake)

    def _look_again(self) -> None:
        if not self._ended:
            with suppress(BlockingIOError):  # it has enough to read already
                os.write(self._wake, b"\0")

    def _serve(self) -> None:
        while not self._ended:
            pins = self._pins
            poll = select.poll()  # select(2) ends at descriptor 1023
            poll.register(self._readable, select.POLLIN)
            for fd in pins:
                poll.register(fd, select.POLLIN)
            for fd, _ in poll.poll():
                if fd == self._readable:
                    os.read(self._readable, 4096)
                elif self._pins.get(fd) is pins[fd]:  # not forgotten meanwhile
                    _guarded(pins[fd])


def _guarded(pin: Delivering) -> None:
    try:
        pin.deliver()
    except Exception:  # noqa: BLE001  # of somebody's handler: one must not keep edges from all the others
        kind, error, trace = sys.exc_info()
        assert kind is not None
        threading.excepthook(threading.ExceptHookArgs((kind, error, trace, threading.current_thread())))
