"""What a recording consists of: events, what programs read, what outputs were driven to, which programs ran."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from axiom_hw.keys import HookKey


@dataclass(slots=True)  # not frozen: that would cost half of what recording an event costs
class Event:
    """One event, and when it was dispatched.

    `is_caused`: a program's run raised it. Such an event is a consequence: it comes by itself in a replay.
    """

    key: HookKey
    ctx: bytes
    time_ns: int
    slot: int
    is_caused: bool = False


class What(Enum):
    """What a value of a line says."""

    LEVEL = "level"
    """The value of an input when the recording began."""

    READ = "read"
    """What a program was told when it read an input, where neither an edge nor an earlier read had told as much."""

    WRITTEN = "written"
    """What a program's run drove an output to."""

    STOP = "stop"
    """Whether the emergency stop is latched, where somebody else than a program changed that before the next event."""

    SET = "set"
    """What an output was driven to otherwise: at the start, at the end, by the application."""


@dataclass(slots=True)
class Value:
    """A value of a line, `gpio/<chip>/line<N>`: 0, 1, or a negative errno.

    `after` counts the reads of the same dispatch that needed no entry, since the last one that did.
    """

    wire: str
    what: What
    value: int
    time_ns: int
    after: int = 0


@dataclass(frozen=True, slots=True)
class Program:
    """A program that was attached. `maps`: a digest of what each held then; `digest` is of the program itself."""

    name: str
    section: str
    digest: str
    keys: tuple[str, ...]
    priority: int
    maps: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RingCount:
    """A ring at the end: records that were dropped, because it was full."""

    dropped: int


@dataclass(frozen=True, slots=True)
class Stopped:
    """The programs were detached; what comes behind this is the outputs' way to their safe states."""

    time_ns: int


@dataclass(frozen=True, slots=True)
class End:
    """The run was closed in order. `maps`: a digest of what each held then."""

    time_ns: int
    maps: Mapping[str, str]
    rings: Mapping[str, RingCount]


Entry: TypeAlias = Event | Value | Program | Stopped | End
