"""Known bits: a pair (value, mask) stands for every x with x & ~mask == value.

Bits set in `mask` are unknown, `value` holds the known ones, and value & mask == 0. The operations follow
H. Vishwanathan et al., "Sound, precise, and fast abstract interpretation with tristate numbers" (CGO 2022).
"""

from __future__ import annotations

from typing import Final

Tnum = tuple[int, int]

M64: Final = (1 << 64) - 1
UNKNOWN: Final[Tnum] = (0, M64)


def between(low: int, high: int) -> Tnum:
    """The tightest tnum that holds all of low..high (unsigned)."""
    bits = (low ^ high).bit_length()
    mask = (1 << bits) - 1
    return low & ~mask, mask


def add(a: Tnum, b: Tnum) -> Tnum:
    low = a[0] + b[0]
    unknown = low + a[1] + b[1] ^ low | a[1] | b[1]
    return low & ~unknown & M64, unknown & M64


def sub(a: Tnum, b: Tnum) -> Tnum:
    base = a[0] - b[0]
    unknown = base + a[1] ^ base - b[1] | a[1] | b[1]
    return base & ~unknown & M64, unknown & M64


def and_(a: Tnum, b: Tnum) -> Tnum:
    known = a[0] & b[0]
    return known, (a[0] | a[1]) & (b[0] | b[1]) & ~known


def or_(a: Tnum, b: Tnum) -> Tnum:
    known = a[0] | b[0]
    return known, (a[1] | b[1]) & ~known


def xor(a: Tnum, b: Tnum) -> Tnum:
    unknown = a[1] | b[1]
    return (a[0] ^ b[0]) & ~unknown, unknown


def mul(a: Tnum, b: Tnum) -> Tnum:
    """Long multiplication: the known part exactly, each uncertain bit of `a` adding an uncertain multiple of `b`."""
    value, total = a[0] * b[0] & M64, (0, 0)
    a_value, a_mask = a
    b_value, b_mask = b
    while a_value or a_mask:
        if a_value & 1:
            total = add(total, (0, b_mask))
        elif a_mask & 1:
            total = add(total, (0, (b_value | b_mask)))
        a_value, a_mask = a_value >> 1, a_mask >> 1
        b_value, b_mask = b_value << 1 & M64, b_mask << 1 & M64
    return add((value, 0), total)


def lsh(a: Tnum, by: int) -> Tnum:
    return a[0] << by & M64, a[1] << by & M64


def rsh(a: Tnum, by: int) -> Tnum:
    return a[0] >> by, a[1] >> by


def meet(a: Tnum, b: Tnum) -> Tnum | None:
    """What both know together, or None where they contradict each other."""
    mask = a[1] & b[1]
    if (a[0] ^ b[0]) & ~(a[1] | b[1]):
        return None
    return (a[0] | b[0]) & ~mask & M64, mask
