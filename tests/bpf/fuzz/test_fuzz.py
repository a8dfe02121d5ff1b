"""The verifier against generated programs: what it accepts never faults, and is what it claims to be.

FUZZ_SECONDS   how long each of the two searches lasts (default: 6)
FUZZ_SEED      where to begin; printed by each run. The same seed tries the same programs in the same order
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from axiom_hw.bpf.asm import assemble_insns
from axiom_hw.bpf.engine.llvm.available import why_not
from axiom_hw.bpf.spec import CtxSpec, ProgramSpec
from axiom_hw.bpf.verifier import Rejected, verify
from tests.bpf.case_format import load, parse, paths
from tests.bpf.engines import NATIVE
from tests.bpf.fuzz.choices import Choices
from tests.bpf.fuzz.mutate import mutate
from tests.bpf.fuzz.oracle import Violation, examine, judge
from tests.bpf.fuzz.report import Tally, as_case
from tests.bpf.fuzz.traps import generate

SECONDS = float(os.environ.get("FUZZ_SECONDS", "6"))
SEED = int(os.environ.get("FUZZ_SEED") or Random().getrandbits(32))
ROUND = 50  # programs between two looks at the clock
LEAST_SHARE = 0.20
SLICE = 100  # programs on both engines
PROGRAM_BYTES = 400
MUTATION_BYTES = 48


def try_program(spec: ProgramSpec, data: bytes, tally: Tally) -> None:
    """Judge one program; where it is accepted, look for a run that breaks a promise."""
    tally.programs += 1
    verdict = judge(spec)
    if isinstance(verdict, Rejected):
        assert str(verdict)
        tally.codes[verdict.code] += 1
        return
    tally.accepted += 1
    try:
        examine(verdict, Random(data))
    except Violation as violation:
        raise AssertionError(f"{violation}\n\n{as_case(spec, str(violation))}") from None


def search(tally: Tally, make: Callable[[bytes], ProgramSpec], size: int, seconds: float) -> None:
    """Rounds of examples until the time is up; hypothesis shrinks what it finds."""
    deadline = time.monotonic() + seconds
    turn = 0
    while time.monotonic() < deadline:

        @seed(SEED + turn)
        @settings(
            max_examples=ROUND, deadline=None, database=None, phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck), print_blob=False,
        )  # fmt: skip
        @given(st.binary(min_size=size, max_size=size))
        def one_round(data: bytes) -> None:
            try_program(make(data), data, tally)

        one_round()
        turn += 1


def test_generated_programs(capsys: pytest.CaptureFixture[str]) -> None:
    tally = Tally("generated", SEED)
    try:
        search(tally, generate, PROGRAM_BYTES, SECONDS * 0.6)
    finally:
        with capsys.disabled():
            print(f"\n{tally}")
    assert tally.share >= LEAST_SHARE, "the generator is too wild to test much"


def test_mutated_programs(capsys: pytest.CaptureFixture[str]) -> None:
    cases = [load(path) for path in paths()]
    accepted = [case.spec for case in cases if case.reject is None]
    refused = [case.spec for case in cases if case.reject is not None and len(case.spec.insns) > 2]

    def make(data: bytes) -> ProgramSpec:
        choices = Choices(data)
        return mutate(choices, choices.pick(refused if choices.once_in(4) else accepted))

    tally = Tally("mutated", SEED)
    try:
        search(tally, make, MUTATION_BYTES, SECONDS * 0.4)
    finally:
        with capsys.disabled():
            print(f"\n{tally}")
    assert tally.accepted


@pytest.mark.skipif(not NATIVE, reason=f"no native code here: {why_not()}")
def test_both_engines_agree(capsys: pytest.CaptureFixture[str]) -> None:
    """A slice of what `python -m tests.bpf.fuzz.equal` does."""
    from tests.bpf.fuzz import equal

    tally = equal.chunk(SEED << 32, SLICE)
    with capsys.disabled():
        print(f"\non both engines: {tally.equal} of {tally.generated} programs, {tally.kernel} on the kernel as well, "
              f"FUZZ_SEED={SEED}")  # fmt: skip
    assert tally.findings == []
    assert tally.equal > SLICE * LEAST_SHARE


@pytest.mark.skipif(not NATIVE, reason=f"no native code here: {why_not()}")
def test_a_wrong_instruction_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison sees what it should: here native code shifts in zeros for the sign."""
    from tests.bpf.fuzz import bare, equal

    right = bare.lift
    monkeypatch.setattr(bare, "lift", lambda *given: right(*given).replace(" ashr ", " lshr "))
    text = "r0 = *(u64 *)(r1 + 0)\nr1 = 0x8000000000000000 ll\nr0 |= r1\nr0 s>>= 1\nexit"
    spec = ProgramSpec("signed", assemble_insns(text), (), CtxSpec(8))
    with pytest.raises(equal.Different, match=r"r0 is 0x[c-f][0-9a-f]+ or 0x[4-7][0-9a-f]+"):
        equal.compare(verify(spec), 0, engine="bare", on_kernel=False, tally=equal.Tally())


def test_a_finding_is_a_case_file() -> None:
    """What a failure prints is read back as the same program."""
    for number in range(50):
        spec = generate(Random(number).randbytes(PROGRAM_BYTES))
        path = paths()[0]
        case = parse(path, as_case(spec, "a test."))
        assert case.spec.insns == spec.insns
        assert case.spec.maps == spec.maps
        assert case.spec.ctx == spec.ctx
