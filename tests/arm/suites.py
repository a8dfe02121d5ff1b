"""Which tests run on which emulated board."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.arm.boards import PI4, PI5, ArmBoard

ON_BOTH_CORES = ("-n", "2")
TARGET = "tests/arm/on_target.py"


@dataclass(frozen=True, slots=True)
class Suite:
    """Arguments of one run of pytest on one board."""

    board: ArmBoard
    about: str
    arguments: tuple[str, ...]


SUITES = (
    Suite(PI5, "what the emulation must be able to show", (TARGET,)),
    Suite(PI4, "what the emulation must be able to show", (TARGET,)),
    Suite(
        PI5,
        "engines, maps and the corpus of cases",
        (*ON_BOTH_CORES, "tests/bpf/engine", "tests/bpf/maps", "tests/bpf/test_cases.py"),
    ),
)


def named(arguments: Sequence[str]) -> Suite:
    """What somebody asks for at the command line."""
    return Suite(PI5, " ".join(arguments), tuple(arguments))
