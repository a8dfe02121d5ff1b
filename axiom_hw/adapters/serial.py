"""Serial ports as events: bytes become records, and a port that is unplugged is looked for until it is back."""

from __future__ import annotations

import os
import select
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, cast

from axiom_hw.adapters.roll_call import RollCall
from axiom_hw.adapters.serial_records import Framer, Record, framer_of
from axiom_hw.backends.serial_port import SerialBackend, SerialLink
from axiom_hw.board import Board
from axiom_hw.board.serial import RECORD_MAX, SerialPort
from axiom_hw.bpf.layout import Struct
from axiom_hw.clock import Clock
from axiom_hw.errors import AxiomError, BackendError
from axiom_hw.events import SerialEvent
from axiom_hw.keys import HookKey, SerialKey

_PACK: Final = struct.Struct(f"<QIIIIQ{RECORD_MAX}s").pack
assert struct.calcsize(f"<QIIIIQ{RECORD_MAX}s") == cast(type[Struct], SerialEvent).LAYOUT.size
_U32: Final = 0xFFFF_FFFF
LOOK_AGAIN_NS: Final = 1_000_000_000
_READS_BEFORE_GAP: Final = 64


@dataclass(frozen=True, slots=True)
class PortCounters:
    """What became of the bytes of one port, so far. `outages` counts how often it went away."""

    records: int
    lost: int  # bytes
    outages: int


class _Port:
    """One port, its link while there is one, and what makes records of its bytes.

    Synchronization: served by one thread; the counters are read by any.
    """

    def __init__(self, declared: SerialPort, port_id: int) -> None:
        self.declared = declared
        self.key = SerialKey(port_id)
        self.link: SerialLink | None = None
        self.framer: Framer = framer_of(declared)
        self.wanted = not declared.optional  # an optional port is opened for programs only
        self.told = False  # that it isn't there
        self.records = 0
        self.outages = 0

    def counters(self) -> PortCounters:
        return PortCounters(self.records, self.framer.lost, self.outages)


class SerialSource:
    """The serial ports of a board, as events of serial hooks.

    `fire(key, ctx)` is called for each record, with the bytes of a `SerialEvent`. In real time each port has a thread;
    in virtual time `pump` reads. A port that goes away is told to `on_trouble` once, and tried every second; an
    optional one is opened when a program wants it (`rewant`). Raises `BackendError` where a port that isn't optional
    can't be had.

    Synchronization: `rewant` by one thread at a time; each port is served by its thread, or by the one that pumps.
    """

    def __init__(
        self,
        backend: SerialBackend,
        board: Board,
        fire: Callable[[SerialKey, bytes], object],
        clock: Clock,
        *,
        real_time: bool,
        wanted: Callable[[HookKey], bool] = lambda key: True,
        on_error: Callable[[AxiomError], object] | None = None,
        on_trouble: Callable[[AxiomError], object] = lambda error: None,
    ) -> None:
        self._backend = backend
        self._board = board
        self._fire = fire
        self._clock = clock
        self._real_time = real_time
        self._wanted = wanted
        self._on_error = on_error
        self._on_trouble = on_trouble
        self._ports = [_Port(port, at) for at, port in enumerate(board.serial_ports)]
        self._threads: list[threading.Thread] = []
        self._wakes: list[_Wake] = []
        self._calls = tuple(RollCall(f"the thread of serial {port.name}") for port in board.serial_ports)
        self._stopping = False
        try:
            for port in self._ports:
                if not port.declared.optional:
                    port.link = backend.open(port.declared)
        except BackendError:
            self.close()
            raise

    def start(self) -> None:
        """See `Source.start`: one thread a port."""
        self._stopping = False
        self.rewant()
        self._wakes = [_Wake() for _ in self._ports]
        self._threads = [
            threading.Thread(
                target=self._serve, args=(port, wake, call), name=f"axiom-{port.declared.name}", daemon=True
            )
            for port, wake, call in zip(self._ports, self._wakes, self._calls, strict=True)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """See `Source.stop`."""
        self._stopping = True
        for wake in self._wakes:
            wake.set()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join()
        if threading.current_thread() not in self._threads:
            for wake in self._wakes:
                wake.close()
        self._threads, self._wakes = [], []

    def close(self) -> None:
        """See `Source.close`."""
        self.stop()
        for port in self._ports:
            link, port.link = port.link, None
            if link is not None:
                link.close()

    def rewant(self) -> None:
        """Look which optional ports programs want now; one that was opened stays open. Returns at once."""
        for port in self._ports:
            if not port.wanted and self._wanted(port.key):
                port.wanted = True
                if not self._real_time:
                    self._connect(port)
        for wake in self._wakes:
            wake.set()

    def call_roll(self) -> tuple[RollCall, ...]:
        """See `Answering.call_roll`."""
        for call in self._calls:
            call.ask()
        for wake in self._wakes:
            wake.set()
        return self._calls

    def ready(self) -> bool:
        """See `Source.ready`."""
        return any(
            port.link.ready() if port.link is not None else port.wanted and self._backend.present(port.declared)
            for port in self._ports
        )

    def pump(self) -> int:
        """See `Source.pump`. A port that is back is opened."""
        fired = 0
        for port in self._ports:
            if port.link is None and port.wanted and self._backend.present(port.declared):
                self._connect(port)
            if port.link is not None and port.link.ready():
                fired += self._read(port)
        return fired

    def counters(self, name: str) -> PortCounters:
        """The counters of one port. Raises `BoardError` for a name that the board doesn't have."""
        return self._ports[self._board.serial_ports.index(self._board.serial_port(name))].counters()

    def losses(self) -> tuple[str, ...]:
        """See `Losing.losses`."""
        told = []
        for port in self._ports:
            name, counters = port.declared.name, port.counters()
            if counters.outages:
                told.append(f"serial {name}: it went away {_times(counters.outages)}")
            if counters.lost:
                told.append(
                    f"serial {name}: {counters.lost} bytes made no record, damaged, too long or overrun; "
                    f"beside them {counters.records} records came"
                )
        return tuple(told)

    def _serve(self, port: _Port, wake: _Wake, call: RollCall) -> None:
        try:
            while True:
                wake.clear()
                call.answer()
                if self._stopping:
                    return
                if port.link is None and not (port.wanted and self._connect(port)):
                    self._clock.wait_until(self._clock.now_ns() + LOOK_AGAIN_NS if port.wanted else None, wake)
                elif port.link is not None and wake.or_readable(port.link.fileno()):
                    self._read(port)
        except AxiomError as error:
            if self._on_error is None:
                raise
            self._on_error(error)

    def _connect(self, port: _Port) -> bool:
        """Open a port; whether that worked. That it didn't is told once."""
        try:
            port.link = self._backend.open(port.declared)
        except BackendError as error:
            if not port.told:
                port.told = True
                self._on_trouble(_about(port, error))
            return False
        port.told = False
        return True

    def _read(self, port: _Port) -> int:
        link = port.link
        assert link is not None, "only a port that is there is read"
        before = port.records
        try:
            self._take(port, link.read())
            dropped = link.overrun()
            if dropped:  # what is buffered came before the gap: dropping begins when the buffer is full
                for _ in range(_READS_BEFORE_GAP):
                    if not link.ready():
                        break
                    self._take(port, link.read())
                port.framer.gap(dropped)
        except BackendError as error:
            link.close()
            port.link = None
            port.framer.gap(0)  # what had begun will never end
            port.framer.fresh()
            port.outages += 1
            if not port.told:
                port.told = True
                self._on_trouble(_about(port, error))
        return port.records - before

    def _take(self, port: _Port, data: bytes) -> None:
        for record in port.framer.feed(data):
            self._send(port, record)

    def _send(self, port: _Port, record: Record) -> None:
        port.records += 1
        ctx = _PACK(
            self._clock.now_ns(), port.key.port_id, len(record.data), port.records & _U32, min(record.lost, _U32), 0,
            record.data,
        )  # fmt: skip
        self._fire(port.key, ctx)


class _Wake:
    """Wakes a thread from poll(2), and from a wait on a clock.

    Synchronization: any thread sets; one waits and clears.
    """

    def __init__(self) -> None:
        self._fd, self._write = os.pipe()
        os.set_blocking(self._fd, False)
        os.set_blocking(self._write, False)
        self._event = threading.Event()

    def set(self) -> None:
        self._event.set()
        with suppress(BlockingIOError):  # full of wake-ups already
            os.write(self._write, b"x")

    def clear(self) -> None:
        self._event.clear()  # before the pipe: whoever sets in between is seen by `or_readable`
        with suppress(BlockingIOError):
            os.read(self._fd, 4096)

    def is_set(self) -> bool:
        return self._event.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        return self._event.wait(timeout)

    def or_readable(self, fd: int) -> bool:
        """Wait until it is set, or a descriptor is readable; whether that is so."""
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        poll.register(fd, select.POLLIN)
        return not self._event.is_set() and any(found == fd for found, _ in poll.poll())

    def close(self) -> None:
        os.close(self._fd)
        os.close(self._write)


def _about(port: _Port, error: BackendError) -> BackendError:
    place = error.place
    if port.declared.optional:
        place = f"without {port.declared.name}, which is optional and tried every second: {place}"
    return BackendError(place, error.problem, error.fix, error.errno or 0)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
