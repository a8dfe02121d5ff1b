"""Instructions that compute (RFC 9669 sections 4.1 and 4.2), as IR. Nothing here may be undefined: see `_divide`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from axiom_hw.bpf.arithmetic import ARITHMETIC, BYTE_ORDER, MASK, signed
from axiom_hw.bpf.engine.llvm.body import Body, Value, text32, text64
from axiom_hw.bpf.engine.llvm.here import Here

_PLAIN: Final[Mapping[str, str]] = {"add": "add", "sub": "sub", "mul": "mul", "or": "or", "and": "and", "xor": "xor"}
_SHIFTS: Final[Mapping[str, str]] = {"lsh": "shl", "rsh": "lshr", "arsh": "ashr"}
_DIVISIONS: Final[Mapping[str, str]] = {"div": "udiv", "mod": "urem", "sdiv": "sdiv", "smod": "srem"}


def alu(b: Body, here: Here) -> None:
    row, insn = here.row, here.insn
    width, verb = row.width, row.verb
    if verb == "mov":
        _mov(b, here)
        return
    left = b.read(insn.dst, width)
    right = b.read(insn.src, width) if row.uses_register else insn.imm & MASK[width]
    made: Value
    if isinstance(left, int) and isinstance(right, int):
        made = ARITHMETIC[width][verb](left, right) & MASK[width]
    elif verb in _DIVISIONS:
        made = _divide(b, verb, width, left, right)
    elif verb in _SHIFTS:
        last = width - 1
        count = right & last if isinstance(right, int) else b.op(f"and i{width} {right}, {last}")
        made = b.op(f"{_SHIFTS[verb]} i{width} {_text(left, width)}, {count}")
    else:
        made = b.op(f"{_PLAIN[verb]} i{width} {_text(left, width)}, {_text(right, width)}")
    b.write(insn.dst, width, made)


def _text(value: Value, width: int) -> str:
    return text64(value) if width == 64 else text32(value)


def _mov(b: Body, here: Here) -> None:
    insn, width = here.insn, here.row.width
    if not here.row.uses_register:
        b.write(insn.dst, width, insn.imm & MASK[width])
    elif width == 64:
        b.copy(insn.dst, insn.src)
    else:
        b.set32(insn.dst, b.get32(insn.src))


def _divide(b: Body, verb: str, width: int, left: Value, right: Value) -> Value:
    """Division by 0 gives 0 and its remainder is the dividend; the least number by -1 is itself, remainder 0.

    To LLVM all of these are undefined, so the divisor is replaced by 1 there; and it is frozen, because a register
    that the proof found to be irrelevant may hold anything.
    """
    op, is_signed, remains = _DIVISIONS[verb], verb.startswith("s"), verb.endswith("mod")
    a = _text(left, width)
    if isinstance(right, int):
        divisor = signed(right, width) if is_signed else right
        if divisor == 0:
            return left if remains else 0
        if is_signed and divisor == -1:
            return 0 if remains else b.op(f"sub i{width} 0, {a}")
        return b.op(f"{op} i{width} {a}, {_text(right, width)}")
    divisor_text = b.op(f"freeze i{width} {right}")
    by_zero = b.op(f"icmp eq i{width} {divisor_text}, 0")
    odd = by_zero
    if is_signed:
        by_minus = b.op(f"icmp eq i{width} {divisor_text}, -1")
        odd = b.op(f"or i1 {by_zero}, {by_minus}")
    safe = b.op(f"select i1 {odd}, i{width} 1, i{width} {divisor_text}")
    made = b.op(f"{op} i{width} {a}, {safe}")
    if is_signed:
        # By 1 the quotient is the dividend, the remainder 0: the latter is right for -1 as it is.
        if remains:
            return b.op(f"select i1 {by_zero}, i{width} {a}, i{width} {made}")
        negated = b.op(f"sub i{width} 0, {a}")
        made = b.op(f"select i1 {by_minus}, i{width} {negated}, i{width} {made}")
        return b.op(f"select i1 {by_zero}, i{width} 0, i{width} {made}")
    return b.op(f"select i1 {by_zero}, i{width} {a if remains else 0}, i{width} {made}")


def movsx(b: Body, here: Here) -> None:
    insn, bits, width = here.insn, here.row.extend, here.row.width
    value = b.get(insn.src) if bits > 32 else b.get32(insn.src)
    if isinstance(value, int):
        made: Value = signed(value, bits) & MASK[width]
    else:
        part = value if bits == 32 else b.op(f"trunc i32 {value} to i{bits}")
        made = b.op(f"sext i{bits} {part} to i{width}")
    b.write(insn.dst, width, made)


def neg(b: Body, here: Here) -> None:
    width, dst = here.row.width, here.insn.dst
    value = b.read(dst, width)
    made = -value & MASK[width] if isinstance(value, int) else b.op(f"sub i{width} 0, {value}")
    b.write(dst, width, made)


def endian(b: Body, here: Here) -> None:
    """Memory is little-endian, whatever the machine: `le` only cuts."""
    bits, dst = here.row.swap_width, here.insn.dst
    value = b.get(dst)
    if isinstance(value, int):
        b.set(dst, BYTE_ORDER[here.row.verb](value, bits))
        return
    part = value if bits == 64 else b.op(f"trunc i64 {value} to i{bits}")
    if here.row.verb != "le":
        part = b.op(f"call i{bits} @llvm.bswap.i{bits}(i{bits} {part})")
    b.set(dst, part if bits == 64 else b.op(f"zext i{bits} {part} to i64"))
