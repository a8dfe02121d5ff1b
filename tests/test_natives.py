"""A whole bench on native code: edges come as records, programs drive lines by ioctl, Python changes programs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import MappingProxyType

import pytest

from axiom_hw.actuation import Verdict
from axiom_hw.backends.gpio import GpioRequest, LineInput, LineOutput
from axiom_hw.backends.mock_pwm import MockPwm
from axiom_hw.board import parse_board
from axiom_hw.bpf.asm import assemble_insns
from axiom_hw.bpf.engine.choice import Engine
from axiom_hw.bpf.engine.llvm import symbols
from axiom_hw.bpf.engine.llvm.available import why_not
from axiom_hw.bpf.layout import u64
from axiom_hw.bpf.maps import ArrayMap, ArrayView, create_map
from axiom_hw.bpf.spec import MapSpec, MapType, ProgramSpec
from axiom_hw.bpf.verified import Verified
from axiom_hw.bpf.verifier import verify
from axiom_hw.clock import MonotonicClock
from axiom_hw.engines import Loaded
from axiom_hw.events import Edge, ctx_of
from axiom_hw.hooks import Grace
from axiom_hw.pump import Pump
from axiom_hw.runtime import Runtime
from axiom_hw.sources import Devices
from tests.fake_lines import FIRST_FD, FakeLines
from tests.pump_bench import Wire, WireRequest, until

BOARD = """\
[chip.header]
label = "pinctrl-rp1"
[input.button]
line = 17
[output.zero]
line = 0
safe = "low"
[output.led]
line = 1
safe = "low"
"""
COUNT = MapSpec("count", MapType.ARRAY, 4, 8, 1)
FOLLOW = """
    r6 = *(u32 *)(r1 + 20)          ; value
    *(u32 *)(r10 - 4) = 0
    r2 = r10
    r2 += -4
    r1 = map[0] ll
    call map_lookup_elem
    if r0 == 0 goto drive
    r1 = 1
    lock *(u64 *)(r0 + 0) += r1
drive:
    r1 = 1
    r2 = r6
    call gpio_set
    r0 = 0
    exit
"""
pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())


@dataclass
class Outputs:
    """The request of one output line, of the kernel as far as anybody can see."""

    line: int
    lines: FakeLines

    @property
    def offsets(self) -> tuple[int, ...]:
        return (self.line,)

    def fileno(self) -> int:
        return FIRST_FD + self.line

    def descriptor(self) -> int | None:
        return self.fileno()

    def get(self, offset: int) -> int:
        return self.lines.levels.get(offset, 0)

    def set(self, offset: int, value: int) -> None:
        self.lines.set(offset, value)

    def read_events(self, max_events: int = 64) -> list[object]:
        raise AssertionError("outputs have no events")

    def release(self) -> None:
        pass


@dataclass
class Kernel:
    """A backend with one chip: inputs on a wire, outputs behind ioctls."""

    wire: Wire
    lines: FakeLines
    label: str = "pinctrl-rp1"

    def open(self, label: str) -> Kernel:
        return self

    def request_inputs(self, lines: list[LineInput], consumer: str, event_buffer_size: int = 0) -> GpioRequest:
        return WireRequest(self.wire, tuple(line.offset for line in lines), native=True)

    def request_outputs(self, lines: list[LineOutput], consumer: str) -> Outputs:
        return Outputs(lines[0].offset, self.lines)

    def close(self) -> None:
        pass


@dataclass
class Bench:
    """A runtime on that kernel."""

    runtime: Runtime
    kernel: Kernel
    presses: ArrayView[int]
    maps: tuple[ArrayMap, ...]

    def program(self, name: str = "follow", text: str = FOLLOW) -> Verified:
        return verify(ProgramSpec(name, assemble_insns(text), (COUNT,), ctx=ctx_of("gpio/button")))


@pytest.fixture(params=[Engine.LLVM, Engine.AUTO, Engine.INTERP])
def bench(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    kernel = Kernel(Wire(), FakeLines(2))
    real: Callable[[str], int] = symbols._address
    ioctl = kernel.lines.address
    monkeypatch.setattr(symbols, "_address", lambda name: ioctl if name == "ioctl" else real(name))
    board = parse_board(BOARD, "bench", "bench.toml")
    made = create_map(COUNT)
    assert isinstance(made, ArrayMap)
    runtime = Runtime(board, MonotonicClock(), Devices(kernel, MockPwm.for_board(board)), engine=request.param)
    with runtime:
        yield Bench(runtime, kernel, ArrayView(made, u64), (made,))
    kernel.wire.close()


def test_an_edge_drives_a_line(bench: Bench) -> None:
    link = bench.runtime.attach(bench.program(), bench.maps, "gpio/button")
    bench.runtime.loader.settle(20)
    wire, lines = bench.kernel.wire, bench.kernel.lines
    for number in range(100):
        wire.edge(17, Edge(2 - number % 2))
    until(lambda: link.runs == 100)
    until(lambda: len(lines.written) == 100)
    assert bench.presses[0] == 100
    assert lines.written == [(1, number % 2) for number in range(100)]
    guard = bench.runtime.guard
    assert guard is not None
    assert {(d.source, d.output, d.verdict) for d in guard.audit()} == {("follow", "led", Verdict.APPLIED)}
    guard.emergency_stop("enough", "test")
    wire.edge(17, Edge.RISING)
    until(lambda: link.runs == 101)
    until(lambda: guard.audit()[-1].verdict is Verdict.STOPPED)
    assert lines.levels == {0: 0, 1: 0}
    assert link.faults == 0
    assert bench.runtime.gpio is not None
    assert bench.runtime.gpio.error is None


def test_a_program_may_ask_for_the_time_and_drive_a_line(bench: Bench) -> None:
    """Both read the clock: the program by its helper, and the guard's rules in the program's own code."""
    text = FOLLOW.replace("drive:\n", "drive:\n    call ktime_get_ns\n    if r0 == 0 goto end\n").replace(
        "    r0 = 0\n    exit", "end:\n    r0 = 0\n    exit"
    )
    link = bench.runtime.attach(bench.program(text=text), bench.maps, "gpio/button")
    bench.runtime.loader.settle(20)
    assert isinstance(link.program, Loaded)
    assert (link.program.engine is Engine.INTERP) == (bench.runtime.loader.engine is Engine.INTERP)
    bench.kernel.wire.edge(17, Edge.RISING)
    until(lambda: link.runs == 1)
    until(lambda: bench.kernel.lines.written == [(1, 1)])


def test_the_engine_decides_who_reads(bench: Bench) -> None:
    """A pump where there is native code, Python's own thread where there is none."""
    assert bench.runtime.gpio is not None
    is_pumped = isinstance(bench.runtime.gpio._server, Pump)
    assert is_pumped == (bench.runtime.loader.engine is not Engine.INTERP)
    assert bool(bench.runtime.guard and bench.runtime.guard.natives("p")) == is_pumped


def test_replacements_under_load_lose_nothing(bench: Bench) -> None:
    """Programs are loaded and replaced while edges flow, and Python writes the same line: each edge is counted once."""
    wire, lines, runtime = bench.kernel.wire, bench.kernel.lines, bench.runtime
    link = runtime.attach(bench.program(), bench.maps, "gpio/button")
    edges = 300 if runtime.loader.engine is Engine.INTERP else 5_000
    done = threading.Event()

    def press() -> None:
        for _ in range(edges // 50):
            wire.send(*(wire.event(17, Edge.RISING) for _ in range(50)))
        done.set()

    thread = threading.Thread(target=press)
    thread.start()
    replaced = 0
    while not done.is_set() or replaced < 20:
        loaded = runtime.load(bench.program(f"v{replaced % 3}"), bench.maps)
        assert link.replace(loaded) is Grace.OVER
        assert runtime.guard is not None
        assert runtime.guard.set_gpio(0, replaced % 2, "python") == 0
        replaced += 1
    thread.join()
    until(lambda: link.runs == edges)
    until(lambda: [line for line, _ in lines.written].count(1) == edges)
    assert bench.presses[0] == edges
    assert link.faults == 0
    assert MappingProxyType(lines.levels)[1] == 1
