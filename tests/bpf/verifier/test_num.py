"""The abstract numbers are sound: whatever concrete numbers they stand for, the concrete result is in the result."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axiom_hw.bpf.verifier import arith, branch
from axiom_hw.bpf.verifier.num import M32, S64_MAX, S64_MIN, UNKNOWN, Num, const, make, meet, s32, s64
from axiom_hw.bpf.verifier.tnum import M64
from tests.thorough import tries

pytestmark = pytest.mark.thorough

EDGES = [0, 1, 2, 7, 8, 31, 32, 63, 64, 127, 128, 255, 256, 0x7FFF, 0x8000, 0xFFFF]
EDGES += [0x7FFFFFFF, 0x80000000, 0x80000001, M32, 1 << 32, (1 << 32) + 1, 0x7FFFFFFF_FFFFFFFF, 1 << 63, M64 - 1, M64]
numbers = st.one_of(
    st.sampled_from(EDGES),
    st.integers(0, 300),
    st.integers(0, M64),
    st.integers(0, M32),
    st.integers(M64 - 300, M64),
)


@st.composite
def claims(draw: st.DrawFn) -> tuple[Num, int]:
    """An abstract number and one of its members: several members, and what is common to them."""
    members = draw(st.lists(numbers, min_size=1, max_size=3))
    ones = zeros = M64
    for x in members:
        ones, zeros = ones & x, zeros & ~x
    spread = M64 & ~(ones | zeros)
    u, s = sorted(members), sorted(map(s64, members))
    u32, sl = sorted(x & M32 for x in members), sorted(s32(x) for x in members)
    full = Num(ones, spread, u[0], u[-1], s[0], s[-1], u32[0], u32[-1], sl[0], sl[-1])
    parts = draw(st.sets(st.sampled_from(["bits", "u64", "s64", "u32", "s32"])))
    made = make(
        (full.value, full.mask) if "bits" in parts else (0, M64),
        *((full.umin, full.umax) if "u64" in parts else (0, M64)),
        *((full.smin, full.smax) if "s64" in parts else (S64_MIN, S64_MAX)),
        *((full.u32min, full.u32max) if "u32" in parts else (0, M32)),
        *((full.s32min, full.s32max) if "s32" in parts else (-(1 << 31), (1 << 31) - 1)),
    )
    assert made is not None
    member = draw(st.sampled_from(members))
    return made, member


def concrete(verb: str, width: int, a: int, b: int) -> int:
    """RFC 9669 section 4.1, written as a sentence a line, apart from the engines."""
    limit = M64 if width == 64 else M32
    sign = s64 if width == 64 else s32
    a, b = a & limit, b & limit
    count = b & (width - 1)
    result = {
        "add": lambda: a + b,
        "sub": lambda: a - b,
        "mul": lambda: a * b,
        "div": lambda: a // b if b else 0,
        "mod": lambda: a % b if b else a,
        "sdiv": lambda: arith.quotient(sign(a), sign(b)),
        "smod": lambda: sign(a) - arith.quotient(sign(a), sign(b)) * sign(b),
        "or": lambda: a | b,
        "and": lambda: a & b,
        "xor": lambda: a ^ b,
        "lsh": lambda: a << count,
        "rsh": lambda: a >> count,
        "arsh": lambda: sign(a) >> count,
        "mov": lambda: b,
    }[verb]()
    return result & limit


def compare(verb: str, width: int, a: int, b: int) -> bool:
    limit, sign = (M64, s64) if width == 64 else (M32, s32)
    a, b = a & limit, b & limit
    if verb in ("set", "nset"):
        return bool(a & b) == (verb == "set")
    if verb.startswith("s"):
        a, b, verb = sign(a), sign(b), verb[1:]
    return {"eq": a == b, "ne": a != b, "gt": a > b, "ge": a >= b, "lt": a < b, "le": a <= b}[verb]


@pytest.mark.parametrize("width", [64, 32])
@pytest.mark.parametrize("verb", sorted(arith.BINARY))
@settings(max_examples=tries(30, 300), deadline=None)
@given(left=claims(), right=claims())
def test_alu_is_sound(verb: str, width: int, left: tuple[Num, int], right: tuple[Num, int]) -> None:
    result = arith.alu(verb, width, left[0], right[0])
    assert result.holds(concrete(verb, width, left[1], right[1]))


@settings(max_examples=tries(60, 600), deadline=None)
@given(claim=claims(), bits=st.sampled_from([8, 16, 32]))
def test_extensions_are_sound(claim: tuple[Num, int], bits: int) -> None:
    number, x = claim
    low = x & (1 << bits) - 1
    assert arith.zext(number, bits).holds(low)
    assert arith.sext(number, bits).holds(low - (1 << bits) & M64 if low >> bits - 1 else low)


@settings(max_examples=tries(60, 600), deadline=None)
@given(claim=claims(), bits=st.sampled_from([16, 32, 64]), verb=st.sampled_from(["le", "be", "bswap"]))
def test_swaps_are_sound(claim: tuple[Num, int], bits: int, verb: str) -> None:
    number, x = claim
    low = (x & (1 << bits) - 1).to_bytes(bits // 8, "little")
    assert arith.swap(number, bits, verb).holds(int.from_bytes(low, "little" if verb == "le" else "big"))


@pytest.mark.parametrize("width", [64, 32])
@pytest.mark.parametrize("verb", [*sorted(branch.NEGATED), "nset"])
@settings(max_examples=tries(30, 400), deadline=None)
@given(left=claims(), right=claims())
def test_branches_are_sound(verb: str, width: int, left: tuple[Num, int], right: tuple[Num, int]) -> None:
    if not compare(verb, width, left[1], right[1]):
        return
    refined = branch.refine(verb, width, left[0], right[0])
    assert refined is not None, "the branch is possible, but was ruled out"
    assert refined[0].holds(left[1])
    assert refined[1].holds(right[1])
    assert left[0].covers(refined[0])
    assert right[0].covers(refined[1])


@settings(max_examples=tries(60, 600), deadline=None)
@given(left=claims(), right=claims())
def test_meet_and_cover(left: tuple[Num, int], right: tuple[Num, int]) -> None:
    met = meet(left[0], right[0])
    if met is not None:
        assert left[0].covers(met)
        assert right[0].covers(met)
    if left[0].covers(right[0]):
        assert left[0].holds(right[1])
    if right[0].holds(left[1]):
        assert met is not None
        assert met.holds(left[1])


def test_precision_that_compilers_rely_on() -> None:
    """Sound is not enough: these are the bounds checks that programs are written with."""
    masked = arith.alu("and", 64, UNKNOWN, const(63))
    assert (masked.umin, masked.umax) == (0, 63)
    checked = branch.refine("lt", 32, arith.zext(UNKNOWN, 32), const(10))
    assert checked is not None
    assert checked[0].umax == 9
    both = branch.refine("sgt", 64, UNKNOWN, const(-1 & M64))
    assert both is not None
    low = branch.refine("slt", 64, both[0], const(16))
    assert low is not None
    assert (low[0].umin, low[0].umax) == (0, 15)
    scaled = arith.alu("lsh", 64, masked, const(3))
    assert (scaled.umin, scaled.umax, scaled.mask) == (0, 504, 0x1F8)
    halves = arith.alu("rsh", 64, arith.alu("lsh", 64, UNKNOWN, const(32)), const(32))
    assert (halves.umin, halves.umax) == (0, M32)
    signed_byte = arith.sext(arith.zext(UNKNOWN, 8), 8)
    assert (signed_byte.smin, signed_byte.smax) == (-128, 127)


@settings(max_examples=tries(100, 800), deadline=None)
@given(
    claim=claims(),
    steps=st.lists(
        st.one_of(
            st.tuples(st.sampled_from(["add", "sub"]), st.sampled_from([64, 32]), st.integers(-70, 70)),
            st.tuples(st.sampled_from(["lsh", "rsh"]), st.just(64), st.sampled_from([32, 32, 31])),
        ),
        max_size=5,
    ),
    limit=claims(),
    verb=st.sampled_from(["lt", "le", "sgt", "eq", "ne", "set"]),
    width=st.sampled_from([64, 32]),
)
def test_numbers_linked_by_constants_teach_each_other_soundly(
    claim: tuple[Num, int], steps: list[tuple[str, int, int]], limit: tuple[Num, int], verb: str, width: int
) -> None:
    """A chain of copies and additions; a test of any link holds for all others, whatever was added in between."""
    number, x = claim[0].with_id(1), claim[1]
    chain = [(number, x)]
    for change, bits, by in steps:
        previous, value = chain[-1]
        made = arith.alu(change, bits, previous, const(by & M64))
        chain.append((arith.linked(made, change, bits, previous, by), concrete(change, bits, value, by & M64)))
    for tested, value in chain:
        if tested.id and compare(verb, width, value, limit[1]):
            refined = branch.refine(verb, width, tested, limit[0])
            assert refined is not None
            for other, actual in chain:
                if other.id:
                    assert arith.taught(refined[0], other).holds(actual)


def test_a_range_check_by_one_subtraction_bounds_the_original() -> None:
    """What compilers make of `5 <= x && x <= 20`."""
    original = arith.zext(UNKNOWN, 32).with_id(1)
    for path in ([("sub", 32, 5)], [("sub", 64, 5), ("lsh", 64, 32), ("rsh", 64, 32)]):
        moved = original
        for verb, width, by in path:
            moved = arith.linked(arith.alu(verb, width, moved, const(by)), verb, width, moved, by)
        checked = branch.refine("le", 64, moved, const(15))
        assert checked is not None
        taught = arith.taught(checked[0], original)
        assert (taught.umin, taught.umax) == (5, 20)
