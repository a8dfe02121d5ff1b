"""Which tests run on which emulated board."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.arm.boards import PI4, PI5, ArmBoard

ON_BOTH_CORES = ("-n", "2")
TARGET = "tests/arm/on_target.py"
ALL = (
    "tests/bpf/engine",
    "tests/bpf/test_cases.py",
    "tests/bpf/frontend/test_library.py",
    "tests/bpf/frontend/test_raw.py",
    "tests/test_natives.py",
    "tests/test_pump.py",
)
# Those of them that run compiled code.
NATIVE = ("tests/bpf/engine/llvm", "tests/bpf/frontend/test_raw.py", "tests/test_natives.py", "tests/test_pump.py")
# What the emulator keeps is resident as well: by the end of the first 3 MB, whether it loads 1500 programs or 3000.
NOT_EMULATED = (
    "--deselect", "tests/bpf/engine/llvm/test_jit.py::test_memory_is_given_back[load-1500-1.0]",
    "--deselect", "tests/bpf/engine/llvm/test_loading.py::TestEnds::test_two_thousand_at_once_leave_nothing",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Suite:
    """Arguments of one run of pytest on one board."""

    board: ArmBoard
    about: str
    arguments: tuple[str, ...]


SUITES = (
    Suite(PI5, "the emulation is the board's", (TARGET,)),
    Suite(PI4, "the emulation is the board's", (TARGET,)),
    Suite(
        PI5,
        "engines, pump, the corpus of cases, and the library of programs in Python",
        (*ON_BOTH_CORES, *NOT_EMULATED, *ALL),
    ),
    Suite(PI4, "native code, which isn't a Pi 5's", (*ON_BOTH_CORES, *NOT_EMULATED, *NATIVE)),
)


def named(arguments: Sequence[str]) -> Suite:
    """What somebody asks for at the command line."""
    return Suite(PI5, " ".join(arguments), tuple(arguments))
