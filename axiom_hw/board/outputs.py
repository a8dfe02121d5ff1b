"""What an output of a board file may say beyond its device: rules of the guard, and the kinds servo and motor.

[output.arm]                        [output.wheel]
kind = "servo"                      kind = "motor"
channel = 0                         channel = 1
min_angle = -90                     period = "50us"
max_angle = 90                      direction = 23          # or forward = 23, backward = 24
safe = "off"                        slew = "50%/s"
                                    safe = "off"
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Final

from axiom_hw.board.model import Authority, Chip, Motor, Servo
from axiom_hw.board.pins import known_chip
from axiom_hw.board.table import Table
from axiom_hw.board.units import parse_duration_ns

RULE_KEYS: Final = ("authority", "watchdog")
PWM_RULE_KEYS: Final = (*RULE_KEYS, "slew")
SERVO_KEYS: Final = ("min_angle", "max_angle")
MOTOR_KEYS: Final = ("direction", "forward", "backward", "direction_chip")

SERVO_PERIOD: Final = "20ms"  # what servos for models expect, with pulses of
SERVO_PULSES: Final = ("500us", "2500us")
_DEGREES_MAX: Final = 3600
_WATCHDOG_MIN_NS: Final = 1_000_000
_RATE: Final = re.compile(r"(.+?)\s*/\s*s")
_PERCENT: Final = re.compile(r"(\d+(?:\.\d+)?)\s*%")
_DEGREES: Final = re.compile(r"(-?\d+(?:\.\d+)?)\s*deg")


class Kind(Enum):
    """What an output is."""

    LINE = "line"
    PWM = "pwm"
    SERVO = "servo"
    MOTOR = "motor"


@dataclass(frozen=True, slots=True)
class Rules:
    """What the guard asks of orders: who may give them, and how long the output goes on without one (0: for ever)."""

    authority: Authority
    watchdog_ns: int


def rules(table: Table) -> Rules:
    """`authority` and `watchdog`."""
    authority = table.choice("authority", Authority, Authority.PROGRAM)
    return Rules(authority, watchdog_ns(table))


def watchdog_ns(table: Table) -> int:
    """How long something may be silent; 0 where the board doesn't say."""
    found = table.duration_ns("watchdog")
    if "watchdog" in table and found < _WATCHDOG_MIN_NS:
        raise table.error(
            f"`watchdog` is {found} ns; it takes 1ms or more", 'watchdog = "200ms": silent for longer means safe',
            "watchdog",
        )  # fmt: skip
    return found


def servo(table: Table) -> Servo:
    """The angles of a servo, which lie at its least and its greatest duty."""
    least = table.integer("min_angle", -_DEGREES_MAX, _DEGREES_MAX, -90, "degrees")
    most = table.integer("max_angle", -_DEGREES_MAX, _DEGREES_MAX, 90, "degrees")
    if least >= most:
        raise table.error(
            f"`min_angle` is {least}, not below the greatest angle of {most}",
            "min_angle lies at min_duty, max_angle at max_duty; a servo that is mounted the other way round has "
            "its own program",
            "min_angle",
        )
    return Servo(least * 1000, most * 1000)


def motor(table: Table, chips: tuple[Chip, ...]) -> Motor:
    """The lines that say which way a motor turns: none, `direction`, or `forward` and `backward`."""
    if "direction" in table and ("forward" in table or "backward" in table):
        raise table.error(
            "has `direction` and `forward` or `backward`",
            "a driver has one direction input, or one for each way", "direction",
        )  # fmt: skip
    if ("forward" in table) is not ("backward" in table):
        key, other = ("forward", "backward") if "forward" in table else ("backward", "forward")
        raise table.error(f"has `{key}`, but no `{other}`", "a driver has both; one input alone is `direction`", key)
    keys = [key for key in ("direction", "forward", "backward") if key in table]
    if not keys:
        return Motor()
    names = [chip.name for chip in chips]
    if not names:
        raise table.error("its direction needs a line, but no [chip.NAME] is declared", "declare [chip.header]")
    name = table.text("direction_chip", names[0])
    if name not in names:
        raise table.error(f'`direction_chip` is "{name}"; declared are {", ".join(names)}', "", "direction_chip")
    chip = chips[names.index(name)]
    known = known_chip(chip.label)
    last = (known.header_lines if known else chip.lines) - 1
    return Motor(names.index(name), tuple(table.integer(key, 0, last, 0, f"lines of {chip.label}") for key in keys))


def slew_ns_per_s(table: Table, period_ns: int, turns: Servo | None, pulses_ns: int) -> int:
    """How fast the duty may change, in ns of duty a second; 0 where the board sets no limit.

    "50%/s" is of the period, "500us/s" of duty, "90deg/s" of a servo's angle, whose whole range is `pulses_ns` wide.
    """
    if "slew" not in table:
        return 0
    text = table.text("slew")
    rate = _RATE.fullmatch(text)
    found: Decimal | int = 0
    if rate is not None and (percent := _PERCENT.fullmatch(rate[1])):
        found = Decimal(percent[1]) * period_ns / 100
    elif rate is not None and turns is not None and (degrees := _DEGREES.fullmatch(rate[1])):
        found = Decimal(degrees[1]) * 1000 * pulses_ns / (turns.max_mdeg - turns.min_mdeg)
    elif rate is not None:
        try:
            found = parse_duration_ns(rate[1])
        except ValueError:
            found = 0
    if found < 1:
        ways = '"50%/s" of the period, or "500us/s" of duty' + (', or "90deg/s"' if turns is not None else "")
        raise table.error(f'`slew` is "{text}", which is no speed', f"write {ways}", "slew")
    return int(found)


def safe_angle_ns(text: str, turns: Servo, least_ns: int, most_ns: int) -> int | None:
    """The duty of a safe state such as "0deg"; None where the text says none, or one out of range."""
    degrees = _DEGREES.fullmatch(text)
    if degrees is None:
        return None
    mdeg = int(Decimal(degrees[1]) * 1000)
    return turns.duty_ns(mdeg, least_ns, most_ns) if turns.min_mdeg <= mdeg <= turns.max_mdeg else None
