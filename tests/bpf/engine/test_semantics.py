"""Both engines against the vectors: every row of the opcode table does what RFC 9669 says."""

from __future__ import annotations

import pytest

from axiom_hw.bpf import isa
from axiom_hw.bpf.engine.interp import Interpreter
from axiom_hw.bpf.engine.llvm.available import why_not
from axiom_hw.bpf.engine.program import Unverified
from axiom_hw.bpf.engine.semantics import SEMANTICS
from axiom_hw.bpf.maps import create_map
from axiom_hw.bpf.spec import CtxSpec, MapSpec, MapType, ProgramSpec
from axiom_hw.bpf.verifier import Rejected, verify
from axiom_hw.errors import AxiomError
from tests.bpf.engine.rigs import ScriptedEnv
from tests.bpf.engines import NATIVE
from tests.bpf.engines import load as load_on
from tests.bpf.vectors.vectors import Vector, load
from tests.thorough import some

VECTORS = load()
ROWS = {row.name: [vector for vector in VECTORS if vector.row == row.name] for row in isa.TABLE}
# What the interpreter does, and no proof allows: code that is never reached, stack that nothing wrote, and the like.
UNPROVED = {
    "gotol: further than 16 bits reach, and back", "goto: as far as 16 bits reach",
    "call local: r6 to r9 and the frame are the caller's, r1 to r5 are arguments", "call local: a fresh frame is blank",
    "callx: the address of a function", "exit: r0 is the result, whole", "store64 reg: unaligned",
    "atomic_add64: between two values of a map", "imm64 code: an address, not memory", "imm64 map index: as map",
}  # fmt: skip
MAP = MapSpec("map0", MapType.ARRAY, 4, 16, 2)


def spec_of(vector: Vector) -> ProgramSpec:
    ctx = CtxSpec(0) if vector.mem is None else CtxSpec(len(vector.mem), writable=True, length_in_r2=True)
    return ProgramSpec("vector", vector.insns, (MAP,), ctx)


def test_every_row_has_semantics() -> None:
    assert set(SEMANTICS) == {row.name for row in isa.TABLE}


def test_every_row_has_a_vector() -> None:
    bare = {row.name for row in isa.TABLE} - {vector.row for vector in VECTORS}
    assert not bare, f"no vector for {sorted(bare)}"
    for vector in VECTORS:
        subject = isa.BY_NAME[vector.row].code
        assert any(insn.code == subject for insn in vector.insns), f"{vector.name} doesn't use {vector.row}"


@pytest.mark.thorough
@pytest.mark.skipif(not NATIVE, reason=f"no native code here: {why_not()}")
@pytest.mark.parametrize("code", ["llvm", "quick"])
@pytest.mark.parametrize("row", ROWS)
def test_vectors_of_a_row_as_native_code(row: str, code: str) -> None:
    for vector in some(ROWS[row], 2, first=code == "quick"):
        spec = spec_of(vector)
        if vector.r0 is None or vector.name in UNPROVED:
            with pytest.raises(Rejected):
                verify(spec)
            continue
        mem = bytearray(vector.mem or b"")
        native = load_on(code, verify(spec), [create_map(MAP)], ScriptedEnv())
        assert native.run(mem) == vector.r0, vector.name


@pytest.mark.parametrize("row", ROWS)
def test_vectors_of_a_row(row: str) -> None:
    for vector in ROWS[row]:
        program = Unverified(spec_of(vector))
        mem = bytearray(vector.mem or b"")
        if vector.r0 is not None:
            assert Interpreter(program, [create_map(MAP)], ScriptedEnv()).run(mem) == vector.r0, vector.name
        else:
            with pytest.raises(AxiomError) as caught:
                Interpreter(program, [create_map(MAP)], ScriptedEnv()).run(mem)
            assert vector.error in str(caught.value), vector.name
