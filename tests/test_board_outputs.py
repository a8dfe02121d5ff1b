"""Servos, motors and the guard's rules in board files: what is read, and what is refused with which sentence."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from axiom_hw.board import Board, PwmChannel, parse_board
from axiom_hw.board.model import Authority, Motor, Servo
from axiom_hw.errors import BoardError

HEAD = '[chip.h]\nlabel = "pinctrl-rp1"\n[pwm_chip.h]\ndevice = "1f00098000.pwm"\n'
SERVO = '[output.arm]\nkind = "servo"\nchannel = 0\nsafe = "off"\n'
MOTOR = '[output.wheel]\nkind = "motor"\nchannel = 1\nperiod = "50us"\nsafe = "off"\n'
LINE = '[output.led]\nline = 17\nsafe = "low"\n'


def parsed(text: str) -> Board:
    return parse_board(HEAD + text, "x", "boards/x.toml")


def channel(text: str) -> PwmChannel:
    (found,) = parsed(text).pwm_channels
    return found


def test_a_servo_needs_little() -> None:
    arm = channel(SERVO)
    assert (arm.period_ns, arm.min_duty_ns, arm.max_duty_ns) == (20_000_000, 500_000, 2_500_000)
    assert arm.servo == Servo(-90_000, 90_000)
    assert (arm.limits_ns, arm.authority, arm.watchdog_ns, arm.slew_ns_per_s) == (
        (500_000, 2_500_000), Authority.PROGRAM, 0, 0,
    )  # fmt: skip


def test_a_servo_says_its_pulses_angles_and_speed() -> None:
    arm = channel(
        SERVO.replace("off", "45deg") + 'min_angle = 0\nmax_angle = 180\nmin_duty = "1ms"\nmax_duty = "2ms"\n'
        'slew = "90deg/s"\n'
    )  # fmt: skip
    assert arm.servo == Servo(0, 180_000)
    assert (arm.safe_duty_ns, arm.safe_enabled) == (1_250_000, True)
    assert arm.slew_ns_per_s == 500_000


@pytest.mark.parametrize(
    ("keys", "motor", "least"),
    [
        ("", Motor(), 0),
        ("direction = 23\n", Motor(0, (23,)), -50_000),
        ("forward = 23\nbackward = 24\n", Motor(0, (23, 24)), -50_000),
    ],
)
def test_a_motor_turns_one_way_or_both(keys: str, motor: Motor, least: int) -> None:
    wheel = channel(MOTOR + keys)
    assert wheel.motor == motor
    assert wheel.limits_ns == (least, 50_000)


@pytest.mark.parametrize(("text", "ns"), [("50%/s", 25_000), ("500us/s", 500_000), ("0.5 % / s", 250), ("7ns/s", 7)])
def test_a_slew_rate_is_of_the_period_or_of_duty(text: str, ns: int) -> None:
    assert channel(f'{MOTOR}slew = "{text}"\n').slew_ns_per_s == ns


def test_lines_and_boards_have_watchdogs_too() -> None:
    board = parse_board(f'watchdog = "500ms"\n{HEAD}{LINE}watchdog = "200ms"\nauthority = "operator"\n', "x", "x.toml")
    (led,) = board.output_lines
    assert (board.watchdog_ns, led.watchdog_ns, led.authority) == (500_000_000, 200_000_000, Authority.OPERATOR)


MESSAGES = [
    (f"{MOTOR}direction = 23\nforward = 24\n",
     "boards/x.toml:10 [output.wheel]: has `direction` and `forward` or `backward`\n"
     "    fix    a driver has one direction input, or one for each way"),
    (f"{MOTOR}forward = 24\n",
     "boards/x.toml:10 [output.wheel]: has `forward`, but no `backward`\n"
     "    fix    a driver has both; one input alone is `direction`"),
    (f"{MOTOR}forward = 23\nbackward = 23\n",
     "boards/x.toml:5 [output.wheel]: GPIO23 of pinctrl-rp1 is taken by output `wheel`, boards/x.toml:5\n"
     "    fix    a pin has one purpose: move one of them"),
    (f"{LINE}{MOTOR}direction = 17\n",
     "boards/x.toml:8 [output.wheel]: GPIO17 of pinctrl-rp1 is taken by output `led`, boards/x.toml:5\n"
     "    fix    a pin has one purpose: move one of them"),
    (f"{MOTOR}direction = 13\n",
     "boards/x.toml:5 [output.wheel]: GPIO13, where channel 1 of 1f00098000.pwm comes out, is taken by output `wheel`, "
     "boards/x.toml:5\n    fix    a pin has one purpose: move one of them"),
    (MOTOR.replace('"off"', '"10%"'),
     'boards/x.toml:9 [output.wheel]: `safe` is "10%", at which a motor turns\n'
     '    fix    write "off", or "0%": on, but still'),
    (f'{MOTOR}slew = "fast"\n',
     'boards/x.toml:10 [output.wheel]: `slew` is "fast", which is no speed\n'
     '    fix    write "50%/s" of the period, or "500us/s" of duty'),
    (f'{SERVO}slew = "90deg"\n',
     'boards/x.toml:9 [output.arm]: `slew` is "90deg", which is no speed\n'
     '    fix    write "50%/s" of the period, or "500us/s" of duty, or "90deg/s"'),
    (f"{SERVO}min_angle = 90\n",
     "boards/x.toml:9 [output.arm]: `min_angle` is 90, not below the greatest angle of 90\n"
     "    fix    min_angle lies at min_duty, max_angle at max_duty; a servo that is mounted the other way round has "
     "its own program"),
    (f'{LINE}watchdog = "0ms"\n',
     "boards/x.toml:8 [output.led]: `watchdog` is 0 ns; it takes 1ms or more\n"
     '    fix    watchdog = "200ms": silent for longer means safe'),
    (f'{LINE}authority = "boss"\n',
     'boards/x.toml:8 [output.led]: `authority` is "boss"; it takes "program", "application" or "operator"'),
    (f"{SERVO}direction = 3\n",
     "boards/x.toml:9 [output.arm]: `direction` isn't a key of a servo\n    fix    its keys are kind, pwm_chip, "
     "channel, pin, period, min_duty, max_duty, polarity, safe, optional, authority, watchdog, slew, min_angle, "
     "max_angle"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), MESSAGES, ids=range(len(MESSAGES)))
def test_each_slip_is_told_where_it_is_and_what_to_write(text: str, message: str) -> None:
    with pytest.raises(BoardError) as caught:
        parsed(text)
    assert str(caught.value) == message


def test_a_servo_on_a_line_is_told() -> None:
    with pytest.raises(BoardError) as caught:
        parsed(f'{LINE}kind = "servo"\n')
    assert caught.value.place == "boards/x.toml:8 [output.led]"
    assert caught.value.problem == '`kind` is "servo", and it has a `line`'


def test_the_outputs_of_the_page_on_safety_are_read() -> None:
    page = (Path(__file__).parents[1] / "docs/safety.md").read_text()
    (block,) = re.findall(r"^```toml\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    assert [output.name for output in parsed(block).outputs] == ["arm", "wheel", "relay"]
