"""When a sensor is read: by a thread in real time, by the scheduler in virtual time; and again when it was away."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol

from axiom_hw.adapters.feed import Feed, MakeServer, Server
from axiom_hw.adapters.iio_reader import Reader
from axiom_hw.adapters.roll_call import RollCall
from axiom_hw.backends.iio import Capture
from axiom_hw.clock import MS, Clock, S
from axiom_hw.errors import AxiomError, BackendError

RETRY_NS: Final = 1 * S

Told = Callable[[AxiomError], object]


class Cancellable(Protocol):
    """A timer that was started."""

    def cancel(self) -> None: ...


class Timers(Protocol):
    """What virtual time needs of a scheduler."""

    def every(self, period_ns: int, callback: Callable[[int, int, int], None], /) -> Cancellable: ...

    def after(self, delay_ns: int, callback: Callable[[int, int, int], None], /) -> Cancellable: ...


class Paced:
    """Serves a reader in virtual time. Synchronization: the thread that moves the clock."""

    def __init__(self, reader: Reader, timers: Timers, wants: Callable[[], bool]) -> None:
        self._reader = reader
        self._timers = timers
        self._wants = wants
        self._timer: Cancellable | None = None
        self._runs = False
        self._is_over = False

    def start(self) -> None:
        """Virtual time needs no thread."""
        self._is_over = False
        self.changed()

    def stop(self) -> None:
        self._is_over = True
        self._end()

    def changed(self) -> None:
        wants = not self._is_over and self._wants()
        if wants and not self._runs:
            self._runs = True
            self._begin()
        elif not wants and self._runs:
            self._end()

    def pump(self) -> int:
        fired = self._reader.drain() if self._runs else 0
        if fired is None:
            self._try_again()
        return fired or 0

    def _begin(self, *_expiration: int) -> None:
        if not self._reader.begin():
            self._try_again()
        elif self._reader.ticks:
            self._timer = self._timers.every(self._reader.declared.period_ns, self._tick)

    def _tick(self, _due_ns: int, _count: int, overruns: int) -> None:
        if not self._reader.tick(overruns):
            self._try_again()

    def _try_again(self) -> None:
        self._cancel()
        self._timer = self._timers.after(RETRY_NS, self._begin)

    def _end(self) -> None:
        self._runs = False
        self._cancel()
        self._reader.end()

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Threaded:
    """Serves a reader in real time, in a thread of its own: a slow device delays nobody else.

    Synchronization: `start` and `stop` by one owner, `changed` from any thread.
    """

    def __init__(
        self,
        reader: Reader,
        clock: Clock,
        timers: Timers,
        wants: Callable[[], bool],
        make_server: MakeServer | None,
        on_error: Told | None,
    ) -> None:
        self._reader = reader
        self._clock = clock
        self._timers = timers
        self._timer: Cancellable | None = None
        self._silent: tuple[Capture, BackendError] | None = None  # a buffer that says nothing, and what is wrong
        self._received = 0
        self._wants = wants
        self._make_server = make_server
        self._on_error = on_error
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._wake = -1
        self._server: Server | None = None
        self._call = RollCall(f"the thread of {reader.declared.subsystem.value} {reader.declared.name}")
        self._guarding = threading.Lock()  # the server and the descriptor: from their end on nobody touches them

    def start(self) -> None:
        if self._thread is not None:
            return
        self._stopping = False
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        name = f"axiom-iio-{self._reader.declared.name}"
        # A daemon: a program that forgets stop() must still be able to exit.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()
        if self._reader.is_buffered:
            self._timer = self._timers.every(RETRY_NS, self._look)

    def stop(self) -> None:
        """From inside an event it can't wait for itself: the thread then ends with that event."""
        thread = self._thread
        if thread is None:
            return
        self._stopping = True
        if self._timer is not None:
            self._timer.cancel()
        self._rouse(is_over=True)
        if thread is threading.current_thread():
            return
        thread.join()
        self._thread = None
        with self._guarding:
            os.close(self._wake)
            self._wake = -1

    def changed(self) -> None:
        self._rouse(is_over=self._thread is not None and not self._wants())

    def call_roll(self) -> tuple[RollCall, ...]:
        """See `Answering.call_roll`. A pump's programs show how it is."""
        self._call.ask()
        if self._server is not None:  # behind the question: whoever gets a server from here on answers it
            return ()
        self._rouse(is_over=False)
        return (self._call,)

    def pump(self) -> int:
        return 0  # the thread reads

    def _look(self, *_expiration: int) -> None:
        """Each second: is a buffer that gave nothing meanwhile still there?"""
        capture, received = self._reader.capture, self._reader.counters.received
        if capture is not None and received == self._received:
            try:
                capture.check()
            except BackendError as error:
                self._silent = capture, error
                self._rouse(is_over=True)
        self._received = received

    def _rouse(self, *, is_over: bool) -> None:
        with self._guarding:
            if self._wake >= 0:
                os.eventfd_write(self._wake, 1)
            if is_over and self._server is not None:
                self._server.stop()

    def _run(self) -> None:
        try:
            while not self._stopping:
                if not self._wants():
                    self._reader.end()
                    self._sleep(None)
                elif not self._begin():
                    self._sleep(RETRY_NS)
                else:
                    feed = self._reader.feed() if self._make_server is not None else None
                    if feed is not None and self._make_server is not None:
                        self._serve(self._make_server, feed)
                    else:
                        self._loop()
        except AxiomError as error:
            if self._on_error is None:
                raise
            self._on_error(error)
        finally:
            self._reader.end()

    def _begin(self) -> bool:
        """Open the sensor; whether it could be."""
        if self._make_server is not None and self._reader.is_buffered:
            self._make_server(()).close()  # compiles what serves it, where need be, before the buffer fills
        return self._reader.begin()

    def _serve(self, make_server: MakeServer, feed: Feed) -> None:
        """Until it is stopped, unwanted, or gone."""
        server = make_server([feed])
        with self._guarding:
            self._server = server
        self._call.answer()  # behind the server: see call_roll
        try:
            if not self._stopping and self._wants():
                server.run()
            self._check()
        except BackendError as error:
            self._give_up(error)
        finally:
            with self._guarding:
                self._server = None
            server.close()

    def _loop(self) -> None:
        """As `_serve`, in Python."""
        reader, period_ns = self._reader, self._reader.declared.period_ns
        poll = select.poll()
        for fd in (self._wake, *reader.filenos()):
            poll.register(fd, select.POLLIN)
        due_ns = self._clock.now_ns() + period_ns
        while not self._stopping and self._wants():
            left_ns = due_ns - self._clock.now_ns() if reader.ticks else None
            if left_ns is not None and left_ns <= 0:
                overruns = -left_ns // period_ns
                due_ns += (overruns + 1) * period_ns
                if not reader.tick(overruns):
                    self._sleep(RETRY_NS)
                    return
                left_ns = 0
            if left_ns is not None and 0 < left_ns < MS and not poll.poll(0):
                time.sleep(left_ns / 1e9)  # poll counts in ms
                continue
            ready = {fd for fd, _ in poll.poll(None if left_ns is None else left_ns // MS)}
            self._calm(ready)
            if ready - {self._wake} and reader.drain() is None:
                self._sleep(RETRY_NS)
                return
            try:
                self._check()
            except BackendError as error:
                self._give_up(error)
                return

    def _check(self) -> None:
        """Raise what `_look` found, unless that buffer was given up meanwhile for another reason."""
        found, self._silent = self._silent, None
        if found is not None and found[0] is self._reader.capture:
            raise found[1]

    def _give_up(self, error: BackendError) -> None:
        self._reader.give_up(error)
        self._sleep(RETRY_NS)

    def _sleep(self, duration_ns: int | None) -> None:
        """Until somebody rouses the thread, or so long."""
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        self._calm({fd for fd, _ in poll.poll(None if duration_ns is None else duration_ns // MS)})

    def _calm(self, ready: set[int]) -> None:
        if self._wake in ready:
            with suppress(BlockingIOError):
                os.eventfd_read(self._wake)
            self._call.answer()
