"""What a refusal says where the mistake lies elsewhere than in the instruction."""

from __future__ import annotations

import pytest

from axiom_hw.bpf.asm import assemble_insns
from axiom_hw.bpf.spec import CtxSpec, MapSpec, MapType, ProgramSpec
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
