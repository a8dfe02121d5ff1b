"""Jumps inside a function (RFC 9669 section 4.3), as IR."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from axiom_hw.bpf.arithmetic import COMPARISONS, MASK
from axiom_hw.bpf.engine.llvm.body import Body, Value, text32, text64
from axiom_hw.bpf.engine.llvm.here import Here

_PREDICATES: Final[Mapping[str, str]] = {
    "eq": "eq", "ne": "ne", "gt": "ugt", "ge": "uge", "lt": "ult", "le": "ule",
    "sgt": "sgt", "sge": "sge", "slt": "slt", "sle": "sle",
}  # fmt: skip


def goto(b: Body, here: Here) -> None:
    b.flush()
    b.do(f"br label %b{here.target}")


def goto_if(b: Body, here: Here) -> None:
    row, insn = here.row, here.insn
    left = b.read(insn.dst, row.width)
    right = b.read(insn.src, row.width) if row.uses_register else insn.imm & MASK[row.width]
    condition = _condition(b, here, left, right)
    b.flush()
    if isinstance(condition, bool):
        b.do(f"br label %b{here.target if condition else here.next}")
    else:
        b.split(condition, f"b{here.target}", f"b{here.next}")


def _condition(b: Body, here: Here, left: Value, right: Value) -> bool | str:
    verb, width = here.row.verb, here.row.width
    if isinstance(left, int) and isinstance(right, int):
        return COMPARISONS[width][verb](left, right)
    a, c = (text64(left), text64(right)) if width == 64 else (text32(left), text32(right))
    if verb == "set":
        if here.is_pointer(here.insn.dst) and here.row.uses_register and here.is_pointer(here.insn.src):
            return True  # two addresses of one object have bits in common, whatever the address
        both = b.op(f"and i{width} {a}, {c}")
        return b.op(f"icmp ne i{width} {both}, 0")
    return b.op(f"icmp {_PREDICATES[verb]} i{width} {a}, {c}")
