"""What each ALU operation does to abstract numbers (RFC 9669 section 4), 64 bits wide; 32 bits by truncation.

A 32-bit operation is the 64-bit one on zero-extended operands (sign-extended for the signed ones), truncated: the
lower half of a sum, product or shift depends on the lower halves alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from axiom_hw.bpf.arithmetic import ARITHMETIC
from axiom_hw.bpf.verifier import num, tnum
from axiom_hw.bpf.verifier.num import (
    M32,
    S32_MAX,
    S32_MIN,
    S64_MAX,
    S64_MIN,
    UNKNOWN,
    ZERO,
    Num,
    const,
    make,
    meet,
    signed,
    sure,
    unsigned,
)
from axiom_hw.bpf.verifier.tnum import M64

Range = tuple[int, int]
_U64: Final = (0, M64)
_S64: Final = (S64_MIN, S64_MAX)
_U32: Final = (0, M32)
_S32: Final = (S32_MIN, S32_MAX)


def _build(bits: tnum.Tnum, u: Range = _U64, s: Range = _S64, u32: Range = _U32, s32_: Range = _S32) -> Num:
    return sure(make(bits, *u, *s, *u32, *s32_)) if bits[1] else const(bits[0])


def _wrap(low: int, high: int, bits: int) -> Range:
    """low..high taken modulo 2^bits, as unsigned: exact where both ends wrap equally often, else everything."""
    size = 1 << bits
    turns = low // size
    if high // size == turns:
        return low - turns * size, high - turns * size
    return 0, size - 1


def _wrap_signed(low: int, high: int, bits: int) -> Range:
    half = 1 << bits - 1
    wrapped = _wrap(low + half, high + half, bits)
    return wrapped[0] - half, wrapped[1] - half


def add(a: Num, b: Num) -> Num:
    return _build(
        tnum.add((a.value, a.mask), (b.value, b.mask)),
        _wrap(a.umin + b.umin, a.umax + b.umax, 64),
        _wrap_signed(a.smin + b.smin, a.smax + b.smax, 64),
        _wrap(a.u32min + b.u32min, a.u32max + b.u32max, 32),
        _wrap_signed(a.s32min + b.s32min, a.s32max + b.s32max, 32),
    )


def sub(a: Num, b: Num) -> Num:
    return _build(
        tnum.sub((a.value, a.mask), (b.value, b.mask)),
        _wrap(a.umin - b.umax, a.umax - b.umin, 64),
        _wrap_signed(a.smin - b.smax, a.smax - b.smin, 64),
        _wrap(a.u32min - b.u32max, a.u32max - b.u32min, 32),
        _wrap_signed(a.s32min - b.s32max, a.s32max - b.s32min, 32),
    )


def mul(a: Num, b: Num) -> Num:
    def corners(a_range: Range, b_range: Range) -> Range:
        products = [x * y for x in a_range for y in b_range]
        return min(products), max(products)

    return _build(
        tnum.mul((a.value, a.mask), (b.value, b.mask)),
        _wrap(a.umin * b.umin, a.umax * b.umax, 64),
        _wrap_signed(*corners((a.smin, a.smax), (b.smin, b.smax)), 64),
        _wrap(a.u32min * b.u32min, a.u32max * b.u32max, 32),
        _wrap_signed(*corners((a.s32min, a.s32max), (b.s32min, b.s32max)), 32),
    )


def and_(a: Num, b: Num) -> Num:
    bits = tnum.and_((a.value, a.mask), (b.value, b.mask))
    return _build(bits, (0, min(a.umax, b.umax)), u32=(0, min(a.u32max, b.u32max)))


def or_(a: Num, b: Num) -> Num:
    bits = tnum.or_((a.value, a.mask), (b.value, b.mask))
    return _build(bits, (max(a.umin, b.umin), M64), u32=(max(a.u32min, b.u32min), M32))


def xor(a: Num, b: Num) -> Num:
    return _build(tnum.xor((a.value, a.mask), (b.value, b.mask)))


def div(a: Num, b: Num) -> Num:
    """Unsigned; x / 0 is 0."""
    if b.umin:
        return unsigned(a.umin // b.umax, a.umax // b.umin)
    return ZERO if not b.umax else unsigned(0, a.umax)


def mod(a: Num, b: Num) -> Num:
    """Unsigned; x % 0 is x."""
    if not b.umax or a.umax < b.umin:
        return a
    if a.is_const and b.is_const:
        return const(a.value % b.value)
    return unsigned(0, min(a.umax, b.umax - 1) if b.umin else a.umax)


def quotient(a: int, b: int) -> int:
    """Signed division towards zero; by 0 it is 0."""
    if b == 0:
        return 0
    q = abs(a) // abs(b)
    return q if (a < 0) == (b < 0) else -q


def sdiv(a: Num, b: Num) -> Num:
    """Signed, truncated; x / 0 is 0, and the least number by -1 wraps to itself."""
    if a.is_const and b.is_const:
        return const(quotient(a.smin, b.smin))
    if b.is_const and b.smin > 0:  # then it is monotone
        return signed(quotient(a.smin, b.smin), quotient(a.smax, b.smin))
    return UNKNOWN


def smod(a: Num, b: Num) -> Num:
    """Signed, with the dividend's sign; x % 0 is x."""
    if a.is_const and b.is_const:
        return const(a.smin - quotient(a.smin, b.smin) * b.smin)
    if b.is_const and b.smin:
        most = abs(b.smin) - 1
        return signed(max(-most, min(a.smin, 0)), min(most, max(a.smax, 0)))
    return UNKNOWN


def _counts(b: Num) -> Range:
    """Which shift counts are possible: only the low six bits of a count matter."""
    return (b.umin, b.umax) if b.umax < 64 else (0, 63)


def lsh(a: Num, b: Num) -> Num:
    least, most = _counts(b)
    if b.is_const:
        least = most = b.value & 63
    bits = tnum.lsh((a.value, a.mask), least) if least == most else tnum.UNKNOWN
    fits = a.umax << most <= M64
    # A signed range only survives where no significant bit is lost at either end.
    keeps = a.smin << most >= S64_MIN and a.smax << most <= S64_MAX
    ends = [x << k for x in (a.smin, a.smax) for k in (least, most)]
    low = a.u32max << most <= M32
    return _build(
        bits,
        (a.umin << least, a.umax << most) if fits else _U64,
        (min(ends), max(ends)) if keeps else _S64,
        (a.u32min << least, a.u32max << most) if low else _U32,
    )


def rsh(a: Num, b: Num) -> Num:
    least, most = _counts(b)
    if b.is_const:
        least = most = b.value & 63
    bits = tnum.rsh((a.value, a.mask), least) if least == most else tnum.UNKNOWN
    return _build(bits, (a.umin >> most, a.umax >> least))


def arsh(a: Num, b: Num) -> Num:
    least, most = _counts(b)
    if b.is_const:
        least = most = b.value & 63
    ends = [x >> k for x in (a.smin, a.smax) for k in (least, most)]
    if a.is_const and least == most:
        return const(a.smin >> least)
    return signed(min(ends), max(ends))


def mov(_: Num, b: Num) -> Num:
    return b


def neg(a: Num) -> Num:
    return sub(ZERO, a)


def zext(a: Num, bits: int) -> Num:
    """The low `bits` (8, 16, 32) of the number, the rest zero."""
    if bits == 64:
        return a
    if a.umax >> bits == 0:
        return a.with_id(0)
    if bits == 32:
        return _build((a.value & M32, a.mask & M32), (a.u32min, a.u32max), _S64,
                      (a.u32min, a.u32max), (a.s32min, a.s32max))  # fmt: skip
    limit = (1 << bits) - 1
    return _build((a.value & limit, a.mask & limit), (0, limit))


def sext(a: Num, bits: int) -> Num:
    """The low `bits` (8, 16, 32) of the number, taken as signed and extended to 64."""
    half = 1 << bits - 1
    if -half <= a.smin and a.smax < half:
        return a.with_id(0)
    low = zext(a, bits)
    if low.umax < half:
        return low
    if low.umin >= half:
        return sub(low, const(1 << bits))
    if bits == 32:
        return signed(a.s32min, a.s32max)
    return signed(-half, half - 1)


def swap(a: Num, width: int, verb: str) -> Num:
    """Byte order (section 4.2) on a little-endian machine: `le` truncates, `be` and `bswap` turn the bytes round."""
    low = zext(a, width)
    if verb == "le":
        return low
    size = width // 8
    turned = [int.from_bytes(x.to_bytes(size, "little"), "big") for x in (low.value, low.mask)]
    return _build((turned[0], turned[1]))


def linked(made: Num, verb: str, width: int, left: Num, by: int) -> Num:
    """`made`, the result of `left verb by` (a constant, signed), with the link that follows from `left`'s."""
    if not left.id or made.is_const:
        return made.with_id(0)
    match verb, width, left.form:
        case (("add" | "sub"), 64, num.WIDE):
            return made.with_id(left.id, left.delta + (by if verb == "add" else -by) & M64)
        case (("add" | "sub"), 32, (num.WIDE | num.LOW)):
            return made.with_id(left.id, left.delta + (by if verb == "add" else -by) & M64, num.LOW)
        case "lsh", 64, (num.WIDE | num.LOW) if by == 32:
            return made.with_id(left.id, left.delta, num.HIGH)
        case "rsh", 64, num.HIGH if by == 32:
            return made.with_id(left.id, left.delta, num.LOW)
        case _:
            return made.with_id(0)


def taught(known: Num, other: Num) -> Num:
    """`other`, by what is known of a number that has the same id (see `Num`)."""
    if known.has_link_of(other):
        return known
    step, bits = const(other.delta - known.delta), const(32)
    if known.form == other.form == num.WIDE:
        claim = add(known, step)
    elif other.form != num.WIDE or other.umax <= M32:
        low = rsh(known, bits) if known.form == num.HIGH else known
        claim = alu("add", 32, low, step)  # the lower half of x plus other's constant
        claim = lsh(claim, bits) if other.form == num.HIGH else claim
    else:
        return other
    met = meet(other, claim)
    return other if met is None else met.linked_as(other)


Binary = Callable[[Num, Num], Num]
BINARY: Final[dict[str, Binary]] = {
    "add": add, "sub": sub, "mul": mul, "div": div, "mod": mod, "sdiv": sdiv, "smod": smod, "or": or_, "and": and_,
    "xor": xor, "lsh": lsh, "rsh": rsh, "arsh": arsh, "mov": mov,
}  # fmt: skip
_SIGNED: Final = {"sdiv", "smod", "arsh"}
_SHIFTS: Final = {"lsh", "rsh", "arsh"}


def alu(verb: str, width: int, a: Num, b: Num) -> Num:
    """`a verb b` at 64 or 32 bits; the 32-bit result is zero-extended."""
    if not a.mask and not b.mask:
        low = M64 if width == 64 else M32
        return const(ARITHMETIC[width][verb](a.value & low, b.value & low) & low)
    operate = BINARY[verb]
    if width == 64:
        return operate(a, b)
    extend = sext if verb in _SIGNED else zext
    if verb in _SHIFTS:
        b = and_(b, const(31))
        return zext(operate(extend(a, 32), b), 32)
    return zext(operate(extend(a, 32), extend(b, 32)), 32)
