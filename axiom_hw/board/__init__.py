"""What is wired to what: a board file read into frozen declarations.

model.py   what a board says, as values
load.py    a TOML file to a Board, strictly
table.py   one TOML table: types, ranges, units, and where each key stands
pins.py    the 40-pin header: lines, and which of them carries which PWM channel, per chip
models.py  the machines that are known: their chips, buses, ports and overlays
machine.py which machine this is
iio.py     sensors of the kernel: [iio.NAME] and [hwmon.NAME]
i2c.py     sensors on an I2C bus: [i2c_bus.NAME] and [sensor.NAME];  serial.py  serial ports: [serial.NAME]
outputs.py what an output says beyond its device: authority, watchdog, slew; servos and motors
watch.py   watchers: [watch.NAME]; watch_field.py what they look at, watch_orders.py what they drive, watch_table.py
units.py   "5ms" to nanoseconds
find.py    where board files lie, and which one is for this machine
"""

from axiom_hw.board.find import available_boards, fits
from axiom_hw.board.load import load_board, parse_board
from axiom_hw.board.machine import Found, KnownBy, detect
from axiom_hw.board.model import (
    Authority,
    Bias,
    Board,
    Chip,
    Drive,
    EdgeDetection,
    InputLine,
    Motor,
    OutputLine,
    Polarity,
    PwmChannel,
    PwmChip,
    Servo,
)
from axiom_hw.board.units import parse_duration_ns

__all__ = [
    "Authority",
    "Bias",
    "Board",
    "Chip",
    "Drive",
    "EdgeDetection",
    "Found",
    "InputLine",
    "KnownBy",
    "Motor",
    "OutputLine",
    "Polarity",
    "PwmChannel",
    "PwmChip",
    "Servo",
    "available_boards",
    "detect",
    "fits",
    "load_board",
    "parse_board",
    "parse_duration_ns",
]
