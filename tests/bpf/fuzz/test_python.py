"""Generated functions in restricted Python: what CPython computes, both engines compute.

FUZZ_SECONDS and FUZZ_SEED as in test_fuzz.py; here the default is 2 s.
"""

from __future__ import annotations

import itertools
import os
import time
from collections import Counter
from pathlib import Path
from random import Random

import pytest

pytest.importorskip("llvmlite")

from axiom_hw.bpf.engine.interp import Interpreter
from axiom_hw.bpf.engine.machine import Env
from axiom_hw.bpf.frontend.refusal import Refused
from axiom_hw.bpf.frontend.user import compile_program
from axiom_hw.bpf.maps import create_map
from axiom_hw.bpf.spec import CtxSpec
from axiom_hw.bpf.verifier import Limits, Rejected, verify
from axiom_hw.errors import Fault
from tests.bpf.engine.rigs import ScriptedEnv
from tests.bpf.frontend import program_cases
from tests.bpf.frontend.program_cases import PassedOver
from tests.bpf.fuzz.bare import bare
from tests.bpf.fuzz.python_source import case_text

SECONDS = float(os.environ.get("FUZZ_SECONDS", "2"))
SEED = int(os.environ.get("FUZZ_SEED") or Random().getrandbits(32))
BYTES = 300
SHRINKING = 60  # s
INPUTS = 40
LIMITS = Limits(visited_insns=20_000)
LEAST_SHARE = 0.5  # of programs that are compared at all
RIGHTLY = ("no type of 64 bits holds both", "for which Python raises")  # refused: the generator folds no constants


def try_function(data: bytes, tally: Counter[str]) -> None:
    """Compare one function on some inputs. Raises AssertionError with the function as a case file."""
    text = case_text(data)
    case = program_cases.parse(Path("generated.case"), text)
    tally["functions"] += 1
    try:
        size = case.context.LAYOUT.size
        program = verify(
            compile_program(case.program, "test", lambda _: CtxSpec(size, layout=case.context.LAYOUT)), limits=LIMITS
        )
    except Refused as refused:
        if not any(words in refused.problem for words in RIGHTLY):
            raise AssertionError(f"{refused}\n\n{text}") from None
        tally["refused"] += 1
        return
    except Rejected as rejected:
        tally[f"rejected {rejected.code}"] += 1
        return
    maps = [create_map(spec) for spec in program.spec.maps]
    env: Env = ScriptedEnv()
    engines = Interpreter(program, maps, env), bare(program, maps, env)
    compared = 0
    for inputs in itertools.islice(program_cases.draws(case, seed=len(text)), INPUTS):
        try:
            expected = case.oracle(*(bool(n) if b else n for n, (_, _, b) in zip(inputs, case.parameters, strict=True)))
        except PassedOver:
            continue
        ctx = case.context(*inputs).pack()
        for engine in engines:
            try:
                found = engine.run(ctx)
            except Fault as fault:
                raise AssertionError(f"{fault}\n\n{text}-- inputs\n{' '.join(map(str, inputs))}\n") from None
            assert found == int(expected) % (1 << 64), (
                f"{type(engine).__name__} gives {found}, Python {expected}\n\n"
                f"{text}-- inputs\n{' '.join(map(str, inputs))}\n"
            )
        compared += 1
    tally["compared" if compared else "passed over"] += 1
    tally["runs"] += compared


def smaller(data: bytes) -> bytes:
    """The same failure with fewer decisions: bytes are cut off and set to 0, as long as it still fails."""
    give_up = time.monotonic() + SHRINKING
    size = len(data)
    while size:
        for at in range(0, len(data), size):
            tried = data[:at] + bytes(min(size, len(data) - at)) + data[at + size :]
            if tried != data and time.monotonic() < give_up and failure(tried):
                data = tried
        size //= 2
    return data


def failure(data: bytes) -> str:
    """What is wrong with a function; empty where nothing is."""
    try:
        try_function(data, Counter())
    except AssertionError as error:
        return str(error)
    return ""


def test_generated_functions(capsys: pytest.CaptureFixture[str]) -> None:
    tally: Counter[str] = Counter()
    deadline = time.monotonic() + SECONDS
    random = Random(SEED)
    try:
        while time.monotonic() < deadline:
            data = random.randbytes(BYTES)
            try:
                try_function(data, tally)
            except AssertionError:
                pytest.fail(failure(smaller(data)))
    finally:
        with capsys.disabled():
            print(f"\nfunctions in Python, FUZZ_SEED={SEED}: {dict(tally)}")
    assert tally["compared"] > tally["functions"] * LEAST_SHARE, "the generator makes too little that can be compared"
