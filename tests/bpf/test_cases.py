"""Every `*.case` file: the verifier's verdict is the one that the file pins, and both engines give its result."""

from __future__ import annotations

from functools import cache
from itertools import count
from pathlib import Path
from random import Random

import pytest

from axiom_hw.bpf.insn import Insn
from axiom_hw.bpf.spec import ProgramSpec
from axiom_hw.bpf.verified import Verified
from axiom_hw.bpf.verifier import Limits, Rejected, verify
from axiom_hw.bpf.verifier.codes import TABLE
from axiom_hw.bpf.verifier.rejection import Refusal
from axiom_hw.errors import AsmError
from tests.bpf.case_format import CaseError, Verdict, load, parse, paths
from tests.bpf.engines import CODES, outcome
from tests.bpf.fuzz.oracle import NoisyEnv, examine, judge, run_counted
from tests.thorough import WHOLE

PATIENT_NS = 300_000_000_000  # a slow machine must come to the same verdict
ELSEWHERE = {"V403"}  # takes a clock: below
MOVE_AND_EXIT = (Insn(0xB7), Insn(0x95))
REQUIRED = "# A case.\n-- asm\n    r0 = 0\n    exit\n"


@cache
def verdict_on(path: Path) -> Verified | Rejected:
    """Some take a second or more, and each is asked for four times."""
    case = load(path)
    return judge(case.spec, limits=Limits(case.max_insns or 1_000_000, PATIENT_NS))


@pytest.mark.thorough
@pytest.mark.parametrize("path", paths(), ids=lambda path: path.stem)
def test_case(path: Path) -> None:
    case = load(path)
    verdict = verdict_on(path)
    if case.reject is not None:
        assert isinstance(verdict, Rejected), f"accepted, but {case.about}"
        assert Verdict(verdict.code, verdict.pc) == case.reject, str(verdict)
        assert case.message is None or str(verdict) == case.message
        return
    assert isinstance(verdict, Verified), str(verdict)
    r0, insns = run_counted(verdict, case.ctx, NoisyEnv(Random(0)))
    assert insns <= verdict.worst_case_insns
    assert case.r0 is None or r0 == case.r0
    if WHOLE or not path.stem.startswith("prune_many"):  # without pruning, they take seconds
        examine(verdict, Random(0))


@pytest.mark.parametrize("engine", CODES)
@pytest.mark.parametrize("path", [path for path in paths() if load(path).reject is None], ids=lambda path: path.stem)
def test_accepted_case(path: Path, engine: str) -> None:
    """The result that the file pins; what the run leaves behind, as on the interpreter."""
    case = load(path)
    verdict = verdict_on(path)
    assert isinstance(verdict, Verified)
    found = outcome(engine, verdict, case.ctx)
    assert case.r0 is None or found.r0 == case.r0
    assert found.differs(outcome("interp", verdict, case.ctx)) == ""


def test_every_code_has_a_case() -> None:
    seen = {case.reject.code for case in map(load, paths()) if case.reject}
    assert {code.id for code in TABLE} - seen == ELSEWHERE


def test_the_corpus_is_as_large_as_promised() -> None:
    cases = [load(path) for path in paths()]
    assert len(cases) >= 120
    assert sum(case.reject is not None for case in cases) >= 60
    assert sum(case.message is not None for case in cases) >= 10


def test_a_proof_that_takes_too_long_is_given_up() -> None:
    """A clock that runs a second each time somebody looks at it."""
    long_loop = load(next(path for path in paths() if path.stem == "loop_of_a_million"))
    seconds = count(0, 1_000_000_000)
    with pytest.raises(Rejected) as refusal:
        verify(long_loop.spec, limits=Limits(time_ns=5_000_000_000), monotonic_ns=lambda: next(seconds))
    assert refusal.value.code == "V403"
    assert "5 s" in refusal.value.problem


def test_a_program_of_more_than_a_million_slots_is_refused_at_once() -> None:
    spec = ProgramSpec("long", MOVE_AND_EXIT[:1] * 1_000_000 + MOVE_AND_EXIT[1:])
    with pytest.raises(Rejected) as refusal:
        verify(spec)
    assert (refusal.value.code, refusal.value.pc) == ("V002", 1_000_000)


def test_a_refusal_needs_a_code_of_the_table() -> None:
    with pytest.raises(AssertionError):
        Refusal("V999", "no such code")


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("", 1, "first line"),
        ("-- asm\nexit\n", 1, "first line"),
        ("# No full stop\n-- asm\n    exit\n-- accept\n", 1, "first line"),
        ("# A case.\nstray\n-- asm\n    exit\n-- accept\n", 2, "'stray' stands in front"),
        (REQUIRED, 4, "`-- accept` or `-- r0`"),
        (REQUIRED + "-- accept\n-- reject\nV101 at 0\n", 7, "`-- accept` or `-- r0`"),
        (REQUIRED + "-- rejects\nV101 at 0\n", 5, "no section 'rejects'"),
        (REQUIRED + "-- accept\n-- accept\n", 6, "a second section 'accept'"),
        (REQUIRED + "-- reject\nV999 at 0\n", 6, "'V999 at 0' isn't a code"),
        (REQUIRED + "-- reject\nV101\n", 6, "'V101' isn't a code"),
        (REQUIRED + "-- reject\n", 6, "one line belongs here, not 0"),
        (REQUIRED + "-- r0\nmany\n", 6, "'many' is no number"),
        (REQUIRED + "-- r0\n0x10000000000000000\n", 6, "is not in"),
        (REQUIRED + "-- accept\n-- message\nno\n", 7, "only a refusal"),
        (REQUIRED + "-- accept\n-- limits\nsteps=3\n", 7, "`insns=` and a number"),
        (REQUIRED + "-- accept\n-- hex\n95\n", 1, "`-- asm` or `-- hex`"),
        ("# A case.\n-- hex\n95 00\n-- accept\n", 3, "a slot has 8 bytes, not 2"),
        ("# A case.\n-- hex\nnine\n-- accept\n", 3, "isn't bytes in hex"),
        (REQUIRED + "-- accept\n-- ctx\n", 7, "begins with its size"),
        (REQUIRED + "-- accept\n-- ctx\n1\n0102\n", 8, "2 bytes of content in a context of 1"),
        (REQUIRED + "-- accept\n-- ctx\n1\n-- mem\n01\n", 7, "`-- ctx` or `-- mem`"),
        (REQUIRED + "-- accept\n-- maps\ncounts\n", 7, "isn't a name, then a type"),
        (REQUIRED + "-- accept\n-- maps\ncounts arrow\n", 7, "isn't a name, then a type"),
        (REQUIRED + "-- accept\n-- maps\ncounts array key=four\n", 7, "'four' is no number"),
        (REQUIRED + "-- accept\n-- maps\ncounts array colour=4\n", 7, "'colour=4' is neither"),
        ("# A case.\n-- asm\n    r0 = 0\n    r0 =\n-- accept\n", 4, "spelled"),  # the assembler's own message
    ],
)
def test_a_damaged_case_file_is_told_where(text: str, line: int, reason: str) -> None:
    with pytest.raises((CaseError, AsmError), match=reason) as error:
        parse(Path("some.case"), text)
    assert str(error.value).startswith(f"some.case:{line}: ")
