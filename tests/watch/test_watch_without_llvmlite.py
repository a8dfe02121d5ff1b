"""Watchers need no compiler: an application of watchers alone runs where llvmlite isn't installed."""

from __future__ import annotations

from tests.test_demos import CLIMATE
from tests.test_without_llvmlite import NOTICE, axiom_hw


def test_the_climate_demo_runs_on_the_interpreter() -> None:
    code, out, err = axiom_hw("run", "demos/climate.py", "--mock")
    assert (code, out) == (0, CLIMATE)
    assert NOTICE in err
