"""The demos whose scenario is a world: what they print is pinned."""

from __future__ import annotations

import pytest

from tests.bpf.engines import ENGINES
from tests.test_demos import run
from tests.thorough import WHOLE

ENCODER = "".join(
    f"{quarter / 4:6.2f} s  position {position:6}  steps {steps:6}  errors 0\n"
    for quarter, position, steps in (
        (1, 4999, 4999), (2, 9999, 9999), (3, 14999, 14999), (4, 19999, 19999),  # the next edge comes with the timer
        (5, 15001, 24999), (6, 10001, 29999), (7, 5001, 34999), (8, 1, 39999), (9, 0, 40000),
    )
)  # fmt: skip
REACTION = """\
too early: wait for the light
round 1  lit at  2.068 s  pressed after 253.412 ms
round 2  lit at  4.853 s  pressed after 198.070 ms
round 3  lit at  6.408 s  pressed after 221.633 ms
best      198.070  221.633  253.412
"""


@pytest.mark.llvm
@pytest.mark.thorough
@pytest.mark.parametrize("engine", ENGINES)
def test_encoder_loses_no_step_at_20000_edges_a_second(engine: str) -> None:
    if engine == "interp" and not WHOLE:  # each edge takes its time there
        beginning = "".join(ENCODER.splitlines(keepends=True)[:2])
        assert run("demos/encoder.py", "--mock", "--engine", engine, "--for", "600ms") == beginning
    else:
        assert run("demos/encoder.py", "--mock", "--engine", engine) == ENCODER


@pytest.mark.llvm
@pytest.mark.parametrize("engine", ENGINES)
def test_reaction_timer_measures_what_the_player_takes(engine: str) -> None:
    assert run("demos/reaction_timer.py", "--mock", "--engine", engine) == REACTION
