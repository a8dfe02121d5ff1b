"""One instruction in its program, with all that its lowering needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from axiom_hw.bpf.engine.llvm.unit import Unit
from axiom_hw.bpf.insn import Insn
from axiom_hw.bpf.isa import Kind, Op
from axiom_hw.bpf.verified import Into, Place

_NUMBER = Place(Into.NUMBER)


@dataclass(frozen=True, slots=True)
class Here:
    """One instruction that the proof visited. `high` is the second slot's imm, of a 64-bit immediate; `uses` what the
    registers that it reads may point into.
    """

    pc: int
    row: Op
    insn: Insn
    high: int
    uses: Mapping[int, frozenset[Place]]
    unit: Unit

    @property
    def next(self) -> int:
        """The pc behind this instruction."""
        return self.pc + self.row.slots

    @property
    def target(self) -> int:
        """Where it jumps to, or what it calls or means."""
        near = self.row.kind is Kind.JUMP_IF or self.row.verb == "goto"
        return self.pc + 1 + (self.insn.off if near else self.insn.imm)

    def places(self, register: int) -> frozenset[Place]:
        """The objects that a register may point into here; empty where it holds a number."""
        return self.uses.get(register, frozenset()) - {_NUMBER}

    def is_pointer(self, register: int) -> bool:
        """Whether a register holds a pointer here, and certainly not NULL or another number."""
        places = self.uses.get(register, frozenset())
        return bool(places) and _NUMBER not in places

    def lost(self, register: int, what: str) -> AssertionError:
        """The proof says too little to go on: a bug of the verifier, or of this engine."""
        known = ", ".join(sorted(p.into.name for p in self.uses.get(register, ()))) or "a number"
        return AssertionError(
            f"{self.unit.spec.name} at pc {self.pc}: r{register} must be {what}; the proof says {known}"
        )
