"""Instructions by the names of THE opcode table, and jumps to labels: what generators write programs with."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from axiom_hw.bpf import isa
from axiom_hw.bpf.insn import Insn
from axiom_hw.bpf.isa import Kind, Op

_UNUSED: Final = 0


class Code:
    """A program while it is written. Labels are numbers; they are resolved when all have their places."""

    def __init__(self) -> None:
        self.insns: list[Insn] = []
        self._places: list[int | None] = []
        self._jumps: list[tuple[int, int]] = []

    def row(self, row: Op, dst: int = 0, src: int = 0, off: int = 0, imm: int = 0) -> None:
        """One instance of a row; fields that the row fixes are as it says."""
        given = ((row.dst, dst), (row.src, src), (row.off, off), (row.imm, imm))
        self.insns.append(Insn(row.code, *(value if rule is isa.USED else int(rule) for rule, value in given)))
        if row.slots == 2:
            self.insns.append(Insn(_UNUSED))

    def add(self, name: str, dst: int = 0, src: int = 0, off: int = 0, imm: int = 0) -> None:
        """One instance of the row of that name."""
        self.row(isa.BY_NAME[name], dst, src, off, imm)

    def imm64(self, dst: int, value: int) -> None:
        """The two slots of a 64-bit immediate."""
        low, high = _signed32(value), _signed32(value >> 32)
        self.insns += (Insn(isa.LD | isa.SIZES[64], dst, isa.IMM_VALUE, 0, low), Insn(_UNUSED, imm=high))

    def map_value(self, dst: int, index: int, offset: int) -> None:
        """The address of `offset` in a map's first value."""
        self.insns += (Insn(isa.LD | isa.SIZES[64], dst, isa.IMM_MAP_VALUE, 0, index), Insn(_UNUSED, imm=offset))

    def label(self) -> int:
        """A label without a place yet."""
        self._places.append(None)
        return len(self._places) - 1

    def place(self, label: int) -> None:
        """The label means the next instruction."""
        assert self._places[label] is None
        self._places[label] = len(self.insns)

    def jump(self, row: Op, label: int, dst: int = 0, src: int = 0, imm: int = 0) -> None:
        """A jump, conditional or not, or a call of a function."""
        self._jumps.append((len(self.insns), label))
        self.row(row, dst, src, 0, imm)

    def finish(self) -> tuple[Insn, ...]:
        """The program."""
        for pc, label in self._jumps:
            target = self._places[label]
            assert target is not None, f"label {label} has no place"
            distance = target - pc - 1
            wide = self.insns[pc].op.verb in ("gotol", "local")
            self.insns[pc] = replace(self.insns[pc], **({"imm": distance} if wide else {"off": distance}))
        return tuple(self.insns)


def _signed32(value: int) -> int:
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value


ALU_ROWS: Final = tuple(row for row in isa.TABLE if row.kind in (Kind.ALU, Kind.MOVSX, Kind.NEG, Kind.ENDIAN))
JUMP_ROWS: Final = tuple(row for row in isa.TABLE if row.kind is Kind.JUMP_IF)
ATOMIC_ROWS: Final = tuple(row for row in isa.TABLE if row.kind is Kind.ATOMIC)
LOAD_ROWS: Final = tuple(row for row in isa.TABLE if row.kind in (Kind.LOAD, Kind.LOADSX))
STORE_ROWS: Final = tuple(row for row in isa.TABLE if row.kind in (Kind.STORE, Kind.STORE_IMM))
