"""Outputs as an application drives them, and what its programs are granted."""

from __future__ import annotations

import errno

import pytest

import axiom_hw as hw
from axiom_hw.board import Board, parse_board
from axiom_hw.bpf.engine.choice import Engine
from axiom_hw.errors import BoardError, OutputError, SpecError
from axiom_hw.options import Options
from axiom_hw.programs import numbers_of
from tests.actuation.test_guard_rules import TEXT as RULES

TEXT = RULES.replace("line = 18\n", "line = 17\n")
MOCK = Options(mock=True)


def board() -> Board:
    return parse_board(TEXT, "rules", "rules.toml")


def app() -> hw.App:
    return hw.App("x", board())


def test_an_application_drives_what_programs_may_not() -> None:
    one = app()
    with one.running(MOCK):
        assert one.bench is not None
        one.outputs.write("heater", 1)
        assert one.bench.value("heater") == 1
        with pytest.raises(OutputError, match="output relay: isn't driven to 0: Permission denied"):
            one.outputs.write("relay", 0)
        one.outputs.write("relay", 0, operator="Ada")
        assert one.bench.value("relay") == 0
        one.outputs.write("arm", -45_000)
        assert one.bench.pwm_state("arm").duty_ns == 1_000_000
        with pytest.raises(BoardError, match="has no output `heatr`"):
            one.outputs.write("heatr", 1)


def test_an_application_stops_and_an_operator_releases() -> None:
    one = app()
    with one.running(MOCK):
        one.outputs.stop("the door is open")
        stop = one.outputs.stopped
        assert stop is not None
        assert (stop.reason, stop.source) == ("the door is open", "x")
        with pytest.raises(OutputError) as caught:
            one.outputs.write("heater", 1)
        assert str(caught.value) == (
            "output heater: isn't driven to 1: the emergency stop is latched: the door is open\n"
            "    fix    somebody releases it: app.outputs.release(NAME), or `axiom-hw stop release`"
        )
        assert one.outputs.release("Ada")
        one.outputs.write("heater", 1)
    with pytest.raises(SpecError, match="has no outputs unless it runs on a board"):
        one.outputs.write("heater", 1)


@pytest.mark.llvm
@pytest.mark.parametrize("engine", [Engine.INTERP, Engine.LLVM])
def test_a_program_drives_what_the_application_grants(engine: Engine) -> None:
    one = app()
    results = one.array("results", hw.s64, 3)

    @one.on("timer/10ms", drives=["arm"])
    def narrow(ctx: hw.TimerEvent) -> int:
        results[0] = hw.gpio_set("led", 1)
        results[1] = hw.servo_set("arm", 0)
        results[2] = hw.stopped()
        return 0

    with one.running(Options(mock=True, engine=engine)):
        assert one.bench is not None
        one.bench.advance("15ms")
        assert [results[at] for at in range(3)] == [-errno.EACCES, 0, 0]
        one.outputs.stop("now")
        one.bench.advance("10ms")
        assert [results[at] for at in range(3)] == [-errno.EACCES, -errno.EPERM, 1]


@pytest.mark.llvm
def test_a_grant_of_an_output_that_the_board_doesnt_have_is_told() -> None:
    one = app()

    @one.on("timer/10ms", drives=["leg"])
    def narrow(ctx: hw.TimerEvent) -> int:
        return 0

    with pytest.raises(BoardError, match="has no output `leg`; it has led"), one.running(MOCK):
        pass


@pytest.mark.parametrize(
    ("kind", "name", "problem", "fix"),
    [
        ("servo", "wheel", "`wheel` is a motor, not a servo", 'motor_set("wheel", permille)'),
        ("motor", "arm", "`arm` is a servo, not a motor", 'servo_set("arm", millidegrees)'),
        ("motor", "slow", "`slow` is a PWM channel, not a motor", 'pwm_write("slow", percent)'),
        ("servo", "led", "`led` is a line, not a servo", 'gpio_set("led", value)'),
        ("output line", "arm", "`arm` is a servo, not a line", 'servo_set("arm", millidegrees)'),
    ],
)
def test_a_name_of_another_kind_is_told_with_its_call(kind: str, name: str, problem: str, fix: str) -> None:
    with pytest.raises(BoardError) as caught:
        numbers_of(board(), kind, name)
    assert (caught.value.problem, caught.value.fix) == (problem, fix)
    assert numbers_of(board(), "PWM channel", "arm") == (0, 0), "a duty in percent or ns is nobody's privilege"
