"""What is known of a number: its bits, and its range as u64, s64, u32 and s32, in agreement with each other.

Each component alone is a sound claim about the 64-bit register (the 32-bit ones about its lower half); `make` lets
each learn from the others. The two widths are kept apart, and so are the two signs: taking one for the other is how
CVE-2017-16995, CVE-2020-8835, CVE-2021-3490 and CVE-2021-31440 came about.
"""

from __future__ import annotations

from typing import Final

from axiom_hw.bpf.verifier import tnum
from axiom_hw.bpf.verifier.tnum import M64

M32: Final = (1 << 32) - 1
S64_MIN: Final = -(1 << 63)
S64_MAX: Final = (1 << 63) - 1
S32_MIN: Final = -(1 << 31)
S32_MAX: Final = (1 << 31) - 1

WIDE, LOW, HIGH = range(3)  # how a number is made of the one that it is linked to: see `Num`


def s64(x: int) -> int:
    """The lower 64 bits as a signed number."""
    x &= M64
    return x - (1 << 64) if x > S64_MAX else x


def s32(x: int) -> int:
    """The lower 32 bits as a signed number."""
    x &= M32
    return x - (1 << 32) if x > S32_MAX else x


class Num:
    """An abstract 64-bit number. Immutable by agreement.

    Numbers with the same `id` (not 0) differ by constants: each is made of some x, the same for all, plus its `delta`.
    Its `form` says how: WIDE, that sum; LOW, the sum's lower half; HIGH, the lower half moved up by 32, as compilers do
    on the way to LOW. So what a comparison teaches about one bounds the others.
    """

    __slots__ = (
        "delta", "form", "id", "mask", "s32max", "s32min", "smax", "smin", "u32max", "u32min", "umax", "umin", "value"
    )  # fmt: skip

    def __init__(
        self, value: int, mask: int, umin: int, umax: int, smin: int, smax: int,
        u32min: int, u32max: int, s32min: int, s32max: int, id: int = 0, delta: int = 0, form: int = WIDE,
    ) -> None:  # fmt: skip
        self.value = value
        self.mask = mask
        self.umin = umin
        self.umax = umax
        self.smin = smin
        self.smax = smax
        self.u32min = u32min
        self.u32max = u32max
        self.s32min = s32min
        self.s32max = s32max
        self.id = id
        self.delta = delta
        self.form = form

    @property
    def is_const(self) -> bool:
        return not self.mask

    @property
    def key(self) -> tuple[int, ...]:
        """All that is known, without the id: equal keys, equal knowledge."""
        if not self.mask:
            return (self.value,)
        return (self.value, self.mask, self.umin, self.umax, self.smin, self.smax,
                self.u32min, self.u32max, self.s32min, self.s32max)  # fmt: skip

    def with_id(self, id: int, delta: int = 0, form: int = WIDE) -> Num:
        return Num(self.value, self.mask, self.umin, self.umax, self.smin, self.smax, self.u32min, self.u32max,
                   self.s32min, self.s32max, id, delta, form)  # fmt: skip

    def linked_as(self, other: Num) -> Num:
        """The same number, with the link of `other`."""
        return self.with_id(other.id, other.delta, other.form)

    def has_link_of(self, other: Num) -> bool:
        """Whether both are the same x plus the same constant."""
        return self.id == other.id and self.delta == other.delta and self.form == other.form

    def holds(self, x: int) -> bool:
        """Whether the concrete register value `x` (unsigned) is one that this stands for."""
        low = x & M32
        return (
            x & ~self.mask & M64 == self.value
            and self.umin <= x <= self.umax
            and self.smin <= s64(x) <= self.smax
            and self.u32min <= low <= self.u32max
            and self.s32min <= s32(low) <= self.s32max
        )

    def covers(self, other: Num) -> bool:
        """Whether every value of `other` is one of this."""
        return (
            self.umin <= other.umin
            and other.umax <= self.umax
            and self.smin <= other.smin
            and other.smax <= self.smax
            and self.u32min <= other.u32min
            and other.u32max <= self.u32max
            and self.s32min <= other.s32min
            and other.s32max <= self.s32max
            and not other.mask & ~self.mask
            and other.value & ~self.mask == self.value
        )

    def __repr__(self) -> str:
        """As messages show it: the shortest true description."""
        if not self.mask:
            return str(s64(self.value))
        if self.umin == 0 and self.umax == M64 and self.smin == S64_MIN and self.smax == S64_MAX:
            if self.u32min or self.u32max != M32:
                return f"a number, lower half {self.u32min}..{self.u32max}"
            return "any number" if self.mask == M64 else f"a number, unknown bits {self.mask:#x}"
        if self.smin >= 0:
            return f"{self.umin}..{self.umax}"
        if self.smin > S64_MIN or self.smax < S64_MAX:
            if self.smin == S64_MIN:
                return f"at most {self.smax}, signed"
            return f"at least {self.smin}, signed" if self.smax == S64_MAX else f"{self.smin}..{self.smax}"
        return f"{self.umin}..{self.umax}"


def const(x: int) -> Num:
    """Exactly `x` (taken modulo 2^64)."""
    x &= M64
    low, s, sl = x & M32, s64(x), s32(x)
    return Num(x, 0, x, x, s, s, low, low, sl, sl)


UNKNOWN: Final = Num(0, M64, 0, M64, S64_MIN, S64_MAX, 0, M32, S32_MIN, S32_MAX)
ZERO: Final = const(0)


def unsigned(low: int, high: int, bits: tnum.Tnum = tnum.UNKNOWN) -> Num:
    """Any of low..high, unsigned 64-bit."""
    made = make(bits, low, high, S64_MIN, S64_MAX, 0, M32, S32_MIN, S32_MAX)
    assert made is not None, f"no number in {low}..{high} has the bits {bits}"
    return made


def signed(low: int, high: int) -> Num:
    """Any of low..high, signed 64-bit."""
    made = make(tnum.UNKNOWN, 0, M64, low, high, 0, M32, S32_MIN, S32_MAX)
    assert made is not None, f"no number in {low}..{high}"
    return made


def make(
    bits: tnum.Tnum, umin: int, umax: int, smin: int, smax: int, u32min: int, u32max: int, s32min: int, s32max: int
) -> Num | None:
    """The number for which all of these claims hold, each sharpened by the others; None where there is none."""
    value, mask = bits
    for _ in range(3):
        before = (value, mask, umin, umax, smin, smax, u32min, u32max, s32min, s32max)
        # bits -> ranges
        umin, umax = max(umin, value), min(umax, value | mask)
        low_value, low_mask = value & M32, mask & M32
        u32min, u32max = max(u32min, low_value), min(u32max, low_value | low_mask)
        # unsigned <-> signed: where a range doesn't cross the sign, both orders agree on it
        if umin >> 63 == umax >> 63:
            smin, smax = max(smin, s64(umin)), min(smax, s64(umax))
        if (smin >= 0) == (smax >= 0):
            umin, umax = max(umin, smin & M64), min(umax, smax & M64)
        # 64 -> 32
        if umin >> 32 == umax >> 32:
            u32min, u32max = max(u32min, umin & M32), min(u32max, umax & M32)
        if smin >= S32_MIN and smax <= S32_MAX:
            s32min, s32max = max(s32min, smin), min(s32max, smax)
        if u32min >> 31 == u32max >> 31:
            s32min, s32max = max(s32min, s32(u32min)), min(s32max, s32(u32max))
        if (s32min >= 0) == (s32max >= 0):
            u32min, u32max = max(u32min, s32min & M32), min(u32max, s32max & M32)
        # 32 -> 64: the lower half is in its range, so the bounds move to the next number whose half is
        if umin & M32 < u32min:
            umin += u32min - (umin & M32)
        elif umin & M32 > u32max:
            umin = ((umin >> 32) + 1 << 32) + u32min
        if umax & M32 > u32max:
            umax -= (umax & M32) - u32max
        elif umax & M32 < u32min:
            umax = ((umax >> 32) - 1 << 32) + u32max
        if smin >= S32_MIN and smax <= S32_MAX:
            smin, smax = max(smin, s32min), min(smax, s32max)
        if umin > umax or smin > smax or u32min > u32max or s32min > s32max:
            return None
        # ranges -> bits
        met = tnum.meet((value, mask), tnum.between(umin, umax))
        if met is None:
            return None
        low = tnum.between(u32min, u32max)
        met = tnum.meet(met, (low[0], low[1] | M64 - M32))
        if met is None:
            return None
        value, mask = met
        if (value, mask, umin, umax, smin, smax, u32min, u32max, s32min, s32max) == before:
            break
    if not mask:
        exact = const(value)
        fits = umin <= value <= umax and smin <= exact.smin <= smax
        fits = fits and u32min <= exact.u32min <= u32max and s32min <= exact.s32min <= s32max
        return exact if fits else None
    return Num(value, mask, umin, umax, smin, smax, u32min, u32max, s32min, s32max)


def meet(a: Num, b: Num) -> Num | None:
    """What both know together, or None where no value is in both."""
    bits = tnum.meet((a.value, a.mask), (b.value, b.mask))
    if bits is None:
        return None
    return make(
        bits, max(a.umin, b.umin), min(a.umax, b.umax), max(a.smin, b.smin), min(a.smax, b.smax),
        max(a.u32min, b.u32min), min(a.u32max, b.u32max), max(a.s32min, b.s32min), min(a.s32max, b.s32max),
    )  # fmt: skip


def sure(made: Num | None) -> Num:
    """The result of an operation: what `make` found, or any number where it found none.

    Each component is sound for every concrete result, so there is none only where the operands contradict themselves in
    a way that nobody noticed: on a path that can't be taken. Of that, every claim is true, the loosest one too.
    """
    return UNKNOWN if made is None else made


BYTES: Final = {size: unsigned(0, (1 << 8 * size) - 1) for size in (1, 2, 4)} | {8: UNKNOWN}
"""What an unknown load of so many bytes gives."""
