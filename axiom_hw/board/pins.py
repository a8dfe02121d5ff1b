"""Which line of which chip carries a PWM channel, and which lines reach the 40-pin header.

Sources: `rp1_gpio_pin_funcs` and `legacy_fsel_map` in drivers/pinctrl/pinctrl-rp1.c; the BCM2835 and BCM2711
peripheral manuals, table of alternative functions.
"""

from __future__ import annotations

from dataclasses import dataclass
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


def known_chip(label: str) -> KnownChip | None:
    """The row of a chip label."""
    return next((chip for chip in CHIPS if chip.label == label), None)


def known_pwm(device: str) -> KnownPwm | None:
    """The row of a PWM device name."""
    return next((pwm for pwm in PWMS if pwm.device == device), None)
