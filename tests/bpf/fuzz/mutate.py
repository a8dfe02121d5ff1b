"""Small changes to programs of the corpus: a field, a register, an opcode, a swap, a copy, a gap."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from axiom_hw.bpf import isa
from axiom_hw.bpf.insn import Insn, second_slots
from axiom_hw.bpf.isa import Kind, Op
from axiom_hw.bpf.spec import ProgramSpec
from axiom_hw.errors import EncodingError
from tests.bpf.fuzz.choices import Choices

_NOTHING: Final = Insn(isa.JMP)  # goto +0: takes an instruction away, and keeps the distances


def mutate(choices: Choices, spec: ProgramSpec) -> ProgramSpec:
    """The program with one to four changes. Each leaves an instruction of the table, most of the time."""
    insns = list(spec.insns)
    for _ in range(1 + choices.below(4)):
        pc = choices.below(len(insns))
        if insns[pc].code == 0:  # the second half of an immediate
            continue
        changed = _change(choices, insns, pc)
        if changed is not None:
            insns[pc] = changed
    return replace(spec, insns=tuple(insns))


def _change(choices: Choices, insns: list[Insn], pc: int) -> Insn | None:
    insn = insns[pc]
    row = _row(insn)
    match choices.below(10):
        case 0 if row is not None and row.dst is isa.USED:
            return replace(insn, dst=choices.below(11))
        case 1 | 2 if row is not None and row.src is isa.USED:
            return replace(insn, src=choices.below(11))
        case 2 | 3 if row is not None and row.imm is isa.USED:
            near = _within(insn.imm + choices.pick((1, -1, 8, -8)), 32)
            return replace(insn, imm=choices.pick((near, choices.imm())))
        case 4 if row is not None and row.off is isa.USED:
            return replace(insn, off=_within(insn.off + choices.pick((1, -1, 2, -2, 4, -4, 8, -8)), 16))
        case 5 | 6 if row is not None and row.kind is not Kind.IMM64:
            return _relative(choices, insn, row)
        case 7:
            return None if _is_wide(insn) else _NOTHING
        case 8:
            other = choices.below(len(insns))
            return None if _is_wide(insn) or _is_wide(insns[other]) or other in _seconds(insns) else insns[other]
        case 9:
            other = choices.below(len(insns))
            if _is_wide(insn) or _is_wide(insns[other]) or other in _seconds(insns):
                return None
            insns[pc], insns[other] = insns[other], insns[pc]
            return None
        case _:
            field = choices.pick(("dst", "src"))  # whether or not the instruction has one
            return replace(insn, **{field: choices.below(12)}) if choices.once_in(8) else None


def _row(insn: Insn) -> Op | None:
    try:
        return insn.op
    except EncodingError:
        return None


def _relative(choices: Choices, insn: Insn, row: Op) -> Insn:
    """Another instruction of the same family, with the same operands."""
    family = [other for other in isa.TABLE if other.kind is row.kind]
    other = choices.pick(family)
    given = ((other.dst, insn.dst), (other.src, insn.src), (other.off, insn.off), (other.imm, insn.imm))
    return Insn(other.code, *(value if rule is isa.USED else int(rule) for rule, value in given))


def _within(value: int, bits: int) -> int:
    half = 1 << bits - 1
    return (value + half) % (2 * half) - half


def _is_wide(insn: Insn) -> bool:
    return insn.code == isa.LD | isa.SIZES[64] or insn.code == 0


def _seconds(insns: list[Insn]) -> frozenset[int]:
    return second_slots(tuple(insns))
