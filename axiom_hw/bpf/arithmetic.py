"""What the verbs of the opcode table compute: two unsigned operands in, a number out, at 32 or at 64 bits.

Results may exceed the width: whoever stores them masks. RFC 9669 sections 4.1 (arithmetic), 4.2 (byte swaps) and
4.3 (comparisons).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Final

Binary = Callable[[int, int], int]
Condition = Callable[[int, int], bool]

MASK: Final = {bits: (1 << bits) - 1 for bits in (8, 16, 32, 64)}
M32: Final = MASK[32]
M64: Final = MASK[64]


def signed(value: int, bits: int) -> int:
    """The low `bits` of `value` as a two's complement number."""
    sign = 1 << (bits - 1)
    return ((value & MASK[bits]) ^ sign) - sign


def swapped(value: int, bits: int) -> int:
    """The low `bits` of `value` with their bytes in reverse order."""
    return int.from_bytes((value & MASK[bits]).to_bytes(bits // 8, "little"), "big")


def _div(a: int, b: int) -> int:
    return a // b if b else 0


def _mod(a: int, b: int) -> int:
    return a % b if b else a


def _second(a: int, b: int) -> int:
    return b


def _signed_division(bits: int) -> tuple[Binary, Binary]:
    """Division rounds towards zero and the remainder has the dividend's sign, unlike Python's."""

    def sdiv(a: int, b: int) -> int:
        x, y = signed(a, bits), signed(b, bits)
        if y == 0:
            return 0
        return abs(x) // abs(y) if (x < 0) == (y < 0) else -(abs(x) // abs(y))

    def smod(a: int, b: int) -> int:
        x, y = signed(a, bits), signed(b, bits)
        if y == 0:
            return x
        return -(-x % abs(y)) if x < 0 else x % abs(y)

    return sdiv, smod


def _shifts(bits: int) -> tuple[Binary, Binary, Binary]:
    """Only the low 5 or 6 bits of a shift count matter."""
    last = bits - 1

    def lsh(a: int, b: int) -> int:
        return a << (b & last)

    def rsh(a: int, b: int) -> int:
        return a >> (b & last)

    def arsh(a: int, b: int) -> int:
        return signed(a, bits) >> (b & last)

    return lsh, rsh, arsh


def _arithmetic(bits: int) -> Mapping[str, Binary]:
    sdiv, smod = _signed_division(bits)
    lsh, rsh, arsh = _shifts(bits)
    return {
        "add": operator.add, "sub": operator.sub, "mul": operator.mul, "div": _div, "sdiv": sdiv, "mod": _mod,
        "smod": smod, "or": operator.or_, "and": operator.and_, "xor": operator.xor, "mov": _second,
        "lsh": lsh, "rsh": rsh, "arsh": arsh,
    }  # fmt: skip


def _comparisons(bits: int) -> Mapping[str, Condition]:
    # With the sign bit flipped, unsigned order is signed order.
    sign = 1 << (bits - 1)
    return {
        "eq": operator.eq, "ne": operator.ne, "gt": operator.gt, "ge": operator.ge, "lt": operator.lt,
        "le": operator.le, "set": lambda a, b: a & b != 0,
        "sgt": lambda a, b: a ^ sign > b ^ sign, "sge": lambda a, b: a ^ sign >= b ^ sign,
        "slt": lambda a, b: a ^ sign < b ^ sign, "sle": lambda a, b: a ^ sign <= b ^ sign,
    }  # fmt: skip


ARITHMETIC: Final = {bits: _arithmetic(bits) for bits in (32, 64)}
COMPARISONS: Final = {bits: _comparisons(bits) for bits in (32, 64)}
BYTE_ORDER: Final[Mapping[str, Callable[[int, int], int]]] = {
    "le": lambda value, bits: value & MASK[bits],
    "be": swapped,
    "bswap": swapped,
}  # value, bits. Memory is little-endian here, whatever the machine.
