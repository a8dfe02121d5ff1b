"""The sensors of a board that the kernel reads, as a source of events: when each of them is read, and by whom.

A sensor is read only while a program wants it. In real time each has a thread: a pump where its buffer can be native
code's, else a loop that sleeps until something is there or due. One that goes away is told of, and tried again each
second until it is back.
"""

from __future__ import annotations

import select
from collections.abc import Callable
from functools import partial

from axiom_hw.adapters.feed import MakeServer
from axiom_hw.adapters.iio_reader import Fire, Reader, SensorCounters
from axiom_hw.adapters.iio_service import Paced, Threaded, Timers, Told
from axiom_hw.adapters.roll_call import RollCall
from axiom_hw.backends.iio import IioBackend
from axiom_hw.board import Board
from axiom_hw.clock import Clock, VirtualClock
from axiom_hw.errors import BackendError
from axiom_hw.events import Edge
from axiom_hw.keys import HookKey, IioKey


class IioSource:
    """The IIO and hwmon devices of a board. Raises `BackendError` for one that isn't there, unless it is optional.

    `wanted` says whether a hook has programs; whoever knows of a change calls `changed`. `on_trouble` is told of a
    device that fails and is tried again, `on_error` of what ends a thread.

    Synchronization: as `Source`; `changed`, `read_all`, `last` and `counters` from any thread.
    """

    def __init__(
        self,
        backend: IioBackend,
        board: Board,
        fire: Fire,
        clock: Clock,
        timers: Timers,
        *,
        make_server: MakeServer | None = None,
        wanted: Callable[[HookKey], bool] = lambda key: True,
        on_trouble: Told = lambda error: None,
        on_error: Told | None = None,
    ) -> None:
        self._board = board
        self._is_virtual = isinstance(clock, VirtualClock)
        self._reads_all = False
        self._wanted = wanted
        self._readers: list[Reader] = []
        self._services: list[Paced | Threaded] = []
        try:
            for number, declared in enumerate(board.iio):
                reader = Reader(number, declared, backend, fire, clock.now_ns, on_trouble)
                self._readers.append(reader)
                wants = partial(self._wants, reader)
                self._services.append(
                    Paced(reader, timers, wants)
                    if self._is_virtual
                    else Threaded(reader, clock, timers, wants, make_server, on_error)
                )
        except BackendError:
            self.close()
            raise

    def start(self) -> None:
        """See `Source.start`."""
        for service in self._services:
            service.start()

    def stop(self) -> None:
        """See `Source.stop`."""
        for service in self._services:
            service.stop()

    def close(self) -> None:
        """See `Source.close`."""
        self.stop()
        for reader in self._readers:
            reader.close()

    def call_roll(self) -> tuple[RollCall, ...]:
        """See `Answering.call_roll`."""
        threaded = (service for service in self._services if isinstance(service, Threaded))
        return tuple(call for service in threaded for call in service.call_roll())

    def ready(self) -> bool:
        """See `Source.ready`."""
        fds = [fd for reader in self._readers for fd in reader.filenos()]
        if not fds:
            return False
        poll = select.poll()
        for fd in fds:
            poll.register(fd, select.POLLIN)
        return bool(poll.poll(0))

    def pump(self) -> int:
        """See `Source.pump`."""
        return sum(service.pump() for service in self._services)

    def changed(self) -> None:
        """Programs came or went: look at what is wanted. Returns at once."""
        for service in self._services:
            service.changed()

    def read_all(self) -> None:
        """Read every sensor from now on, wanted or not: a program asks for last values."""
        self._reads_all = True
        self.changed()

    def last(self, device: int, channel: int) -> int | None:
        """The last value of a channel, in millionths of its unit; None before the first, and where there is none."""
        if not 0 <= device < len(self._readers):
            return None
        reader = self._readers[device]
        return reader.last(channel) if 0 <= channel < len(reader.declared.channels) else None

    def counters(self, name: str) -> SensorCounters:
        """The counters of one sensor. Raises `BoardError` for a name that the board doesn't have."""
        return self._readers[self._board.iio.index(self._board.iio_device(name))].counters

    def losses(self) -> tuple[str, ...]:
        """See `Losing.losses`."""
        found = []
        for reader in self._readers:
            counters, name = reader.counters, f"{reader.declared.subsystem.value} {reader.declared.name}"
            if counters.lost:
                what = "raise its `length`, or lower its `rate`" if reader.is_buffered else "lower its `rate`"
                found.append(f"{name}: {counters.lost} scans were lost, {counters.received} came; {what}")
            if counters.failures:
                found.append(f"{name}: {counters.failures} readings failed")
        return tuple(found)

    def _wants(self, reader: Reader) -> bool:
        if self._reads_all or any(map(self._wanted, reader.keys)):
            return True
        crossed = (IioKey(reader.number, t.channel, edge) for t in reader.declared.thresholds for edge in Edge)
        return any(map(self._wanted, crossed))
