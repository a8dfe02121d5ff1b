"""GPIO chips in memory whose input edges come from a recording, with the time stamps and numbers that they had.

Everything else is the mock's: lines are exclusive, outputs read back, a line that nobody drives follows its bias. What
debounce had swallowed isn't in a recording, so nothing is debounced again.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from axiom_hw.backends.gpio import (
    DEFAULT_EVENTS_PER_LINE,
    MAX_EVENT_BUFFER,
    GpioRequest,
    LineEvent,
    LineInput,
    LineOutput,
    no_such_chip,
)
from axiom_hw.backends.mock_gpio import MockChip, MockGpio
from axiom_hw.board import Board, EdgeDetection
from axiom_hw.events import Edge

_WANTED = {
    EdgeDetection.NONE: (),
    EdgeDetection.RISING: (Edge.RISING,),
    EdgeDetection.FALLING: (Edge.FALLING,),
    EdgeDetection.BOTH: (Edge.RISING, Edge.FALLING),
}


@dataclass(frozen=True, slots=True)
class PlayedEdge:
    """An edge of the past: of which line, when, and its number among the line's edges."""

    offset: int
    edge: Edge
    timestamp_ns: int
    seqno: int


class ReplayChip:
    """A chip that plays edges to whoever owns the line. `values` are the logical ones of inputs at the start.

    Synchronization: none required by the caller; one thread at a time plays.
    """

    def __init__(self, chip: MockChip, values: Mapping[int, int]) -> None:
        self.mock = chip
        self._values = dict(values)
        self._owners: dict[int, ReplayRequest] = {}

    @property
    def label(self) -> str:
        """What the chip is found by."""
        return self.mock.label

    def play(self, played: PlayedEdge) -> bool:
        """Let an edge happen now. Whether somebody will read it: who owns the line wants such edges."""
        self.set_value(played.offset, int(played.edge is Edge.RISING))
        owner = self._owners.get(played.offset)
        return owner is not None and owner.take(played)

    def set_value(self, offset: int, value: int) -> None:
        """Bring an input to a logical value, without an edge; one that nobody owns yet, as soon as somebody does."""
        self._values[offset] = value
        owner = self._owners.get(offset)
        if owner is not None:
            self.mock.drive(offset, value ^ owner.is_active_low(offset))

    def request_inputs(self, lines: Sequence[LineInput], consumer: str, event_buffer_size: int = 0) -> ReplayRequest:
        """See `GpioChip.request_inputs`."""
        silent = [replace(line, edges=EdgeDetection.NONE, debounce_ns=0) for line in lines]
        inner = self.mock.request_inputs(silent, consumer, event_buffer_size)
        made = ReplayRequest(self, inner, lines, event_buffer_size)
        for line in lines:
            self._owners[line.offset] = made
            if line.offset in self._values:
                self.mock.drive(line.offset, self._values[line.offset] ^ line.active_low)
        return made

    def request_outputs(self, lines: Sequence[LineOutput], consumer: str) -> GpioRequest:
        """See `GpioChip.request_outputs`."""
        return self.mock.request_outputs(lines, consumer)

    def close(self) -> None:
        """Nothing to do: its requests live until they are released."""

    def let_go(self, request: ReplayRequest) -> None:
        """A request's last word."""
        self._owners = {offset: owner for offset, owner in self._owners.items() if owner is not request}


class ReplayRequest:
    """Inputs of a replayed chip that are ours until `release`.

    Synchronization: none required by the caller.
    """

    def __init__(
        self, chip: ReplayChip, inner: GpioRequest, lines: Sequence[LineInput], event_buffer_size: int
    ) -> None:
        self._chip = chip
        self._inner = inner
        self._lines = {line.offset: line for line in lines}
        asked = min(event_buffer_size or DEFAULT_EVENTS_PER_LINE * len(lines), MAX_EVENT_BUFFER)
        self._capacity = 1 << (asked - 1).bit_length()  # as the kernel's, see MockRequest
        self._queue: deque[LineEvent] = deque()
        self._turn = threading.Lock()
        self._seqno = 0
        self._readable: int | None = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    @property
    def offsets(self) -> tuple[int, ...]:
        """See `GpioRequest.offsets`."""
        return self._inner.offsets

    def is_active_low(self, offset: int) -> bool:
        """Whether the line's value is the reverse of its level."""
        return self._lines[offset].active_low

    def take(self, played: PlayedEdge) -> bool:
        """An edge of the chip; whether it was wanted."""
        if played.edge not in _WANTED[self._lines[played.offset].edges]:
            return False
        with self._turn:
            self._seqno += 1
            if len(self._queue) == self._capacity:
                self._queue.popleft()
            elif not self._queue and self._readable is not None:
                os.eventfd_write(self._readable, 1)
            self._queue.append(LineEvent(played.timestamp_ns, played.offset, played.edge, played.seqno, self._seqno))
        return True

    def get(self, offset: int) -> int:
        """See `GpioRequest.get`."""
        return self._inner.get(offset)

    def set(self, offset: int, value: int) -> None:
        """See `GpioRequest.set`."""
        self._inner.set(offset, value)

    def fileno(self) -> int:
        """See `GpioRequest.fileno`."""
        if self._readable is None:
            return self._inner.fileno()  # which says that it was released
        return self._readable

    def descriptor(self) -> int | None:
        """See `GpioRequest.descriptor`: there is none."""
        return None

    def read_events(self, max_events: int = 64) -> list[LineEvent]:
        """See `GpioRequest.read_events`."""
        if self._readable is None:
            return self._inner.read_events(max_events)
        with self._turn:
            taken = [self._queue.popleft() for _ in range(min(max_events, len(self._queue)))]
            if taken and not self._queue:
                os.eventfd_read(self._readable)
            return taken

    def release(self) -> None:
        """See `GpioRequest.release`. A second time does nothing."""
        with self._turn:
            readable, self._readable = self._readable, None
        if readable is not None:
            os.close(readable)
            self._chip.let_go(self)
            self._inner.release()


class ReplayGpio:
    """The chips of a board, on those of a mock. `values` are those of its inputs at the start, by chip and line.

    Synchronization: none required by the caller.
    """

    def __init__(self, board: Board, mock: MockGpio, values: Mapping[tuple[int, int], int]) -> None:
        self.chips = tuple(
            ReplayChip(mock.open(chip.label), {line: value for (at, line), value in values.items() if at == number})
            for number, chip in enumerate(board.chips)
        )

    def open(self, label: str) -> ReplayChip:
        """See `GpioBackend.open`."""
        found = next((chip for chip in self.chips if chip.label == label), None)
        if found is None:
            raise no_such_chip(label, [chip.label for chip in self.chips])
        return found
