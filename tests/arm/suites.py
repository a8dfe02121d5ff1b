"""Which tests run on which emulated board."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.arm.boards import PI4, PI5, ArmBoard

ON_BOTH_CORES = ("-n", "2")
TARGET = "tests/arm/on_target.py"
ALL = ("tests/bpf/engine", "tests/bpf/maps", "tests/bpf/frontend", "tests/bpf/test_cases.py", "tests/test_pump.py")
NATIVE = ("tests/bpf/engine/llvm", "tests/bpf/frontend/test_raw.py", "tests/test_pump.py")  # of those, compiled code


@dataclass(frozen=True, slots=True)
class Suite:
    """Arguments of one run of pytest on one board."""

    board: ArmBoard
    about: str
    arguments: tuple[str, ...]


SUITES = (
    Suite(PI5, "the emulation is the board's", (TARGET,)),
    Suite(PI4, "the emulation is the board's", (TARGET,)),
    Suite(PI5, "engines, maps, front end, pump and the corpus of cases", (*ON_BOTH_CORES, *ALL)),
    Suite(PI4, "native code, which isn't a Pi 5's", (*ON_BOTH_CORES, *NATIVE)),
)


def named(arguments: Sequence[str]) -> Suite:
    """What somebody asks for at the command line."""
    return Suite(PI5, " ".join(arguments), tuple(arguments))
