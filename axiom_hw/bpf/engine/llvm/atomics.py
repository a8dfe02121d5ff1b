"""Atomic read-modify-writes (RFC 9669 section 5.3), as IR.

On the stack and in a context they are plain: nobody else is there. Elsewhere those that fetch are ordered with all
other accesses, as in Linux (Documentation/bpf/standardization/instruction-set.rst), the others with none.
"""

from __future__ import annotations

from axiom_hw.bpf.arithmetic import MASK
from axiom_hw.bpf.engine.llvm.body import Body, Value, text32, text64
from axiom_hw.bpf.engine.llvm.here import Here
from axiom_hw.bpf.engine.llvm.memory import read, write
from axiom_hw.bpf.engine.llvm.places import Access, resolve


def atomic(b: Body, here: Here) -> None:
    width, verb, src = here.row.width, here.row.verb, here.insn.src
    where = resolve(b, here, here.insn.dst, here.insn.off)
    operand = _text(_operand(b, src, width), width)
    fetches = verb == "xchg" or verb.startswith("fetch_")
    op = verb.removeprefix("fetch_")
    if where.access is Access.ATOMIC:
        order = "seq_cst" if fetches else "monotonic"
        old = b.op(f"atomicrmw {op} ptr {where.pointer(b)}, i{width} {operand} {order}, align {width // 8}")
    else:
        old = read(b, here, where, width)
        made = operand if op == "xchg" else b.op(f"{op} i{width} {old}, {operand}")
        write(b, here, where, width, made)
    if fetches:
        b.write(src, width, old)


def compare_exchange(b: Body, here: Here) -> None:
    width = here.row.width
    where = resolve(b, here, here.insn.dst, here.insn.off)
    expected = _text(_operand(b, 0, width), width)
    new = _text(_operand(b, here.insn.src, width), width)
    if where.access is Access.ATOMIC:
        pair = b.op(
            f"cmpxchg ptr {where.pointer(b)}, i{width} {expected}, i{width} {new} seq_cst seq_cst, align {width // 8}"
        )
        old = b.op(f"extractvalue {{ i{width}, i1 }} {pair}, 0")
    else:
        old = read(b, here, where, width)
        same = b.op(f"icmp eq i{width} {old}, {expected}")
        write(b, here, where, width, b.op(f"select i1 {same}, i{width} {new}, i{width} {old}"))
    b.write(0, width, old)


def _operand(b: Body, register: int, width: int) -> Value:
    value = b.read(register, width)
    return value & MASK[width] if isinstance(value, int) else value


def _text(value: Value, width: int) -> str:
    return text64(value) if width == 64 else text32(value)
