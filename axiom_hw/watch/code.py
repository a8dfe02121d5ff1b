"""Instructions one behind the other, with labels: what emits a program writes into this."""

from __future__ import annotations

from typing import Final

from axiom_hw.bpf import helpers, isa
from axiom_hw.bpf.insn import Insn

_CODES: Final = {name: op.code for name, op in isa.BY_NAME.items()}
_S16: Final = range(-(1 << 15), 1 << 15)
_S32: Final = range(-(1 << 31), 1 << 31)


class TooFar(Exception):
    """A conditional jump over more instructions than its 16 bits can say."""


class Code:
    """A program that grows. Labels are numbers from `label()`; jumps may come before their place is known.

    Synchronization: one thread.
    """

    def __init__(self) -> None:
        self.insns: list[Insn] = []
        self._places: list[int | None] = []
        self._jumps: list[tuple[int, int]] = []  # pc, label

    def label(self) -> int:
        """A new label; `place` puts it somewhere."""
        self._places.append(None)
        return len(self._places) - 1

    def place(self, label: int) -> None:
        """The next instruction is what `label` means."""
        self._places[label] = len(self.insns)

    def place_of(self, label: int) -> int:
        """The pc of a label that was placed."""
        found = self._places[label]
        assert found is not None, "a label that nobody placed"
        return found

    def op(self, name: str, dst: int = 0, src: int = 0, off: int = 0, imm: int = 0) -> None:
        """An instruction by the name of its row in THE table."""
        self.insns.append(Insn(_CODES[name], dst, src, off, imm))

    def load(self, dst: int, src: int, off: int, bits: int = 64) -> None:
        """dst = what lies at src + off."""
        self.op(f"load{bits}", dst, src, off)

    def store(self, dst: int, off: int, src: int, bits: int = 64) -> None:
        """Put src at dst + off."""
        self.op(f"store{bits} reg", dst, src, off)

    def store_number(self, dst: int, off: int, number: int, bits: int = 64) -> None:
        """Put a small number at dst + off."""
        self.op(f"store{bits} imm", dst, 0, off, number)

    def move(self, dst: int, src: int) -> None:
        """dst = src."""
        self.op("mov64 reg", dst, src)

    def number(self, dst: int, number: int) -> None:
        """dst = any number of 64 bits, signed or unsigned."""
        if number in _S32:
            self.op("mov64 imm", dst, imm=number)
        else:
            self._wide(dst, isa.IMM_VALUE, _signed(number), _signed(number >> 32))

    def with_number(self, verb: str, dst: int, number: int, spare: int) -> None:
        """dst verb= number, through the register `spare` where the number is wide."""
        if number in _S32:
            self.op(f"{verb}64 imm", dst, imm=number)
        else:
            self.number(spare, number)
            self.op(f"{verb}64 reg", dst, spare)

    def jump_if(self, verb: str, dst: int, number: int, label: int, spare: int) -> None:
        """Jump where dst verb number, through the register `spare` where the number is wide."""
        wide = number not in _S32
        if wide:
            self.number(spare, number)
        self._jumps.append((len(self.insns), label))
        self.op(f"j{verb}64 {'reg' if wide else 'imm'}", dst, spare if wide else 0, imm=0 if wide else number)

    def jump_if_reg(self, verb: str, dst: int, src: int, label: int) -> None:
        """Jump where dst verb src."""
        self._jumps.append((len(self.insns), label))
        self.op(f"j{verb}64 reg", dst, src)

    def jump(self, label: int) -> None:
        """Jump, however far it is."""
        self._jumps.append((len(self.insns), label))
        self.op("gotol")

    def call(self, label: int) -> None:
        """Call a subprogram."""
        self._jumps.append((len(self.insns), label))
        self.op("call local", src=isa.CALL_LOCAL)

    def call_helper(self, name: str) -> None:
        """Call a helper by its name."""
        self.op("call", imm=helpers.BY_NAME[name].id)

    def map_at(self, dst: int, index: int) -> None:
        """dst = the map of that index."""
        self._wide(dst, isa.IMM_MAP, index, 0)

    def map_value(self, dst: int, index: int) -> None:
        """dst = the address of the one value of an array."""
        self._wide(dst, isa.IMM_MAP_VALUE, index, 0)

    def finish(self) -> tuple[Insn, ...]:
        """The program, with its jumps. Raises `TooFar`."""
        for pc, label in self._jumps:
            insn = self.insns[pc]
            distance = self.place_of(label) - pc - 1
            in_imm = insn.code in (_CODES["gotol"], _CODES["call"])
            if not in_imm and distance not in _S16:
                raise TooFar
            off, imm = (0, distance) if in_imm else (distance, insn.imm)
            self.insns[pc] = Insn(insn.code, insn.dst, insn.src, off, imm)
        return tuple(self.insns)

    def _wide(self, dst: int, kind: int, low: int, high: int) -> None:
        self.op("imm64", dst, kind, imm=low)
        self.insns.append(Insn(0, imm=high))


def _signed(word: int) -> int:
    word &= 0xFFFFFFFF
    return word - (1 << 32) if word >> 31 else word
