"""What `axiom-hw doctor` finds: one result of one check, and what the checks are given."""

from __future__ import annotations

import grp
import os
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from axiom_hw.backends.survey import Machine
from axiom_hw.board import Board
from axiom_hw.errors import AxiomError


class Status(Enum):
    """How a check came out. Only PROBLEM keeps a program from running."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "no"


@dataclass(frozen=True, slots=True)
class Finding:
    """One result, what belongs to it, a line each, and what to do about it."""

    status: Status
    text: str
    fix: str = ""
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks: the groups of this session, and those that the system has written down for the next."""

    groups: frozenset[str]
    written: frozenset[str]


@dataclass(frozen=True, slots=True)
class Case:
    """What a check is given: the board file, the machine, who asks, and the directory that programs are started in."""

    board: Board
    machine: Machine
    person: Person
    directory: Path


def this_person() -> Person:
    """The user of this process."""
    name = os.environ.get("USER", "")
    numbers = {*os.getgroups(), os.getegid()}
    every = grp.getgrall()
    return Person(
        frozenset(group.gr_name for group in every if group.gr_gid in numbers),
        frozenset(group.gr_name for group in every if name in group.gr_mem),
    )


def from_error(error: AxiomError) -> Finding:
    """An error that was met on the way."""
    return Finding(Status.PROBLEM, f"{error.place}: {error.problem}", error.fix)


def permission(person: Person, group: str) -> str:
    """What to do about a file that belongs to `group` and may not be opened."""
    if group in ("", "root"):
        return "only root may open it; udev's rules of Raspberry Pi OS give it to a group: `sudo udevadm trigger`"
    if group in person.groups:
        return f"you are in the group {group}, which owns it: look at `ls -l`, and at the rules of udev"
    if group in person.written:
        return f"you are in the group {group}, but this session began before that: log in again"
    return f"add yourself to the group that owns it, and log in again: sudo usermod -aG {group} $USER"
