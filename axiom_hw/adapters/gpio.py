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
from functools import partial
from typing import Final, Protocol

from axiom_hw.adapters import gpio_record as record
from axiom_hw.adapters.feed import Feed, MakeServer, Server
from axiom_hw.adapters.roll_call import RollCall
from axiom_hw.backends.gpio import GpioBackend, GpioRequest, LineEvent, LineInput
from axiom_hw.board import Board, EdgeDetection, InputLine
from axiom_hw.bpf.maps.mem import Mem, load_u32, load_u64, store_u32, store_u64
from axiom_hw.errors import AxiomError, BackendError, HookError
from axiom_hw.events import Edge, GpioEvent
from axiom_hw.hooks import GpioKey

CONSUMER: Final = "axiom_hw"
_BATCH: Final = 64
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
    """One input on its way to its hooks. What is known of it lies at `at` in `states`, as `gpio_record` says.

    Synchronization: written by the reading thread only, be it Python or native code.
    """

    __slots__ = ("at", "declared", "keys", "states")

    def __init__(self, declared: InputLine, states: Mem, number: int) -> None:
        self.declared = declared
        self.keys = {edge: GpioKey(declared.chip_id, declared.line, edge) for edge in Edge}
        self.states = states
        self.at = number * record.LINE_BYTES
        store_u32(states, self.at + record.CHIP_ID, declared.chip_id)
        store_u32(states, self.at + record.LINE, declared.line)

    @property
    def counters(self) -> LineCounters:
        """What became of its edges."""
        words = (load_u64(self.states, self.at + word) for word in (record.RECEIVED, record.LOST, record.CAUGHT_UP))
        return LineCounters(*words)

    @property
    def suspect(self) -> bool:
        """Whether something was lost since the value was last compared with the line."""
        return load_u32(self.states, self.at + record.SUSPECT) != 0


@dataclass(frozen=True, slots=True)
class _Source:
    """The inputs of one chip: their request, the line behind each offset, and the memory of these.

    Number 0 of the states counts events of lines that weren't asked for.
    """

    request: GpioRequest
    lines: dict[int, _Line]
    states: Mem


class GpioAdapter:
    """The inputs of a board, as events of GPIO hooks.

    `fire(key, ctx)` is called for every edge, oldest first, with the bytes of a `GpioEvent`. Reading is done by
    `pump`, or by the thread of `start`; that one serves the lines by what `make_server` makes, where it is given and
    the kernel's own descriptors are there. An `AxiomError` ends the thread: it is kept in `error` and handed to
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
        make_server: MakeServer | None = None,
    ) -> None:
        self._fire = fire
        self._clock = clock
        self._on_error = on_error
        self._board = board
        self._sources: dict[int, _Source] = {}
        self._lines: dict[str, _Line] = {}
        self._states: list[Mem] = []
        self._make_server = make_server
        self._server: Server | None = None
        self._thread: threading.Thread | None = None
        self._wake = -1
        self._call = RollCall("the thread of the GPIO lines")
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
        feeds = self.feeds() if self._make_server is not None else ()
        if self._make_server is not None and feeds:
            self._server = self._make_server(feeds)
            stopped = -1
        else:
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
        if self._server is not None:
            self._server.stop()
        if thread is not threading.current_thread():
            thread.join()
            self._thread = None
            if self._server is not None:
                self._server.close()
                self._server = None

    def close(self) -> None:
        """Stop, and give the lines back."""
        self.stop()
        for source in self._sources.values():
            source.request.release()
        self._sources = {}

    def call_roll(self) -> tuple[RollCall, ...]:
        """See `Answering.call_roll`. A pump's programs show how it is."""
        if self._wake < 0:
            return ()
        self._call.ask()
        os.write(self._wake, b"?")
        return (self._call,)

    def read(self, chip_id: int, line: int) -> int:
        """The value of an input now, 0 or 1. Raises `BackendError`: ENODEV for a line that is no input here."""
        source = self._sources.get(chip_id)
        if source is None or line not in source.lines:
            raise BackendError(
                f"line {line} of chip {chip_id}", f"is no input of {self._board.source}", errno=errno.ENODEV
            )
        return source.request.get(line)

    def feeds(self) -> tuple[Feed, ...]:
        """The inputs of each chip, for native code; none where one of them has no descriptor of the kernel's."""
        found = [self._feed(chip_id, source) for chip_id, source in self._sources.items()]
        feeds = tuple(feed for feed in found if feed is not None)
        return feeds if len(feeds) == len(found) else ()

    def counters(self, name: str) -> LineCounters:
        """The counters of one input. Raises `BoardError` for a name that the board doesn't have."""
        return self._lines[self._board.input(name).name].counters

    @property
    def received(self) -> int:
        """Events read from the kernel so far, over all inputs."""
        return sum(line.counters.received for line in self._lines.values())

    @property
    def lost(self) -> int:
        """Events that the kernel dropped so far, over all inputs."""
        return sum(line.counters.lost for line in self._lines.values())

    @property
    def suspects(self) -> int:
        """Inputs that lost an edge and weren't looked at since: the thread will, when nothing is left to read."""
        return sum(line.suspect for line in self._lines.values())

    @property
    def strays(self) -> int:
        """Events read so far of lines that weren't asked for: none, where the kernel keeps its word."""
        return sum(load_u64(states, record.RECEIVED) for states in self._states)

    def _open(self, backend: GpioBackend, chip_id: int, consumer: str) -> _Source:
        declared = self._board.chips[chip_id]
        inputs = [line for line in self._board.inputs if line.chip_id == chip_id]
        states = Mem(bytearray((1 + len(inputs)) * record.LINE_BYTES))
        self._states.append(states)
        lines = {line.line: _Line(line, states, number) for number, line in enumerate(inputs, 1)}
        self._lines.update({line.declared.name: line for line in lines.values()})
        wanted = [LineInput(d.line, d.edges, d.bias, d.active_low, d.debounce_ns) for d in inputs]
        chip = backend.open(declared.label)
        try:
            request = chip.request_inputs(wanted, consumer, declared.event_buffer_size)
        finally:
            chip.close()
        return _Source(request, lines, states)

    def _feed(self, chip_id: int, source: _Source) -> Feed | None:
        fd = source.request.descriptor()
        if fd is None:
            return None
        chip = self._board.chips[chip_id]

        def failed(number: int) -> BackendError:
            name = errno.errorcode.get(number, "?")
            offsets = ", ".join(map(str, source.lines))
            return BackendError(
                f"lines {offsets} of {chip.label}", f"have no readable events: {os.strerror(number)} ({name})",
                "was the chip unplugged, or its driver removed? `gpiodetect` lists what is there", number,
            )  # fmt: skip

        keys = tuple(line.keys[edge] for line in source.lines.values() for edge in (Edge.RISING, Edge.FALLING))
        return Feed(fd, source.states, tuple(source.lines), keys, partial(self._settle, source), failed)

    def _serve(self, stopped: int) -> None:
        try:
            if self._server is not None:
                self._server.run()
            else:
                self._select(stopped)
        except AxiomError as error:
            self.error = error
            if self._on_error is not None:
                self._on_error(error)

    def _select(self, stopped: int) -> None:
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(stopped, selectors.EVENT_READ, None)
                for source in self._sources.values():
                    selector.register(source.request.fileno(), selectors.EVENT_READ, source)
                for source in self._sources.values():
                    self._drain(source)  # a line may be suspect since another service
                while True:
                    ready = [key.data for key, _ in selector.select()]
                    if None in ready and not os.read(stopped, 4096):
                        return
                    for source in ready:
                        if source is not None:
                            self._drain(source)
                    self._call.answer()
        finally:
            os.close(stopped)

    def _drain(self, source: _Source) -> int:
        fired = 0
        while not (self._stopping and self._thread is threading.current_thread()):
            events = source.request.read_events(_BATCH)
            for event in events:
                self._deliver(source, event)
            fired += len(events)
            if not events:
                caught_up = sum(self._catch_up(source, line) for line in source.lines.values() if line.suspect)
                if not caught_up:
                    return fired
                fired += caught_up
        return fired

    def _deliver(self, source: _Source, event: LineEvent) -> None:
        line = source.lines.get(event.offset)
        if line is None:
            store_u64(source.states, record.RECEIVED, load_u64(source.states, record.RECEIVED) + 1)
            return
        value = int(event.edge is Edge.RISING)
        lost = record.note_edge(line.states, line.at, event.line_seqno, value)
        self._send(line, event.timestamp_ns, event.edge, event.line_seqno, lost)

    def _settle(self, source: _Source) -> bool:
        """What `Feed.settle` is: `_catch_up`, for each line that lost something."""
        for line in source.lines.values():
            if line.suspect:
                self._catch_up(source, line)
        return any(line.suspect for line in source.lines.values())

    def _catch_up(self, source: _Source, line: _Line) -> int:
        """After a loss, compare the line with its last event: a value that nobody told of must not stay unknown.

        Returns the events fired. An edge that comes in meanwhile is in the queue by then, and tells its own story;
        at worst a program sees one edge twice, but it never misses the last one.
        """
        store_u32(line.states, line.at + record.SUSPECT, 0)
        if line.declared.edges is not EdgeDetection.BOTH:
            return 0  # one-sided detection leaves the other value untold on purpose
        value = source.request.get(line.declared.line)
        events = source.request.read_events(_BATCH)
        if events:
            # What was read may be older than these: deliver them and look again.
            store_u32(line.states, line.at + record.SUSPECT, 1)
            for event in events:
                self._deliver(source, event)
            return len(events)
        if value == load_u32(line.states, line.at + record.VALUE):
            return 0
        seqno = record.note_catch_up(line.states, line.at, value)
        self._send(line, self._clock.now_ns(), Edge.RISING if value else Edge.FALLING, seqno, 0)
        return 1

    def _send(self, line: _Line, timestamp_ns: int, edge: Edge, seqno: int, lost: int) -> None:
        declared = line.declared
        ctx = _PACK(timestamp_ns, declared.chip_id, declared.line, edge, int(edge is Edge.RISING), seqno, lost)
        self._fire(line.keys[edge], ctx)
