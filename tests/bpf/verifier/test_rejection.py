"""What a refusal says where the mistake lies elsewhere than in the instruction."""

from __future__ import annotations

from textwrap import dedent

import pytest

from axiom_hw.bpf.asm import assemble_insns
from axiom_hw.bpf.spec import CtxSpec, MapSpec, MapType, ProgramSpec, SourceLine
from axiom_hw.bpf.verifier import Rejected, verify


def test_a_map_declared_without_its_section_is_told_where_it_belongs() -> None:
    """Without SEC(".maps") clang puts the variable into .bss, and the program hands that to the helper."""
    bss = MapSpec(".bss", MapType.ARRAY, 4, 32, 1, data=bytes(32))
    insns = assemble_insns(
        "*(u32 *)(r10 - 4) = 0\nr2 = r10\nr2 += -4\nr1 = map[.bss][0]+0 ll\ncall map_lookup_elem\nr0 = 0\nexit",
        maps={".bss": 0},
    )
    with pytest.raises(Rejected) as refused:
        verify(ProgramSpec("f", insns, (bss,), CtxSpec(0)))
    assert (refused.value.code, refused.value.pc) == ("V301", 5)
    assert refused.value.problem == "r1, argument 1 of map_lookup_elem, must be a map; here it is a variable in .bss"
    assert 'name SEC(".maps");' in refused.value.fix


LOOK_UP = """
    *(u32 *)(r10 - 4) = 0
    r2 = r10
    r2 += -4
    r1 = map[counts] ll
    call map_lookup_elem
    r0 = *(u64 *)(r0 + 0)
    exit
"""
RESERVE = """
    r1 = map[edges] ll
    r2 = 8
    r3 = 0
    call ringbuf_reserve
    if r0 == 0 goto out
    *(u64 *)(r0 + 0) = 1
out:
    r0 = 0
    exit
"""
DIVIDE = """
    r1 = *(u64 *)(r1 + 0)
    r0 = 100
    if r1 != 0 goto on
    call 1090
on:
    r0 /= r1
    exit
"""
LOOP = """
    r0 = 0
again:
    r1 = 0
    r1 += 1
    if r1 < 10 goto again
    exit
"""


@pytest.mark.parametrize(
    ("text", "pc", "name", "message"),
    [
        (
            LOOK_UP, 6, "last",
            """
            led.py:7: [V103] `last` may be None here
                  some code
                       ^
                at     6: r0 = *(u64 *)(r0 + 0)
                knows  r0 = map_value(counts, 8 bytes) or NULL
                fix    test it first: `if last is None: return 0`
            """,
        ),
        (
            LOOK_UP, 6, "",
            """
            led.py:7: [V103] the value of `counts` may be None here
                  some code
                       ^
                at     6: r0 = *(u64 *)(r0 + 0)
                knows  r0 = map_value(counts, 8 bytes) or NULL
                fix    give it a name and test that first: `if value is None: return 0`
            """,
        ),
        (
            RESERVE, 8, "",
            """
            led.py:9: [V306] the ring record reserved at line 5 is neither submitted nor discarded here
                  some code
                       ^
                at     8: exit
                path   5 -> 8
                fix    reserve it in a `with` block, which submits it on every way out
            """,
        ),
        (
            DIVIDE, 3, "ctx.value",
            """
            led.py:4: [V501] `ctx.value` may be 0 here, for which Python raises ZeroDivisionError
                  some code
                       ^
                path   2 -> 3
                fix    test it first: `if ctx.value == 0: return 0`
            """,
        ),
        (
            DIVIDE, 3, "",
            """
            led.py:4: [V501] a divisor may be 0 here, for which Python raises ZeroDivisionError
                  some code
                       ^
                path   2 -> 3
                fix    test the divisor first: `if b == 0: return 0`
            """,
        ),
        (
            LOOP, 3, "",
            """
            led.py:4: [V402] this loop may never end: it comes back to its start with nothing changed that could end it
                  some code
                       ^
                at     3: if r1 < 10 goto -3 <led+0x8>
                path   3
                fix    count towards a limit, as in `for i in range(100)`
            """,
        ),
    ],
)  # fmt: skip
def test_programs_in_python_are_refused_in_python(text: str, pc: int, name: str, message: str) -> None:
    maps = (MapSpec("counts", MapType.ARRAY, 4, 8, 1), MapSpec("edges", MapType.RINGBUF, 0, 0, 4096))
    insns = assemble_insns(text, maps={"counts": 0, "edges": 1})
    lines = {at: SourceLine("led.py", at + 1, 6, "some code", name if at == pc else "") for at in range(len(insns))}
    with pytest.raises(Rejected) as refused:
        verify(ProgramSpec("led", insns, maps, CtxSpec(8), lines=lines))
    assert refused.value.pc == pc
    assert str(refused.value) == dedent(message).strip()
