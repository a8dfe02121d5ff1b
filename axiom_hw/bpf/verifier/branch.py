"""What a comparison teaches about its two numbers, on either side of the branch (RFC 9669 section 4.3)."""

from __future__ import annotations

from typing import Final

from axiom_hw.bpf.verifier import tnum
from axiom_hw.bpf.verifier.num import M32, Num, make
from axiom_hw.bpf.verifier.tnum import M64

NEGATED: Final = {
    "eq": "ne", "ne": "eq", "gt": "le", "le": "gt", "ge": "lt", "lt": "ge",
    "sgt": "sle", "sle": "sgt", "sge": "slt", "slt": "sge", "set": "nset",
}  # fmt: skip
MIRRORED: Final = {"gt": "lt", "ge": "le", "sgt": "slt", "sge": "sle"}

Pair = tuple[Num, Num]


class _Draft:
    """The ten fields of a Num while they are being narrowed."""

    __slots__ = ("high", "low", "mask", "value")

    def __init__(self, a: Num) -> None:
        self.value, self.mask = a.value, a.mask
        self.low: dict[str, int] = {"u64": a.umin, "s64": a.smin, "u32": a.u32min, "s32": a.s32min}
        self.high: dict[str, int] = {"u64": a.umax, "s64": a.smax, "u32": a.u32max, "s32": a.s32max}

    def done(self, a: Num) -> Num | None:
        low, high = self.low, self.high
        if not a.mask and (self.value, self.mask) == (a.value, a.mask):
            fits = all(low[sort] <= x <= high[sort] for sort, x in _ends(a))
            return a if fits else None
        made = make((self.value, self.mask), low["u64"], high["u64"], low["s64"], high["s64"],
                    low["u32"], high["u32"], low["s32"], high["s32"])  # fmt: skip
        return made.linked_as(a) if made is not None and a.id else made


def _ends(a: Num) -> tuple[tuple[str, int], ...]:
    return ("u64", a.umin), ("s64", a.smin), ("u32", a.u32min), ("s32", a.s32min)


def refine(verb: str, width: int, a: Num, b: Num) -> Pair | None:
    """The numbers where `a verb b` holds at that width; None where it can't hold."""
    if verb in MIRRORED:
        turned = refine(MIRRORED[verb], width, b, a)
        return None if turned is None else (turned[1], turned[0])
    left, right = _Draft(a), _Draft(b)
    signs = f"s{width}" if verb.startswith("s") and verb != "set" else f"u{width}"
    match verb:
        case "eq":
            if not _equal(left, right, width):
                return None
        case "ne":
            _differ(left, right, width)
            _differ(right, left, width)
        case "lt" | "slt" | "le" | "sle":
            gap = 1 if verb.endswith("lt") else 0
            left.high[signs] = min(left.high[signs], right.high[signs] - gap)
            right.low[signs] = max(right.low[signs], left.low[signs] + gap)
        case "set" | "nset":
            if not _bits(verb, width, left, right):
                return None
        case _:
            raise AssertionError(f"no such comparison: {verb}")
    made_left, made_right = left.done(a), right.done(b)
    return None if made_left is None or made_right is None else (made_left, made_right)


def _equal(left: _Draft, right: _Draft, width: int) -> bool:
    scope = M64 if width == 64 else M32
    both = tnum.meet((left.value & scope, left.mask & scope), (right.value & scope, right.mask & scope))
    if both is None:
        return False
    for side in (left, right):
        side.value, side.mask = side.value & ~scope | both[0], side.mask & ~scope | both[1]
    for sort in ("u64", "s64", "u32", "s32") if width == 64 else ("u32", "s32"):
        left.low[sort] = right.low[sort] = max(left.low[sort], right.low[sort])
        left.high[sort] = right.high[sort] = min(left.high[sort], right.high[sort])
    return True


def _differ(a: _Draft, b: _Draft, width: int) -> None:
    """Where b is one number, it can't be an end of a's ranges."""
    for sort in (f"u{width}", f"s{width}"):
        if b.low[sort] == b.high[sort]:
            x = b.low[sort]
            if a.low[sort] == x:
                a.low[sort] += 1
            if a.high[sort] == x:
                a.high[sort] -= 1


def _bits(verb: str, width: int, left: _Draft, right: _Draft) -> bool:
    """`a & b` is not zero (set), or zero (nset)."""
    scope = M64 if width == 64 else M32
    known = left.value & right.value & scope
    possible = (left.value | left.mask) & (right.value | right.mask) & scope
    if verb == "set":
        if not possible:
            return False
        for a, b in ((left, right), (right, left)):
            if not b.mask & scope and possible & possible - 1 == 0:  # one bit alone can make it true
                a.value, a.mask = a.value | possible, a.mask & ~possible
        return True
    if known:
        return False
    for a, b in ((left, right), (right, left)):
        a.mask &= ~(b.value & scope)  # where b has a one, a has a zero
    return True
