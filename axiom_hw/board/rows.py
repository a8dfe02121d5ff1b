"""The tables [input.NAME] and [output.NAME] of a board file, each to its declaration."""

from __future__ import annotations

import re
from typing import Final, assert_never

from axiom_hw.board.line_names import line_named
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
    Servo,
)
from axiom_hw.board.outputs import (
    MOTOR_KEYS,
    PWM_RULE_KEYS,
    RULE_KEYS,
    SERVO_KEYS,
    SERVO_PERIOD,
    SERVO_PULSES,
    Kind,
    motor,
    rules,
    safe_angle_ns,
    servo,
    slew_ns_per_s,
)
from axiom_hw.board.pins import known_chip, known_pwm
from axiom_hw.board.software_pwm import check_software
from axiom_hw.board.table import Table
from axiom_hw.board.units import format_duration, parse_duration_ns

INPUT_KEYS: Final = ("chip", "line", "bias", "edges", "active_low", "debounce")
_OUTPUT_LINE: Final = ("kind", "chip", "line", "active_low", "drive", "safe", *RULE_KEYS)
_PWM_OUTPUT: Final = (
    "kind", "pwm_chip", "channel", "pin", "period", "min_duty", "max_duty", "polarity", "safe", "optional",
    *PWM_RULE_KEYS,
)  # fmt: skip
_SERVO: Final = (*_PWM_OUTPUT, *SERVO_KEYS)
_MOTOR: Final = (*(key for key in _PWM_OUTPUT if key != "min_duty"), *MOTOR_KEYS)
_OF_A_CHANNEL: Final = ("pwm_chip", "channel", "pin", "optional")
_OF_SOFTWARE: Final = ("chip", "line", "pwm")  # in their place
OUTPUT_KEYS: Final = tuple(dict.fromkeys((*_OUTPUT_LINE, *_SERVO, *_MOTOR, *_OF_SOFTWARE)))

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
    name = table.data["line"]
    if isinstance(name, str):
        return chip_id, line_named(table, chip, name)
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
    """[output.NAME]: `line` makes it a GPIO output, `channel` a PWM output, with a `kind` a servo or a motor.

    A line with `pwm` is a PWM output, too: software pulses it.
    """
    match ("line" in table, "channel" in table):
        case (True, True):
            raise table.error("has both `line` and `channel`", "a GPIO output has `line`, a PWM output `channel`")
        case (False, False):
            if table.choice("kind", Kind, Kind.LINE) is not Kind.LINE:
                raise table.missing(
                    "channel",
                    'channel = 0; `axiom-hw boards --functions` shows the pins. Another line takes pwm = "software"',
                )
            raise table.missing("line", "line = 18 makes it a GPIO output, channel = 0 a PWM output")
        case (is_line, _):
            by_software = is_line and "pwm" in table
            kind = table.choice("kind", Kind, Kind.LINE if is_line and not by_software else Kind.PWM)
    if (is_line and not by_software) is not (kind is Kind.LINE):
        device = "`pwm`" if by_software else "a `line`" if is_line else "a `channel`"
        raise table.error(
            f'`kind` is "{kind.value}", and it has {device}',
            'a "line" has `line`; "pwm", "servo" and "motor" have `channel`, or `line` and pwm = "software"', "kind",
        )  # fmt: skip
    match kind:
        case Kind.LINE:
            _check_keys(table, _OUTPUT_LINE, "a GPIO output", 'safe = "low"')
            return _output_line(name, table, chips)
        case Kind.PWM:
            _check_keys(table, _pwm_keys(_PWM_OUTPUT, by_software), "a PWM output", 'safe = "off"')
        case Kind.SERVO:
            _check_keys(table, _pwm_keys(_SERVO, by_software), "a servo", 'safe = "off"')
        case Kind.MOTOR:
            _check_keys(table, _pwm_keys(_MOTOR, by_software), "a motor", 'safe = "off"')
        case _:
            assert_never(kind)
    return _pwm_output(name, table, chips, pwm_chips, kind)


def _pwm_keys(keys: tuple[str, ...], by_software: bool) -> tuple[str, ...]:
    return (*_OF_SOFTWARE, *(key for key in keys if key not in _OF_A_CHANNEL)) if by_software else keys


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
    said = rules(table)
    value = int((safe == "high") != active_low)
    return OutputLine(name, chip_id, line, value, active_low, drive, said.authority, said.watchdog_ns)


def _pwm_output(
    name: str, table: Table, chips: tuple[Chip, ...], pwm_chips: tuple[PwmChip, ...], kind: Kind
) -> PwmChannel:
    by_software = "pwm" in table
    chip_id, channel, pin = _pulsed_line(table, chips, pwm_chips) if by_software else _pwm_at(table, pwm_chips)
    if "period" not in table and kind is not Kind.SERVO:
        raise table.missing("period", 'say how long a period is: a servo has period = "20ms", which is 50 Hz')
    period = table.duration_ns("period", parse_duration_ns(SERVO_PERIOD))
    if not 0 < period <= _U32_MAX:
        raise table.error(f"`period` is {period} ns; it takes 1 ns to {_U32_MAX} ns", "", "period")
    turns = servo(table) if kind is Kind.SERVO else None
    low, high = (parse_duration_ns(pulse) for pulse in SERVO_PULSES) if turns is not None else (0, period)
    least, most = table.duration_ns("min_duty", low), table.duration_ns("max_duty", high)
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
    if turns is not None and least == most:
        raise table.error("`min_duty` is `max_duty`, which leaves a servo one angle", "give it a range", "min_duty")
    safe, enabled = _safe_duty(table, period, least, most, turns)
    if by_software:
        check_software(table, period, safe, enabled)
    if kind is Kind.MOTOR and safe:
        raise table.error(
            f'`safe` is "{table.text("safe")}", at which a motor turns', 'write "off", or "0%": on, but still', "safe"
        )
    said, slew = rules(table), slew_ns_per_s(table, period, turns, most - least)
    polarity = table.choice("polarity", Polarity, Polarity.NORMAL)
    optional = table.flag("optional")
    return PwmChannel(
        name, chip_id, channel, period, least, most, safe, enabled, polarity, pin, optional, said.authority,
        said.watchdog_ns, slew, turns, motor(table, chips) if kind is Kind.MOTOR else None,
    )  # fmt: skip


def _pwm_at(table: Table, pwm_chips: tuple[PwmChip, ...]) -> tuple[int, int, int | None]:
    """The chip, the channel, and the line that carries it, where that is known."""
    chip_id = _chip_of(table, "pwm_chip", [chip.name for chip in pwm_chips])
    chip = pwm_chips[chip_id]
    channel = table.integer("channel", 0, chip.channels - 1, 0, f"{chip.device} has {chip.channels} channels")
    return chip_id, channel, _pwm_pin(table, chip, channel)


def _pulsed_line(table: Table, chips: tuple[Chip, ...], pwm_chips: tuple[PwmChip, ...]) -> tuple[int, int, int | None]:
    """The same of a line that software pulses: the chips of such lines come behind all others."""
    chip_id, line = _line(table, chips)
    return len(pwm_chips) + chip_id, line, line


def _safe_duty(table: Table, period: int, least: int, most: int, turns: Servo | None) -> tuple[int, bool]:
    """The safe duty in ns and whether the channel is on: "off", a percentage, a duration, or a servo's angle."""
    text = table.text("safe")
    if text == "off":
        return 0, False
    if turns is not None and (found := safe_angle_ns(text, turns, least, most)) is not None:
        return found, True
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
