"""What all measurements share: compilers, the kernel, a folder to build in, and how many rounds to take."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from axiom_hw.bpf.spec import CtxSpec, ObjectSpec, ProgramSpec
from axiom_hw.bpf.verified import Verified
from axiom_hw.bpf.verifier import verify
from axiom_hw.source import read_object
from tests.bench.native import kernel
from tests.bench.native.builds import PROGRAMS, Compiler, compilers
from tests.bench.native.rounds import ROUND_NS, ROUNDS, Contestant, Sample, measure

SEED: Final = 777
INPUT_BYTES: Final = 8  # struct input
EVENT_BYTES: Final = 16  # struct event
_CTX: Final = {"bench": CtxSpec(INPUT_BYTES), "event": CtxSpec(EVENT_BYTES)}


@dataclass(frozen=True, slots=True)
class Setup:
    """`kernel` says why the kernel isn't compared with, or nothing."""

    folder: Path
    compilers: tuple[Compiler, ...]
    kernel: str
    rounds: int
    round_ns: int

    def measure(self, contestants: list[Contestant], clock: Callable[[], int] | None = None) -> list[Sample]:
        """Interleaved rounds of all of them."""
        if clock is None:
            return measure(contestants, rounds=self.rounds, round_ns=self.round_ns)
        return measure(contestants, rounds=self.rounds, round_ns=self.round_ns, clock=clock)


@contextmanager
def setup(rounds: int = ROUNDS, round_ns: int = ROUND_NS) -> Iterator[Setup]:
    """This machine's; the folder is removed at the end."""
    with TemporaryDirectory(prefix="axiom-bench-") as folder:
        yield Setup(Path(folder), tuple(compilers()), kernel.why_not(), rounds, round_ns)


@cache
def objects(name: str) -> ObjectSpec:
    """The specs in `programs/NAME.bpf.o`."""
    return read_object(PROGRAMS / f"{name}.bpf.o", lambda section: _CTX[section])


def program(name: str, function: str = "") -> ProgramSpec:
    """One program of that object; without a function's name, the only one."""
    return objects(name).program_named(function or name)


@cache
def proved(name: str, function: str = "") -> Verified:
    """The same, verified."""
    return verify(program(name, function))


def inputs(count: int, seed: int = SEED) -> ctypes.Array[ctypes.c_char]:
    """So many contexts `struct input`, all with one seed."""
    return ctypes.create_string_buffer(struct.pack("<Q", seed) * count, INPUT_BYTES * count)
