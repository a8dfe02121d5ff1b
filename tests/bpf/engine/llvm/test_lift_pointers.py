"""Native code does what the interpreter does where a pointer may be many things."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest

from axiom_hw.bpf.spec import CtxSpec, MapSpec, MapType
from tests.bpf.engine.llvm.twins import same

COUNTS = MapSpec("counts", MapType.ARRAY, 4, 16, 4)
OTHER = MapSpec("other", MapType.ARRAY, 4, 16, 2)
SEEN = MapSpec("seen", MapType.HASH, 4, 16, 4)
CTX = CtxSpec(16)
WORDS = [struct.pack("<QQ", a, b) for a, b in ((0, 0), (1, 2), (2, 3), (5, 1 << 63), ((1 << 64) - 1, 7))]


EITHER = """
r6 = r1
r7 = *(u64 *)(r6 + 0)
*(u64 *)(r10 - 8) = 77
r8 = r10
r8 += -8
if r7 == 0 goto use
r8 = r6
if r7 == 1 goto use
r8 = map[counts][0]+8 ll
if r7 == 2 goto use
r8 = map[other][0]+0 ll
use:
"""


@pytest.mark.parametrize("width", [8, 16, 32, 64])
def test_a_load_from_stack_context_or_one_of_two_maps(width: int) -> None:
    data = replace(COUNTS, data=bytes(range(1, 17)))
    same(f"{EITHER}r0 = *(u{width} *)(r8 + 0)\nexit", data, OTHER, ctx=CTX, inputs=WORDS)


@pytest.mark.parametrize("move", [-8, -1000, 1 << 20])
def test_a_pointer_may_stray_before_it_comes_back(move: int) -> None:
    text = f"{EITHER}r8 += {move}\nr1 = {move}\nr8 -= r1\nr0 = *(u32 *)(r8 + 4)\nexit"
    same(text, COUNTS, OTHER, ctx=CTX, inputs=WORDS)


@pytest.mark.parametrize("verb", ["lock *(u64 *)(r8 + 0) += r7", "r7 = atomic_fetch_add((u64 *)(r8 + 0), r7)",
                                  "r7 = xchg_64(r8 + 0, r7)", "r0 = cmpxchg_64(r8 + 0, r0, r7)",
                                  "*(u16 *)(r8 + 3) = r7", "*(u8 *)(r8 + 5) = 200"])  # fmt: skip
def test_a_change_in_a_writable_context_or_a_map(verb: str) -> None:
    text = EITHER.replace("*(u64 *)(r10 - 8) = 77\n", "").replace("r8 = r10\nr8 += -8\n", "r8 = r6\n")
    same(f"{text}r0 = 0\n{verb}\nr0 += r7\nexit", COUNTS, OTHER, ctx=replace(CTX, writable=True), inputs=WORDS)


def test_a_key_from_the_stack_the_context_or_another_map() -> None:
    text = f"{EITHER}r2 = r8\nr1 = map[seen] ll\nr3 = r6\nr4 = 0\ncall map_update_elem\nexit"
    same(text, COUNTS, OTHER, SEEN, ctx=CTX, inputs=WORDS)


def test_numbers_at_odd_places_of_values() -> None:
    text = (
        "r1 = map[counts][0]+0 ll\nr2 = 0x1122334455667788 ll\n*(u64 *)(r1 + 3) = r2\n*(u32 *)(r1 + 1) = r2\n"
        "*(u16 *)(r1 + 11) = r2\nr0 = *(u64 *)(r1 + 5)\nr3 = *(u32 *)(r1 + 2)\nr0 += r3\nr3 = *(s16 *)(r1 + 9)\n"
        "r0 ^= r3\nexit"
    )
    same(text, COUNTS)


def test_an_index_that_only_the_run_knows_to_be_even() -> None:
    text = (
        "r2 = *(u64 *)(r1 + 0)\nr2 &= 7\nr1 = map[counts][0]+0 ll\nr1 += r2\n*(u64 *)(r1 + 0) = 0x12345678\n"
        "r0 = *(u32 *)(r1 + 2)\nr3 = *(u16 *)(r1 + 1)\nr0 += r3\nexit"
    )
    same(text, COUNTS, ctx=CTX, inputs=WORDS)


KEY = "r1 = r7\nr2 = r10\nr2 += -4\n"


def test_one_of_two_maps_of_different_types() -> None:
    lookup = (
        "r6 = *(u64 *)(r1 + 0)\n*(u32 *)(r10 - 4) = 1\n*(u64 *)(r10 - 16) = 40\n*(u64 *)(r10 - 24) = 2\n"
        "r7 = map[counts] ll\nif r6 == 0 goto go\nr7 = map[seen] ll\ngo:\n"
        f"{KEY}r3 = r10\nr3 += -24\nr4 = 0\ncall map_update_elem\nr8 = r0\n"
        f"{KEY}call map_lookup_elem\nif r0 == 0 goto none\nr1 = *(u64 *)(r0 + 8)\nr8 += r1\n*(u64 *)(r0 + 0) = r8\n"
        f"none:\n{KEY}call map_delete_elem\nr0 += r8\nexit"
    )
    same(lookup, COUNTS, SEEN, ctx=CTX, inputs=WORDS)


def test_null_is_never_a_pointer_that_was_moved() -> None:
    """Even one that was moved to the first byte of the map's memory, or to that of the context."""
    text = (
        "r6 = r1\nr7 = *(u64 *)(r6 + 0)\nr8 = map[counts][0]+0 ll\nr8 += -64\nif r7 != 0 goto check\nr8 = 0\ncheck:\n"
        "r0 = 1\nif r8 == 0 goto +1\nr0 = 2\nif r6 != 0 goto +1\nr0 += 8\nexit"
    )
    assert same(text, COUNTS, ctx=CTX, inputs=WORDS).results == (1, 2, 2, 2, 2)


@pytest.mark.parametrize("verb", ["==", "!=", "<", ">", "<=", ">=", "s<", "s>", "s<=", "s>="])
def test_pointers_into_one_object_compare_by_offset(verb: str) -> None:
    text = (
        "r2 = *(u64 *)(r1 + 0)\nr2 &= 15\nr3 = r1\nr3 += r2\nr3 += -8\nr0 = 1\n"
        f"if r3 {verb} r1 goto +1\nr0 = 0\nr3 -= r1\nr3 &= 0xff\nr3 <<= 8\nr0 |= r3\nexit"
    )
    same(text, ctx=CTX, inputs=[struct.pack("<QQ", n, 0) for n in (0, 7, 8, 9, 15)])
