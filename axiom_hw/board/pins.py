"""The 40-pin header: which pin carries which line, and which line of which chip carries a PWM channel.

Sources: `rp1_gpio_pin_funcs` and `legacy_fsel_map` in drivers/pinctrl/pinctrl-rp1.c; the BCM2835 and BCM2711
peripheral manuals, table of alternative functions.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final


@dataclass(frozen=True, slots=True)
class KnownChip:
    """A GPIO chip: its lines, and how many of them, counted from 0, reach the header."""

    label: str
    lines: int
    header_lines: int


@dataclass(frozen=True, slots=True)
class PwmPin:
    """A line that can carry a channel; `func` is what `dtoverlay=pwm,pin=..,func=..` takes."""

    channel: int
    line: int
    func: int


@dataclass(frozen=True, slots=True)
class KnownPwm:
    """A PWM chip by its device name, and the pins of its channels on the GPIO chip `label`."""

    device: str
    label: str
    channels: int
    pins: tuple[PwmPin, ...]

    def of_channel(self, channel: int) -> tuple[PwmPin, ...]:
        """The pins that can carry a channel."""
        return tuple(pin for pin in self.pins if pin.channel == channel)


CHIPS: Final = (
    KnownChip("pinctrl-rp1",     lines=54, header_lines=28),  # Pi 5, 500, CM5
    KnownChip("pinctrl-bcm2711", lines=58, header_lines=28),  # Pi 4, 400, CM4
    KnownChip("pinctrl-bcm2835", lines=54, header_lines=28),  # Pi 3 and before, Zero
)  # fmt: skip

_RP1: Final = (PwmPin(0, 12, 4), PwmPin(1, 13, 4), PwmPin(2, 18, 2), PwmPin(3, 19, 2))
_BCM: Final = (PwmPin(0, 12, 4), PwmPin(0, 18, 2), PwmPin(1, 13, 4), PwmPin(1, 19, 2))

PWMS: Final = (
    KnownPwm("1f00098000.pwm", "pinctrl-rp1", 4, _RP1),
    KnownPwm("fe20c000.pwm", "pinctrl-bcm2711", 2, _BCM),
    KnownPwm("3f20c000.pwm", "pinctrl-bcm2835", 2, _BCM),
    KnownPwm("2020c000.pwm", "pinctrl-bcm2835", 2, _BCM),
)  # fmt: skip

FAN: Final = "1f0009c000.pwm"  # RP1's other PWM, which the kernel's fan driver has; not for us


class PinKind(Enum):
    """What a pin of the header is for."""

    LINE = "line"
    POWER_3V3 = "3V3"
    POWER_5V = "5V"
    GROUND = "GND"


@dataclass(frozen=True, slots=True)
class HeaderPin:
    """A pin of the header by its printed number, 1 to 40; odd ones are the row away from the board's edge.

    `line` is None for power and ground.
    """

    number: int
    kind: PinKind
    line: int | None = None

    @property
    def name(self) -> str:
        """What it is called: GPIO17, 3V3, GND."""
        return self.kind.value if self.line is None else f"GPIO{self.line}"


# The same on every board since the B+, by pairs of rows: a number is a line.
_J8: Final = """
    3V3 5V   2 5V   3 GND   4 14   GND 15  17 18   27 GND   22 23   3V3 24   10 GND
    9 25   11 8   GND 7   0 1   5 GND   6 12   13 GND   19 16   26 20   GND 21
"""

HEADER: Final = tuple(
    HeaderPin(number, PinKind.LINE, int(text)) if text.isdecimal() else HeaderPin(number, PinKind(text))
    for number, text in enumerate(_J8.split(), 1)
)


def known_chip(label: str) -> KnownChip | None:
    """The row of a chip label."""
    return next((chip for chip in CHIPS if chip.label == label), None)


def known_pwm(device: str) -> KnownPwm | None:
    """The row of a PWM device name."""
    return next((pwm for pwm in PWMS if pwm.device == device), None)
