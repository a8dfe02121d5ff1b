"""A bench without hardware, for `axiom-hw exec`: what programs reach when no board is there, and one run on it."""

from __future__ import annotations

import errno
import random
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, Protocol, runtime_checkable

from axiom_hw.bpf import isa
from axiom_hw.bpf.engine.calls import FIRST_HARDWARE, IMPLEMENTED, Implementation
from axiom_hw.bpf.engine.choice import Engine
from axiom_hw.bpf.engine.interp import Interpreter
from axiom_hw.bpf.engine.llvm.available import why_not
from axiom_hw.bpf.engine.machine import Env, Machine
from axiom_hw.bpf.engine.program import Program, Unverified
from axiom_hw.bpf.helpers import TABLE
from axiom_hw.bpf.maps import Map, create_map, map_bytes
from axiom_hw.bpf.spec import MapSpec, ProgramSpec
from axiom_hw.bpf.verifier import verify
from axiom_hw.clock import VirtualClock
from axiom_hw.errors import MapError, MissingDependency, SpecError

# A program that nobody verified has no bound of its own; this one ends it after some seconds.
UNVERIFIED_BUDGET: Final = 4_000_000
MAPS_LIMIT_BYTES: Final = 64 << 20

_CONFORMANCE_HELPER: Final = 5


def _no_device(*arguments: int) -> int:
    return -errno.ENODEV


def _first_argument(m: Machine, a: int, b: int, c: int, d: int, e: int) -> int:
    return a


# What the bpf_conformance suite expects of helper 5.
CONFORMANCE: Final[Mapping[int, Implementation]] = MappingProxyType(
    {**IMPLEMENTED, _CONFORMANCE_HELPER: _first_argument}
)


class BenchEnv:
    """Virtual time from 0 on, the same random numbers in each process, and no device behind any hardware helper."""

    hardware: Mapping[int, Callable[..., int]] = MappingProxyType(
        {row.id: _no_device for row in TABLE if row.id >= FIRST_HARDWARE}
    )

    def __init__(self, trace: Callable[[str], None]) -> None:
        self.clock = VirtualClock()
        self._random = random.Random(0)
        self._trace = trace

    def now_ns(self) -> int:
        return self.clock.now_ns()

    def random_u32(self) -> int:
        return self._random.getrandbits(32)

    def trace(self, text: str) -> None:
        self._trace(text)


def make_maps(specs: Sequence[MapSpec], limit_bytes: int = MAPS_LIMIT_BYTES) -> list[Map]:
    """The maps of a program. Raises `MapError` where one can't be made, or all together take more than the limit."""
    needed = sum(map_bytes(spec) for spec in specs)
    if needed > limit_bytes:
        raise MapError(f"{len(specs)} maps", f"take {needed} bytes together; the limit is {limit_bytes}")
    return [create_map(spec) for spec in specs]


class Runnable(Protocol):
    """A loaded program, on either engine."""

    @property
    def run(self) -> Callable[..., int]: ...


@runtime_checkable
class Batched(Protocol):
    """A loaded program that runs on many contexts back to back without Python in between."""

    @property
    def run_batch(self) -> Callable[..., int]: ...


class Loader:
    """Loads programs for the engine that was chosen. Raises `MissingDependency` where it can't be had."""

    def __init__(self, engine: Engine = Engine.INTERP, *, conformance: bool = False) -> None:
        if engine is Engine.LLVM and (why := why_not()):
            raise MissingDependency("--engine llvm", f"can't be had: {why}", "use --engine interp, the default")
        self._native = engine is Engine.LLVM
        self._helpers = CONFORMANCE if conformance else IMPLEMENTED

    def load(self, program: Program, maps: Sequence[Map], env: Env) -> Runnable:
        """Bind maps and helpers. Raises `SpecError` for what the engine doesn't take."""
        if not self._native:
            budget = UNVERIFIED_BUDGET if isinstance(program, Unverified) else None
            return Interpreter(program, maps, env, budget=budget, helpers=self._helpers)
        if self._helpers is CONFORMANCE and _calls_conformance(program.spec):
            raise SpecError(
                program.spec.name,
                f"calls helper {_CONFORMANCE_HELPER}, which returns its argument on the interpreter only",
                "use --engine interp with --conformance",
            )
        from axiom_hw.bpf.engine.llvm.native import Native  # here, because importing LLVM takes 40 ms

        return Native(program, maps, env, quick=True)  # for a few events, nothing is gained by more


def _calls_conformance(spec: ProgramSpec) -> bool:
    call = isa.BY_NAME["call"].code
    return any(i.code == call and i.src == isa.CALL_HELPER and i.imm == _CONFORMANCE_HELPER for i in spec.insns)


def run_once(
    spec: ProgramSpec, ctx: bytes, *, unverified: bool, trace: Callable[[str], None], loader: Loader | None = None
) -> int:
    """Verify (unless waived), load, and run once on fresh maps: r0, unsigned. Raises `AxiomError`."""
    program: Program = Unverified(spec) if unverified else verify(spec)
    return (loader or Loader()).load(program, make_maps(spec.maps), BenchEnv(trace)).run(ctx)
