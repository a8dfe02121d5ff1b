"""10,000 edges at 1,000 a second: what was received and what was reported lost is what the kernel numbered."""

from __future__ import annotations

import os
import struct
import time
from pathlib import Path

import pytest

from axiom_hw.board import parse_board
from axiom_hw.bpf.engine.choice import Engine
from axiom_hw.bpf.engine.llvm.available import why_not
from axiom_hw.bpf.maps import ArrayMap
from tests.backends.rigs import SimWorld
from tests.programs import ready
from tests.twin.inside.bench import child, ended, real_runtime, until

EDGES = 10_000
PERIOD_S = 0.001
LINE = 17
BOARD = parse_board(
    """
    [chip.header]
    label = "pinctrl-rp1"
    [input.wheel]
    line = 17
    """,
    "edges", "tests/twin/inside/test_edges.py",
)  # fmt: skip
TALLY = """
.map tally type=array key=4 value=24 entries=1
.section "gpio/wheel"
tally:
    r7 = *(u32 *)(r1 + 24)          ; seqno
    r6 = *(u32 *)(r1 + 28)          ; lost
    r1 = map[tally][0]+0 ll
    r2 = 1
    lock *(u64 *)(r1 + 0) += r2
    lock *(u64 *)(r1 + 8) += r6
    *(u64 *)(r1 + 16) = r7
    r0 = 0
    exit
"""


def storm(pull: Path) -> None:
    """A line that goes up and down at its rate; who is late doesn't hurry, because simulated interrupts coalesce."""
    handle = os.open(pull, os.O_WRONLY)
    due = time.monotonic()
    for edge in range(EDGES):
        os.pwrite(handle, b"pull-down" if edge % 2 else b"pull-up", 0)
        due = max(due + PERIOD_S, time.monotonic() + PERIOD_S / 4)
        while (left := due - time.monotonic()) > 0:
            time.sleep(left)


@pytest.mark.parametrize("engine", [Engine.LLVM, Engine.INTERP], ids=["native pump", "python"])
def test_received_plus_lost_is_what_the_kernel_numbered(engine: Engine, lines: SimWorld) -> None:
    if engine is Engine.LLVM and why_not():
        pytest.skip(f"no native code here: {why_not()}")
    program = ready(TALLY, "gpio/wheel")
    (tally,) = program.maps
    assert isinstance(tally, ArrayMap)

    def numbers() -> tuple[int, int, int]:
        ((_, value),) = tally.entries()
        return struct.unpack("<3Q", value)

    with real_runtime(BOARD, engine) as runtime:
        runtime.attach(program.verified, program.maps, "gpio/wheel")
        runtime.loader.settle()
        runtime.start()
        assert runtime.gpio is not None
        assert (runtime.gpio._server is not None) == (engine is Engine.LLVM), "who reads"
        began = time.monotonic()
        with child(lambda: storm(lines.chip / f"sim_gpio{LINE}" / "pull")) as pid:
            assert ended(pid) == 0
        seconds = time.monotonic() - began
        time.sleep(0.2)
        before = numbers()[2]
        lines.drive(LINE, 1)  # a loss is told by the edge behind it
        until(lambda: numbers()[2] > before)
        lines.drive(LINE, 0)
        until(lambda: numbers()[2] > before + 1)
        counters = runtime.gpio.counters("wheel")
    seen, told, numbered = numbers()
    assert numbered >= EDGES // 2, "the kernel saw them"
    assert counters.received + counters.lost == numbered
    assert (seen, told) == (counters.received + counters.caught_up, counters.lost)
    print(
        f"{engine.value}: {EDGES} edges in {seconds:.1f} s; the kernel numbered {numbered}, "
        f"received {counters.received}, lost {counters.lost}"
    )
