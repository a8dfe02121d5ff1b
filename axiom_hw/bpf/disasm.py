"""The disassembler: instructions as the text that `llvm-objdump -d` prints, rendered from the table's templates.

The text is that of LLVM's decimal output (`--no-print-imm-hex` from LLVM 17 on), with loads and stores through `r`
registers as `--mcpu=v2` prints them. It says more than objdump's in one respect, so that nothing is lost: calls and
64-bit immediates show which variant they are (`call pc+3`, `call btf 17`, `r1 = map[0] ll`). A slot that is no
instruction is shown as data, `.8byte 0x...`. The assembler reads all of it back.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from axiom_hw.bpf import helpers, isa
from axiom_hw.bpf.insn import SLOT_BYTES, Insn, check, encode, imm64
from axiom_hw.bpf.isa import Kind, Op
from axiom_hw.bpf.spec import ProgramSpec
from axiom_hw.errors import EncodingError

_OPERAND: Final = re.compile(r"%([dsiqojJn])")
_MAP_VERBS: Final = ("map", "map_value", "map_index", "map_index_value")


@dataclass(frozen=True, slots=True)
class Names:
    """What numbers mean: maps by index, functions by pc, and whether helpers go by name.

    Where `functions` is set, jumps also show their target as objdump does: `goto +3 <follow+0x20>`.
    """

    maps: tuple[str, ...] = ()
    functions: Mapping[int, str] = field(default_factory=lambda: MappingProxyType({}), hash=False)
    helpers: bool = False


NUMBERS: Final = Names()


def names_of(program: ProgramSpec) -> Names:
    """The names that a program's specification knows, helpers included."""
    functions = program.functions or {0: program.name}
    return Names(tuple(spec.name for spec in program.maps), functions, helpers=True)


def text_of(insns: tuple[Insn, ...], pc: int, names: Names = NUMBERS) -> str:
    """The text of the instruction at `pc`, without its pc. Never raises: what is no instruction is shown as data."""
    here = insns[pc]
    try:
        (op, *_) = check(insns[pc : pc + 2] if here.code == isa.LD | isa.SIZES[64] else (here,))
    except EncodingError:
        op = None
    if op is None:
        return f".8byte 0x{int.from_bytes(here.encode(), 'little'):016x}"
    high = insns[pc + 1] if op.slots == 2 else Insn(0)
    return _OPERAND.sub(lambda found: _operand(found[1], op, here, high, names), op.text) + _target(op, here, pc, names)


def disassemble(insns: tuple[Insn, ...], names: Names = NUMBERS, *, show_bytes: bool = False) -> list[str]:
    """A listing in objdump's columns: pc, with `show_bytes` the bytes, the text. Functions have a line `name:` above.

    A 64-bit immediate is one line, and the pc after it is higher by two.
    """
    lines, pc = [], 0
    while pc < len(insns):
        if pc in names.functions:
            lines.append(f"{names.functions[pc]}:")
        text = text_of(insns, pc, names)
        slots = 2 if insns[pc].code == isa.LD | isa.SIZES[64] and not text.startswith(".8byte") else 1
        shown = encode(insns[pc : pc + slots]).hex(" ") + "\t" if show_bytes else ""
        lines.append(f"{pc:8d}:\t{shown}{text}")
        pc += slots
    return lines


def _operand(letter: str, op: Op, insn: Insn, high: Insn, names: Names) -> str:
    match letter:
        case "d":
            return str(insn.dst)
        case "s":
            return str(insn.src)
        case "i":
            return _immediate(op, insn, names)
        case "q":
            value = imm64(insn, high)
            return str(value - (1 << 64) if value >> 63 else value)
        case "o":
            return f" {'-' if insn.off < 0 else '+'} {abs(insn.off)}"
        case "j":
            return f"{insn.off:+d}"
        case "J":
            return f"{insn.imm:+d}"
        case _:
            return str(high.imm & 0xFFFFFFFF)


def _immediate(op: Op, insn: Insn, names: Names) -> str:
    if op.kind is Kind.IMM64 and op.verb in _MAP_VERBS and 0 <= insn.imm < len(names.maps):
        return names.maps[insn.imm]
    if op.kind is Kind.CALL and op.verb == "helper" and names.helpers:
        row = helpers.BY_ID.get(insn.imm)
        return row.name if row else helpers.PLANNED.get(insn.imm, str(insn.imm))
    return str(insn.imm)


def _target(op: Op, insn: Insn, pc: int, names: Names) -> str:
    match _OPERAND.findall(op.text)[-1:]:
        case ["j"]:
            target = pc + 1 + insn.off
        case ["J"]:
            target = pc + 1 + insn.imm
        case _:
            return ""
    start = max((at for at in names.functions if at <= target), default=None)
    if start is None:
        return ""
    distance = (target - start) * SLOT_BYTES
    return f" <{names.functions[start]}{f'+0x{distance:x}' if distance else ''}>"
