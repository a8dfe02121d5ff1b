"""Line events of a backend to GPIO hooks: numbers each line's losses, and hands every edge to `fire`."""

from __future__ import annotations

import errno
import os
import select
import selectors
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from axiom_hw.backends.gpio import GpioBackend, GpioRequest, LineEvent, LineInput
from axiom_hw.board import Board, EdgeDetection, InputLine
from axiom_hw.errors import AxiomError, BackendError, HookError
from axiom_hw.events import Edge, GpioEvent
from axiom_hw.hooks import GpioKey

CONSUMER: Final = "axiom_hw"
_BATCH: Final = 64
_U32: Final = 0xFFFF_FFFF
_PACK: Final = struct.Struct(GpioEvent.LAYOUT.format).pack  # type: ignore[attr-defined]  # @layout adds it

Fire = Callable[[GpioKey, bytes], object]
OnError = Callable[[AxiomError], object]


class Time(Protocol):
    """What the adapter needs of a clock."""

    def now_ns(self) -> int: ...


@dataclass(frozen=True, slots=True)
class LineCounters:
    """What became of the edges of one input, so far.

    `lost` were dropped by the kernel's buffer; `caught_up` are events that we made ourselves, because after a loss
    the line had a value that no event had told of.
    """

    received: int
    lost: int
    caught_up: int


class _Line:
    """One input on its way to its hooks. Written by the reading thread only."""

    __slots__ = ("caught_up", "chip_id", "declared", "keys", "lost", "received", "seqno", "suspect", "value")

    def __init__(self, declared: InputLine) -> None:
        self.declared = declared
        self.chip_id = declared.chip_id
        self.keys = {edge: GpioKey(declared.chip_id, declared.line, edge) for edge in Edge}
        self.received = 0
        self.lost = 0
        self.caught_up = 0
        self.seqno = 0  # of the last event; a request counts from 1
        self.value = 0  # after the last event
        self.suspect = False  # something was lost since the value was last compared with the line


@dataclass(frozen=True, slots=True)
class _Source:
    """The inputs of one chip: their request, and the line behind each offset."""

    request: GpioRequest
    lines: dict[int, _Line]


class GpioAdapter:
    """The inputs of a board, as events of GPIO hooks.

    `fire(key, ctx)` is called for every edge, oldest first, with the bytes of a `GpioEvent`. Reading is done by
    `pump`, or by the thread of `start`. An `AxiomError` ends that thread: it is kept in `error` and handed to
    `on_error`. Raises `BackendError` where a chip or line can't be had.

    Synchronization: one thread reads, the adapter's own or the one that pumps; everything else from any thread.
    """

    def __init__(
        self,
        backend: GpioBackend,
        board: Board,
        fire: Fire,
        clock: Time,
        *,
        on_error: OnError | None = None,
        consumer: str = CONSUMER,
    ) -> None:
        self._fire = fire
        self._clock = clock
        self._on_error = on_error
        self._board = board
        self._sources: dict[int, _Source] = {}
        self._lines = {line.name: _Line(line) for line in board.inputs}
        self._thread: threading.Thread | None = None
        self._wake = -1
        self._stopping = False
        self.error: AxiomError | None = None
        try:
            for chip_id in sorted({line.chip_id for line in board.inputs}):
                self._sources[chip_id] = self._open(backend, chip_id, consumer)
        except BackendError:
            self.close()
            raise

    def pump(self) -> int:
        """Fire every event that is queued now, and return how many. Never waits.

        Raises `HookError` while the adapter's own thread reads.
        """
        if self._thread is not None and self._thread is not threading.current_thread():
            raise HookError("gpio", "events are read by the adapter's own thread", "pump, or start, but not both")
        return sum(self._drain(source) for source in self._sources.values())

    def ready(self) -> bool:
        """Whether a line event is queued now, for `pump` to fire."""
        poll = select.poll()  # select(2) ends at descriptor 1023
        for source in self._sources.values():
            poll.register(source.request.fileno(), select.POLLIN)
        return bool(poll.poll(0))

    def start(self) -> None:
        """Read in a thread from now on. Raises `HookError` where one reads already."""
        if self._thread is not None:
            raise HookError("gpio", "the adapter's thread is running already", "start it once")
        stopped, self._wake = os.pipe()
        self._stopping = False
        # A daemon: a program that forgets stop() must still be able to exit.
        self._thread = threading.Thread(target=self._serve, args=(stopped,), name="axiom-gpio", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; events that are queued stay queued. Returns when no event is being fired any more.

        From inside an event it can't wait for itself: the thread then ends with that event. Twice is fine.
        """
        thread, wake = self._thread, self._wake
        if thread is None:
            return
        self._stopping = True  # seen between two batches: a noisy line may bring edges faster than they are served
        self._wake = -1
        if wake >= 0:
            os.close(wake)  # the other end polls readable
        if thread is not threading.current_thread():
            thread.join()
            self._thread = None

    def close(self) -> None:
        """Stop, and give the lines back."""
        self.stop()
        for source in self._sources.values():
            source.request.release()
        self._sources = {}

    def read(self, chip_id: int, line: int) -> int:
        """The value of an input now, 0 or 1. Raises `BackendError`: ENODEV for a line that is no input here."""
        source = self._sources.get(chip_id)
        if source is None or line not in source.lines:
            raise BackendError(
                f"line {line} of chip {chip_id}", f"is no input of {self._board.source}", errno=errno.ENODEV
            )
        return source.request.get(line)

    def counters(self, name: str) -> LineCounters:
        """The counters of one input. Raises `BoardError` for a name that the board doesn't have."""
        line = self._lines[self._board.input(name).name]
        return LineCounters(line.received, line.lost, line.caught_up)

    @property
    def received(self) -> int:
        """Events read from the kernel so far, over all inputs."""
        return sum(line.received for line in self._lines.values())

    @property
    def lost(self) -> int:
        """Events that the kernel dropped so far, over all inputs."""
        return sum(line.lost for line in self._lines.values())

    def _open(self, backend: GpioBackend, chip_id: int, consumer: str) -> _Source:
        declared = self._board.chips[chip_id]
        lines = {line.declared.line: line for line in self._lines.values() if line.chip_id == chip_id}
        wanted = [
            LineInput(d.line, d.edges, d.bias, d.active_low, d.debounce_ns)
            for d in (line.declared for line in lines.values())
        ]
        chip = backend.open(declared.label)
        try:
            request = chip.request_inputs(wanted, consumer, declared.event_buffer_size)
        finally:
            chip.close()
        return _Source(request, lines)

    def _serve(self, stopped: int) -> None:
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(stopped, selectors.EVENT_READ, None)
                for source in self._sources.values():
                    selector.register(source.request.fileno(), selectors.EVENT_READ, source)
                while True:
                    ready = [key.data for key, _ in selector.select()]
                    if None in ready:
                        return
                    for source in ready:
                        self._drain(source)
        except AxiomError as error:
            self.error = error
            if self._on_error is not None:
                self._on_error(error)
        finally:
            os.close(stopped)

    def _drain(self, source: _Source) -> int:
        fired = 0
        while not (self._stopping and self._thread is threading.current_thread()):
            events = source.request.read_events(_BATCH)
            for event in events:
                self._deliver(source.lines[event.offset], event)
            fired += len(events)
            if not events:
                caught_up = sum(self._catch_up(source, line) for line in source.lines.values() if line.suspect)
                if not caught_up:
                    return fired
                fired += caught_up
        return fired

    def _deliver(self, line: _Line, event: LineEvent) -> None:
        lost = (event.line_seqno - line.seqno - 1) & _U32
        if lost:
            line.lost += lost
            line.suspect = True
        line.received += 1
        line.seqno = event.line_seqno
        self._send(line, event.timestamp_ns, event.edge, lost)

    def _catch_up(self, source: _Source, line: _Line) -> int:
        """After a loss, compare the line with its last event: a value that nobody told of must not stay unknown.

        Returns the events fired. An edge that comes in meanwhile is in the queue by then, and tells its own story;
        at worst a program sees one edge twice, but it never misses the last one.
        """
        line.suspect = False
        if line.declared.edges is not EdgeDetection.BOTH:
            return 0  # one-sided detection leaves the other value untold on purpose
        value = source.request.get(line.declared.line)
        events = source.request.read_events(_BATCH)
        if events:
            line.suspect = True  # what was read may be older than these: deliver them and look again
            for event in events:
                self._deliver(source.lines[event.offset], event)
            return len(events)
        if value == line.value:
            return 0
        line.caught_up += 1
        self._send(line, self._clock.now_ns(), Edge.RISING if value else Edge.FALLING, 0)
        return 1

    def _send(self, line: _Line, timestamp_ns: int, edge: Edge, lost: int) -> None:
        line.value = int(edge is Edge.RISING)
        declared = line.declared
        ctx = _PACK(timestamp_ns, declared.chip_id, declared.line, edge, line.value, line.seqno, lost)
        self._fire(line.keys[edge], ctx)
