"""What a watcher means, as plain Python over exact integers: the programs are compared with this."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from axiom_hw.board.watch import Comparison, Condition, Watch
from axiom_hw.board.watch_field import number_of
from axiom_hw.board.watch_orders import Setting
from axiom_hw.watch.event import WatchEvent
from axiom_hw.watch.state import Listed


def holds(condition: Condition, x: int) -> bool:
    limit = condition.limit
    match condition.test:
        case Comparison.EQUAL:
            return x == limit
        case Comparison.NOT_EQUAL:
            return x != limit
        case Comparison.ABOVE:
            return x > limit
        case Comparison.AT_LEAST:
            return x >= limit
        case Comparison.BELOW:
            return x < limit
        case _:
            assert condition.test is Comparison.AT_MOST
            return x <= limit


def is_over(condition: Condition, x: int) -> bool:
    limit, hysteresis = condition.limit, condition.hysteresis
    match condition.test:
        case Comparison.EQUAL:
            return abs(x - limit) > hysteresis
        case Comparison.NOT_EQUAL:
            return x == limit
        case Comparison.ABOVE:
            return x <= limit - hysteresis
        case Comparison.AT_LEAST:
            return x < limit - hysteresis
        case Comparison.BELOW:
            return x >= limit + hysteresis
        case _:
            return x > limit + hysteresis


def is_far(condition: Condition, new: int, old: int) -> bool:
    return new != old and (
        condition.test is Comparison.CHANGED or abs(new - old) * 100 >= condition.limit * abs(old)
    )  # fmt: skip


@dataclass
class Model:
    """One watcher. `told` is what its ring gets, `done` what it asks of the guard."""

    listed: Listed
    told: list[WatchEvent] = field(default_factory=list)
    done: list[tuple[object, ...]] = field(default_factory=list)
    _last: int | None = None
    _reference: int = 0
    _holds: bool = False
    _due_ns: int = 0
    _kept: WatchEvent | None = None

    def event(self, ctx: bytes, timestamp_ns: int) -> None:
        watch = self.listed.watch
        number = number_of(watch)
        x = number.of(ctx)
        first = self._last is None
        if first:
            self._last = self._reference = x
        if watch.condition.test.is_level:
            self._level(watch, x, timestamp_ns, first)
        elif is_far(watch.condition, x, self._reference):
            before, self._reference = self._reference, x
            self._begin()
            self._fire(x, before, True, timestamp_ns)
        else:
            self._quiet(timestamp_ns)
        self._last = x

    def _level(self, watch: Watch, x: int, timestamp_ns: int, first: bool) -> None:
        assert self._last is not None
        if not self._holds and holds(watch.condition, x):
            self._holds = True
            self._begin()
            self._fire(x, self._last, True, timestamp_ns)
        elif self._holds and is_over(watch.condition, x):
            self._holds = False
            self._carry_out(self.listed.end_settings)
            if watch.ends:
                self._fire(x, self._last, False, timestamp_ns)
            else:
                self._quiet(timestamp_ns)
        else:
            if first and not self._holds:
                self._carry_out(self.listed.end_settings)
            self._quiet(timestamp_ns)

    def _begin(self) -> None:
        if self.listed.watch.stop is not None:
            self.done.append(("emergency_stop", self.listed.watch.stop))
        self._carry_out(self.listed.settings)

    def _carry_out(self, settings: tuple[Setting, ...]) -> None:
        self.done += [(one.helper, *one.arguments) for one in settings]

    def _fire(self, x: int, before: int, became: bool, timestamp_ns: int) -> None:
        count = 0 if self._kept is None else self._kept.coalesced
        event = WatchEvent(timestamp_ns, signed(x), signed(before), self.listed.id, int(became), count, 0)
        if self.listed.watch.interval_ns and timestamp_ns < self._due_ns:
            self._kept = replace(event, coalesced=count + 1)
        else:
            self._tell(event, timestamp_ns)

    def _quiet(self, timestamp_ns: int) -> None:
        if self._kept is not None and timestamp_ns >= self._due_ns:
            self._tell(replace(self._kept, coalesced=self._kept.coalesced - 1), timestamp_ns)

    def _tell(self, event: WatchEvent, timestamp_ns: int) -> None:
        if self.listed.ring is not None:
            self.told.append(event)
        self._kept = None
        self._due_ns = timestamp_ns + self.listed.watch.interval_ns

    @property
    def kept(self) -> Iterator[WatchEvent]:
        if self._kept is not None:
            yield self._kept


def signed(number: int) -> int:
    """A number as an s64 carries its bits."""
    return (number + (1 << 63)) % (1 << 64) - (1 << 63)
