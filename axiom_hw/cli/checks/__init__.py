"""The checks of `axiom-hw doctor`: each is a function that yields findings, and stands in one of two tables.

software.py  Python and the packages, without which there is no board to speak of
config.py    what to write into config.txt, seen what is in there
model.py     the machine: is it the board file's, how does it treat outputs, is its power good
gpio.py      chips and lines
pwm.py       PWM
sensors.py   IIO and hwmon
i2c.py       buses, and addresses that a driver has
serial.py    ports, and the console on them
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from axiom_hw.cli.checks.gpio import chips, numbering
from axiom_hw.cli.checks.i2c import i2c
from axiom_hw.cli.checks.model import model, outputs_kept, power
from axiom_hw.cli.checks.pwm import pulsed, pwm
from axiom_hw.cli.checks.sensors import sensors
from axiom_hw.cli.checks.serial import serial
from axiom_hw.cli.checks.software import directory, engine, gpiod, python
from axiom_hw.cli.diagnosis import Case, Finding
from axiom_hw.cli.gpio_backends import gpio_backends

Check = Callable[[Case], Iterator[Finding]]

BEFORE: Final[tuple[Callable[[], Iterator[Finding]], ...]] = (python, gpiod, gpio_backends, engine)

CHECKS: Final[tuple[Check, ...]] = (
    model, power, chips, numbering, pwm, pulsed, outputs_kept, sensors, i2c, serial, directory,
)  # fmt: skip


def examine(case: Case) -> Iterator[Finding]:
    """Every check of a board against a machine."""
    for check in CHECKS:
        yield from check(case)
