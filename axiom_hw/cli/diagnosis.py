"""What `axiom-hw doctor` finds: each check compares the board file with the machine and ends in what to do."""

from __future__ import annotations

import grp
import os
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from axiom_hw.backends.gpio import no_such_chip
from axiom_hw.backends.pwm import no_such_channel, no_such_device
from axiom_hw.backends.survey import GpioSeen, Machine, PwmSeen
from axiom_hw.board import Board, Chip, InputLine, OutputLine, PwmChip
from axiom_hw.errors import AxiomError

GROUP = "gpio"  # owns the GPIO and PWM devices on Raspberry Pi OS
_OTHER_BOARD = "choose the board file of this machine with --board, or correct `model` in it"


class Status(Enum):
    """How a check came out. Only PROBLEM keeps a program from running."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "no"


@dataclass(frozen=True, slots=True)
class Finding:
    """One result, and what to do about it."""

    status: Status
    text: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks: the groups of this session, and those that the system has written down for the next."""

    groups: frozenset[str]
    written: frozenset[str]


def this_person() -> Person:
    """The user of this process."""
    name = os.environ.get("USER", "")
    numbers = {*os.getgroups(), os.getegid()}
    every = grp.getgrall()
    return Person(
        frozenset(group.gr_name for group in every if group.gr_gid in numbers),
        frozenset(group.gr_name for group in every if name in group.gr_mem),
    )


def examine(board: Board, machine: Machine, person: Person) -> Iterator[Finding]:
    """Every check of a board against a machine."""
    yield _model(board, machine)
    for chip in board.chips:
        yield from _gpio_chip(board, chip, machine, person)
    for pwm in board.pwm_chips:
        yield from _pwm_chip(board, pwm, machine, person)
    if machine.keeps_outputs and board.output_lines:
        yield Finding(
            Status.NOTE,
            "this kernel keeps the level of an output after its program has died: a program that is killed "
            "(kill -9, out of memory) leaves it driven",
            "to let the lines go instead, write dtparam=strict_gpiod in /boot/firmware/config.txt and reboot",
        )


def from_error(error: AxiomError) -> Finding:
    """An error that was met on the way."""
    return Finding(Status.PROBLEM, f"{error.place}: {error.problem}", error.fix)


def _model(board: Board, machine: Machine) -> Finding:
    if not machine.model:
        return Finding(
            Status.PROBLEM, "this machine isn't a Raspberry Pi: /proc/device-tree/model is missing",
            "run with --mock here: a bench in memory needs no hardware",
        )  # fmt: skip
    if not machine.model.startswith(board.model):
        return Finding(
            Status.PROBLEM, f"this is a {machine.model}; {board.source} is for a {board.model}", _OTHER_BOARD
        )
    return Finding(Status.OK, f"this is a {machine.model}")


def _gpio_chip(board: Board, chip: Chip, machine: Machine, person: Person) -> Iterator[Finding]:
    matching = [seen for seen in machine.gpio if seen.info is not None and seen.info.label == chip.label]
    closed = [seen for seen in machine.gpio if seen.info is None]
    if len(matching) > 1:
        paths = " and ".join(seen.path for seen in matching)
        yield Finding(Status.PROBLEM, f"chip {chip.label} is there twice: {paths}", "remove one of them")
    elif matching:
        yield from _lines(board, chip, matching[0])
    elif closed:
        paths = ", ".join(seen.path for seen in closed)
        fix = _permission(person) if any(seen.refused for seen in closed) else "look into `dmesg`"
        yield Finding(Status.PROBLEM, f"chip {chip.label} may be {paths}, but: {closed[0].problem}", fix)
    else:
        missing = no_such_chip(chip.label, [seen.info.label for seen in machine.gpio if seen.info is not None])
        fix = "run with --mock for a bench in memory, or correct `label` in the board file"
        yield Finding(Status.PROBLEM, f"{missing.place}: {missing.problem}", fix)


def _lines(board: Board, chip: Chip, seen: GpioSeen) -> Iterator[Finding]:
    assert seen.info is not None
    lines: tuple[InputLine | OutputLine, ...] = (*board.inputs, *board.output_lines)
    wanted = [line for line in lines if board.chips[line.chip_id] is chip]
    busy = [line for line in wanted if line.line in seen.info.used]
    for line in busy:
        who = seen.info.used[line.line]
        holder = f'"{who}"' if who else "somebody who gave no name"
        yield Finding(
            Status.PROBLEM, f"line {line.line} of {chip.label} ({line.name}) is in use by {holder}",
            "end that program, or give this one another line; a kernel driver lets go when its overlay is removed",
        )  # fmt: skip
    if not busy:
        names = ", ".join(f"{line.name} {line.line}" for line in wanted) or "none"
        yield Finding(Status.OK, f"chip {chip.label} is {seen.path}; its lines for this board are free: {names}")


def _pwm_chip(board: Board, chip: PwmChip, machine: Machine, person: Person) -> Iterator[Finding]:
    channels = [c for c in board.pwm_channels if board.pwm_chips[c.chip_id] is chip]
    if not channels:
        return
    seen = next((seen for seen in machine.pwm if seen.device == chip.device), None)
    if seen is None:
        error = no_such_device(chip.device, [other.device for other in machine.pwm])
        if all(c.optional for c in channels):
            names = ", ".join(c.name for c in channels)
            yield Finding(
                Status.NOTE, f"{error.place}: {error.problem}; {names} is optional, the rest works", error.fix
            )
        else:
            yield from_error(error)
        return
    missing = [c for c in channels if c.channel >= seen.channels]
    if missing:
        yield from_error(no_such_channel(chip.device, missing[0].channel, seen.channels))
    elif not seen.writable:
        yield Finding(Status.PROBLEM, f"pwm {chip.device}: {seen.path}/export may not be written", _permission(person))
    else:
        yield _pwm_fine(chip, seen, ", ".join(f"{c.name} {c.channel}" for c in channels))


def _pwm_fine(chip: PwmChip, seen: PwmSeen, names: str) -> Finding:
    return Finding(Status.OK, f"pwm {chip.device} is {seen.path}; its channels for this board: {names}")


def _permission(person: Person) -> str:
    if GROUP in person.groups:
        return f"you are in the group {GROUP}, which should own it: look at `ls -l`, and at the rules of udev"
    if GROUP in person.written:
        return f"you are in the group {GROUP}, but this session began before that: log in again"
    return f"add yourself to the group that owns it, and log in again: sudo usermod -aG {GROUP} $USER"
