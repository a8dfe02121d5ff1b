"""The tables [input.NAME] and [output.NAME] of a board file, each to its declaration."""

from __future__ import annotations

import re
from typing import Final

from axiom_hw.board.model import (
    Bias,
    Chip,
    Drive,
    EdgeDetection,
    InputLine,
    OutputLine,
    Polarity,
    PwmChannel,
    PwmChip,
)
from axiom_hw.board.pins import known_chip, known_pwm
from axiom_hw.board.table import Table
from axiom_hw.board.units import format_duration

INPUT_KEYS: Final = ("chip", "line", "bias", "edges", "active_low", "debounce")
_OUTPUT_LINE: Final = ("chip", "line", "active_low", "drive", "safe")
_PWM_OUTPUT: Final = ("pwm_chip", "channel", "pin", "period", "min_duty", "max_duty", "polarity", "safe", "optional")
OUTPUT_KEYS: Final = tuple(dict.fromkeys((*_OUTPUT_LINE, *_PWM_OUTPUT)))

_PERCENT: Final = re.compile(r"(\d{1,3})\s*%")
_U32_MAX: Final = (1 << 32) - 1  # contexts carry period and duty as u32
_PIN_MAX: Final = 1023


def _chip_of(table: Table, key: str, names: list[str]) -> int:
    """The index of the chip that a table names; the first one where it names none."""
    if not names:
        raise table.error(f"no [{key}.NAME] is declared, so there is nothing to be wired to", f"declare [{key}.header]")
    name = table.text(key, names[0])
    if name not in names:
        raise table.error(f'`{key}` is "{name}"; declared are {", ".join(names)}', "", key)
    return names.index(name)


def _line(table: Table, chips: tuple[Chip, ...]) -> tuple[int, int]:
    if "line" not in table:
        raise table.missing("line", "say which line: GPIO17 is line = 17")
    chip_id = _chip_of(table, "chip", [chip.name for chip in chips])
    chip = chips[chip_id]
    known = known_chip(chip.label)
    if known:
        return chip_id, table.integer("line", 0, known.header_lines - 1, 0, f"the header's part of {chip.label}")
    return chip_id, table.integer("line", 0, chip.lines - 1, 0, f"{chip.label} has {chip.lines} lines")


def input_row(name: str, table: Table, chips: tuple[Chip, ...]) -> InputLine:
    """[input.NAME]: a line that the world drives."""
    chip_id, line = _line(table, chips)
    debounce_ns = table.duration_ns("debounce")
    if debounce_ns % 1000 or debounce_ns > _U32_MAX * 1000:
        raise table.error(
            f"`debounce` is {format_duration(debounce_ns)}; the kernel takes whole microseconds, 0 to {_U32_MAX}",
            'write a duration such as "5ms"',
            "debounce",
        )
    bias = table.choice("bias", Bias, Bias.AS_IS)
    edges = table.choice("edges", EdgeDetection, EdgeDetection.BOTH)
    return InputLine(name, chip_id, line, bias, edges, table.flag("active_low"), debounce_ns)


def output_row(
    name: str, table: Table, chips: tuple[Chip, ...], pwm_chips: tuple[PwmChip, ...]
) -> OutputLine | PwmChannel:
    """[output.NAME]: `line` makes it a GPIO output, `channel` a PWM output."""
    match ("line" in table, "channel" in table):
        case (True, True):
            raise table.error("has both `line` and `channel`", "a GPIO output has `line`, a PWM output `channel`")
        case (False, False):
            raise table.missing("line", "line = 18 makes it a GPIO output, channel = 0 a PWM output")
        case (True, False):
            _check_keys(table, _OUTPUT_LINE, "a GPIO output", 'safe = "low"')
            return _output_line(name, table, chips)
        case _:
            _check_keys(table, _PWM_OUTPUT, "a PWM output", 'safe = "off"')
            return _pwm_output(name, table, pwm_chips)


def _check_keys(table: Table, keys: tuple[str, ...], kind: str, example: str) -> None:
    for key in table.data:
        if key not in keys:
            raise table.error(f"`{key}` isn't a key of {kind}", f"its keys are {', '.join(keys)}", key)
    if "safe" not in table:
        raise table.missing("safe", f"say the state that it goes to when something fails, such as {example}")


def _output_line(name: str, table: Table, chips: tuple[Chip, ...]) -> OutputLine:
    chip_id, line = _line(table, chips)
    active_low = table.flag("active_low")
    safe = table.text("safe")
    if safe not in ("low", "high"):
        raise table.error(f'`safe` is "{safe}"; the level of a line is "low" or "high"', "", "safe")
    drive = table.choice("drive", Drive, Drive.PUSH_PULL)
    return OutputLine(name, chip_id, line, int((safe == "high") != active_low), active_low, drive)


def _pwm_output(name: str, table: Table, pwm_chips: tuple[PwmChip, ...]) -> PwmChannel:
    chip_id = _chip_of(table, "pwm_chip", [chip.name for chip in pwm_chips])
    chip = pwm_chips[chip_id]
    channel = table.integer("channel", 0, chip.channels - 1, 0, f"{chip.device} has {chip.channels} channels")
    if "period" not in table:
        raise table.missing("period", 'say how long a period is: a servo has period = "20ms", which is 50 Hz')
    period = table.duration_ns("period")
    if not 0 < period <= _U32_MAX:
        raise table.error(f"`period` is {period} ns; it takes 1 ns to {_U32_MAX} ns", "", "period")
    least, most = table.duration_ns("min_duty"), table.duration_ns("max_duty", period)
    if most > period:
        raise table.error(
            f"`max_duty` is {format_duration(most)}, longer than the period of {format_duration(period)}",
            "no duty is longer than its period",
            "max_duty",
        )
    if least > most:
        raise table.error(
            f"`min_duty` is {format_duration(least)}, more than the greatest duty of {format_duration(most)}",
            "exchange the two, or give max_duty",
            "min_duty",
        )
    safe, enabled = _safe_duty(table, period, least, most)
    polarity = table.choice("polarity", Polarity, Polarity.NORMAL)
    pin = _pwm_pin(table, chip, channel)
    optional = table.flag("optional")
    return PwmChannel(name, chip_id, channel, period, least, most, safe, enabled, polarity, pin, optional)


def _safe_duty(table: Table, period: int, least: int, most: int) -> tuple[int, bool]:
    """The safe duty in ns and whether the channel is on: "off", a percentage, or a duration."""
    text = table.text("safe")
    if text == "off":
        return 0, False
    percent = _PERCENT.fullmatch(text)
    duty = period * int(percent[1]) // 100 if percent else table.duration_ns("safe")
    if duty != 0 and not least <= duty <= most:
        limits = f"{format_duration(least)} to {format_duration(most)}"
        raise table.error(
            f'`safe` is "{text}", {format_duration(duty)}; the limits are {limits}',
            'a channel that must stand still takes "off" or "0%"',
            "safe",
        )
    return duty, True


def _pwm_pin(table: Table, chip: PwmChip, channel: int) -> int | None:
    known = known_pwm(chip.device)
    if known is None:
        return table.integer("pin", 0, _PIN_MAX) if "pin" in table else None
    pins = [pin.line for pin in known.of_channel(channel)]
    names = " or ".join(f"GPIO{line}" for line in pins)
    if "pin" not in table:
        if len(pins) != 1:
            raise table.missing("pin", f"channel {channel} can come out on {names}: say pin = {pins[0]}")
        return pins[0]
    pin = table.integer("pin", 0, _PIN_MAX)
    if pin not in pins:
        other = next((row.channel for row in known.pins if row.line == pin), None)
        carried = "no channel of this chip" if other is None else f"channel {other}"
        raise table.error(
            f"`pin` is {pin}, but channel {channel} of {chip.device} comes out on {names}",
            f"GPIO{pin} carries {carried}",
            "pin",
        )
    return pin
