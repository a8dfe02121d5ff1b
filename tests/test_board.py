"""Board files: what a good one says, and what each kind of slip is told, word for word."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from axiom_hw.board import (
    Bias,
    Chip,
    EdgeDetection,
    InputLine,
    OutputLine,
    Polarity,
    PwmChannel,
    PwmChip,
    available_boards,
    load_board,
    parse_board,
    parse_duration_ns,
)
from axiom_hw.board.units import format_duration
from axiom_hw.errors import BoardError

BOARDS = Path(__file__).parents[1] / "boards"
HEADER = """\
[chip.header]
label = "pinctrl-rp1"
[pwm_chip.header]
device = "1f00098000.pwm"
"""


def refused(text: str, header: str = HEADER) -> str:
    """The message about a board; the header takes four lines, so `text` begins on line 5."""
    with pytest.raises(BoardError) as caught:
        parse_board(header + text, "x", "boards/x.toml")
    return str(caught.value)


def test_the_bench_of_the_demos() -> None:
    board = load_board("rpi5-bench", search=(BOARDS,))
    assert board.chips == (Chip("header", "pinctrl-rp1", 54),)
    assert board.pwm_chips == (PwmChip("header", "1f00098000.pwm", 4),)
    assert board.model == "Raspberry Pi 5"
    assert board.input("button") == InputLine(
        "button", 0, 17, Bias.PULL_UP, EdgeDetection.BOTH, active_low=True, debounce_ns=5_000_000
    )
    assert board.input("limit").line == 22
    assert board.output("led") == OutputLine("led", 0, 18, safe_value=0)
    assert board.output("relay") == OutputLine("relay", 0, 27, safe_value=0, active_low=True), "high is off there"
    assert board.output("servo") == PwmChannel(
        "servo", 0, 0, 20_000_000, 500_000, 2_500_000, 0, False, Polarity.NORMAL, pin=12, optional=True
    )
    assert [line.name for line in board.output_lines] == ["led", "relay"]
    assert [channel.name for channel in board.pwm_channels] == ["servo"]


def test_a_board_cant_be_changed() -> None:
    board = load_board("rpi5-bench", search=(BOARDS,))
    with pytest.raises(FrozenInstanceError):
        board.name = "other"  # type: ignore[misc]


def test_every_board_that_is_shipped_can_be_read() -> None:
    names = available_boards()
    assert "rpi5-bench" in names
    assert [load_board(name).name for name in names] == list(names)


def test_boards_of_the_working_directory_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "boards").mkdir()
    (tmp_path / "boards" / "mine.toml").write_text('description = "mine"')
    (tmp_path / "boards" / "rpi5-bench.toml").write_text('description = "also mine"')
    monkeypatch.chdir(tmp_path)
    assert {"mine", "rpi5-bench"} <= set(available_boards())
    assert load_board("mine").source == "boards/mine.toml"
    assert load_board("rpi5-bench").description == "also mine"
    assert load_board(tmp_path / "boards" / "mine.toml").description == "mine"


def test_the_shipped_boards_are_found_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_board("rpi5-bench").input("button").line == 17


def test_an_unknown_board() -> None:
    with pytest.raises(BoardError) as caught:
        load_board("rpi5-bensh", search=(BOARDS,))
    assert "board `rpi5-bensh`: isn't known; there are cm5-bench, pc, qemu, rpi4-bench," in str(caught.value)
    assert "did you mean `rpi5-bench`?" in str(caught.value)


def test_a_path_that_isnt_there(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match="there is no such board file"):
        load_board(tmp_path / "bench.toml")


def test_a_file_that_isnt_text(tmp_path: Path) -> None:
    (tmp_path / "bench.toml").write_bytes(b"model = '\xff'")
    with pytest.raises(BoardError, match="byte 9 isn't UTF-8"):
        load_board(tmp_path / "bench.toml")


def test_names_that_hooks_use_are_resolved_and_suggested() -> None:
    board = load_board("rpi5-bench", search=(BOARDS,))
    with pytest.raises(BoardError) as caught:
        board.input("buton")
    assert caught.value.problem == "has no input `buton`; it has button, limit"
    assert caught.value.fix == "did you mean `button`?"
    with pytest.raises(BoardError, match="`led` is an output; edges come from inputs: button, limit"):
        board.input("led")
    with pytest.raises(BoardError, match="`button` is an input, which can't be driven; led, relay, servo can"):
        board.output("button")
    with pytest.raises(BoardError) as caught:
        board.output("xylophone")
    assert "add [output.xylophone] to the board file" in caught.value.fix


MESSAGES = [
    ("[inputs.b]\n",
     "boards/x.toml:5: `inputs` isn't a key of a board file\n    fix    did you mean `input`?"),
    ('[input.b]\nline = 17\npull = "up"\n',
     "boards/x.toml:7 [input.b]: `pull` isn't a key of this table\n"
     "    fix    the keys here are chip, line, bias, edges, active_low, debounce"),
    ("[input.b]\nline = 17\nactive_lo = true\n",
     "boards/x.toml:7 [input.b]: `active_lo` isn't a key of this table\n    fix    did you mean `active_low`?"),
    ('[input.b]\nline = "17"\n',
     'boards/x.toml:6 [input.b]: `line` is "17", which no line of pinctrl-rp1 is called\n    fix    write line = 17'),
    ("[input.b]\nline = true\n",
     "boards/x.toml:6 [input.b]: `line` is true; it takes a whole number, 0 to 27 (the header's part of pinctrl-rp1)"),
    ("[input.b]\nline = 28\n",
     "boards/x.toml:6 [input.b]: `line` is 28; it takes 0 to 27 (the header's part of pinctrl-rp1)"),
    ("[input.b]\n",
     "boards/x.toml:5 [input.b]: `line` is missing\n    fix    say which line: GPIO17 is line = 17"),
    ('[input.b]\nline = 17\nbias = "pullup"\n',
     'boards/x.toml:7 [input.b]: `bias` is "pullup"; it takes "as-is", "disabled", "pull-up" or "pull-down"\n'
     '    fix    did you mean "pull-up"?'),
    ("[input.b]\nline = 17\nactive_low = 1\n",
     "boards/x.toml:7 [input.b]: `active_low` is 1; it takes true or false\n    fix    write active_low = true"),
    ("[input.b]\nline = 17\ndebounce = 5\n",
     "boards/x.toml:7 [input.b]: `debounce` is 5; a duration says its unit\n"
     '    fix    write debounce = "5ms", if milliseconds are meant'),
    ('[input.b]\nline = 17\ndebounce = "5 sec"\n',
     "boards/x.toml:7 [input.b]: `debounce`: '5 sec' is no duration; "
     'write a number and one of ns, us, ms, s, min, h, such as "5ms"'),
    ('[input.b]\nline = 17\ndebounce = "1500ns"\n',
     "boards/x.toml:7 [input.b]: `debounce` is 1500ns; the kernel takes whole microseconds, 0 to 4294967295\n"
     '    fix    write a duration such as "5ms"'),
    ('[input.b]\nchip = "headr"\nline = 17\n',
     'boards/x.toml:6 [input.b]: `chip` is "headr"; declared are header'),
    ('[input."a b"]\nline = 17\n',
     "boards/x.toml:5 [input.a b]: the name 'a b' can't stand in a hook's name\n"
     "    fix    begin with a letter, and go on with letters, digits, `_` and `-`"),
    ("[input]\nbutton = 17\n",
     "boards/x.toml:6 [input.button]: is 17 where a table is expected\n"
     "    fix    write [input.button] and its keys below"),
    ("[output.o]\n",
     "boards/x.toml:5 [output.o]: `line` is missing\n"
     "    fix    line = 18 makes it a GPIO output, channel = 0 a PWM output"),
    ('[output.o]\nkind = "servo"\nsafe = "off"\n',
     "boards/x.toml:5 [output.o]: `channel` is missing\n"
     '    fix    channel = 0; `axiom-hw boards --functions` shows the pins. Another line takes pwm = "software"'),
    ("[output.o]\nline = 18\nchannel = 2\n",
     "boards/x.toml:5 [output.o]: has both `line` and `channel`\n"
     "    fix    a GPIO output has `line`, a PWM output `channel`"),
    ("[output.o]\nline = 18\n",
     "boards/x.toml:5 [output.o]: `safe` is missing\n"
     '    fix    say the state that it goes to when something fails, such as safe = "low"'),
    ('[output.o]\nline = 18\nsafe = "off"\n',
     'boards/x.toml:7 [output.o]: `safe` is "off"; the level of a line is "low" or "high"'),
    ('[output.o]\nline = 18\nsafe = "low"\nperiod = "1ms"\n',
     "boards/x.toml:8 [output.o]: `period` isn't a key of a GPIO output\n"
     "    fix    its keys are kind, chip, line, active_low, drive, safe, authority, watchdog"),
    ('[output.o]\nchannel = 4\nperiod = "20ms"\nsafe = "off"\n',
     "boards/x.toml:6 [output.o]: `channel` is 4; it takes 0 to 3 (1f00098000.pwm has 4 channels)"),
    ('[output.o]\nchannel = 0\nsafe = "off"\n',
     "boards/x.toml:5 [output.o]: `period` is missing\n"
     '    fix    say how long a period is: a servo has period = "20ms", which is 50 Hz'),
    ('[output.o]\nchannel = 0\nperiod = "5s"\nsafe = "off"\n',
     "boards/x.toml:7 [output.o]: `period` is 5000000000 ns; it takes 1 ns to 4294967295 ns"),
    ('[output.o]\nchannel = 0\nperiod = "20ms"\nmax_duty = "21ms"\nsafe = "off"\n',
     "boards/x.toml:8 [output.o]: `max_duty` is 21ms, longer than the period of 20ms\n"
     "    fix    no duty is longer than its period"),
    ('[output.o]\nchannel = 0\nperiod = "20ms"\nmin_duty = "3ms"\nmax_duty = "2ms"\nsafe = "off"\n',
     "boards/x.toml:8 [output.o]: `min_duty` is 3ms, more than the greatest duty of 2ms\n"
     "    fix    exchange the two, or give max_duty"),
    ('[output.o]\nchannel = 0\nperiod = "20ms"\nmax_duty = "2ms"\nsafe = "50%"\n',
     'boards/x.toml:9 [output.o]: `safe` is "50%", 10ms; the limits are 0ns to 2ms\n'
     '    fix    a channel that must stand still takes "off" or "0%"'),
    ('[output.o]\nchannel = 0\npin = 18\nperiod = "20ms"\nsafe = "off"\n',
     "boards/x.toml:7 [output.o]: `pin` is 18, but channel 0 of 1f00098000.pwm comes out on GPIO12\n"
     "    fix    GPIO18 carries channel 2"),
    ('[output.o]\nchannel = 0\npin = 4\nperiod = "20ms"\nsafe = "off"\n',
     "boards/x.toml:7 [output.o]: `pin` is 4, but channel 0 of 1f00098000.pwm comes out on GPIO12\n"
     "    fix    GPIO4 carries no channel of this chip"),
    ('[input.b]\nline = 17\n[output.o]\nline = 17\nsafe = "low"\n',
     "boards/x.toml:7 [output.o]: GPIO17 of pinctrl-rp1 is taken by input `b`, boards/x.toml:5\n"
     "    fix    a pin has one purpose: move one of them"),
    ('[output.led]\nline = 12\nsafe = "low"\n[output.servo]\nchannel = 0\nperiod = "20ms"\nsafe = "off"\n',
     "boards/x.toml:8 [output.servo]: GPIO12, where channel 0 of 1f00098000.pwm comes out, is taken by output `led`, "
     "boards/x.toml:5\n    fix    a pin has one purpose: move one of them"),
    ('[output.a]\nchannel = 1\nperiod = "1ms"\nsafe = "off"\n[output.b]\nchannel = 1\nperiod = "1ms"\nsafe = "off"\n',
     "boards/x.toml:9 [output.b]: channel 1 of 1f00098000.pwm is taken by output `a`, boards/x.toml:5\n"
     "    fix    give one of them another channel"),
    ('[input.x]\nline = 1\n[output.x]\nline = 2\nsafe = "low"\n',
     "boards/x.toml:7 [output.x]: the name `x` is taken by input `x`, boards/x.toml:5\n"
     "    fix    rename one of them: hooks and outputs are found by name"),
    ('[chip.ic]\nlabel = "mcp23017"\n',
     'boards/x.toml:5 [chip.ic]: `lines` is missing\n'
     '    fix    "mcp23017" isn\'t a chip of a Pi: say how many lines it has'),
    ('[chip.four]\nlabel = "gpiochip4"\n',
     'boards/x.toml:6 [chip.four]: `label` is "gpiochip4", a number that moves between kernels\n'
     "    fix    `gpiodetect` prints labels in brackets; the header of a Pi 5 is pinctrl-rp1"),
    ("[chip.c]\n",
     "boards/x.toml:5 [chip.c]: `label` is missing\n"
     '    fix    chips are found by label: "pinctrl-rp1" is the header of a Pi 5'),
    ('[chip.c]\nlabel = ""\n',
     "boards/x.toml:6 [chip.c]: `label` is empty\n    fix    say what it is, or leave the key out"),
    ('[chip.c]\nlabel = "pinctrl-rp1"\nevent_buffer_size = 2000\n',
     "boards/x.toml:7 [chip.c]: `event_buffer_size` is 2000; it takes 0 to 1024 (the kernel keeps no more events)"),
    ('[pwm_chip.p]\ndevice = "pwmchip2"\n',
     'boards/x.toml:6 [pwm_chip.p]: `device` is "pwmchip2", a number that moves between kernels\n'
     "    fix    `readlink /sys/class/pwm/pwmchip*/device` ends in the name; the header of a Pi 5 is 1f00098000.pwm"),
    ('[pwm_chip.p]\ndevice = "pca9685"\n',
     "boards/x.toml:5 [pwm_chip.p]: `channels` is missing\n"
     '    fix    "pca9685" isn\'t a PWM chip of a Pi: say how many channels it has'),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), MESSAGES, ids=map(str, range(len(MESSAGES))))
def test_each_slip_is_told_where_it_is_and_what_to_write(text: str, message: str) -> None:
    assert refused(text) == message


def test_the_top_of_the_file_has_types_too() -> None:
    assert refused("model = 5\n", header="") == (
        'boards/x.toml:1: `model` is 5; it takes a string\n    fix    write model = "5"'
    )


def test_a_group_of_tables_is_no_value() -> None:
    assert refused("input = 3\n", header="") == (
        "boards/x.toml:1: `input` holds named tables\n    fix    write [input.NAME] and its keys below"
    )


def test_a_line_needs_a_chip() -> None:
    assert refused("[input.b]\nline = 17\n", header="") == (
        "boards/x.toml:1 [input.b]: no [chip.NAME] is declared, so there is nothing to be wired to\n"
        "    fix    declare [chip.header]"
    )


@pytest.mark.parametrize("text", ["[input.b\n", "a = \n", "[input.b]\nline = 17\n[input.b]\n", 'a = "'])
def test_a_file_that_isnt_toml_says_the_line(text: str) -> None:
    message = refused(text, header="")
    assert message.startswith("boards/x.toml:")
    assert ": isn't TOML: " in message


def test_a_pi_4_has_two_pins_for_a_channel_so_the_pin_is_said() -> None:
    header = '[chip.header]\nlabel = "pinctrl-bcm2711"\n[pwm_chip.header]\ndevice = "fe20c000.pwm"\n'
    servo = '[output.servo]\nchannel = 0\nperiod = "20ms"\nsafe = "off"\n'
    assert refused(servo, header) == (
        "boards/x.toml:5 [output.servo]: `pin` is missing\n"
        "    fix    channel 0 can come out on GPIO12 or GPIO18: say pin = 12"
    )
    (channel,) = parse_board(header + servo + "pin = 18\n", "x", "x.toml").pwm_channels
    assert channel.pin == 18


def test_an_expander_has_its_own_lines_and_chip_id() -> None:
    board = parse_board(
        HEADER + '[chip.expander]\nlabel = "mcp23017"\nlines = 16\n[input.a]\nline = 5\n'
        '[input.b]\nchip = "expander"\nline = 5\n', "x", "x.toml",
    )  # fmt: skip
    assert [(line.name, line.chip_id, line.line) for line in board.inputs] == [("a", 0, 5), ("b", 1, 5)]


@pytest.mark.parametrize(("safe", "expected"), [
    ("off", (0, False)), ("0%", (0, True)), ("50%", (10_000_000, True)), ("1500us", (1_500_000, True)),
])  # fmt: skip
def test_the_safe_state_of_a_channel(safe: str, expected: tuple[int, bool]) -> None:
    text = HEADER + f'[output.o]\nchannel = 0\nperiod = "20ms"\nsafe = "{safe}"\n'
    (channel,) = parse_board(text, "x", "x.toml").pwm_channels
    assert (channel.safe_duty_ns, channel.safe_enabled) == expected


@pytest.mark.parametrize(("text", "ns"), [
    ("5ms", 5_000_000), ("1.5 us", 1_500), ("2s", 2_000_000_000), ("7ns", 7), ("0s", 0), (" 3µs ", 3_000),
    ("1.5min", 90_000_000_000), ("2h", 7_200_000_000_000),
])  # fmt: skip
def test_durations(text: str, ns: int) -> None:
    assert parse_duration_ns(text) == ns
    assert parse_duration_ns(format_duration(ns)) == ns


@pytest.mark.parametrize("text", ["", "5", "ms", "-5ms", "5 minutes", "1.5ns", "1e3ms", "5m s"])
def test_what_isnt_a_duration(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration_ns(text)
