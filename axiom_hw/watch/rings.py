"""Subprograms that tell of firings through a ring: one for each ring and interval, called by all watchers of both.

r1 the address of what is kept for the interval, r2 the number, r3 the previous one, r4 the time, r5 the watcher's id
and, in the upper half, whether the condition became true. `flush` takes r1 and r4. None of them branches: the
proof walks through them for each watcher.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from axiom_hw.watch.code import Code
from axiom_hw.watch.event import EVENT, EVENT_FIELDS
from axiom_hw.watch.state import HELD_COUNT, HELD_EVENT

RARE: Final = ".cold"  # what native code keeps out of the way
_AT: Final = {name: field.offset for name, field in EVENT_FIELDS.items()}
_BYTES: Final = EVENT.size
_FRAME: Final = 10
DUE: Final = 0  # behind r1


@dataclass(slots=True)
class Teller:
    """The subprograms of one ring and one interval, and where they begin."""

    ring: int  # its map's index
    interval_ns: int
    tell: int
    keep: int
    flush: int


class Tellers:
    """The tellers that a program needs, made as they are asked for, emitted behind the program.

    Synchronization: one thread.
    """

    def __init__(self, code: Code) -> None:
        self._code = code
        self._made: dict[tuple[int, int], Teller] = {}

    def of(self, ring: int, interval_ns: int) -> Teller:
        """The teller of a ring and an interval."""
        code = self._code
        key = (ring, interval_ns)
        if key not in self._made:
            self._made[key] = Teller(ring, interval_ns, code.label(), code.label(), code.label())
        return self._made[key]

    def emit(self) -> dict[int, str]:
        """All of them; the name of each function by its pc."""
        names = {}
        for number, teller in enumerate(self._made.values(), 1):
            parts = (_tell, _keep, _flush) if teller.interval_ns else (_tell_at_once,)
            for part in parts:
                names[len(self._code.insns)] = f"{part.__name__.strip('_')}_{number}{RARE}"
                part(self._code, teller)
        return names


def _tell_at_once(code: Code, teller: Teller) -> None:
    code.place(teller.tell)
    _write(code, _FRAME, -_BYTES)
    code.store_number(_FRAME, _AT["coalesced"] - _BYTES, 0)  # and `reserved`
    _output(code, teller.ring)
    code.op("exit")


def _keep(code: Code, teller: Teller) -> None:
    """A firing within the interval takes the place of the one before, and is counted."""
    code.place(teller.keep)
    code.load(0, 1, HELD_COUNT, 32)
    code.op("add64 imm", 0, imm=1)
    code.store(1, HELD_COUNT, 0, 32)
    _write(code, 1, HELD_EVENT)
    code.number(0, 0)
    code.op("exit")


def _tell(code: Code, teller: Teller) -> None:
    """The interval is over, and here is a firing: it tells how many were kept before it."""
    code.place(teller.tell)
    code.move(6, 1)
    _write(code, _FRAME, -_BYTES)
    code.load(0, 6, HELD_COUNT, 32)
    code.store(_FRAME, _AT["coalesced"] - _BYTES, 0)  # and `reserved`, 0
    code.store_number(6, HELD_COUNT, 0, 32)
    _put_off(code, teller.interval_ns)
    _output(code, teller.ring)
    code.op("exit")


def _flush(code: Code, teller: Teller) -> None:
    """The interval is over: tell of the firing that was kept; it stands for those before it."""
    code.place(teller.flush)
    code.move(6, 1)
    _put_off(code, teller.interval_ns)
    code.load(0, 6, HELD_COUNT, 32)
    code.op("add64 imm", 0, imm=-1)
    code.store(6, HELD_COUNT, 0, 32)
    _output(code, teller.ring, 6, HELD_EVENT)
    code.store_number(6, HELD_COUNT, 0, 32)
    code.op("exit")


def _put_off(code: Code, interval_ns: int) -> None:
    """The next one may be told an interval after this event, r4."""
    code.move(0, 4)
    code.with_number("add", 0, interval_ns, 1)
    code.store(6, DUE, 0)


def _write(code: Code, base: int, off: int) -> None:
    """The event, but for `coalesced`."""
    code.store(base, off + _AT["timestamp_ns"], 4)
    code.store(base, off + _AT["value"], 2)
    code.store(base, off + _AT["previous"], 3)
    code.store(base, off + _AT["watcher"], 5)  # and `became` behind it


def _output(code: Code, ring: int, base: int = _FRAME, off: int = -_BYTES) -> None:
    code.map_at(1, ring)
    code.move(2, base)
    code.op("add64 imm", 2, imm=off)
    code.number(3, _BYTES)
    code.number(4, 0)
    code.call_helper("ringbuf_output")
