"""`pwm = "software"` in board files, through the guard, the supervisor's work and what people are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from axiom_hw import console
from axiom_hw.actuation import Guard
from axiom_hw.backends.gpio import LineOutput
from axiom_hw.backends.machine_pwm import Pulser, find_pulser, open_pwm, pulsed_lines
from axiom_hw.backends.mock_gpio import MockGpio
from axiom_hw.backends.mock_pwm import MockPwm
from axiom_hw.backends.software_pwm import SoftwarePwm
from axiom_hw.board import Board, PwmChip, parse_board
from axiom_hw.board.model import Servo
from axiom_hw.cli import main
from axiom_hw.clock import VirtualClock
from axiom_hw.errors import BoardError, MissingDependency
from axiom_hw.scheduler import Scheduler
from axiom_hw.supervisor import Plan
from axiom_hw.supervisor_process import make_safe

HEAD = '[chip.h]\nlabel = "pinctrl-rp1"\n[pwm_chip.h]\ndevice = "1f00098000.pwm"\n'
DIMMER = '[output.dimmer]\nline = 23\npwm = "software"\nperiod = "10ms"\nsafe = "off"\n'
MS = 1_000_000


def parsed(text: str) -> Board:
    return parse_board(HEAD + text, "x", "boards/x.toml")


def test_a_pulsed_line_is_a_pwm_output_behind_the_chips_of_the_file() -> None:
    board = parsed(DIMMER)
    (dimmer,) = board.pwm_channels
    assert (dimmer.chip_id, dimmer.channel, dimmer.pin, dimmer.period_ns) == (1, 23, 23, 10 * MS)
    assert board.pwm_chips[1] == PwmChip("h (software)", "software:pinctrl-rp1", 54)
    assert board.pwm_chips[1].software_label == "pinctrl-rp1"
    assert board.pwm_chips[0].software_label is None


def test_a_servo_may_be_pulsed_and_a_second_chip_has_channels_of_its_own() -> None:
    board = parsed(
        '[chip.more]\nlabel = "expander"\nlines = 8\n'
        '[output.arm]\nkind = "servo"\nchip = "more"\nline = 5\npwm = "software"\nsafe = "off"\n'
    )
    (arm,) = board.pwm_channels
    assert (arm.servo, arm.chip_id, arm.channel) == (Servo(-90_000, 90_000), 2, 5)
    assert [chip.device for chip in board.pwm_chips[1:]] == ["software:pinctrl-rp1", "software:expander"]


def test_without_one_there_is_no_such_chip() -> None:
    assert len(parsed('[output.led]\nline = 23\nsafe = "low"\n').pwm_chips) == 1


@pytest.mark.parametrize(
    ("text", "problem", "fix"),
    [
        (DIMMER.replace("10ms", "50us"), "`period` is 50us; software makes 100us and longer", "a PWM channel"),
        (DIMMER.replace("off", "50%"), '`safe` is "50%", but pulses that software makes end with their', 'write "off"'),
        (DIMMER.replace("software", "sofware"), '`pwm` is "sofware"; it takes "software"', 'did you mean "software"?'),
        (DIMMER + 'kind = "line"\n', '`kind` is "line", and it has `pwm`', 'a "line" has `line`'),
        (DIMMER + "channel = 0\n", "has both `line` and `channel`", "a GPIO output has `line`"),
        (DIMMER + "pin = 23\n", "`pin` isn't a key of a PWM output", "its keys are chip, line, pwm"),
        (DIMMER + '[output.led]\nline = 23\nsafe = "low"\n', "GPIO23 of pinctrl-rp1 is taken by output", "one"),
        ('[pwm_chip.s]\ndevice = "software:x"\n', '`device` is "software:x", which is no device', "needs no"),
        ('[pwm_chip.fan]\ndevice = "1f0009c000.pwm"\n', "drives the Pi's own fan", "of the header is 1f00098000.pwm"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(text: str, problem: str, fix: str) -> None:
    with pytest.raises(BoardError) as caught:
        parsed(text)
    assert problem in caught.value.problem
    assert fix in caught.value.fix


def test_the_guard_drives_it_and_leaves_it_safe() -> None:
    board, clock = parsed(DIMMER.replace('"off"', '"100%"')), VirtualClock()
    timers = Scheduler(clock)
    timers.start()
    gpio = MockGpio.for_board(board, clock, timers)
    level = gpio.open("pinctrl-rp1").level
    with Guard.open(board, gpio, SoftwarePwm(gpio, clock, timers), clock) as guard:
        assert level(23) == 1, "safe from the first moment"
        assert guard.write_pwm(1, 23, 30, "test") == 0
        seen = []
        for _ in range(20):
            clock.advance(MS // 2)
            seen.append(level(23))
            clock.advance(MS - MS // 2)
        assert sum(seen) == 6
        guard.emergency_stop("test", 1)
        assert level(23) == 1
    assert level(23) == 1


def test_the_supervisor_makes_it_safe_without_pulsing(tmp_path: Path) -> None:
    board, clock = parsed(DIMMER), VirtualClock()
    gpio = MockGpio.for_board(board, clock, Scheduler(clock))
    chip = gpio.open("pinctrl-rp1")
    killed = chip.request_outputs([LineOutput(23, 1)], "killed")
    killed.release()
    assert chip.level(23) == 1, "a Pi 5 goes on driving"
    assert make_safe(Plan(1, board, tmp_path), gpio, open_pwm(gpio, channels=MockPwm.for_board(board))) == []
    assert chip.level(23) == 0


def test_what_pulses_is_found_only_where_something_is_pulsed(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent() -> None:
        raise MissingDependency("lgpio", "isn't there")

    monkeypatch.setattr("axiom_hw.backends.machine_pwm.LgpioBackend", absent)
    assert find_pulser(parsed("")) is None
    assert find_pulser(parsed(DIMMER)) is Pulser.THREAD
    monkeypatch.setattr("axiom_hw.backends.machine_pwm.LgpioBackend", object)
    assert find_pulser(parsed(DIMMER)) is Pulser.LGPIO


def test_a_run_says_what_software_cant_do_and_where_a_channel_is(capsys: pytest.CaptureFixture[str]) -> None:
    board = parsed(DIMMER + DIMMER.replace("dimmer", "lamp").replace("23", "18"))
    assert [hint != "" for _, hint in pulsed_lines(board)] == [False, True]
    console.tell_pulsed(board, Pulser.LGPIO)
    assert (
        capsys.readouterr().err
        == """\
dimmer (line 23), lamp (line 18): pulsed by lgpio
    pulses jitter: each edge is late by what Linux takes to wake a thread, more under load
    pulses end with the process
    periods are 100us and longer
    pulses are whole microseconds
    GPIO18 has a PWM channel: in the board file, channel = 2 and pin = 18 of device "1f00098000.pwm"; in config.txt \
dtoverlay=pwm,pin=18,func=2
"""
    )
    console.tell_pulsed(parsed(""), None)
    assert capsys.readouterr().err == ""


def test_boards_shows_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "x.toml"
    file.write_text(HEAD + DIMMER)
    for arguments in (["boards", str(file)], ["boards", "--pinout", str(file)]):
        with pytest.raises(SystemExit):
            main(arguments)
    out = capsys.readouterr().out
    assert "h (software) line 23" in out
    assert "dimmer (PWM by software)" in out
