"""What a program keeps of its watchers between events, in the one value of an array, little-endian.

offset  size  of the program
     0     4  1 once there was an event
     4     4  0
     8     8  for each number that levels look at: what it was on the event before

and for each watcher, one behind the other, what it needs:

  8 of a level: 1 while it holds
  8 of a change: the number of the last firing, or of the first event
 48 of one that tells with an interval: from when on the next firing may be told, in ns; and the last firing that
    wasn't told, as a `WatchEvent`, in which `coalesced` counts it as well
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from axiom_hw.board.watch import Watch
from axiom_hw.board.watch_field import Number, number_of
from axiom_hw.board.watch_orders import Setting
from axiom_hw.bpf.spec import MapSpec
from axiom_hw.watch.event import EVENT, EVENT_FIELDS

SEEN: Final = 0
PREVIOUS: Final = 8
HELD_EVENT: Final = 8  # behind `due`
HELD_COUNT: Final = HELD_EVENT + EVENT_FIELDS["coalesced"].offset


@dataclass(frozen=True, slots=True)
class Listed:
    """A watcher that is ready: with its id, the ring that it tells, and the calls that carry out its orders."""

    id: int
    watch: Watch
    ring: MapSpec | None = None
    settings: tuple[Setting, ...] = ()
    end_settings: tuple[Setting, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """Where in the value a watcher's parts lie, in bytes; -1 for what it doesn't keep. The next begin at `end`."""

    holds: int
    reference: int
    due: int
    end: int


def row_of(watch: Watch, at: int, tells: bool) -> Row:
    """The parts of a watcher, from `at` on. One that tells nobody keeps nothing to be told."""
    is_level = watch.condition.test.is_level
    end = at + 8
    due = -1
    if tells and watch.interval_ns:
        due, end = end, end + HELD_EVENT + EVENT.size
    return Row(at if is_level else -1, -1 if is_level else at, due, end)


@dataclass(frozen=True, slots=True)
class Plan:
    """The value of one program's map: where the number of the event before lies, and the parts of each watcher."""

    previous: Mapping[Number, int]
    rows: tuple[Row, ...]
    size: int


def plan_of(watchers: Sequence[Listed]) -> Plan:
    """What a program of these watchers keeps. Raises `SpecError`, `HookError` for a field that isn't there."""
    told = (number_of(one.watch) for one in watchers if one.ring is not None and one.watch.condition.test.is_level)
    previous = {number: PREVIOUS + 8 * index for index, number in enumerate(dict.fromkeys(told))}
    at = PREVIOUS + 8 * len(previous)
    rows = []
    for one in watchers:
        rows.append(row_of(one.watch, at, one.ring is not None))
        at = rows[-1].end
    return Plan(MappingProxyType(previous), tuple(rows), at)
