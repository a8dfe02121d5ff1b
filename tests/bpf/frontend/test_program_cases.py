"""Every case file: what is accepted does what CPython does, on every engine; what isn't says why, word for word."""

from __future__ import annotations

import pytest

pytest.importorskip("llvmlite")

from axiom_hw.bpf.engine.interp import Interpreter
from axiom_hw.bpf.engine.llvm.native import Native
from axiom_hw.bpf.frontend.refusal import Refused
from axiom_hw.bpf.frontend.user import compile_object, compile_program
from axiom_hw.bpf.maps import create_map
from axiom_hw.bpf.spec import CtxSpec, ProgramSpec
from axiom_hw.bpf.verifier import Rejected, verify
from tests.bpf.engine.rigs import ScriptedEnv
from tests.bpf.frontend import program_cases
from tests.bpf.frontend.program_cases import Case, PassedOver
from tests.thorough import WHOLE

LEAST_COMPARED = 20  # inputs, of a case that has parameters


def compiled(case: Case) -> ProgramSpec:
    size = case.context.LAYOUT.size
    return compile_program(case.program, "test", lambda _: CtxSpec(size, layout=case.context.LAYOUT))


def same_everywhere(case: Case) -> None:
    program = verify(compiled(case))
    maps = [create_map(spec) for spec in program.spec.maps]  # constants that LLVM looks up
    quick = len(case.subject.__name__) % 2 == 1  # one of the two native codes, unless all is tried
    engines = [Interpreter(program, maps, ScriptedEnv())]
    engines += [Native(program, maps, ScriptedEnv(), quick=code) for code in ((False, True) if WHOLE else (quick,))]
    compared = 0
    for inputs in program_cases.draws(case):
        try:
            expected = case.oracle(*(bool(n) if b else n for n, (_, _, b) in zip(inputs, case.parameters, strict=True)))
        except PassedOver:
            continue
        except ArithmeticError as error:
            pytest.fail(f"{case.subject.__name__}{inputs} raises {error!r} in Python, and was accepted")
        ctx = case.context(*inputs).pack() if inputs else bytes(case.context.LAYOUT.size)
        for engine in engines:
            found = engine.run(ctx)
            name = type(engine).__name__
            assert found == int(expected or 0) % (1 << 64), (
                f"{case.subject.__name__}{inputs} = {expected}; {name} says {found}"
            )
        compared += 1
    least = LEAST_COMPARED if case.parameters else 1
    assert compared >= least, f"only {compared} inputs were compared: set `-- range`, or narrow the parameters"


def told(rejected: Rejected) -> str:
    """The message without what the instructions and registers happen to be."""
    rows, skipping = [], False
    for row in str(rejected).splitlines():
        skipping = row.startswith(("    at ", "    knows ", "    path ")) or (
            skipping and row.startswith("           ")
        )
        if not skipping:
            rows.append(row)
    return "\n".join(rows)


@pytest.mark.thorough
@pytest.mark.parametrize("path", program_cases.paths(), ids=lambda path: path.stem)
def test_case(path: program_cases.Path) -> None:
    case = program_cases.load(path)
    if case.refused is not None:
        with pytest.raises(Refused) as refused:
            compiled(case)
        assert str(refused.value) == case.refused
    elif case.rejected is not None:
        with pytest.raises(Rejected) as rejected:
            verify(compiled(case))
        assert told(rejected.value) == case.rejected
    else:
        same_everywhere(case)


def test_the_same_source_gives_the_same_bytes() -> None:
    case = program_cases.load(program_cases.CASES / "floor_division_of_signed.case")
    assert compile_object(case.program, "test") == compile_object(case.program, "test")


def test_every_instruction_knows_its_line() -> None:
    case = program_cases.load(program_cases.CASES / "floor_division_of_signed.case")
    spec = compiled(case)
    by_line = {(line.file, line.line): line for line in spec.lines.values()}
    line = by_line[program_cases.FILE, 2]
    assert (line.column, line.text) == (12, "    return a // b if b != 0 else 0")
    assert all(line.line > 0 and line.text for line in spec.lines.values())
