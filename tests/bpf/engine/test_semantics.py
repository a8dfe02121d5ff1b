"""The interpreter against the vectors: every row of the opcode table does what RFC 9669 says."""

from __future__ import annotations

import pytest

from axiom_hw.bpf import isa
from axiom_hw.bpf.engine.interp import Interpreter
from axiom_hw.bpf.engine.program import Unverified
from axiom_hw.bpf.engine.semantics import SEMANTICS
from axiom_hw.bpf.maps import create_map
from axiom_hw.bpf.spec import CtxSpec, MapSpec, MapType, ProgramSpec
from axiom_hw.errors import AxiomError
from tests.bpf.engine.rigs import ScriptedEnv
from tests.bpf.vectors.vectors import Vector, load

VECTORS = load()
MAP = MapSpec("map0", MapType.ARRAY, 4, 16, 2)


def test_every_row_has_semantics() -> None:
    assert set(SEMANTICS) == {row.name for row in isa.TABLE}


def test_every_row_has_a_vector() -> None:
    bare = {row.name for row in isa.TABLE} - {vector.row for vector in VECTORS}
    assert not bare, f"no vector for {sorted(bare)}"
    for vector in VECTORS:
        subject = isa.BY_NAME[vector.row].code
        assert any(insn.code == subject for insn in vector.insns), f"{vector.name} doesn't use {vector.row}"


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v.name)
def test_vector(vector: Vector) -> None:
    ctx = CtxSpec(0) if vector.mem is None else CtxSpec(len(vector.mem), writable=True, length_in_r2=True)
    program = Unverified(ProgramSpec("vector", vector.insns, (MAP,), ctx))
    if vector.r0 is not None:
        interpreter = Interpreter(program, [create_map(MAP)], ScriptedEnv())
        assert interpreter.run(bytearray(vector.mem or b"")) == vector.r0
    else:
        with pytest.raises(AxiomError) as caught:
            Interpreter(program, [create_map(MAP)], ScriptedEnv()).run(bytearray(vector.mem or b""))
        assert vector.error in str(caught.value)
