"""A feed of records over a socket, programs that stand in for native code, and a pump that serves them in a thread."""

from __future__ import annotations

import ctypes
import random
import socket
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from axiom_hw.adapters.gpio import GpioAdapter
from axiom_hw.backends.gpio import GpioChip, LineEvent, LineInput
from axiom_hw.board import parse_board
from axiom_hw.clock import VirtualClock
from axiom_hw.errors import BackendError
from axiom_hw.events import Edge, GpioEvent
from axiom_hw.executor import Executor
from axiom_hw.hooks import Registry
from axiom_hw.keys import GpioKey
from axiom_hw.pump import Entry, Pump
from axiom_hw.pump.calls import PROGRAM
from axiom_hw.pump.pump import Enter

RECORD = struct.Struct("<QIIII24x")
LINES = (4, 17, 5)
BOARD = """\
[chip.header]
label = "pinctrl-rp1"
[input.sensor]
line = 4
[input.button]
line = 17
[input.tick]
line = 5
edges = "rising"
"""
RISING, FALLING = Edge.RISING, Edge.FALLING


def key(line: int, edge: Edge = RISING) -> GpioKey:
    return GpioKey(0, line, edge)


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Wait for something that another thread is about to do."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it didn't happen"
        time.sleep(0.001)


class Wire:
    """The kernel's side: numbers the edges of each line, and writes them as records. A gap is what it dropped."""

    def __init__(self) -> None:
        self.theirs, self.ours = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self.theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        self.seqno: dict[int, int] = {}
        self.levels: dict[int, int] = {}
        self.time_ns = 0

    def event(self, line: int, edge: Edge, dropped: int = 0) -> LineEvent:
        self.time_ns += 1000
        self.seqno[line] = self.seqno.get(line, 0) + dropped + 1
        self.levels[line] = int(edge is RISING)
        return LineEvent(self.time_ns, line, edge, self.seqno[line] & 0xFFFFFFFF, 0)

    def send(self, *events: LineEvent) -> None:
        self.theirs.sendall(b"".join(map(pack, events)))

    def edge(self, line: int, edge: Edge = RISING, dropped: int = 0) -> None:
        self.send(self.event(line, edge, dropped))

    def close(self) -> None:
        self.theirs.close()
        self.ours.close()


def pack(event: LineEvent) -> bytes:
    return RECORD.pack(event.timestamp_ns, event.edge, event.offset, event.global_seqno, event.line_seqno)


def stream(wire: Wire, length: int, seed: int, dropped: tuple[int, ...] = (0, 0, 0, 0, 1, 7)) -> list[LineEvent]:
    """Random edges: with gaps, and of lines that nobody asked for."""
    dice = random.Random(seed)
    return [
        wire.event(dice.choice((*LINES, 9, 60)), dice.choice((RISING, FALLING)), dice.choice(dropped))
        for _ in range(length)
    ]


class WireRequest:
    """A request whose descriptor reads as records; `read_events` is the slow way to the same."""

    def __init__(self, wire: Wire, offsets: tuple[int, ...], native: bool) -> None:
        self.wire = wire
        self.offsets = offsets
        self.native = native

    def fileno(self) -> int:
        return self.wire.ours.fileno()

    def descriptor(self) -> int | None:
        return self.fileno() if self.native else None

    def get(self, offset: int) -> int:
        return self.wire.levels.get(offset, 0)

    def set(self, offset: int, value: int) -> None:
        raise AssertionError("inputs aren't set")

    def read_events(self, max_events: int = 64) -> list[LineEvent]:
        try:
            data = self.wire.ours.recv(max_events * RECORD.size, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return []
        if not data:
            raise BackendError("line 4", "has no readable events", errno=19)
        while len(data) % RECORD.size:
            data += self.wire.ours.recv(RECORD.size - len(data) % RECORD.size)
        return [
            LineEvent(time_ns, offset, RISING if id == 1 else FALLING, line_seqno, seqno)
            for time_ns, id, offset, seqno, line_seqno in RECORD.iter_unpack(data)
        ]

    def release(self) -> None:
        pass


@dataclass
class WireGpio:
    """A backend with one chip, whose input request is the wire."""

    wire: Wire
    native: bool
    label: str = "pinctrl-rp1"

    def open(self, label: str) -> GpioChip:
        return self

    def request_inputs(self, lines: list[LineInput], consumer: str, event_buffer_size: int = 0) -> WireRequest:
        return WireRequest(self.wire, tuple(line.offset for line in lines), self.native)

    def request_outputs(self, lines: object, consumer: str) -> WireRequest:
        raise AssertionError("no outputs here")

    def close(self) -> None:
        pass


class StandIn:
    """A program: Python behind a C function, which the pump calls as it does native code."""

    worst_case_insns = 1

    def __init__(
        self, name: str, action: Callable[[bytes], int] = lambda ctx: 0, *, native: bool = True, ctx_bytes: int = 32
    ) -> None:
        self.name = name
        self.ctx_bytes = ctx_bytes
        self.action = action
        self.native = native
        self.seen: list[bytes] = []
        self.in_python = 0
        self.error: BaseException | None = None
        self.state = (ctypes.c_uint32 * 2)()
        self.function = PROGRAM(self._from_native)
        self.code = ctypes.cast(self.function, ctypes.c_void_p).value or 0

    def run(self, ctx: bytes, slot: int) -> int:
        self.in_python += 1
        self.seen.append(ctx)
        return self.action(ctx)

    def entry(self, slot: int) -> Entry | None:
        at = ctypes.addressof(self.state)
        return Entry(self.code, at, at + 4) if self.native else None

    def fault(self, slot: int) -> BaseException:
        error, self.error = self.error, None
        self.state[1] = 0
        assert error is not None
        return error

    def _from_native(self, ctx: int, run: int) -> int:
        data = ctypes.string_at(ctx, self.ctx_bytes)
        self.seen.append(data)
        try:
            return self.action(data)
        except BaseException as error:  # noqa: BLE001 (kept for the pump, as native code does)
            self.error = error
            self.state[1] = 1
            return 0


@dataclass
class PumpBench:
    """A wire, an adapter on it, a registry and an executor. With `native` the adapter's thread is a pump, whose loop
    is `enter`, or plain Python.
    """

    enter: Enter | None = None
    native: bool = True
    wire: Wire = field(default_factory=Wire)
    registry: Registry = field(default_factory=Registry)

    def __post_init__(self) -> None:
        self.faults: list[Exception] = []
        self.errors: list[Exception] = []
        self.executor = Executor(self.registry, lambda link, fault: self.faults.append(fault))
        self.pumps: list[Pump] = []
        self.adapter = GpioAdapter(
            WireGpio(self.wire, self.native), parse_board(BOARD, "wire", "wire.toml"), self.executor.fire,
            VirtualClock(), on_error=self.errors.append, make_server=self._pump,
        )  # fmt: skip

    def _pump(self, feeds: object) -> Pump:
        self.pumps.append(Pump(self.registry, self.executor, feeds, self.enter))
        return self.pumps[-1]

    def __enter__(self) -> PumpBench:
        self.adapter.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.adapter.close()
        self.wire.close()

    def counters(self) -> object:
        """All that was counted, to be compared with another bench."""
        return (
            [self.executor.stats_of(key(line, edge)) for line in LINES for edge in Edge],
            [self.adapter.counters(name) for name in ("sensor", "button", "tick")],
            self.adapter.strays,
        )

    def settled(self, received: int) -> None:
        """Wait until so many records were read, and what they led to is done."""
        until(lambda: bool(self.errors) or self.adapter.received + self.adapter.strays >= received)
        self.adapter.stop()
        self.adapter.start()


def events(program: StandIn) -> Iterator[GpioEvent]:
    for ctx in program.seen:
        yield GpioEvent.unpack(ctx)
