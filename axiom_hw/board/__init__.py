"""What is wired to what: a board file read into frozen declarations.

model.py   what a board says, as values
load.py    a TOML file to a Board, strictly
table.py   one TOML table: types, ranges, units, and where each key stands
pins.py    which pin carries which PWM channel, per chip
units.py   "5ms" to nanoseconds
find.py    where board files lie
"""

from axiom_hw.board.find import available_boards
from axiom_hw.board.load import load_board, parse_board
from axiom_hw.board.model import (
    Bias,
    Board,
    Chip,
    Drive,
    EdgeDetection,
    InputLine,
    OutputLine,
    Polarity,
    PwmChannel,
    PwmChip,
)
from axiom_hw.board.units import parse_duration_ns

__all__ = [
    "Bias",
    "Board",
    "Chip",
    "Drive",
    "EdgeDetection",
    "InputLine",
    "OutputLine",
    "Polarity",
    "PwmChannel",
    "PwmChip",
    "available_boards",
    "load_board",
    "parse_board",
    "parse_duration_ns",
]
