"""PWM by software, for a line that has no channel: what a board file says of it, and which chip it is on.

[output.dimmer]
line = 23
pwm = "software"
period = "10ms"
safe = "off"

To programs and the guard it is a PWM output like any other: channel 23 of a PWM chip that stands for the lines of
the GPIO chip, behind the chips of the board file.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from axiom_hw.board.model import SOFTWARE, Chip, OutputLine, PwmChannel, PwmChip
from axiom_hw.board.pins import PWMS, KnownPwm, PwmPin
from axiom_hw.board.table import Table
from axiom_hw.board.units import format_duration

PERIOD_MIN_NS: Final = 100_000  # lgpio's 10,000 Hz, lgpio.py, tx_pwm
PERIOD_MAX_NS: Final = 10_000_000_000  # and its 0.1 Hz; a board file ends at 4.29 s


class PwmWay(Enum):
    """What pulses a line."""

    SOFTWARE = "software"


def software_chips(
    chips: tuple[Chip, ...], declared: int, outputs: tuple[OutputLine | PwmChannel, ...]
) -> list[PwmChip]:
    """The PWM chips that follow the `declared` ones: the GPIO chips, to the last one that has a pulsed line."""
    used = max((row.chip_id + 1 for row in outputs if isinstance(row, PwmChannel)), default=0) - declared
    return [PwmChip(f"{chip.name} (software)", SOFTWARE + chip.label, chip.lines) for chip in chips[: max(used, 0)]]


def check_software(table: Table, period_ns: int, safe_ns: int, safe_enabled: bool) -> None:
    """What software can't do."""
    table.choice("pwm", PwmWay, PwmWay.SOFTWARE)
    if period_ns < PERIOD_MIN_NS:
        raise table.error(
            f"`period` is {format_duration(period_ns)}; software makes {format_duration(PERIOD_MIN_NS)} and longer",
            "a PWM channel is as fast as you like: `axiom-hw boards --pinout` shows the pins that have one", "period",
        )  # fmt: skip
    if safe_enabled and 0 < safe_ns < period_ns:
        raise table.error(
            f'`safe` is "{table.text("safe")}", but pulses that software makes end with their process',
            'write "off", "0%" or "100%"; a PWM channel goes on', "safe",
        )  # fmt: skip


def better_channel(label: str, line: int) -> tuple[KnownPwm, PwmPin] | None:
    """The PWM channel that could come out on a line; None for most lines."""
    found = ((known, pin) for known in PWMS if known.label == label for pin in known.pins if pin.line == line)
    return next(found, None)
