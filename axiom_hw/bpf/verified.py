"""A program that the verifier has proved safe: the only thing that engines and hooks accept.

source -> spec -> verified -> loaded -> link: this is the third step. Only `axiom_hw.bpf.verifier.verify` makes one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from axiom_hw.bpf.spec import ProgramSpec


class _Seal:
    """Held by the verifier alone, so that no other code can make a `Verified` by mistake."""


SEAL = _Seal()


@dataclass(frozen=True, slots=True)
class Verified:
    """A proved program. `worst_case_insns` bounds the instructions of every path; `stack_bytes` those of its frames."""

    spec: ProgramSpec
    worst_case_insns: int
    stack_bytes: int
    visited_insns: int  # what the proof took
    seal: _Seal = field(repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.seal is not SEAL:
            raise TypeError("only axiom_hw.bpf.verifier.verify makes a Verified program")
