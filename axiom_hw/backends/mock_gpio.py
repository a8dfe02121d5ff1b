"""A bench in memory: GPIO chips that obey the kernel's rules, on any clock, with the world's side to play on.

What it obeys is read from drivers/gpio/gpiolib-cdev.c: lines are exclusive, an event buffer has a size and drops
the oldest, lost events are numbered too, and software debounce stamps an edge when it has settled.
"""

from __future__ import annotations

import errno
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from axiom_hw.backends.gpio import (
    DEFAULT_EVENTS_PER_LINE,
    MAX_EVENT_BUFFER,
    LineEvent,
    LineInput,
    LineOutput,
    check_request,
    check_value,
    line_busy,
    no_such_chip,
    not_an_output,
    not_requested,
    released,
)
from axiom_hw.backends.mock_faults import LineFaults
from axiom_hw.board import Bias, Board, Drive, EdgeDetection
from axiom_hw.errors import BackendError
from axiom_hw.events import Edge

_IDLE_LEVEL = {Bias.PULL_UP: 1, Bias.PULL_DOWN: 0}
_WANTED = {
    EdgeDetection.NONE: (),
    EdgeDetection.RISING: (Edge.RISING,),
    EdgeDetection.FALLING: (Edge.FALLING,),
    EdgeDetection.BOTH: (Edge.RISING, Edge.FALLING),
}

Watcher = Callable[[int, int, int], None]
_Todo = list[Callable[[], object]]


class Time(Protocol):
    """What the mock needs of a clock."""

    def now_ns(self) -> int: ...


class Timers(Protocol):
    """What the mock needs of a scheduler: software debounce waits on it."""

    def at(self, due_ns: int, callback: Callable[[int, int, int], None], /) -> object: ...


@dataclass(slots=True)
class _Wire:
    """One line: what drives it from either side, and who owns it."""

    offset: int
    world: int | None = None  # what the outside drives; None lets it float
    ours: int | None = None  # what we drive; None makes it an input
    drive: Drive = Drive.PUSH_PULL
    bias: Bias = Bias.AS_IS
    level: int = 0
    owner: MockRequest | None = None
    settled: int = 0  # the level that debounce lets through
    bounces: int = 0  # tells a debounce timer whether it was restarted
    faults: LineFaults = field(default_factory=LineFaults)

    def measure(self) -> int:
        """The level that the drivers of both sides make now; a line that nothing drives keeps its charge."""
        if self.faults.stuck_at is not None:
            return self.faults.stuck_at
        pushes = self.ours is not None and (
            self.drive is Drive.PUSH_PULL or self.ours == (1 if self.drive is Drive.OPEN_SOURCE else 0)
        )
        if self.ours is not None and pushes:
            return self.ours
        if self.world is not None:
            return self.world
        return _IDLE_LEVEL.get(self.bias, self.level)


@dataclass(slots=True)
class _Owned:
    """One line of a request: its settings, and how many edges it had."""

    wire: _Wire
    active_low: bool
    is_output: bool
    edges: EdgeDetection = EdgeDetection.NONE
    debounce_ns: int = 0
    seqno: int = 0


class MockChip:
    """A chip in memory. `drive` and `level` are the world's side of its wires.

    `persist_outputs` is what a Pi 5 does: a released output keeps its level (pinctrl-rp1's persist_gpio_outputs).

    Synchronization: none required by the caller; a lock stands for the kernel's, watchers run outside of it.
    """

    def __init__(
        self, label: str, num_lines: int, clock: Time, timers: Timers, *, persist_outputs: bool = True
    ) -> None:
        self._label = label
        self.num_lines = num_lines
        self.persist_outputs = persist_outputs
        self.clock = clock
        self.timers = timers
        self.lock = threading.Lock()
        self._wires = [_Wire(offset) for offset in range(num_lines)]
        self._watchers: tuple[Watcher, ...] = ()
        self.is_present = True

    @property
    def label(self) -> str:
        """What the chip is found by."""
        return self._label

    def drive(self, offset: int, level: int | None) -> None:
        """Be the outside world: drive the wire to 0 or 1, or let go of it with None. An output of ours wins."""
        if level not in (0, 1, None):
            raise BackendError(self._place(offset), f"can't be driven to {level!r}; a level is 0, 1 or None")
        with self.lock:
            wire = self._wire(offset)
            wire.world = level
            todo = self._settle(wire)
        _run(todo)

    def level(self, offset: int) -> int:
        """What a meter on the wire shows, 0 or 1."""
        with self.lock:
            return self._wire(offset).level

    def consumer(self, offset: int) -> str | None:
        """Who owns a line; None where nobody does."""
        with self.lock:
            owner = self._wire(offset).owner
            return owner.consumer if owner else None

    def faults(self, offset: int) -> LineFaults:
        """What is wrong with a line; it may be changed."""
        with self.lock:
            return self._wire(offset).faults

    def stick(self, offset: int, level: int | None = None) -> None:
        """Let a wire keep a level, the one it has unless given, whoever drives it."""
        with self.lock:
            wire = self._wire(offset)
            wire.faults.stuck_at = wire.level if level is None else level
            todo = self._settle(wire)
        _run(todo)

    def heal(self, offset: int) -> None:
        """Undo every fault of a line: its wire has the level that its drivers make."""
        with self.lock:
            wire = self._wire(offset)
            wire.faults.heal()
            todo = self._settle(wire)
        _run(todo)

    def unplug(self) -> None:
        """Take the chip away, as a USB adapter can go: whoever has lines of it meets ENODEV."""
        with self.lock:
            self.is_present = False
            for request in {wire.owner for wire in self._wires if wire.owner is not None}:
                request.gone()

    def plug(self) -> None:
        """Bring it back, for those who open it anew."""
        with self.lock:
            self.is_present = True

    def watch(self, watcher: Watcher) -> None:
        """Call `watcher(timestamp_ns, offset, level)` after each change of a level on a wire."""
        with self.lock:
            self._watchers = (*self._watchers, watcher)

    def request_inputs(self, lines: Sequence[LineInput], consumer: str, event_buffer_size: int = 0) -> MockRequest:
        """See `GpioChip.request_inputs`."""
        with self.lock:
            wires = self._claim([line.offset for line in lines])
            owned = [
                _Owned(wire, line.active_low, False, line.edges, line.debounce_ns)
                for wire, line in zip(wires, lines, strict=True)
            ]
            request = MockRequest(self, consumer, owned, event_buffer_size)
            todo: _Todo = []
            for wire, line in zip(wires, lines, strict=True):
                wire.ours = None
                wire.bias = wire.bias if line.bias is Bias.AS_IS else line.bias
                todo += self._settle(wire)
                wire.owner, wire.settled = request, wire.level
        _run(todo)
        return request

    def request_outputs(self, lines: Sequence[LineOutput], consumer: str) -> MockRequest:
        """See `GpioChip.request_outputs`."""
        for line in lines:
            check_value(self._label, line.offset, line.value)
        with self.lock:
            wires = self._claim([line.offset for line in lines])
            owned = [_Owned(wire, line.active_low, True) for wire, line in zip(wires, lines, strict=True)]
            request = MockRequest(self, consumer, owned, 0)
            todo: _Todo = []
            for wire, line in zip(wires, lines, strict=True):
                wire.owner, wire.drive, wire.ours = request, line.drive, line.value ^ line.active_low
                todo += self._settle(wire)
        _run(todo)
        return request

    def close(self) -> None:
        """Nothing to do: the chip is part of the bench, and its requests live until they are released."""

    def _place(self, offset: int) -> str:
        return f"line {offset} of {self._label}"

    def _wire(self, offset: int) -> _Wire:
        if not 0 <= offset < self.num_lines:
            raise BackendError(
                self._place(offset), f"isn't there; its lines are 0 to {self.num_lines - 1}", errno=errno.EINVAL
            )
        return self._wires[offset]

    def _claim(self, offsets: list[int]) -> list[_Wire]:
        check_request(self._label, self.num_lines, offsets)
        wires = [self._wires[offset] for offset in offsets]
        for wire in wires:
            if wire.owner is not None:
                raise line_busy(self._label, wire.offset, wire.owner.consumer)
        return wires

    def _settle(self, wire: _Wire) -> _Todo:
        """Bring the level up to date, with the lock held; what has to happen without it is returned."""
        level = wire.measure()
        if level == wire.level:
            return []
        wire.level = level
        now_ns, offset = self.clock.now_ns(), wire.offset
        todo: _Todo = [partial(watcher, now_ns, offset, level) for watcher in self._watchers]
        if wire.owner is not None:
            todo += wire.owner.level_changed(wire, now_ns)
        return todo


class MockRequest:
    """Lines of a mock chip that are ours until `release`.

    Synchronization: none required by the caller.
    """

    def __init__(self, chip: MockChip, consumer: str, owned: list[_Owned], event_buffer_size: int) -> None:
        self.consumer = consumer
        self.dropped = 0  # events that the buffer had no room for
        self._chip = chip
        self._owned = {line.wire.offset: line for line in owned}
        asked = min(event_buffer_size or DEFAULT_EVENTS_PER_LINE * len(owned), MAX_EVENT_BUFFER)
        self._capacity = 1 << (asked - 1).bit_length()  # kfifo_alloc rounds up to a power of two
        self._queue: deque[LineEvent] = deque()
        self._seqno = 0
        self._is_released = False
        self._is_gone = False
        self._readable, self._wake = os.pipe()

    @property
    def offsets(self) -> tuple[int, ...]:
        """See `GpioRequest.offsets`."""
        return tuple(self._owned)

    def get(self, offset: int) -> int:
        """See `GpioRequest.get`. A debounced line shows its settled level, as in the kernel."""
        with self._chip.lock:
            line = self._line(offset)
            self._fail(line)
            level = line.wire.settled if line.debounce_ns else line.wire.level
            return level ^ line.active_low

    def set(self, offset: int, value: int) -> None:
        """See `GpioRequest.set`."""
        check_value(self._chip.label, offset, value)
        with self._chip.lock:
            line = self._line(offset)
            if not line.is_output:
                raise not_an_output(self._chip.label, offset)
            self._fail(line)
            line.wire.ours = value ^ line.active_low
            todo = self._chip._settle(line.wire)
        _run(todo)

    def fileno(self) -> int:
        """See `GpioRequest.fileno`."""
        with self._chip.lock:
            self._check_live()
            return self._readable

    def descriptor(self) -> int | None:
        """See `GpioRequest.descriptor`: there is none."""
        return None

    def read_events(self, max_events: int = 64) -> list[LineEvent]:
        """See `GpioRequest.read_events`."""
        with self._chip.lock:
            self._check_live()
            taken = [self._queue.popleft() for _ in range(min(max_events, len(self._queue)))]
            if taken and not self._queue:
                os.read(self._readable, 1)
            return taken

    def gone(self) -> None:
        """The chip's last word, with the lock held: whoever sleeps on the descriptor has to see it."""
        self._is_gone = True
        if not self._queue:
            os.write(self._wake, b"\0")

    def release(self) -> None:
        """See `GpioRequest.release`. A second time does nothing."""
        todo: _Todo = []
        with self._chip.lock:
            if self._is_released:
                return
            self._is_released = True
            for line in self._owned.values():
                line.wire.owner = None
                if line.is_output and not self._chip.persist_outputs:
                    line.wire.ours = None
                    todo += self._chip._settle(line.wire)
            os.close(self._readable)
            os.close(self._wake)
        _run(todo)

    def level_changed(self, wire: _Wire, now_ns: int) -> _Todo:
        """The chip's word to its owner, with the lock held."""
        line = self._owned[wire.offset]
        if line.is_output:
            return []
        if not line.debounce_ns:
            self._emit(line, wire.level, now_ns)
            return []
        # Each bounce starts the wait anew; a timer that finds another count was overtaken.
        wire.bounces += 1
        bounces, due_ns = wire.bounces, now_ns + line.debounce_ns
        return [partial(self._chip.timers.at, due_ns, partial(self._debounced, line, bounces))]

    def _debounced(self, line: _Owned, bounces: int, *_expiration: int) -> None:
        with self._chip.lock:
            wire = line.wire
            if self._is_released or wire.bounces != bounces or wire.level == wire.settled:
                return
            wire.settled = wire.level
            self._emit(line, wire.level, self._chip.clock.now_ns())

    def _emit(self, line: _Owned, level: int, now_ns: int) -> None:
        edge = Edge.RISING if level ^ line.active_low else Edge.FALLING
        if edge not in _WANTED[line.edges]:
            return
        line.seqno += 1
        self._seqno += 1
        if not line.wire.faults.keeps():
            self.dropped += 1
            return
        if len(self._queue) == self._capacity:
            self._queue.popleft()
            self.dropped += 1
        elif not self._queue:
            os.write(self._wake, b"\0")
        self._queue.append(LineEvent(now_ns, line.wire.offset, edge, line.seqno, self._seqno))

    def _line(self, offset: int) -> _Owned:
        self._check_live()
        if offset not in self._owned:
            raise not_requested(self._chip.label, offset, self.offsets)
        return self._owned[offset]

    def _fail(self, line: _Owned) -> None:
        errors = line.wire.faults.errors
        if errors:
            raise _failed(f"line {line.wire.offset} of {self._chip.label}", errors.popleft())

    def _check_live(self) -> None:
        if self._is_released:
            raise released(self._chip.label, self.offsets)
        if self._is_gone:
            raise _failed(f"lines {', '.join(map(str, self.offsets))} of {self._chip.label}", errno.ENODEV)


class MockGpio:
    """A bench of mock chips.

    Synchronization: none required by the caller.
    """

    def __init__(self, chips: Iterable[MockChip]) -> None:
        self._chips = {chip.label: chip for chip in chips}

    @classmethod
    def for_board(cls, board: Board, clock: Time, timers: Timers, *, persist_outputs: bool = True) -> MockGpio:
        """The chips that a board declares."""
        return cls(MockChip(c.label, c.lines, clock, timers, persist_outputs=persist_outputs) for c in board.chips)

    def open(self, label: str) -> MockChip:
        """See `GpioBackend.open`."""
        if label not in self._chips or not self._chips[label].is_present:
            raise no_such_chip(label, (one.label for one in self._chips.values() if one.is_present))
        return self._chips[label]

    def chip(self, label: str) -> MockChip:
        """The world's side of a chip, whether it is plugged in or not."""
        return self._chips[label]


def _run(todo: _Todo) -> None:
    for action in todo:
        action()


def _failed(place: str, number: int) -> BackendError:
    fix = "was the chip unplugged, or its driver removed?" if number == errno.ENODEV else ""
    return BackendError(place, f"failed: {os.strerror(number)} ({errno.errorcode.get(number, '?')})", fix, number)
