"""Section names to hooks: every form there is, and what each slip is told."""

from __future__ import annotations

import pytest

from axiom_hw.board import Board, load_board, parse_board
from axiom_hw.errors import HookError
from axiom_hw.events import Edge
from axiom_hw.keys import GpioKey, HookKey, I2cKey, PwmKey, SerialKey, TimerKey
from axiom_hw.sections import keys_of

RISING, FALLING = GpioKey(0, 17, Edge.RISING), GpioKey(0, 17, Edge.FALLING)
ONE_SIDED = """
[chip.header]
label = "pinctrl-rp1"
[input.tick]
line = 5
edges = "falling"
[input.door]
line = 6
edges = "none"
"""


class Timers:
    """Starts no timer, but says which were wanted."""

    def __init__(self) -> None:
        self.started: list[int] = []

    def __call__(self, period_ns: int) -> TimerKey:
        self.started.append(period_ns)
        return TimerKey(period_ns, len(self.started))


def bench() -> Board:
    return load_board("rpi5-bench")


def keys(section: str, board: Board | None = None) -> tuple[HookKey, ...]:
    return keys_of(section, board if board is not None else bench(), Timers())


def refusal(section: str, board: Board | None = None) -> str:
    with pytest.raises(HookError) as refused:
        keys(section, board)
    return str(refused.value)


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ("gpio/button", (RISING, FALLING)),
        ("gpio/button/both", (RISING, FALLING)),
        ("gpio/button/rising", (RISING,)),
        ("gpio/button/falling", (FALLING,)),
        ("gpio/0/line17", (RISING, FALLING)),
        ("gpio/0/line17/falling", (FALLING,)),
        ("pwm/servo", (PwmKey(0, 0),)),
        ("pwm/0/channel0", (PwmKey(0, 0),)),
    ],
)
def test_a_section_names_the_keys_of_a_line_or_channel(section: str, expected: tuple[HookKey, ...]) -> None:
    assert keys(section) == expected


def test_each_timer_section_starts_a_timer_of_its_own_and_needs_no_board() -> None:
    timers = Timers()
    assert keys_of("timer/100ms", None, timers) == (TimerKey(100_000_000, 1),)
    assert keys_of("timer/100ms", None, timers) == (TimerKey(100_000_000, 2),)
    assert keys_of("timer/1.5us", None, timers) == (TimerKey(1_500, 3),)
    assert timers.started == [100_000_000, 100_000_000, 1_500]


def test_a_line_is_attached_to_the_edges_that_it_detects() -> None:
    board = parse_board(ONE_SIDED, "small", "boards/small.toml")
    assert keys("gpio/tick", board) == (GpioKey(0, 5, Edge.FALLING),)


@pytest.mark.parametrize(
    ("section", "message"),
    [
        (
            "gpio/buton",
            "section 'gpio/buton' on boards/rpi5-bench.toml: has no input `buton`; it has button, limit\n"
            "    fix    did you mean `button`?",
        ),
        (
            "gpio/led",
            "section 'gpio/led' on boards/rpi5-bench.toml: `led` is an output; edges come from inputs: button, limit",
        ),
        (
            "gpio",
            "section 'gpio': doesn't say which input; boards/rpi5-bench.toml has button, limit\n"
            "    fix    write its name behind it: gpio/<input>",
        ),
        (
            "gpio/button/risng",
            "section 'gpio/button/risng': 'risng' is no edge\n    fix    the edges are rising, falling, both",
        ),
        (
            "gpio/0/line99",
            "section 'gpio/0/line99': line 99 of chip 0 is no input of boards/rpi5-bench.toml; inputs: "
            "0/line17 (button), 0/line22 (limit)\n    fix    declare it as an [input.NAME] of the board",
        ),
        (
            "pwm/servoo",
            "section 'pwm/servoo' on boards/rpi5-bench.toml: has no output `servoo`; it has led, relay, servo\n"
            "    fix    did you mean `servo`?",
        ),
        (
            "pwm/led",
            "section 'pwm/led' on boards/rpi5-bench.toml: `led` is a GPIO line, which has no PWM state; "
            "the PWM channels are servo",
        ),
        (
            "pwm/",
            "section 'pwm/': doesn't say which channel; boards/rpi5-bench.toml has servo\n"
            "    fix    write its name behind it: pwm/<output>",
        ),
        (
            "pwm/0/channel3",
            "section 'pwm/0/channel3': channel 3 of chip 0 is no output of boards/rpi5-bench.toml; channels: "
            "0/channel0 (servo)\n    fix    declare it as an [output.NAME] of the board",
        ),
        ("timer/", "section 'timer/': doesn't say how often\n    fix    write the period behind it: timer/100ms"),
        ("timer/0ms", "section 'timer/0ms': has a period of 0\n    fix    say how often: timer/1ms, timer/2s"),
        (
            "timer/5",
            "section 'timer/5': '5' is no duration; write a number and one of ns, us, ms, s, min, h, such as \"5ms\"",
        ),
        (
            "tracepoint/x",
            "section 'tracepoint/x': names no hook\n"
            "    fix    the forms are timer/100ms, gpio/<input>, gpio/<input>/rising, pwm/<output>, "
            "iio/<device>/<channel>, scan/<device>, i2c/<sensor>/<channel>, serial/<port>",
        ),
    ],
)
def test_a_slip_is_quoted_and_told_what_there_is(section: str, message: str) -> None:
    assert refusal(section) == message


def test_an_edge_that_the_board_doesnt_detect() -> None:
    board = parse_board(ONE_SIDED, "small", "boards/small.toml")
    assert refusal("gpio/tick/both", board) == (
        "section 'gpio/tick/both': wants rising of tick, whose edges are `falling` in boards/small.toml\n"
        '    fix    set edges = "both" in [input.tick]'
    )
    assert refusal("gpio/door", board) == (
        "section 'gpio/door': wants edges of door, whose edges are `none` in boards/small.toml\n"
        '    fix    set edges = "both" in [input.door]'
    )
    assert refusal("pwm/fan", board) == (
        "section 'pwm/fan' on boards/small.toml: has no output `fan`; it has none\n"
        "    fix    add [output.fan] to the board file"
    )


def test_a_line_needs_a_board() -> None:
    with pytest.raises(HookError) as refused:
        keys_of("gpio/button", None, Timers())
    assert str(refused.value) == (
        "section 'gpio/button': names a line of a board, but no board was chosen\n"
        '    fix    choose one: --board rpi5-bench, or App(..., board="rpi5-bench"); `axiom-hw boards` lists them'
    )


BUSES = """
[i2c_bus.header]
path = "/dev/i2c-1"
[sensor.climate]
driver = "bme280"
address = 0x76
rate = "1s"
[serial.gps]
port = "/dev/ttyAMA0"
baud = 9600
"""


def test_sensors_on_a_bus_and_serial_ports() -> None:
    board = parse_board(BUSES, "x", "x.toml")
    assert keys("i2c/climate/pressure", board) == (I2cKey(0, 1),)
    assert keys("i2c/climate", board) == (I2cKey(0, 0), I2cKey(0, 1), I2cKey(0, 2))
    assert keys("serial/gps", board) == (SerialKey(0),)


@pytest.mark.parametrize(("section", "message"), [
    ("i2c/climat/temperature", "on x.toml: has no sensor `climat`; it has climate\n    fix    did you mean `climate`?"),
    ("i2c/climate/temp", "on x.toml: climate has no channel 'temp'; it has temperature, pressure, humidity\n"
     "    fix    did you mean `i2c/climate/temperature`?"),
    ("i2c/", "doesn't say which sensor; x.toml has climate\n"
     "    fix    write its name behind it: i2c/<sensor>/<channel>"),
    ("serial/", "doesn't say which port; x.toml has gps\n    fix    write its name behind it: serial/<port>"),
    ("serial/gsp", "on x.toml: has no serial `gsp`; it has gps\n    fix    did you mean `gps`?"),
])  # fmt: skip
def test_slips_about_buses_and_ports(section: str, message: str) -> None:
    joint = " " if message.startswith("on ") else ": "
    assert refusal(section, parse_board(BUSES, "x", "x.toml")) == f"section {section!r}{joint}{message}"
