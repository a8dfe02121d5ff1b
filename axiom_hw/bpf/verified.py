"""A program that the verifier has proved safe: the only thing that engines and hooks accept.

source -> spec -> verified -> loaded -> link: this is the third step. Only `axiom_hw.bpf.verifier.verify` makes one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType

from axiom_hw.bpf.spec import ProgramSpec


class Into(Enum):
    """What a register points into where an instruction reads it."""

    NUMBER = "nothing"  # a number, or NULL: only beside other places
    CTX = "the context"
    STACK = "the running function's frame"
    CALLER = "a caller's frame"
    VALUE = "a value of a map"
    RECORD = "a record of a ring"
    MAP = "a map itself"
    CODE = "a function"


@dataclass(frozen=True, slots=True)
class Place:
    """An object that a register may point into. `map` is an index into `spec.maps`, for VALUE, RECORD and MAP."""

    into: Into
    map: int = -1


class _Seal:
    """Held by the verifier alone, so that no other code can make a `Verified` by mistake."""


SEAL = _Seal()


@dataclass(frozen=True, slots=True)
class Verified:
    """A proved program. `worst_case_insns` bounds the instructions of every path; `stack_bytes` those of its frames.

    `uses[pc][register]`: the places that a register, read by the instruction at `pc`, may point into, over all runs.
    Read are operands, bases of addresses, what a helper takes, what a called function still reads of r1 to r5, and
    r0 at exit. A register that holds only numbers there isn't listed; NUMBER stands beside a place where the register
    may hold a number or NULL as well. A `pc` without an entry never runs.

    `targets[pc]`: the ids of the helpers that a call through a register at `pc` may mean.
    """

    spec: ProgramSpec
    worst_case_insns: int
    stack_bytes: int
    visited_insns: int  # what the proof took
    seal: _Seal = field(repr=False, compare=False)
    uses: Mapping[int, Mapping[int, frozenset[Place]]] = field(
        default_factory=lambda: MappingProxyType({}), repr=False, hash=False
    )
    targets: Mapping[int, frozenset[int]] = field(default_factory=lambda: MappingProxyType({}), repr=False, hash=False)

    def __post_init__(self) -> None:
        if self.seal is not SEAL:
            raise TypeError("only axiom_hw.bpf.verifier.verify makes a Verified program")
