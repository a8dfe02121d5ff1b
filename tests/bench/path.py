"""The whole path: an edge on the mock's wire, through adapter, executor, interpreter, guard and ring, to its record.

The program is the button demo's: it counts, drives the LED through the guard, and sends the event through the ring.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from axiom_hw.bench import MockBench
from axiom_hw.board import Board, parse_board
from axiom_hw.bpf.asm import assemble_insns
from axiom_hw.bpf.engine.interp import Interpreter
from axiom_hw.bpf.maps import RingBuf, RingReader, create_map
from axiom_hw.bpf.spec import ProgramSpec
from axiom_hw.bpf.verifier import verify
from axiom_hw.clock import MonotonicClock
from axiom_hw.events import GpioEvent
from axiom_hw.source import read_object
from tests.bench.rows import Row, median_ns

PROGRAM = Path(__file__).parents[2] / "demos/button.bpf.s"
BUTTON = 17
BATCH = 32  # edges that are waiting when the adapter comes to read them
LOOP_INSNS = 1_002  # what LOOP takes
# rpi5-bench without debounce, which would take time of its own.
BOARD = """
[chip.header]
label = "pinctrl-rp1"
event_buffer_size = 64
[input.button]
line = 17
bias = "pull-up"
active_low = true
[output.led]
line = 18
safe = "low"
"""
LOOP = """
    r0 = 0
    r1 = 333
loop:
    r0 += r1
    r1 += -1
    if r1 != 0 goto loop
    exit
"""


def board() -> Board:
    return parse_board(BOARD, "bench", "tests/bench/path.py")


class WholePath:
    """One bench with the button's program on it, and the consumer of its ring."""

    def __init__(self) -> None:
        self.bench = MockBench(board(), MonotonicClock())
        self.runtime = self.bench.runtime()
        self.chip = self.bench.gpio.open("pinctrl-rp1")
        (spec,) = read_object(PROGRAM).programs
        maps = tuple(create_map(declared) for declared in spec.maps)
        self.link = self.runtime.attach(verify(spec), maps, spec.section)
        (ring,) = (found for found in maps if isinstance(found, RingBuf))
        self.reader: RingReader[GpioEvent] = RingReader(ring, GpioEvent)
        self._level = 1

    def work(self, events: int) -> None:
        """Drive so many edges and consume their records."""
        assert self.runtime.gpio is not None
        drive, pump, consume = self.chip.drive, self.runtime.gpio.pump, self.reader.consume
        consumed, level = 0, self._level
        for first in range(0, events, BATCH):
            for _ in range(min(BATCH, events - first)):
                level ^= 1
                drive(BUTTON, level)
            pump()
            consumed += len(consume())
        self._level = level
        assert consumed == events, f"{events - consumed} of {events} records didn't arrive"

    def close(self) -> None:
        self.runtime.close()


class Alone:
    """What a program without maps and hardware needs of its surroundings: nothing."""

    hardware: Mapping[int, Callable[..., int]] = MappingProxyType({})

    def now_ns(self) -> int:
        return 0

    def random_u32(self) -> int:
        return 0

    def trace(self, text: str) -> None:
        raise AssertionError(text)


def nothing() -> None:
    """What the empty loop calls."""


def plain(calls: int) -> None:
    for _ in range(calls):
        nothing()


def instructions() -> Callable[[int], None]:
    """So many instructions of the interpreter, to the next thousand: a loop of additions."""
    program = Interpreter(verify(ProgramSpec("loop", assemble_insns(LOOP))), (), Alone())
    assert program.run_counted() == (333 * 334 // 2, LOOP_INSNS)

    def work(insns: int) -> None:
        for _ in range(-(-insns // LOOP_INSNS)):
            program.run()

    return work


def run(events: int = 2 * LOOP_INSNS) -> list[Row]:
    path = WholePath()
    try:
        path.work(BATCH)  # the first edge takes a slot and fills caches
        call_ns, event_ns, insn_ns = median_ns([plain, path.work, instructions()], events)
        assert path.link.faults == 0
    finally:
        path.close()
    return [
        Row("a plain Python call of an empty function", call_ns, "ns", 1.0, "a plain call"),
        Row("an edge, from the mock's wire to its record", event_ns, "ns", event_ns / call_ns, "a plain call"),
        Row("edges through the whole path", 1e9 / event_ns, "a second"),
        Row("an instruction of the interpreter", insn_ns, "ns", insn_ns / call_ns, "a plain call"),
    ]
