"""What an engine takes: a verified program, or one whose author waived the proof by name."""

from __future__ import annotations

from dataclasses import dataclass

from axiom_hw.bpf.spec import ProgramSpec
from axiom_hw.bpf.verified import Verified


@dataclass(frozen=True, slots=True)
class Unverified:
    """A program that nobody proved: for `axiom-hw exec --unverified` and for tests of the engine itself.

    The interpreter checks each access all the same, so that such a program can fault but can't do harm.
    """

    spec: ProgramSpec


Program = Verified | Unverified
