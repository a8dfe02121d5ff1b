"""The thread that brings edges to handlers, those of all pins in the order of their time stamps.

Each pin is a request of its own, with a queue of its own in the kernel. Read one after the other, two quick pins, such
as those of a rotary encoder, would tell their story in the wrong order. So a round reads all pins, and hands on what is
no younger than its beginning: what came before that has been read by then.
"""

from __future__ import annotations

import heapq
import os
import select
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Protocol

from axiom_hw.backends.gpio import GpioRequest, LineEvent


class Pin(Protocol):
    """What the thread needs of a pin."""

    def take(self, until_ns: int) -> tuple[GpioRequest | None, list[LineEvent]]:
        """Read what is queued, at least up to that time, and of which request."""

    def hand_on(self, request: GpioRequest | None, event: LineEvent) -> None:
        """Call the handler, unless the pin has let go of that request."""


class EdgeThread:
    """Serves the pins whose edges somebody wants; it begins with the first of them. `now` is the edges' clock.

    Synchronization: every method from any thread, `deliver` from a handler too. One lock is held while handlers run, so
    one runs at a time, as gpiozero's devices expect. A handler that raises in the thread is reported as Python reports
    what ends a thread, and the thread goes on.
    """

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        self._pins: dict[int, Pin] = {}
        self._readable, self._wake = os.pipe()
        os.set_blocking(self._wake, False)
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._delivering = threading.RLock()
        self._waiting: list[tuple[int, int, Pin, GpioRequest | None, LineEvent]] = []  # a heap, oldest first
        self._age = count()
        self._ended = False

    def watch(self, fd: int, pin: Pin) -> None:
        """From now on serve `pin`, which has edges when `fd` is readable."""
        with self._lock:
            if self._ended:
                return
            self._pins = {**self._pins, fd: pin}
            if self._thread is None:
                # A daemon: a script that ends by an exception must not hang here.
                self._thread = threading.Thread(target=self._serve, name="axiom-gpiozero", daemon=True)
                self._thread.start()
            self._look_again()

    def forget(self, fd: int) -> None:
        """Leave `fd` alone; call it before the descriptor is closed."""
        with self._lock:
            if self._ended:
                return
            self._pins = {other: pin for other, pin in self._pins.items() if other != fd}
            self._look_again()

    def deliver(self) -> None:
        """Serve what is queued now, and return when its handlers have. What a handler raises comes out here."""
        with self._delivering:
            try:
                self._round(lambda pin, request, event: pin.hand_on(request, event))
            finally:
                with self._lock:
                    if self._waiting and not self._ended:
                        self._look_again()

    def close(self) -> None:
        """End the thread. It isn't waited for where a handler of it is still running: that may never end."""
        with self._lock:
            if self._ended:
                return
            self._ended = True
            self._look_again()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout=1.0)
        if thread is None or not thread.is_alive():
            os.close(self._readable)
            os.close(self._wake)

    def _look_again(self) -> None:
        with suppress(BlockingIOError):  # it has enough to read already
            os.write(self._wake, b"\0")

    def _serve(self) -> None:
        while not self._ended:
            poll = select.poll()  # select(2) ends at descriptor 1023
            poll.register(self._readable, select.POLLIN)
            for fd in self._pins:
                poll.register(fd, select.POLLIN)
            ready = [fd for fd, _ in poll.poll(0 if self._waiting else None)]
            if self._readable in ready:
                os.read(self._readable, 4096)
            with self._delivering:
                if not self._ended:
                    self._round(_guarded)

    def _round(self, hand_on: Callable[[Pin, GpioRequest | None, LineEvent], None]) -> None:
        now_ns = self._now()
        for pin in self._pins.values():
            request, events = pin.take(now_ns)
            for event in events:
                heapq.heappush(self._waiting, (event.timestamp_ns, next(self._age), pin, request, event))
        # From a handler, this is entered again: it then serves what the outer round has left.
        while self._waiting and self._waiting[0][0] <= now_ns:
            _, _, pin, request, event = heapq.heappop(self._waiting)
            hand_on(pin, request, event)


def _guarded(pin: Pin, request: GpioRequest | None, event: LineEvent) -> None:
    try:
        pin.hand_on(request, event)
    except Exception:  # noqa: BLE001  # of somebody's handler: one must not keep edges from all the others
        kind, error, trace = sys.exc_info()
        assert kind is not None
        threading.excepthook(threading.ExceptHookArgs((kind, error, trace, threading.current_thread())))
