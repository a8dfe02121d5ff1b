"""One instruction in its program, with all that its translation needs, and what it is translated to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from axiom_hw.bpf.arithmetic import MASK
from axiom_hw.bpf.engine.calls import Implementation
from axiom_hw.bpf.engine.linkage import Linkage
from axiom_hw.bpf.engine.machine import Machine
from axiom_hw.bpf.insn import Insn
from axiom_hw.bpf.isa import Op
from axiom_hw.errors import SpecError

# Takes the registers and the machine, changes them, and returns the pc to go on at.
Step = Callable[[list[int], Machine], int]


@dataclass(frozen=True, slots=True)
class Site:
    """One instruction in its program, with all that its translation may need."""

    program: str
    pc: int
    row: Op
    insn: Insn
    high: int  # the second slot's imm, of a 64-bit immediate
    starts: frozenset[int]  # the pcs where an instruction begins
    link: Linkage
    helpers: Mapping[int, Implementation]

    @property
    def next(self) -> int:
        """The pc behind this instruction."""
        return self.pc + self.row.slots

    @property
    def operand(self) -> int:
        """The immediate, sign-extended to 64 bits, then cut to the operation's width."""
        return self.insn.imm & MASK[self.row.width]

    def target(self, distance: int) -> int:
        """The pc that lies `distance` slots behind the next one. Raises `SpecError` unless an instruction is there."""
        pc = self.pc + 1 + distance
        if pc not in self.starts:
            raise SpecError(
                f"{self.program} at pc {self.pc}", f"`{self.row.name}` goes to pc {pc}, where no instruction begins"
            )
        return pc


Translate = Callable[[Site], Step]
