"""Edges with losses, on each path that edges take: how many were sent, arrived, and were reported as lost.

The program on every path counts its events and adds up what their contexts say was lost before them.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from axiom_hw.adapters.gpio import GpioAdapter
from axiom_hw.backends.event_queue import EventQueue
from axiom_hw.backends.gpio import GpioChip, LineEvent, LineInput
from axiom_hw.bench import MockBench
from axiom_hw.board import parse_board
from axiom_hw.bpf.engine.choice import Engine
from axiom_hw.bpf.maps import ArrayMap, Map
from axiom_hw.engines import Loader
from axiom_hw.events import Edge
from axiom_hw.executor import Executor
from axiom_hw.hooks import Registry
from axiom_hw.keys import GpioKey
from axiom_hw.pump.native import compiled_loop
from axiom_hw.recorder.reading import read_recording
from axiom_hw.recorder.recorder import Recorder
from axiom_hw.replay import Replayed
from axiom_hw.runtime import Runtime
from tests.bench.path import Alone
from tests.programs import Ready, ready
from tests.pump_bench import LINES, PumpBench, WireRequest, pack, stream

BOARD = parse_board(
    """
    [chip.header]
    label = "pinctrl-rp1"
    [input.a]
    line = 5
    [input.b]
    line = 6
    """,
    "loss", "tests/loss/paths.py",
)  # fmt: skip
INPUTS = ("a", "b")
TALLY = """
.map seen type=array key=4 value=8 entries=1
.map told type=array key=4 value=8 entries=1
.section "{section}"
{name}:
    r6 = *(u32 *)(r1 + 28)          ; lost
    r1 = map[seen][0]+0 ll
    r2 = 1
    lock *(u64 *)(r1 + 0) += r2
    r1 = map[told][0]+0 ll
    lock *(u64 *)(r1 + 0) += r6
    r0 = 0
    exit
"""


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of the edges of one run. `made_up` are events of the adapter's own, after a loss."""

    sent: int
    received: int
    lost: int
    made_up: int
    seen: int  # events that the program had
    told: int  # what these said was lost

    @property
    def is_exact(self) -> bool:
        """Whether nothing is missing, and the program knows as much as the counters."""
        return (
            self.received + self.lost == self.sent
            and self.seen == self.received + self.made_up
            and self.told == self.lost
        )

    @property
    def text(self) -> str:
        return f"sent {self.sent} = received {self.received} + reported lost {self.lost}"


def mock_path(edges: int, seed: int, engine: Engine = Engine.INTERP, record: Path | None = None) -> Tally:
    """Through the mock: edges that the kernel drops, one by one and each k-th, and readers that come too late."""
    bench, dice = MockBench(BOARD), random.Random(seed)
    recorder = Recorder(str(record)) if record is not None else None
    with bench.runtime(engine=engine, tap=recorder) as runtime:
        program = _attached(runtime)
        for number in range(edges):
            name = INPUTS[dice.random() < 0.3]
            match dice.randrange(400):
                case 0:
                    bench.fault(name).drop(dice.randrange(1, 9))
                case 1:
                    bench.fault(name).drop_every(dice.choice((0, 2, 3, 7)))
                case 2 if number % 8 == 0:
                    bench.stall("5ms")  # 50 edges: the buffer has room for 32
            bench.drive(name, 1 - bench.value(name))
            bench.advance("100us")
        _quiet(bench)
        assert runtime.gpio is not None
        return _tally(runtime, program, sum(bench.edges(name) for name in INPUTS))


def replayed_path(recording: Path, before: Tally, engine: Engine = Engine.INTERP) -> Tally:
    """The same once more, from a recording, over lines that play it: what was made up then is in the recording."""
    found = Replayed.open(read_recording(str(recording)), BOARD, through_lines=True)
    with Runtime(BOARD, found.clock, found.devices, scheduler=found.scheduler, tap=found.tap, engine=engine) as runtime:
        program = _attached(runtime)
        while runtime.clock.run_next():  # type: ignore[attr-defined]  # a virtual one
            pass
        return replace(_tally(runtime, program, before.sent), made_up=before.made_up)


def pump_path(edges: int, seed: int) -> Tally:
    """Records on a descriptor that reads as the kernel's does, served by the native pump."""
    program = ready(TALLY, "gpio/a")
    with _loaded(program) as loaded, PumpBench(compiled_loop()) as bench:
        bench.registry.attach(loaded, *(GpioKey(0, line, edge) for line in LINES for edge in Edge))
        events = [one for one in stream(bench.wire, edges, seed) if one.offset in LINES]
        events += [bench.wire.event(line, Edge.RISING) for line in LINES]  # a loss is told by the edge after it
        for at in range(0, len(events), 1000):
            bench.wire.theirs.sendall(b"".join(map(pack, events[at : at + 1000])))
        bench.settled(len(events))
        counters = [bench.adapter.counters(name) for name in ("sensor", "button", "tick")]
        sent = sum(bench.wire.seqno[line] for line in LINES)
    return _counted(counters, program, sent)


def library_path(edges: int, seed: int, dropping: bool, room: int = 64) -> Tally:
    """A library that calls back, as lgpio does: it has no numbers; the queue behind it overflows, or edges go missing
    before it. A reader comes whenever `dropping`, else too late."""
    dice, registry = random.Random(seed), Registry()
    backend = _Library(room)
    adapter = GpioAdapter(backend, BOARD, Executor(registry).fire, _Still())
    program = ready(TALLY, "gpio/a")
    with _loaded(program, Engine.INTERP) as loaded:
        registry.attach(loaded, *(GpioKey(0, line, edge) for line in (5, 6) for edge in Edge))
        for number in range(edges):
            line = dice.choice((5, 6))
            backend.levels[line] ^= 1
            if not (dropping and dice.random() < 0.05):
                edge = Edge.RISING if backend.levels[line] else Edge.FALLING
                backend.queue.put(line, edge, number)
            if dropping or dice.random() < 0.02:
                adapter.pump()
        adapter.pump()
        counters = [adapter.counters(name) for name in INPUTS]
        adapter.close()
    return _counted(counters, program, edges)


class _Library:
    """A backend on an `EventQueue`."""

    label = "pinctrl-rp1"

    def __init__(self, room: int) -> None:
        self.levels = {5: 0, 6: 0}
        self._room = room

    def open(self, label: str) -> GpioChip:
        return self  # type: ignore[return-value]  # of which the adapter asks inputs only

    def close(self) -> None:
        pass

    def request_inputs(self, lines: list[LineInput], consumer: str, event_buffer_size: int = 0) -> WireRequest:
        self.queue = EventQueue(lines, self._room)
        for line in lines:
            self.queue.begin(line.offset, 0)
        return self  # type: ignore[return-value]

    def fileno(self) -> int:
        return self.queue.fileno()

    def get(self, offset: int) -> int:
        return self.levels[offset]

    def read_events(self, max_events: int = 64) -> list[LineEvent]:
        return self.queue.take(max_events)

    def release(self) -> None:
        self.queue.close()


class _Still:
    """A clock that nobody needs."""

    def now_ns(self) -> int:
        return 0


def _attached(runtime: Runtime) -> Ready:
    program = ready(TALLY, "gpio/a")
    for name in INPUTS:
        runtime.attach(program.verified, program.maps, f"gpio/{name}")
    return program


def _quiet(bench: MockBench) -> None:
    """Nothing is wrong any more, and each input has one more edge: a loss is told by the edge after it."""
    bench.advance("10ms")
    for name in INPUTS:
        bench.fault(name).heal()
        bench.drive(name, 1 - bench.value(name))
        bench.advance("1ms")


def _tally(runtime: Runtime, program: Ready, sent: int) -> Tally:
    assert runtime.gpio is not None, "it has a board"
    return _counted([runtime.gpio.counters(name) for name in INPUTS], program, sent)


def _counted(counters: list, program: Ready, sent: int) -> Tally:  # type: ignore[type-arg]
    seen, told = (_number(one) for one in program.maps)
    return Tally(
        sent, sum(one.received for one in counters), sum(one.lost for one in counters),
        sum(one.caught_up for one in counters), seen, told,
    )  # fmt: skip


def _number(found: Map) -> int:
    assert isinstance(found, ArrayMap), "as declared"
    ((_, value),) = found.entries()
    return int.from_bytes(value, "little")


@contextmanager
def _loaded(program: Ready, engine: Engine = Engine.LLVM) -> Iterator[object]:
    loader = Loader(engine, 8, None, lambda loaded: None, lambda error: None)
    loaded = loader.load(program.verified, program.maps, Alone())
    loader.settle()
    yield loaded
    loader.close()
