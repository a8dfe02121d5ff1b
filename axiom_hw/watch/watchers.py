"""The watchers of an application and of its board: declared by name, compiled together where the board is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from axiom_hw.board import Board, parse_duration_ns
from axiom_hw.board.watch import Condition, Order, Watch
from axiom_hw.board.watch_field import check_watch
from axiom_hw.board.watch_orders import setting
from axiom_hw.bpf.maps import ArrayMap, Map, RingReader
from axiom_hw.bpf.spec import MapSpec
from axiom_hw.bpf.verifier import verify
from axiom_hw.errors import BoardError, HookError, SpecError
from axiom_hw.ready import Ready
from axiom_hw.watch.emit import Compiled, programs_of
from axiom_hw.watch.event import WatchEvent
from axiom_hw.watch.state import Listed


class Watcher:
    """A watcher of an application. Iterating it gives its firings, waits for more, and ends with the run.

    Synchronization: as its ring's reader, one thread at a time.
    """

    def __init__(self, id: int, name: str, ring: RingReader[WatchEvent] | None) -> None:
        self.id = id
        self.name = name
        self.ring = ring

    def __iter__(self) -> Iterator[WatchEvent]:
        if self.ring is None:
            raise SpecError(
                f"watch {self.name}", "drives outputs, and tells nobody",
                'give it a ring: watch(..., into=app.ringbuf("fired", hw.WatchEvent))',
            )  # fmt: skip
        return iter(self.ring)


@dataclass(frozen=True, slots=True)
class _Said:
    """What an application declared; `watch` is None where the board's file says what it is."""

    id: int
    name: str
    watch: Watch | None
    ring: MapSpec | None


class Watchers:
    """All of one application.

    Synchronization: declared and compiled by one thread.
    """

    def __init__(self) -> None:
        self._said: list[_Said] = []
        self._running: list[tuple[Compiled, ArrayMap]] = []

    def declare(
        self, name: str, watch: Watch | None, ring: RingReader[WatchEvent] | None,
        make_ring: Callable[[], RingReader[WatchEvent]],
    ) -> Watcher:  # fmt: skip
        """Another one. Raises `SpecError` for a name that is taken, and for what can never fire.

        It tells through `ring`; without one, through a ring of its own, unless it acts.
        """
        if any(said.name == name for said in self._said):
            raise SpecError(f"watch {name}", "is declared already", "give this one another name")
        if watch is not None:
            check(watch)
        if ring is not None and ring.record_type is not WatchEvent:
            raise SpecError(
                f"watch {name}", f"can't tell through the ring {ring.name}, whose records are something else",
                f'declare it with app.ringbuf("{ring.name}", hw.WatchEvent)',
            )  # fmt: skip
        if ring is None and (watch is None or not watch.acts):
            ring = make_ring()
        made = _Said(len(self._said), name, watch, ring.map.spec if ring is not None else None)
        self._said.append(made)
        return Watcher(made.id, name, ring)

    def compiled(self, board: Board | None) -> tuple[Compiled, ...]:
        """The programs of all, and of those that only the board declares: one for each hook, or a few.

        Raises `BoardError` for a watcher or an output that the board doesn't have.
        """
        by_hook: dict[str, list[Listed]] = {}
        for said in self._all(board):
            watch = said.watch if said.watch is not None else _of_board(board, said.name)
            by_hook.setdefault(watch.on, []).append(_listed(said, watch, board))
        return tuple(program for on, listed in by_hook.items() for program in programs_of(on, listed))

    def ready(
        self, board: Board | None, bind: Callable[[str, tuple[MapSpec, ...]], tuple[Map, ...]]
    ) -> tuple[Ready, ...]:
        """The programs, proved. `bind` gives the maps of a program by its name and what it declares."""
        found = []
        for compiled in self.compiled(board):
            spec = compiled.spec
            maps = bind(spec.name, spec.maps)
            state = maps[0]
            assert isinstance(state, ArrayMap)
            self._running.append((compiled, state))
            names = [one.watch.name for one in compiled.watchers]
            place = f"watch {names[0]}" + (f" and {len(names) - 1} more" if len(names) > 1 else "")
            found.append(Ready(verify(spec), maps, place=place, drives=_driven(compiled)))
        return tuple(found)

    def untold(self) -> Iterator[tuple[str, int]]:
        """Watchers with firings that fell into an interval which never ended, and how many."""
        for compiled, state in self._running:
            ((_, value),) = state.entries()
            for one, count in compiled.untold(value):
                yield one.watch.name, count

    def _all(self, board: Board | None) -> Iterator[_Said]:
        """Those of the application, then those of its board that it doesn't mention, which tell nobody."""
        yield from self._said
        mine = {said.name: said for said in self._said}
        free = len(self._said)
        for watch in board.watches if board is not None else ():
            said = mine.get(watch.name)
            if said is None:
                yield _Said(free, watch.name, watch, None)
                free += 1
            elif said.watch is not None:
                assert board is not None
                raise SpecError(
                    f"watch {watch.name}", f"is declared by the application, and by {board.source}",
                    f'for the board\'s: app.watch("{watch.name}"); else give this one another name',
                )  # fmt: skip


def said_watch(
    name: str, on: str, field: str, when: Condition | None, interval: str, ends: bool,
    drive: Mapping[str, int] | None, otherwise: Mapping[str, int] | None, stop: int | None,
) -> Watch | None:  # fmt: skip
    """What the arguments of `App.watch` say; None where they say nothing but the name. Raises `SpecError`."""
    place = f"watch {name}"
    if not on:
        if field or when is not None or interval or ends or drive or otherwise or stop is not None:
            raise SpecError(place, "doesn't say which events", f'watch("{name}", "iio/imu/accel_x", "micro", ...)')
        return None
    if not field or when is None:
        raise SpecError(
            place, f"doesn't say what it looks for on {on}",
            f'watch("{name}", "{on}", "{field or "micro"}", when=hw.above(30_000_000))',
        )  # fmt: skip
    try:
        interval_ns = parse_duration_ns(interval) if interval else 0
    except ValueError as error:
        raise SpecError(place, f"interval: {error}") from None
    return Watch(name, on, field, when, interval_ns, ends, _orders(drive), _orders(otherwise), stop)


def check(watch: Watch) -> None:
    """Raise `SpecError`, `HookError`, both with the watcher's name, for one that can never fire."""
    try:
        check_watch(watch)
    except HookError as error:
        raise HookError(f"watch {watch.name}: {error.place}", error.problem, error.fix) from None


def _orders(said: Mapping[str, int] | None) -> tuple[Order, ...]:
    return tuple(Order(output, int(value)) for output, value in (said or {}).items())


def _of_board(board: Board | None, name: str) -> Watch:
    watches = board.watches if board is not None else ()
    for watch in watches:
        if watch.name == name:
            return watch
    there = ", ".join(watch.name for watch in watches) or "none"
    source = board.source if board is not None else "no board was chosen, so"
    raise BoardError(
        source, f"has no watcher `{name}`; it has {there}" if board is not None else f"there is no watcher `{name}`",
        f"add [watch.{name}], or say what it looks for: watch(\"{name}\", hook, field, when=...)",
    )  # fmt: skip


def _listed(said: _Said, watch: Watch, board: Board | None) -> Listed:
    if watch.acts and board is None:
        raise BoardError(
            f"watch {watch.name}", "drives outputs of a board, but no board was chosen",
            'choose one: --board rpi5-bench, or App(..., board="rpi5-bench")',
        )  # fmt: skip
    outputs = board.outputs if board is not None else ()
    begin, end = (tuple(setting(watch, one, outputs) for one in orders) for orders in (watch.orders, watch.end_orders))
    return Listed(said.id, replace(watch, name=said.name), said.ring, begin, end)


def _driven(compiled: Compiled) -> tuple[str, ...]:
    orders = [order for one in compiled.watchers for order in (*one.watch.orders, *one.watch.end_orders)]
    return tuple(dict.fromkeys(order.output for order in orders))
