"""Edges that a library brings by calling back, in a queue that polls as the kernel's does.

Such libraries drop the kernel's sequence numbers, so edges are numbered here, as they come. On a line that reports both
edges, two of one kind in a row prove that at least one between them was lost: then one number is left out, which the
adapter takes for the loss that it is. A lower bound: an even number of lost edges leaves no trace.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from axiom_hw.backends.gpio import LineEvent, LineInput, check_value, not_an_output, not_requested, released
from axiom_hw.board import EdgeDetection
from axiom_hw.events import Edge

ROOM: Final = 65_536  # edges; beyond that the oldest are dropped, and their numbers tell


@dataclass(slots=True)
class _Line:
    both: bool
    debounced: bool
    seqno: int = 0
    last: Edge | None = None


class EventQueue:
    """The edges of one request.

    Synchronization: `put` from the library's thread, `take` from one thread, `close` from any; nothing raises in `put`,
    because a library may end its thread with an exception.
    """

    def __init__(self, lines: Iterable[LineInput], room: int = ROOM) -> None:
        self._lines = {line.offset: _Line(line.edges is EdgeDetection.BOTH, line.debounce_ns > 0) for line in lines}
        self._room = room
        self._events: deque[LineEvent] = deque()
        self._seqno = 0
        self._lock = threading.Lock()
        self._readable, self._wake = os.pipe()
        self.closed = False

    def begin(self, offset: int, value: int) -> None:
        """The value that a line has before its first edge. lgpio tells of a spike on a fresh line that it debounces: an
        edge to the value that the line had all along.
        """
        with self._lock:
            line = self._lines[offset]
            if line.last is None:
                line.last = Edge.RISING if value else Edge.FALLING

    def put(self, offset: int, edge: Edge, timestamp_ns: int) -> None:
        """An edge that came. Those of lines that weren't asked for, and those after `close`, are nobody's."""
        with self._lock:
            line = self._lines.get(offset)
            if self.closed or line is None:
                return
            again = line.both and line.last is edge
            if again and line.debounced:
                return  # bounced, and settled where it was
            missing = int(again)
            line.last = edge
            line.seqno += 1 + missing
            self._seqno += 1 + missing
            if len(self._events) == self._room:
                self._events.popleft()
            elif not self._events:
                os.write(self._wake, b"\0")
            self._events.append(LineEvent(timestamp_ns, offset, edge, line.seqno, self._seqno))

    def take(self, max_events: int) -> list[LineEvent]:
        """The oldest edges; an empty list where there is none."""
        with self._lock:
            taken = [self._events.popleft() for _ in range(min(max_events, len(self._events)))]
            if taken and not self._events:
                os.read(self._readable, 1)
            return taken

    def fileno(self) -> int:
        """Polls readable while there are edges."""
        return self._readable

    def close(self) -> None:
        """Forget what is queued. Twice is fine."""
        with self._lock:
            if not self.closed:
                self.closed = True
                self._events.clear()
                os.close(self._readable)
                os.close(self._wake)


class QueuedRequest:
    """What requests of such libraries have in common: their lines, what may be asked of them, and edges in a queue.

    Synchronization: as `GpioRequest` says.
    """

    def __init__(self, label: str, offsets: tuple[int, ...], queue: EventQueue, *, outputs: bool) -> None:
        self._label = label
        self._offsets = offsets
        self._queue = queue
        self._outputs = outputs

    @property
    def offsets(self) -> tuple[int, ...]:
        """See `GpioRequest.offsets`."""
        return self._offsets

    def fileno(self) -> int:
        """See `GpioRequest.fileno`."""
        self._check_live()
        return self._queue.fileno()

    def descriptor(self) -> int | None:
        """See `GpioRequest.descriptor`: what there is of the kernel's, the library keeps to itself."""
        return None

    def read_events(self, max_events: int = 64) -> list[LineEvent]:
        """See `GpioRequest.read_events`."""
        self._check_live()
        return self._queue.take(max_events)

    def _check_set(self, offset: int, value: int) -> None:
        check_value(self._label, offset, value)
        self._check(offset)
        if not self._outputs:
            raise not_an_output(self._label, offset)

    def _check(self, offset: int) -> None:
        self._check_live()
        if offset not in self._offsets:
            raise not_requested(self._label, offset, self._offsets)

    def _check_live(self) -> None:
        if self._queue.closed:
            raise released(self._label, self._offsets)
