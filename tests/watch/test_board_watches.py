"""[watch.NAME] in a board file: what it says, and what it is told where it says it wrong."""

from __future__ import annotations

import pytest

from axiom_hw.board import Board, parse_board
from axiom_hw.board.watch import Comparison, Condition, Order, Watch
from axiom_hw.cli import main
from axiom_hw.errors import BoardError

BOARD = """
[chip.header]
label = "pinctrl-rp1"
[pwm_chip.header]
device = "1f00098000.pwm"
[input.button]
line = 17
[iio.climate]
device = "bmp280"
channels = ["temp"]
rate = "1 Hz"
[output.led]
line = 18
safe = "low"
[output.fan]
channel = 0
period = "40us"
safe = "off"
"""
HOT = """
[watch.hot]
on = "iio/climate/temp"
field = "micro"
above = 30_000_000
hysteresis = 1_000_000
interval = "1s"
drive = { fan = 60, led = 1 }
otherwise = { fan = 0 }
stop = 3
"""


def board(text: str) -> Board:
    return parse_board(BOARD + text, "desk", "boards/desk.toml")


def test_a_watcher_is_what_its_table_says() -> None:
    (watch,) = board(HOT).watches
    condition = Condition(Comparison.ABOVE, 30_000_000, None, 1_000_000)
    assert watch == Watch(
        "hot", "iio/climate/temp", "micro", condition, 1_000_000_000, ends=False,
        orders=(Order("fan", 60), Order("led", 1)), end_orders=(Order("fan", 0),), stop=3,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('on = "gpio/button"\nequal = 1', "`field` is missing\n    fix    say which of their numbers"),
        ('on = "gpio/button"\nfield = "value"', "has no condition\n    fix    say one of equal, not_equal, above"),
        (
            'on = "gpio/button"\nfield = "value"\nequal = 1\nabove = 0',
            "has 2 conditions: equal, above\n    fix    a watcher has one; declare another [watch.NAME]",
        ),
        (
            'on = "gpio/button"\nfield = "valve"\nequal = 1',
            "GpioEvent, the event of gpio/button, has no field `valve`\n    fix    did you mean `value`?",
        ),
        (
            'on = "button"\nfield = "value"\nequal = 1',
            "names no hook\n    fix    the hooks are gpio, pwm, timer, iio, scan, i2c, serial",
        ),
        (
            'on = "scan/imu"\nfield = "micro"\nabove = 1',
            "`micro` has 8 numbers\n    fix    say which: micro[0]",
        ),
        (
            'on = "scan/imu"\nfield = "micro[8]"\nabove = 1',
            "`micro[8]`: micro has 8 numbers\n    fix    write micro[7] at most",
        ),
        (
            'on = "gpio/button"\nfield = "value"\nabove = 5_000_000_000',
            "value can never be above 5000000000; `value` holds 0 to 4294967295\n"
            "    fix    compare with a number that it can be",
        ),
        (
            'on = "gpio/button"\nfield = "value"\nabove = 3\nmask = 3',
            "value can never be above 3; `value` holds 0 to 3 under its mask",
        ),
        (
            'on = "gpio/button"\nfield = "value"\nabove = 3\nhysteresis = 4',
            "once it is above 3, value can't come back by the hysteresis of 4; `value` holds 0 to 4294967295\n"
            "    fix    take a smaller hysteresis",
        ),
        (
            'on = "gpio/button"\nfield = "value"\nat_least = 0',
            "once it is at least 0, value can't come back; `value` holds 0 to 4294967295\n"
            "    fix    take another limit",
        ),
        (
            'on = "gpio/button"\nfield = "value"\nchanged = true\notherwise = { led = 0 }',
            "a change is over at once, so it has no end\n    fix    leave `otherwise` and `ends` out",
        ),
        ('on = "gpio/button"\nfield = "value"\nchanged_percent = 0', "changed_percent is 0; it takes 1 to 1000000"),
        (
            'on = "gpio/button"\nfield = "value"\nequal = 1\ndrive = { lamp = 1 }',
            "drives `lamp`, which is no output; there are: led, fan\n"
            "    fix    add [output.lamp] to the board file, or take one of these",
        ),
        (
            'on = "gpio/button"\nfield = "value"\nequal = 1\ndrive = { fan = 101 }',
            "sets `fan` to 101; it takes 0 to 100, percent of a PWM channel",
        ),
        (
            'on = "gpio/button"\nfield = "value"\nequal = 1\ndrive = { led = true }',
            "`drive` sets led to True; it takes a whole number, in the output's unit\n    fix    drive = { led = 1 }",
        ),
        (
            'on = "gpio/knob"\nfield = "value"\nequal = 1',
            "`on` is 'gpio/knob': the board has no input `knob`; it has button\n    fix    add [input.knob]",
        ),
        (
            'on = "iio/climate/tmp"\nfield = "micro"\nabove = 1',
            "`on` is 'iio/climate/tmp': climate has no channel 'tmp'; it has temp\n    fix    did you mean `temp`?",
        ),
    ],
)  # fmt: skip
def test_a_mistake_is_told_where_it_stands(text: str, told: str) -> None:
    with pytest.raises(BoardError) as caught:
        board(f"[watch.hot]\n{text}\n")
    place, _, rest = str(caught.value).partition("[watch.hot]: ")
    assert place.startswith("boards/desk.toml:")
    assert rest.startswith(told)


def test_axiom_hw_boards_shows_watchers(tmp_path: object, capsys: pytest.CaptureFixture[str]) -> None:
    path = f"{tmp_path}/desk.toml"
    with open(path, "w") as file:
        file.write(BOARD + HOT)
    with pytest.raises(SystemExit):
        main(["boards", path])
    out = capsys.readouterr().out
    assert "micro > 30000000, hysteresis 1000000" in out
    assert "stop 3, fan = 60, led = 1" in out
