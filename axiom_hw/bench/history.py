"""What the outputs of a bench did, change by change: `bench.history("led") == [(0, 0), ("300ms", 1)]`."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final, SupportsIndex, overload

from axiom_hw.backends.mock_gpio import MockGpio
from axiom_hw.backends.mock_pwm import MockPwm
from axiom_hw.backends.pwm import PwmState
from axiom_hw.bench.times import ns_of
from axiom_hw.board import Board, OutputLine, PwmChannel
from axiom_hw.board.units import format_duration
from axiom_hw.errors import BoardError

KEPT: Final = 65_536  # changes of one output; the first ones are forgotten then
WIDTH: Final = 60  # characters of a drawn timeline

Value = int | None
"""Of a line 0 or 1, of a PWM output its duty in ns, or None while it is off."""

Change = tuple[int, Value]
"""A time in ns, and the value from then on."""

Watch = Callable[[int, Value], object]
"""Called with a time in ns, and the value from then on."""


class History(Sequence[Change]):
    """The changes of one output: the first is what it was at the start. Equal to a list that says the same.

    A list may write times as "300ms", duties as "1500us", and "off" for a PWM output that is switched off.

    Synchronization: immutable.
    """

    def __init__(self, name: str, changes: Sequence[Change], *, is_pwm: bool) -> None:
        self.name = name
        self.is_pwm = is_pwm
        self._changes = tuple(changes)

    @overload
    def __getitem__(self, index: SupportsIndex) -> Change: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Change, ...]: ...
    def __getitem__(self, index: SupportsIndex | slice) -> Change | tuple[Change, ...]:
        return self._changes[index]

    def __len__(self) -> int:
        return len(self._changes)

    def __iter__(self) -> Iterator[Change]:
        return iter(self._changes)

    def __hash__(self) -> int:
        return hash(self._changes)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, History):
            return self._changes == other._changes
        return self._changes == self.meant(other) if isinstance(other, list | tuple) else NotImplemented

    def __repr__(self) -> str:
        return f"[{', '.join(self._text(change) for change in self._changes)}]"

    def meant(self, listed: Sequence[object]) -> tuple[Change, ...]:
        """What somebody's list says. Raises `BoardError` for an entry that is no time and value, `ClockError` for a
        text that is no duration."""
        return tuple(self._change(entry) for entry in listed)

    def compared(self, listed: Sequence[object]) -> list[str]:
        """Where it isn't what was expected: a sentence, and both as timelines; nothing where they are equal."""
        expected = self.meant(listed)
        if expected == self._changes:
            return []
        at = next((n for n, both in enumerate(zip(expected, self._changes, strict=False)) if both[0] != both[1]),
                  min(len(expected), len(self._changes)))  # fmt: skip
        told = (
            f"{self.name} differs at change {at}: expected {self._at(expected, at)}, was {self._at(self._changes, at)}"
        )
        end_ns = max((time_ns for time_ns, _ in (*expected, *self._changes)), default=0) * 11 // 10 or 1
        begin, end = "0", format_duration(end_ns)
        return [
            told,
            f"  expected  {self._line(expected, end_ns)}",
            f"  was       {self._line(self._changes, end_ns)}",
            f"            {begin}{end:>{WIDTH - len(begin)}}",
            f"  expected  [{', '.join(map(self._text, expected))}]",
            f"  was       {self!r}",
        ]

    def _change(self, entry: object) -> Change:
        if not isinstance(entry, tuple | list) or len(entry) != 2 or not isinstance(entry[0], str | int):
            raise BoardError(self.name, f"has no change {entry!r}", 'a change is a time and a value: ("300ms", 1)')
        time, value = entry
        if value is None or value == "off":
            return ns_of(time), None
        if isinstance(value, str):
            return ns_of(time), ns_of(value)
        return ns_of(time), int(value)

    def _text(self, change: Change) -> str:
        time_ns, value = change
        return f"({self._time(time_ns)}, {self._value(value)})"

    def _at(self, changes: Sequence[Change], at: int) -> str:
        return self._text(changes[at]) if at < len(changes) else "none"

    def _time(self, time_ns: int) -> str:
        return f'"{format_duration(time_ns)}"' if time_ns else "0"

    def _value(self, value: Value) -> str:
        if value is None:
            return '"off"'
        return f'"{format_duration(value)}"' if self.is_pwm else str(value)

    def _line(self, changes: Sequence[Change], end_ns: int) -> str:
        """High where it is on, low where it is off; of a PWM output, high where there are pulses."""
        drawn = []
        for column in range(WIDTH):
            until_ns = (column + 1) * end_ns // WIDTH
            value = next((value for time_ns, value in reversed(changes) if time_ns < until_ns), 0)
            drawn.append("#" if value else "_")
        return "".join(drawn)


class Histories:
    """Keeps what the outputs of a bench do.

    Synchronization: watchers append, anybody reads.
    """

    def __init__(self, board: Board, gpio: MockGpio, pwm: MockPwm, now_ns: Callable[[], int]) -> None:
        self._board = board
        self._now_ns = now_ns
        self._begin_ns = now_ns()
        self._kept: dict[str, deque[Change]] = {}
        self._forgotten: Counter[str] = Counter()
        self._watchers: dict[str, tuple[Watch, ...]] = {}
        for number, chip in enumerate(board.chips):
            lines = {line.line: line for line in board.output_lines if line.chip_id == number}
            mock = gpio.chip(chip.label)
            for line in lines.values():
                self._begin(line.name, mock.level(line.line) ^ line.active_low)
            mock.watch(partial(self._changed, lines))
        channels = {(board.pwm_chips[row.chip_id].device, row.channel): row.name for row in board.pwm_channels}
        for (device, channel), name in channels.items():
            self._begin(name, _duty(pwm.seen(device, channel)))
        pwm.watch(partial(self._applied, channels))

    def of(self, name: str, since_ns: int) -> History:
        """What an output did since a time: first what it was then. Raises `BoardError` for a name that isn't there,
        and where too much happened for it to be kept."""
        output = self._board.output(name)
        changes = list(self._kept[name])
        before = [change for change in changes if change[0] <= since_ns]
        if not before and self._forgotten[name]:
            raise BoardError(
                name, f"changed {self._forgotten[name] + len(changes)} times; the last {KEPT} changes are kept",
                f'ask for a part: history("{name}", since="{format_duration(changes[0][0])}")',
            )  # fmt: skip
        first = [(since_ns, before[-1][1])] if before else []
        return History(name, first + changes[len(before) :], is_pwm=isinstance(output, PwmChannel))

    def watch(self, name: str, watcher: Watch) -> None:
        """Call a function after each change of an output."""
        output = self._board.output(name)
        self._watchers[output.name] = (*self._watchers.get(output.name, ()), watcher)

    def _begin(self, name: str, value: Value) -> None:
        self._kept[name] = deque([(self._begin_ns, value)], maxlen=KEPT)

    def _changed(self, lines: Mapping[int, OutputLine], time_ns: int, offset: int, level: int) -> None:
        line = lines.get(offset)
        if line is not None:
            self._add(line.name, time_ns, level ^ line.active_low)

    def _applied(self, channels: Mapping[tuple[str, int], str], device: str, channel: int, state: PwmState) -> None:
        name = channels.get((device, channel))
        if name is not None:
            self._add(name, self._now_ns(), _duty(state))

    def _add(self, name: str, time_ns: int, value: Value) -> None:
        kept = self._kept[name]
        if value == kept[-1][1]:
            return
        if time_ns == self._begin_ns and len(kept) == 1:
            kept[0] = (time_ns, value)  # the start is what it was when the run had begun
        else:
            self._forgotten[name] += len(kept) == KEPT
            kept.append((time_ns, value))
        for watcher in self._watchers.get(name, ()):
            watcher(time_ns, value)


def _duty(state: PwmState) -> Value:
    return state.duty_ns if state.enabled else None
