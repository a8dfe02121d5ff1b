"""`Verified.uses`: which objects each register points into where it is read, on every path, those cut short too."""

from __future__ import annotations

import pytest

from axiom_hw.bpf.asm import assemble_insns
from axiom_hw.bpf.spec import CtxSpec, MapFlag, MapSpec, MapType, ProgramSpec
from axiom_hw.bpf.verified import Into, Place, Verified
from axiom_hw.bpf.verifier import Rejected, verify

A, B, RING, OTHER = range(4)
MAPS = (
    MapSpec("a", MapType.ARRAY, 4, 8, 1),
    MapSpec("b", MapType.ARRAY, 4, 8, 1),
    MapSpec("ring", MapType.RINGBUF, 0, 0, 4096),
    MapSpec("other", MapType.RINGBUF, 0, 0, 4096),
)
NUMBER, CTX, STACK, CALLER = (Place(into) for into in (Into.NUMBER, Into.CTX, Into.STACK, Into.CALLER))
EIGHT = CtxSpec(8)
VALUE_A, VALUE_B = Place(Into.VALUE, A), Place(Into.VALUE, B)


def proved(text: str, ctx: CtxSpec = EIGHT) -> Verified:
    names = {spec.name: index for index, spec in enumerate(MAPS)}
    return verify(ProgramSpec("uses", assemble_insns(text, maps=names), MAPS, ctx))


def places(text: str, ctx: CtxSpec = EIGHT) -> dict[int, dict[int, set[Place]]]:
    """What the program tells of each pc that reads a pointer."""
    return {
        pc: {register: set(found) for register, found in used.items()}
        for pc, used in proved(text, ctx).uses.items()
        if used
    }


def test_each_kind_of_place() -> None:
    assert places("""
        r6 = r1
        *(u32 *)(r10 - 4) = 0
        r2 = r10
        r2 += -4
        r1 = map[a] ll
        call map_lookup_elem
        if r0 == 0 goto out
        r3 = *(u64 *)(r0 + 0)
        r4 = *(u64 *)(r6 + 0)
        r1 = map[ring] ll
        r2 = 8
        r3 = 0
        call ringbuf_reserve
        if r0 == 0 goto out
        r1 = r0
        r2 = 0
        call ringbuf_submit
    out:
        r0 = 0
        exit
    """) == {
        0: {1: {CTX}},
        1: {10: {STACK}},
        2: {10: {STACK}},
        3: {2: {STACK}},
        6: {1: {Place(Into.MAP, A)}, 2: {STACK}},
        7: {0: {VALUE_A, NUMBER}},
        8: {0: {VALUE_A}},
        9: {6: {CTX}},
        14: {1: {Place(Into.MAP, RING)}},
        15: {0: {Place(Into.RECORD, RING), NUMBER}},
        16: {0: {Place(Into.RECORD, RING)}},
        18: {1: {Place(Into.RECORD, RING)}},
    }  # fmt: skip


def test_numbers_are_not_listed_and_what_never_runs_has_no_entry() -> None:
    uses = proved("""
        r0 = 1
        if r0 == 1 goto out
        r0 = 2
    out:
        exit
    """).uses
    assert {pc: dict(used) for pc, used in uses.items()} == {0: {}, 1: {}, 3: {}}


TWO_WAYS = """
        r7 = *(u64 *)(r1 + 0)
        {first}
        if r7 == 0 goto join
        {second}
    join:
"""


def joined(first: str, second: str, rest: str) -> dict[int, set[Place]]:
    """What the last instruction that reads a pointer reads, where two paths set things up differently."""
    found = places(TWO_WAYS.format(first=first, second=second) + rest)
    return found[max(found)]


@pytest.mark.parametrize("order", [1, -1])
def test_two_maps_meet_in_one_register(order: int) -> None:
    first, second = ("r6 = map[a][0]+0 ll", "r6 = map[b][0]+0 ll")[::order]
    assert joined(first, second, "r0 = *(u64 *)(r6 + 0)\nexit") == {6: {VALUE_A, VALUE_B}}


@pytest.mark.parametrize("order", [1, -1])
def test_two_maps_meet_for_a_helper(order: int) -> None:
    first, second = ("r6 = map[a] ll", "r6 = map[b] ll")[::order]
    rest = """
        *(u32 *)(r10 - 4) = 0
        r2 = r10
        r2 += -4
        r1 = r6
        call map_lookup_elem
        if r0 == 0 goto out
        r0 = *(u64 *)(r0 + 0)
        exit
    out:
        r0 = 0
        exit
    """
    assert joined(first, second, rest) == {0: {VALUE_A, VALUE_B}}


@pytest.mark.parametrize("order", [1, -1])
def test_two_places_meet_in_a_saved_register(order: int) -> None:
    first, second = ("*(u64 *)(r10 - 8) = r1", "*(u64 *)(r10 - 8) = r10")[::order]
    rest = """
        *(u64 *)(r10 - 16) = 0
        r6 = *(u64 *)(r10 - 8)
        r6 += -16
        r6 += 16
        r0 = 0
        exit
    """
    assert joined(first, second, rest) == {6: {CTX, STACK}}


@pytest.mark.parametrize("order", [1, -1])
def test_a_number_and_a_pointer_meet(order: int) -> None:
    """Only copied, which is all that both can be."""
    first, second = ("r6 = r1", "r6 = 7")[::order]
    assert joined(first, second, "r8 = r6\nr0 = 0\nexit") == {6: {CTX, NUMBER}}


@pytest.mark.parametrize("order", [1, -1])
def test_records_of_two_rings_meet(order: int) -> None:
    reserve = "r1 = map[{}] ll\nr2 = 8\nr3 = 0\ncall ringbuf_reserve\ngoto join"
    first, second = (reserve.format("ring"), reserve.format("other"))[::order]
    found = places(f"""
        r7 = *(u64 *)(r1 + 0)
        if r7 == 0 goto second
        {first}
    second:
        {second}
    join:
        if r0 == 0 goto out
        r1 = r0
        r2 = 0
        call ringbuf_discard
    out:
        r0 = 0
        exit
    """)
    assert found[max(found)] == {1: {Place(Into.RECORD, RING), Place(Into.RECORD, OTHER)}}


def test_a_function_called_from_two_sites_with_different_places() -> None:
    found = places("""
        r6 = r1
        r1 = r10
        r1 += -8
        *(u64 *)(r10 - 8) = 1
        call read
        r1 = map[a][0]+0 ll
        call read
        r1 = r6
        call read
        r0 = 0
        exit
    read:
        r0 = *(u64 *)(r1 + 0)
        exit
    """)
    assert found[12] == {1: {CALLER, VALUE_A, CTX}}
    assert (found[4], found[7], found[9]) == ({1: {STACK}}, {1: {VALUE_A}}, {1: {CTX}})


def test_what_a_function_does_not_read_is_not_listed_at_its_call() -> None:
    found = places("""
        r2 = r10
        r3 = r1
        call first
        exit
    first:
        r0 = *(u64 *)(r1 + 0)
        exit
    """)
    assert found[2] == {1: {CTX}}


def test_a_function_fills_a_pointer_from_its_callers_frame() -> None:
    found = places("""
        *(u64 *)(r10 - 8) = r1
        *(u64 *)(r10 - 16) = r10
        r1 = r10
        r1 += -16
        call read
        exit
    read:
        r2 = *(u64 *)(r1 + 8)
        r3 = *(u64 *)(r1 + 0)
        r4 = *(u64 *)(r3 - 8)
        r0 = *(u64 *)(r4 + 0)
        r5 = *(u64 *)(r2 + 0)
        r0 += r5
        exit
    """)
    assert found[6] == found[7] == {1: {CALLER}}
    assert found[8] == {3: {CALLER}}
    assert found[9] == {4: {CTX}}
    assert found[10] == {2: {CTX}}


def test_a_function_returns_a_pointer_into_its_callers_frame() -> None:
    found = places("""
        *(u64 *)(r10 - 8) = 5
        r1 = r10
        r1 += -8
        call same
        r0 = *(u64 *)(r0 + 0)
        exit
    same:
        r0 = r1
        exit
    """)
    assert found[6] == {1: {CALLER}}
    assert found[7] == {0: {CALLER}}
    assert found[4] == {0: {STACK}}


def test_one_function_at_two_depths_has_one_frame_of_its_own() -> None:
    found = places("""
        call outer
        call inner
        exit
    outer:
        call inner
        exit
    inner:
        *(u64 *)(r10 - 8) = 1
        r0 = *(u64 *)(r10 - 8)
        exit
    """)
    assert found == {5: {10: {STACK}}, 6: {10: {STACK}}}


def test_memory_is_the_context_and_may_be_missing() -> None:
    assert places("r0 = r1\nr0 = 0\nexit", CtxSpec(8, writable=True)) == {0: {1: {CTX}}}
    assert places("r0 = r1\nr0 = 0\nexit", CtxSpec(0)) == {0: {1: {CTX, NUMBER}}}
    assert places("r0 = r1\nr0 = 0\nexit", CtxSpec(0, writable=True, length_in_r2=True)) == {}


def test_calls_through_a_register() -> None:
    verified = proved("""
        r7 = *(u64 *)(r1 + 0)
        r6 = 5
        if r7 == 0 goto join
        r6 = 7
    join:
        callx r6
        r0 = 0
        exit
    """)
    assert verified.targets == {4: {5, 7}}


@pytest.mark.parametrize("order", [1, -1])
def test_a_pointer_where_another_path_has_nothing_is_no_number_to_print(order: int) -> None:
    """trace_printk takes whatever its last arguments hold; a path that set none must not vouch for one that did."""
    first, second = ("r8 = 1", "r3 = r10")[::order]
    with pytest.raises(Rejected) as refusal:
        proved(f"""
            r7 = *(u64 *)(r1 + 0)
            *(u16 *)(r10 - 8) = 0
            if r7 != 0 goto second
            {first}
            goto join
        second:
            {second}
        join:
            r1 = r10
            r1 += -8
            r2 = 2
            call trace_printk
            r0 = 0
            exit
        """)
    assert refusal.value.code == "V106"


def test_read_only_maps_are_values_as_well() -> None:
    spec = MapSpec("limits", MapType.ARRAY, 4, 8, 1, MapFlag.RDONLY_PROG, data=bytes(8), frozen=True)
    insns = assemble_insns("r1 = map[limits][0]+0 ll\nr0 = *(u64 *)(r1 + 0)\nexit", maps={"limits": 0})
    assert verify(ProgramSpec("uses", insns, (spec,))).uses[2] == {1: {Place(Into.VALUE, 0)}}


def test_what_a_call_through_a_register_may_find_there() -> None:
    """Where it isn't set on one of the paths, anything may be left in an argument that the helper doesn't take."""
    assert places("""
        r2 = r1
        r6 = 0
    again:
        r1 = 5
        callx r1
        r6 += 1
        if r6 != 2 goto again
        r0 = 0
        exit
    """) == {0: {1: {CTX}}, 3: {2: {CTX, NUMBER}}}
