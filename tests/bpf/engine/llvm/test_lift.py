"""The module that a program becomes: every row, constants, what it may rely on, and how a wrong proof shows."""

from __future__ import annotations

import struct
from dataclasses import replace
from types import MappingProxyType

import pytest

from axiom_hw.bpf import isa
from axiom_hw.bpf.engine.llvm.lift import LOWER, lift
from axiom_hw.bpf.engine.llvm.native import Native
from axiom_hw.bpf.engine.llvm.unit import Offers
from axiom_hw.bpf.frontend.raw import RawModule
from axiom_hw.bpf.maps import create_map
from axiom_hw.bpf.maps.mem import Mem, load_u64
from axiom_hw.bpf.spec import CtxSpec, MapFlag, MapSpec, MapType
from axiom_hw.errors import Fault
from tests.bpf.engine.llvm.twins import proved, same
from tests.bpf.engine.rigs import ScriptedEnv

SEEN = MapSpec("seen", MapType.HASH, 4, 16, 4)
TABLE = MapSpec(".rodata", MapType.ARRAY, 4, 16, 1, MapFlag.RDONLY_PROG, data=bytes(range(16)), frozen=True)
CTX = CtxSpec(16)
WORDS = [struct.pack("<QQ", a, b) for a, b in ((0, 0), (1, 2), (2, 3), (5, 1 << 63), ((1 << 64) - 1, 7))]


def test_every_row_is_lowered() -> None:
    assert set(LOWER) == {row.name for row in isa.TABLE}


def test_constants_are_read_where_they_are() -> None:
    text = "r2 = *(u64 *)(r1 + 0)\nr2 &= 7\nr1 = map[.rodata][0]+0 ll\nr1 += r2\nr0 = *(u32 *)(r1 + 2)\nexit"
    assert "internal constant" in text_of(text, TABLE, ctx=CTX)
    same(text, TABLE, ctx=CTX, inputs=WORDS)


@pytest.mark.parametrize("spec", [replace(TABLE, pinned=True), replace(TABLE, flags=0), replace(TABLE, frozen=False)])
def test_what_others_may_write_is_no_constant(spec: MapSpec) -> None:
    assert "internal constant" not in text_of("r1 = map[.rodata][0]+0 ll\nr0 = *(u32 *)(r1 + 4)\nexit", spec)


def text_of(text: str, *specs: MapSpec, ctx: CtxSpec = CtxSpec(0)) -> str:  # noqa: B008 (frozen)
    program = proved(text, *specs, ctx=ctx)
    return lift(program, [create_map(spec) for spec in specs], RawModule(), Offers())


def test_the_text_depends_on_nothing_but_the_program() -> None:
    text = "r1 = map[seen] ll\n*(u32 *)(r10 - 4) = 3\nr2 = r10\nr2 += -4\ncall map_delete_elem\nexit"
    assert text_of(text, SEEN) == text_of(text, SEEN)


def test_where_the_proof_never_came_a_run_ends_with_a_fault() -> None:
    program = proved("r0 = *(u64 *)(r1 + 0)\nif r0 == 5 goto +1\nr0 += 1\nexit", ctx=CTX)
    uses = {pc: used for pc, used in program.uses.items() if pc != 2}
    damaged = replace(program, uses=MappingProxyType(uses))
    native = Native(damaged, [], ScriptedEnv())
    with pytest.raises(Fault) as fault:
        native.run(bytes(16))
    assert fault.value.pc == 2
    assert native.run(WORDS[3]) == 5


def test_a_proof_that_says_too_little_is_a_bug() -> None:
    program = proved("r0 = *(u64 *)(r1 + 0)\nexit", ctx=CTX)
    damaged = replace(program, uses=MappingProxyType({0: MappingProxyType({}), 1: MappingProxyType({})}))
    with pytest.raises(AssertionError, match="r1 must be a pointer"):
        lift(damaged, [], RawModule(), Offers())


def test_natives_are_inlined_and_time_may_be_the_systems() -> None:
    program = proved("r1 = 2\nr2 = 3\ncall gpio_set\nr6 = r0\ncall ktime_get_ns\nr0 = r6\nexit")
    text = lift(program, [], RawModule(), Offers(natives={1003: weighted}, monotonic=True))
    assert "@native_1003 = external global" in text
    assert "@clock_gettime(i32 1" in text
    assert "helper_" not in text


def weighted(m: Mem, line: int, value: int) -> int:
    """Restricted Python."""
    return load_u64(m, 8) + line * value
