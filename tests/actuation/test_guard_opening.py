"""A guard takes its outputs: all of them, or those that aren't optional."""

from __future__ import annotations

import errno
from dataclasses import replace

import pytest

from axiom_hw.actuation import Guard, Verdict
from axiom_hw.backends.gpio import LineInput
from axiom_hw.backends.mock_gpio import MockGpio
from axiom_hw.backends.mock_pwm import MockPwm
from axiom_hw.board import PwmChannel
from axiom_hw.errors import BackendError
from axiom_hw.scheduler import Scheduler
from tests.actuation.guard_bench import LED, RELAY, Bench


def test_a_taken_line_leaves_no_other_line_taken(bench: Bench) -> None:
    bench.guard.close()
    hog = bench.chip.request_inputs([LineInput(RELAY)], "hog")
    with pytest.raises(BackendError, match='line 27 of pinctrl-rp1: is in use by "hog"'):
        Guard.open(bench.board, bench.gpio, bench.pwm, bench.clock)
    assert bench.chip.consumer(LED) is None
    hog.release()


def test_a_channel_without_any_pwm_is_an_error(bench: Bench) -> None:
    bench.guard.close()
    needed = replace(bench.board, outputs=tuple(replace(o, optional=False) if isinstance(o, PwmChannel) else o
                                                for o in bench.board.outputs))  # fmt: skip
    with pytest.raises(BackendError, match=r"output servo: needs 1f00098000\.pwm, and there is no PWM here"):
        Guard.open(needed, bench.gpio, None, bench.clock)
    assert bench.chip.consumer(LED) is None


def test_the_bench_works_without_an_optional_output_and_says_so(bench: Bench) -> None:
    bench.guard.close()
    missing: list[str] = []
    elsewhere = MockPwm([("1f0009c000.pwm", 4)])  # the fan's: no overlay for the header's
    with Guard.open(
        bench.board,
        bench.gpio,
        elsewhere,
        bench.clock,
        on_missing=lambda c, e: missing.append(f"{c.name}: {e.problem}"),
    ) as guard:
        assert guard.set_gpio(LED, 1, "demo") == 0
        assert guard.write_pwm(0, 0, 7, "sweep") == -errno.ENODEV
        assert guard.audit()[-1].verdict is Verdict.UNKNOWN
    assert [line.split(":")[0] for line in missing] == ["servo"]


def test_an_optional_output_that_is_in_use_is_an_error_all_the_same(bench: Bench) -> None:
    with pytest.raises(BackendError, match="in use"):
        Guard.open(bench.board, MockGpio.for_board(bench.board, bench.clock, Scheduler(bench.clock)), bench.pwm,
                   bench.clock)  # fmt: skip
