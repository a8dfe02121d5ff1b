"""Programs that clang 13 to 22 built, on both engines: what a run leaves behind is the same."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from axiom_hw.bpf.elf import load_object
from axiom_hw.bpf.spec import CtxSpec, ProgramSpec
from axiom_hw.bpf.verified import Verified
from axiom_hw.errors import ObjectError
from tests.bpf.edge_numbers import interesting_bytes
from tests.bpf.engines import NATIVE, Bench, fresh
from tests.bpf.fuzz.oracle import fill, judge

OBJECTS = Path(__file__).with_name("objects")
DEMOS = Path(__file__).parents[2] / "demos"
CTX = CtxSpec(64)
RUNS = 20


def programs() -> dict[str, ProgramSpec]:
    """All that can be loaded, by object and name."""
    found = {}
    for path in sorted([*OBJECTS.glob("*.o"), *DEMOS.rglob("*.o")]):
        try:
            spec = load_object(path.read_bytes(), path.name, lambda section: CTX)
        except ObjectError:  # those that the loader must refuse
            continue
        found.update({f"{path.name} {program.name}": program for program in spec.programs})
    return found


PROVED = {name: verdict for name, spec in programs().items() if isinstance(verdict := judge(spec), Verified)}


def test_many_can_be_proved() -> None:
    assert len(PROVED) >= 15, sorted(PROVED)


@pytest.mark.skipif(not NATIVE, reason="no native code here")
@pytest.mark.parametrize("name", PROVED)
def test_both_engines_agree(name: str) -> None:
    program, random = PROVED[name], Random(name)
    interp, llvm = Bench("interp", program), Bench("llvm", program)
    content = fresh(program.spec)
    for seed in range(RUNS):
        ctx = interesting_bytes(random, CTX.size)
        first, second = (bench.run(ctx, content, seed) for bench in (interp, llvm))
        assert first.differs(second) == ""
        if seed % 2:
            fill(interp.maps, random)
        content = interp.content()
