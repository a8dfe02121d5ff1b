"""The tap that records: every event on its way to programs, and what else they learn from outside.

While it records, events are dispatched one at a time, in the order in which they stand in the file, and the time
stands still for the programs of an event: that is what makes a replay of a run in real time exact.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from errno import EIO
from functools import partial
from typing import Final

from axiom_hw.actuation import Guard
from axiom_hw.backends.gpio import GpioBackend
from axiom_hw.bpf.maps import Map, RingBuf
from axiom_hw.clock import VirtualClock
from axiom_hw.errors import BackendError, RecordingError
from axiom_hw.events import Edge
from axiom_hw.keys import GpioKey, HookKey, TimerKey
from axiom_hw.recorder.blocks import pack_header
from axiom_hw.recorder.digests import map_digest, map_name, program_digest
from axiom_hw.recorder.entries import End, Event, Program, RingCount, Stopped, Value, What
from axiom_hw.recorder.header import Header, board_digest, current_layouts, pack, wires_of
from axiom_hw.recorder.stream import INTERVAL_S, OnError, Stream, Write
from axiom_hw.recorder.tap import Attached, Bench, ReadLine
from axiom_hw.recorder.watched_gpio import WatchedGpio

NOBODY: Final = 0


class Recorder:
    """Records a run to the file `path`, which must not be there yet: `Runtime(..., tap=Recorder("a.axr"))`.

    `on_error` is told, once, when the recording stops before the run does; the run goes on. `realtime_ns` gives the
    wall clock's time, for the header.

    Synchronization: as `Tap` says. A lock lets one event through at a time; a program's own events don't take it.
    """

    is_replay: Final = False

    def __init__(
        self,
        path: str,
        *,
        on_error: OnError | None = None,
        interval_s: float = INTERVAL_S,
        write: Write = os.write,
        realtime_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.path = path
        self._on_error = on_error
        self._interval_s = interval_s
        self._write = write
        self._realtime_ns = realtime_ns
        self._stream: Stream | None = None
        self._bench: Bench | None = None
        self._maps: dict[str, Map] = {}
        self._turn = threading.RLock()  # re-entrant for signal handlers, which may stop the outputs at any moment
        self._holder = NOBODY
        self._held_ns = 0
        self._known: dict[tuple[int, int], int] = {}  # what an input's last edge or read told
        self._after = 0
        self._is_closed = False
        self._guard: Guard | None = None
        self._is_stopped = False  # what a replay would know
        self._programs: set[str] = set()

    @property
    def stream(self) -> Stream:
        """The file that is being written."""
        assert self._stream is not None, "a recorder is connected before anything happens"
        return self._stream

    def connect(self, bench: Bench) -> None:
        """See `Tap.connect`. Raises `RecordingError` where the file can't be made."""
        if self._stream is not None:
            raise RecordingError(self.path, "has recorded a run already", "make a Recorder for each run")
        from importlib.metadata import version  # here: it takes a while to load

        self._bench = bench
        board = bench.board
        header = Header(
            version("axiom-hw"), "virtual" if isinstance(bench.clock, VirtualClock) else "monotonic",
            bench.clock.now_ns(), self._realtime_ns(), board.name if board is not None else "",
            board_digest(board) if board is not None else "", bench.seed, bench.engine,
            wires_of(board), current_layouts(),
        )  # fmt: skip
        self._fire = bench.executor.fire
        self._clock_ns = bench.clock.now_ns
        self._stream = Stream(
            self.path,
            pack_header(pack(header)),
            interval_s=self._interval_s,
            on_error=self._on_error,
            write=self._write,
        )
        self._add = self._stream.add

    def gpio(self, backend: GpioBackend) -> GpioBackend:
        """See `Tap.gpio`: the backend, watched."""
        board = self._bench.board if self._bench is not None else None
        assert board is not None, "lines are opened on a board"
        chips = {chip.label: number for number, chip in enumerate(board.chips)}

        def tell(what: What, label: str, offset: int, value: int) -> None:
            self._add(Value(f"gpio/{chips[label]}/line{offset}", what, value, self.now_ns()))

        def wrote(label: str, offset: int, value: int) -> None:
            tell(What.WRITTEN if self._holder == threading.get_ident() else What.SET, label, offset, value)

        return WatchedGpio(backend, partial(tell, What.LEVEL), wrote)

    def fire(self, key: HookKey, ctx: bytes) -> None:
        """See `Tap.fire`."""
        assert self._bench is not None, "connected"
        slot = self._bench.slots.claim()
        if slot.epoch:
            self._add(Event(key, ctx, self._held_ns, slot.index, is_caused=True))
            self._fire(key, ctx)
            return
        with self._turn:
            before = (self._holder, self._held_ns)
            self._held_ns = now_ns = self._clock_ns()
            self._holder = threading.get_ident()
            self._after = 0
            if type(key) is GpioKey:
                self._known[key.chip_id, key.line] = 1 if key.edge is Edge.RISING else 0
            self._look_at_stop(now_ns)
            self._add(Event(key, ctx, now_ns, slot.index))
            try:
                self._fire(key, ctx)
            finally:
                self._holder, self._held_ns = before
                self._note_own_stop()

    def guarded(self, guard: Guard) -> None:
        """See `Tap.guarded`."""
        self._guard = guard

    def _look_at_stop(self, now_ns: int) -> None:
        """What the application, a person or another process did to the stop isn't a program's consequence."""
        if self._guard is not None and self._guard.is_stopped != self._is_stopped:
            self._is_stopped = not self._is_stopped
            self._add(Value("stop", What.STOP, int(self._is_stopped), now_ns))

    def _note_own_stop(self) -> None:
        """A stop that a program latched comes by itself in a replay."""
        if self._guard is not None and not self._is_stopped and self._guard.is_stopped:
            stop = self._guard.stopped
            self._is_stopped = stop is not None and stop.source in self._programs

    def now_ns(self) -> int:
        """See `Tap.now_ns`."""
        return self._held_ns if self._holder == threading.get_ident() else self._clock_ns()

    def read_input(self, chip_id: int, line: int, read: ReadLine) -> int:
        """See `Tap.read_input`. What an application reads, outside of programs, isn't recorded: a replay reads anew."""
        if self._holder != threading.get_ident():
            return read(chip_id, line)
        failure: BackendError | None = None
        try:
            value = read(chip_id, line)
        except BackendError as error:
            failure, value = error, -(error.errno or EIO)
        if self._known.get((chip_id, line)) == value:
            self._after += 1
        else:
            self._known[chip_id, line] = value
            self._add(Value(f"gpio/{chip_id}/line{line}", What.READ, value, self._held_ns, self._after))
            self._after = 0
        if failure is not None:
            raise failure
        return value

    def timer(self, period_ns: int) -> TimerKey | None:
        """See `Tap.timer`: timers run as ever."""
        return None

    def attached(self, program: Attached) -> None:
        """See `Tap.attached`."""
        spec = program.verified.spec
        maps = {map_name(spec.name, one.spec.name): one for one in program.maps}
        self._maps.update(maps)
        self._programs.add(spec.name)
        digests = {name: map_digest(one) for name, one in maps.items()}
        keys = tuple(map(str, program.keys))
        self._add(Program(spec.name, program.section, program_digest(spec), keys, program.priority, digests))

    def start(self) -> None:
        """See `Tap.start`."""

    def stop(self) -> None:
        """See `Tap.stop`."""
        if not self._is_closed:
            self._add(Stopped(self._clock_ns()))

    def close(self) -> None:
        """See `Tap.close`. The file ends with what the maps hold, so that a replay can tell whether its own do."""
        stream = self._stream
        if stream is None or self._is_closed:
            return
        self._is_closed = True
        maps = {name: map_digest(one) for name, one in self._maps.items() if not isinstance(one, RingBuf)}
        rings = {name: RingCount(one.dropped) for name, one in self._maps.items() if isinstance(one, RingBuf)}
        stream.add(End(self._clock_ns(), maps, rings))
        stream.close()
