"""GPIO: is the chip there, may it be opened, and are the board's lines free; if not, who holds them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final

from axiom_hw.backends.gpio import no_such_chip
from axiom_hw.backends.survey import GpioSeen, Machine
from axiom_hw.board import Board, Chip, InputLine, OutputLine
from axiom_hw.cli.diagnosis import Case, Finding, Status, permission

_GPIOZERO_NUMBERS: Final = ("gpiochip4", "gpiochip0")  # gpiozero 2.0.1, pins/lgpio.py
# How the kernel's own users call themselves, and what lets go of their lines.
_DRIVERS: Final = (
    ("sysfs",   "somebody exported it in /sys/class/gpio: write the number that it has there into unexport"),
    ("spi",     "SPI's chip select: take dtparam=spi=on out of config.txt and reboot, or give this one another line"),
    ("onewire", "1-wire: take dtoverlay=w1-gpio out of config.txt and reboot, or give this one another line"),
    ("w1",      "1-wire: take dtoverlay=w1-gpio out of config.txt and reboot, or give this one another line"),
)  # fmt: skip


def chips(case: Case) -> Iterator[Finding]:
    """The board's chips, and their lines."""
    for chip in case.board.chips:
        yield from _chip(case, chip)


def numbering(case: Case) -> Iterator[Finding]:
    """A kernel that numbers its chips from 10: what goes by number fails there, and board files don't."""
    names = [os.path.basename(chip.path) for chip in case.machine.gpio]
    model = case.machine.found.model
    if not names or model is None or model.header is None or set(_GPIOZERO_NUMBERS) & set(names):
        return
    yield Finding(
        Status.NOTE,
        f"this kernel has no gpiochip0 and no gpiochip4, only {', '.join(names)}: board files find chips by label and "
        "don't mind, but gpiozero's lgpio factory opens one of those two, and fails",
        "for gpiozero programs, set GPIOZERO_PIN_FACTORY=axiom; other programs should look for the label",
    )


def _chip(case: Case, chip: Chip) -> Iterator[Finding]:
    machine = case.machine
    matching = [seen for seen in machine.gpio if seen.info is not None and seen.info.label == chip.label]
    closed = [seen for seen in machine.gpio if seen.info is None]
    if len(matching) > 1:
        paths = " and ".join(seen.path for seen in matching)
        yield Finding(Status.PROBLEM, f"chip {chip.label} is there twice: {paths}", "remove one of them")
    elif matching:
        yield from _lines(case.board, chip, matching[0], machine)
    elif closed:
        paths = ", ".join(seen.path for seen in closed)
        refused = next((seen for seen in closed if seen.refused), None)
        fix = permission(case.person, refused.group) if refused else "look into `dmesg`"
        yield Finding(Status.PROBLEM, f"chip {chip.label} may be {paths}, but: {closed[0].problem}", fix)
    else:
        missing = no_such_chip(chip.label, [seen.info.label for seen in machine.gpio if seen.info is not None])
        fix = "run with --mock for a bench in memory, or correct `label` in the board file"
        yield Finding(Status.PROBLEM, f"{missing.place}: {missing.problem}", fix)


def _lines(board: Board, chip: Chip, seen: GpioSeen, machine: Machine) -> Iterator[Finding]:
    assert seen.info is not None
    lines: tuple[InputLine | OutputLine, ...] = (*board.inputs, *board.output_lines)
    wanted = [(line.name, line.line) for line in lines if board.chips[line.chip_id] is chip]
    for channel in board.pwm_channels:
        if board.pwm_chips[channel.chip_id].software_label == chip.label:
            wanted.append((channel.name, channel.channel))
        if channel.motor is not None and channel.motor.lines and board.chips[channel.motor.chip_id] is chip:
            wanted += [(f"{channel.name}'s direction", line) for line in channel.motor.lines]
    busy = [(name, line) for name, line in wanted if line in seen.info.used]
    for name, line in busy:
        who = seen.info.used[line]
        yield _busy(name, line, who, seen, chip, machine)
    if not busy:
        names = ", ".join(f"{name} {line}" for name, line in wanted) or "none"
        yield Finding(Status.OK, f"chip {chip.label} is {seen.path}; its lines for this board are free: {names}")


def _busy(name: str, line: int, who: str, seen: GpioSeen, chip: Chip, machine: Machine) -> Finding:
    holder = f'"{who}"' if who else "somebody who gave no name"
    text = f"line {line} of {chip.label} ({name}) is in use by {holder}"
    at = os.path.basename(seen.path)
    for process in machine.holders:
        if process.chip == at and line in process.lines:
            text = f"{text}: process {process.pid}, {process.command}"
            return Finding(Status.PROBLEM, text, f"end it (kill {process.pid}), or give this one another line")
    for consumer, fix in _DRIVERS:
        if who.startswith(consumer):
            return Finding(Status.PROBLEM, text, fix)
    others = sorted({f"{process.pid} ({process.command})" for process in machine.holders if not process.lines})
    if others:
        return Finding(
            Status.PROBLEM, text,
            f"one of these processes may hold it, which this kernel doesn't tell: {', '.join(others)}; end it",
        )  # fmt: skip
    if os.geteuid() != 0:
        return Finding(
            Status.PROBLEM, text,
            "no process of yours holds it: `sudo axiom-hw doctor` sees those of others; if none does, a kernel driver "
            "has it, and lets go when its overlay is removed from config.txt",
        )  # fmt: skip
    return Finding(
        Status.PROBLEM, text,
        "no process holds it, so a kernel driver does: it lets go when its overlay is removed from config.txt; or give "
        "this one another line",
    )  # fmt: skip
