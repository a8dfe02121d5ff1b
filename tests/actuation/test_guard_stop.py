"""The emergency stop of the guard, the end of its owner, and the audit of both."""

from __future__ import annotations

import errno

import pytest

from axiom_hw.actuation import Decision, Guard, Verdict
from axiom_hw.backends.pwm import PwmState
from axiom_hw.errors import OutputError
from tests.actuation.guard_bench import DEVICE, LED, MS, OFF, RELAY, Bench


def test_the_emergency_stop_makes_everything_safe_and_stays(bench: Bench) -> None:
    """The original wasn't latched: the motor started again with the next write."""
    bench.guard.set_gpio(LED, 1, "follow")
    bench.guard.set_gpio(RELAY, 1, "follow")
    bench.guard.write_pwm(0, 0, 10, "sweep")
    bench.clock.advance(10 * MS)
    assert bench.guard.emergency_stop("limit switch", "safety") == 0
    safe = (0, 1, OFF)
    assert (bench.chip.level(LED), bench.chip.level(RELAY), bench.servo) == safe
    stop = bench.guard.stopped
    assert stop is not None
    assert (stop.reason, stop.source, stop.timestamp_ns) == ("limit switch", "safety", 10 * MS)
    for _ in range(3):
        bench.clock.advance(10 * MS)
        assert bench.guard.write_pwm(0, 0, 10, "sweep") == -errno.EPERM
        assert bench.guard.set_gpio(LED, 1, "follow") == -errno.EPERM
        assert (bench.chip.level(LED), bench.chip.level(RELAY), bench.servo) == safe
    assert bench.verdicts()[-2:] == [Verdict.STOPPED] * 2
    assert Decision(4, 10 * MS, "safety", "all outputs: limit switch", 0, None, Verdict.LATCHED) in bench.guard.audit()


def test_a_stopped_write_makes_safe_what_something_else_disturbed(bench: Bench) -> None:
    bench.guard.emergency_stop("limit switch", "safety")
    bench.pwm.applied(DEVICE, 0, PwmState(20 * MS, MS, enabled=True))
    assert bench.guard.write_pwm(0, 0, 10, "sweep") == -errno.EPERM
    assert bench.servo == OFF


def test_only_an_operator_releases_the_stop_and_nothing_comes_back(bench: Bench) -> None:
    bench.guard.write_pwm(0, 0, 10, "sweep")
    assert bench.guard.release_stop("Ada") is False, "none is latched"
    bench.guard.emergency_stop("limit switch", "safety")
    with pytest.raises(OutputError, match="is released by an operator, who has a name"):
        bench.guard.release_stop("  ")
    assert bench.guard.stopped is not None
    assert bench.guard.release_stop("Ada") is True
    assert bench.guard.stopped is None
    assert bench.servo == OFF, "releasing restores nothing"
    assert bench.guard.audit()[-1].verdict is Verdict.RELEASED
    assert bench.guard.write_pwm(0, 0, 10, "sweep") == 0
    assert bench.servo.enabled
    bench.guard.emergency_stop("again", "safety")
    assert bench.guard.stopped is not None


def test_a_stop_beside_a_release_is_not_undone_by_it(bench: Bench) -> None:
    """The release acknowledges the stops up to the one that it saw; one that comes in meanwhile stays latched."""
    bench.guard.emergency_stop("first", "safety")
    seen = bench.guard._shared.stops
    bench.guard.emergency_stop("second", "safety")
    bench.guard._shared.release_stop(seen)
    assert bench.guard.stopped is not None
    assert bench.guard.stopped.reason == "second"
    assert bench.guard.release_stop("Ada")
    assert bench.guard.stopped is None


def test_leaving_makes_safe_whatever_happened() -> None:
    bench = Bench()

    def run() -> None:
        with bench.guard:
            bench.guard.set_gpio(LED, 1, "follow")
            bench.guard.write_pwm(0, 0, 10, "sweep")
            raise ZeroDivisionError("the program's bug")

    with pytest.raises(ZeroDivisionError):
        run()
    assert (bench.chip.level(LED), bench.servo) == (0, OFF)
    assert bench.chip.consumer(LED) is None
    assert bench.guard.close() == ()
    for late in (bench.guard.set_gpio(LED, 1, "late"), bench.guard.write_pwm(0, 0, 10, "late")):
        assert late == -errno.ESHUTDOWN
    assert bench.guard.emergency_stop("late", "late") == 0
    assert (bench.chip.level(LED), bench.servo) == (0, OFF), "a Pi 5 keeps the level of a released output"
    bench.adapter.close()


def test_the_audit_keeps_the_last_and_counts_the_rest() -> None:
    bench = Bench()
    guard = Guard([], bench.clock, audit_entries=4)
    assert guard.overwritten == 0
    for line in range(10):
        guard.set_gpio(line, 1, "follow")
    assert [decision.number for decision in guard.audit()] == [7, 8, 9, 10]
    assert guard.overwritten == 6
    bench.guard.close()
    bench.adapter.close()
