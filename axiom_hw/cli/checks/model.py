"""The machine: whether the board file is for it, what it does with outputs, and whether its power is good."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from typing import Final

from axiom_hw.board import KnownBy, fits
from axiom_hw.board.find import fitting_board
from axiom_hw.cli.checks.config import to_have
from axiom_hw.cli.diagnosis import Case, Finding, Status
from axiom_hw.errors import BoardError

_MOCK: Final = "run with --mock here: a bench in memory needs no hardware"


_SUPPLY: Final = "take a supply of 5 V and 3 A (Pi 4) or 5 A (Pi 5), a short cable, and another for motors and servos"
_COOLING: Final = "give it a heat sink or a fan; programs run on, but later than they should"
# `vcgencmd get_throttled`, in Raspberry Pi's documentation of vcgencmd: bits 0 to 3 are now, 16 to 19 since the start.
_THROTTLED: Final = (
    (16, "the supply voltage was too low since this machine started", _SUPPLY),
    (17, "the processor was slowed down since this machine started: its clock was capped", _COOLING),
    (18, "the processor was slowed down since this machine started: it was throttled", _COOLING),
    (19, "the processor reached its soft limit of temperature since this machine started", _COOLING),
)
_UNDER_VOLTAGE: Final = 1 << 16


def model(case: Case) -> Iterator[Finding]:
    """Whether this is the machine that the board file is for."""
    found, board = case.machine.found, case.board
    text = f"this is a {found.text}"
    if found.memory_mb:
        text += f" with {found.memory_mb // 1024} GB" if found.memory_mb >= 1024 else f" with {found.memory_mb} MB"
    if not fits(board.model, found):
        yield Finding(Status.PROBLEM, f"{text}; {board.source} is for a {board.model}", _another_board(case))
        return
    if found.by is KnownBy.SOC and found.model is not None:
        text += f", which isn't known yet; by its processor it is taken for a {found.model.name}"
    elif board.model and not found.text.startswith(board.model):
        text += f"; its header is that of a {board.model}"
    pages = resource.getpagesize()
    yield Finding(Status.OK, f"{text}; pages of {pages // 1024} KiB" if pages != 4096 else text)
    if found.model is not None and found.model.name == "PC":
        yield Finding(
            Status.NOTE, "it has no pins: programs on lines and PWM run on the mock bench",
            "axiom-hw run PROGRAM --mock --board rpi5-bench",
        )  # fmt: skip


def outputs_kept(case: Case) -> Iterator[Finding]:
    """What becomes of outputs when a program is killed."""
    if case.machine.keeps_outputs and case.board.output_lines:
        yield Finding(
            Status.NOTE,
            "this kernel keeps the level of an output after its program has died. When one is killed (kill -9, out of "
            "memory), its supervisor brings outputs to their safe states; with --no-supervisor they stay driven",
            "leave the supervisor on; to let lines become inputs when both have died: "
            f"{to_have('dtparam=strict_gpiod', case.machine)}",
        )


def power(case: Case) -> Iterator[Finding]:
    """Whether the supply was too weak: the processor slows down then, and USB devices drop out."""
    if case.machine.under_voltage and not case.machine.throttled & _UNDER_VOLTAGE:
        yield Finding(Status.NOTE, "the supply voltage was too low since this machine started", _SUPPLY)
    bits = case.machine.throttled
    for bit, text, fix in _THROTTLED:
        if bits >> bit & 1:
            yield Finding(Status.NOTE, text, fix)


def _another_board(case: Case) -> str:
    try:
        name = fitting_board(case.machine.found)
    except BoardError as error:
        return error.fix
    row = case.machine.found.model
    if row is not None and row.header is None:
        return f"{_MOCK}; --board {name} is for programs without pins"
    return f"--board {name} is for this machine; if the wiring is the same, correct `model` in the file"
