"""An application on a bench that somebody else made."""

from __future__ import annotations

from pathlib import Path

import pytest

import axiom_hw as hw
from axiom_hw.bench import MockBench
from axiom_hw.board import load_board
from axiom_hw.clock import MS
from tests.world.worlds import BOARD, refusal

ROOT = Path(__file__).parents[2]


def follower() -> hw.App:
    app = hw.App("follower", board="rpi5-bench")
    app.scenario(lambda bench: bench.after("10ms").press("button"))
    app.load(ROOT / "demos/button.bpf.s")
    return app


@pytest.mark.parametrize("plays", [True, False])
def test_it_runs_on_that_bench_at_its_time_and_its_scenario_is_played_or_not(plays: bool) -> None:
    bench = MockBench(load_board("rpi5-bench"))
    bench.advance("1s")
    app = follower()
    with app.running(bench=bench, plays=plays):
        assert app.bench is bench
        bench.advance("100ms")
        assert app.now_ns() == 1100 * MS
        led = bench.history("led")
    assert led == ([(0, 0), ("1015ms", 1)] if plays else [(0, 0)])


def test_names_are_those_of_the_bench() -> None:
    bench = MockBench(BOARD)
    with follower().running(bench=bench, plays=False):
        bench.press("button")
        bench.settle()
        assert bench.value("led") == 1


def test_a_bench_and_a_recording_are_two_worlds() -> None:
    def both() -> None:
        with follower().running(hw.Options(replay="a.axr"), bench=MockBench(BOARD)):
            pass

    assert refusal(both) == "follower: can't run on a bench and replay a recording\n    fix    leave one out"
