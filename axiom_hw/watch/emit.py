"""The watchers of one hook as one program, or as several where they are many: straight code, all constants in place.

A condition costs some instructions an event; a program of its own would cost a dispatch. In the program, r7 is the
address of the state and r8 the context. A number, and the time, are loaded anew for each watcher: what one
learns about them would otherwise make one more state for the proof of all behind.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Final

from axiom_hw.board.watch import Comparison
from axiom_hw.board.watch_field import Number, number_of
from axiom_hw.board.watch_orders import Setting
from axiom_hw.bpf.spec import MapSpec, MapType, ProgramSpec
from axiom_hw.events import ctx_of
from axiom_hw.watch.code import Code, TooFar
from axiom_hw.watch.condition import if_begun, load_number, unless_ended, unless_far
from axiom_hw.watch.rings import Tellers
from axiom_hw.watch.state import HELD_COUNT, SEEN, Listed, Plan, Row, plan_of

PROGRAM_WATCHERS: Final = 500  # of one program; LLVM takes longer for one long function than for two
STATE: Final = ".state"  # the map; each program has its own

_X, _REFERENCE, _NOW, _WAS, _STATE, _CTX = 1, 2, 4, 6, 7, 8


@dataclass(frozen=True, slots=True)
class Compiled:
    """A program, the watchers that it is of, and where each keeps what."""

    spec: ProgramSpec
    watchers: tuple[Listed, ...]
    plan: Plan

    def untold(self, state: bytes) -> tuple[tuple[Listed, int], ...]:
        """The watchers that have firings which nobody was told of, and how many. `state` is the value of the map."""
        found = []
        for one, row in zip(self.watchers, self.plan.rows, strict=True):
            at = row.due + HELD_COUNT
            if row.due >= 0 and (count := int.from_bytes(state[at : at + 4], "little")):
                found.append((one, count))
        return tuple(found)


def programs_of(on: str, watchers: Sequence[Listed]) -> tuple[Compiled, ...]:
    """The programs that look at the events of the hook `on` for these watchers, in their order.

    Raises `SpecError`, `HookError` with the name of a watcher whose field isn't there.
    """
    parts = [watchers[at : at + PROGRAM_WATCHERS] for at in range(0, len(watchers), PROGRAM_WATCHERS)]
    name = "watch_" + re.sub(r"\W+", "_", on)
    made: list[Compiled] = []
    while parts:
        part = parts.pop(0)
        named = name if not made and not parts else f"{name}_{len(made) + 1}"
        try:
            made.append(_Program(on, part).compiled(named))
        except TooFar:
            half = len(part) // 2
            parts[:0] = [part[:half], part[half:]]
    return tuple(made)


class _Program:
    """One program in the making.

    Synchronization: one thread.
    """

    def __init__(self, on: str, watchers: Sequence[Listed]) -> None:
        self._on = on
        self._ctx = ctx_of(on)
        layout = self._ctx.layout
        assert layout is not None
        (self._time_at,) = (field.offset for field in layout.fields if field.name == "timestamp_ns")
        self._watchers = watchers
        self._numbers = [number_of(one.watch) for one in watchers]
        self._code = Code()
        self._tellers = Tellers(self._code)
        self._rare: list[Callable[[], None]] = []  # to be emitted behind the exit
        self._rings: list[MapSpec] = []
        for one in watchers:
            if one.ring is not None and one.ring not in self._rings:
                self._rings.append(one.ring)
        self._plan = plan_of(watchers)
        self._state = MapSpec(STATE, MapType.ARRAY, 4, self._plan.size, 1)

    def compiled(self, name: str) -> Compiled:
        """All of it."""
        return Compiled(self._spec(name), tuple(self._watchers), self._plan)

    def _spec(self, name: str) -> ProgramSpec:
        code, first, started = self._code, self._code.label(), self._code.label()
        code.move(_CTX, 1)
        code.map_value(_STATE, 0)
        code.load(_X, _STATE, SEEN, 32)
        code.jump_if("eq", _X, 0, first, 0)
        code.place(started)
        for one, number, row in zip(self._watchers, self._numbers, self._plan.rows, strict=True):
            self._watcher(one, number, row)
        self._keep_previous()
        code.number(0, 0)
        code.op("exit")
        code.place(first)
        self._first_event()
        code.jump(started)
        for emit in self._rare:
            emit()
        functions = {0: name, **self._tellers.emit()}
        maps = (self._state, *self._rings)
        return ProgramSpec(name, code.finish(), maps, self._ctx, self._on, functions=MappingProxyType(functions))

    def _first_event(self) -> None:
        """On the first event nothing has changed, and outputs of conditions that don't hold are told so."""
        code = self._code
        code.store_number(_STATE, SEEN, 1, 32)
        self._keep_previous()
        for one, number, row in zip(self._watchers, self._numbers, self._plan.rows, strict=True):
            if not one.watch.condition.test.is_level:
                load_number(code, number, _CTX)
                code.store(_STATE, row.reference, _X)
            elif one.end_settings:
                done = code.label()
                load_number(code, number, _CTX)
                if_begun(code, number, one.watch.condition, done)
                self._carry_out(one.end_settings)
                code.place(done)

    def _keep_previous(self) -> None:
        for number, at in self._plan.previous.items():
            load_number(self._code, number, _CTX)
            self._code.store(_STATE, at, _X)

    def _watcher(self, one: Listed, number: Number, row: Row) -> None:
        """Without a firing it goes by way of `quiet`, where an earlier one may be left to tell; with one to `past`.

        What most events need lies here; the rest behind the program, out of the processor's way.
        """
        code, past, quiet = self._code, self._code.label(), self._code.label()
        load_number(code, number, _CTX)
        if one.watch.condition.test.is_level:
            self._level(one, number, row, quiet, past)
        else:
            self._change(one, number, row, quiet, past)
        code.place(quiet)
        if row.due >= 0:
            waiting = code.label()
            code.load(_X, _STATE, row.due + HELD_COUNT, 32)
            code.jump_if("ne", _X, 0, waiting, 0)
            self._rare.append(partial(self._flush, one, row, waiting, past))
        code.place(past)

    def _flush(self, one: Listed, row: Row, waiting: int, past: int) -> None:
        code, back = self._code, self._code.label()
        assert one.ring is not None
        code.place(waiting)
        code.load(_X, _STATE, row.due)
        code.load(_NOW, _CTX, self._time_at)
        code.jump_if_reg("lt", _NOW, _X, back)
        self._point_to(row)
        code.call(self._tellers.of(self._ring_index(one.ring), one.watch.interval_ns).flush)
        code.place(back)
        code.jump(past)

    def _level(self, one: Listed, number: Number, row: Row, quiet: int, past: int) -> None:
        code, held, begun = self._code, self._code.label(), self._code.label()
        code.load(2, _STATE, row.holds, 32)
        code.jump_if("ne", 2, 0, held, 0)
        if_begun(code, number, one.watch.condition, begun)

        def rare() -> None:
            stays = code.label()
            code.place(begun)
            code.store_number(_STATE, row.holds, 1, 32)
            self._begin(one)
            self._tell_level(one, number, row, became=1)
            code.jump(past)
            code.place(held)
            unless_ended(code, number, one.watch.condition, stays)
            code.store_number(_STATE, row.holds, 0, 32)
            self._carry_out(one.end_settings)
            if one.watch.ends and one.ring is not None:
                self._tell_level(one, number, row, became=0)
                code.jump(past)
            code.place(stays)
            code.jump(quiet)

        self._rare.append(rare)

    def _tell_level(self, one: Listed, number: Number, row: Row, became: int) -> None:
        if one.ring is not None:
            load_number(self._code, number, _CTX, into=2)
            self._code.load(3, _STATE, self._plan.previous[number])
            self._tell(one, row, became)

    def _change(self, one: Listed, number: Number, row: Row, quiet: int, past: int) -> None:
        code, other = self._code, self._code.label()
        code.load(_REFERENCE, _STATE, row.reference)
        code.jump_if_reg("ne", _X, _REFERENCE, other)

        def rare() -> None:
            stays = code.label()
            code.place(other)
            unless_far(code, number, one.watch.condition, stays)
            code.move(_WAS, _REFERENCE)
            code.store(_STATE, row.reference, _X)
            self._begin(one)
            if one.ring is not None:
                load_number(code, number, _CTX, into=2)
                code.move(3, _WAS)
                self._tell(one, row, became=1)
            code.jump(past)
            if one.watch.condition.test is Comparison.CHANGED_PERCENT:
                code.place(stays)
                code.jump(quiet)

        self._rare.append(rare)

    def _begin(self, one: Listed) -> None:
        """Outputs first: whoever reads of the firing finds them done."""
        if one.watch.stop is not None:
            self._code.number(1, one.watch.stop)
            self._code.call_helper("emergency_stop")
        self._carry_out(one.settings)

    def _carry_out(self, settings: tuple[Setting, ...]) -> None:
        for setting in settings:
            for register, argument in enumerate(setting.arguments, 1):
                self._code.number(register, argument)
            self._code.call_helper(setting.helper)

    def _tell(self, one: Listed, row: Row, became: int) -> None:
        """r2 is the number, r3 the previous one."""
        assert one.ring is not None
        code, told = self._code, self._code.label()
        code.load(_NOW, _CTX, self._time_at)
        code.number(5, one.id | became << 32)
        teller = self._tellers.of(self._ring_index(one.ring), one.watch.interval_ns)
        if row.due >= 0:
            at_once = code.label()
            self._point_to(row)
            code.load(0, _STATE, row.due)
            code.jump_if_reg("ge", _NOW, 0, at_once)
            code.call(teller.keep)
            code.jump(told)
            code.place(at_once)
        code.call(teller.tell)
        code.place(told)

    def _point_to(self, row: Row) -> None:
        self._code.move(1, _STATE)
        self._code.op("add64 imm", 1, imm=row.due)

    def _ring_index(self, ring: MapSpec) -> int:
        return 1 + self._rings.index(ring)
