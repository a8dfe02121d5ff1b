"""The application: a name, a board, programs and the maps they share with you; `main` is a whole command.

app = App("button", board="rpi5-bench")
edges = app.ringbuf("edges", GpioEvent)
app.load("button.bpf.s")                # each program goes to the hook that its section names

def show() -> None:
    for edge in edges:                  # ends with the run: --for, Ctrl-C, or the end of the scenario
        print(edge.timestamp_ns, edge.value)

app.main(show)                          # --mock, --board NAME, --for 10s
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from axiom_hw.backends.sysfs_pwm import SysfsPwm
from axiom_hw.bench import MockBench
from axiom_hw.board import Board, load_board
from axiom_hw.bpf.insn import Insn
from axiom_hw.bpf.layout import Scalar
from axiom_hw.bpf.maps import (
    ArrayMap,
    ArrayView,
    HashMap,
    HashView,
    Map,
    PipeWaiter,
    RingBuf,
    RingReader,
    create_map,
)
from axiom_hw.bpf.maps.codec import codec_of
from axiom_hw.bpf.spec import MapSpec, MapType, ProgramSpec
from axiom_hw.bpf.verified import Verified
from axiom_hw.bpf.verifier import verify
from axiom_hw.clock import Clock, MonotonicClock, VirtualClock
from axiom_hw.errors import AxiomError, Fault, SpecError
from axiom_hw.events import ctx_of
from axiom_hw.hooks import Link
from axiom_hw.options import Options, parse_options
from axiom_hw.runtime import Devices, Runtime, Trace
from axiom_hw.source import read_object

Scenario = Callable[[MockBench], None]
TERMINATED = 128 + signal.SIGTERM


class App:
    """What a user writes. Maps exist from their declaration on; devices are opened by `main` or `running`.

    Synchronization: declared by one thread; while it runs, maps and readers from any thread.
    """

    def __init__(self, name: str, board: str | Board | None = None) -> None:
        """`board`: a name from `boards/`, a path, or a `Board`; None for programs that use no pins."""
        self.name = name
        self.board = board
        self.runtime: Runtime | None = None
        self.links: list[Link] = []
        self._maps: dict[str, Map] = {}
        self._programs: list[tuple[Verified, tuple[Map, ...], str, int]] = []
        self._readers: list[RingReader[Any]] = []
        self._scenario: Scenario | None = None
        if sys.excepthook is sys.__excepthook__:
            sys.excepthook = _without_traceback

    # maps

    def array(self, name: str, value: object, entries: int | None = None) -> ArrayView[Any]:
        """An array of `entries` values (1 unless a loaded program declares more), by index 0, 1, ...

        Programs that declare a map of this name share it; they must mean the same type and sizes.
        """
        size = _size(value, f"array {name}")
        found = self._map(MapSpec(name, MapType.ARRAY, 4, size, entries or 1), any_entries=entries is None)
        assert isinstance(found, ArrayMap)
        return ArrayView(found, value)

    def hash(self, name: str, key: object, value: object, entries: int | None = None) -> HashView[Any, Any]:
        """A hash map of up to `entries` keys (1024 unless a loaded program declares another number)."""
        place = f"hash {name}"
        spec = MapSpec(name, MapType.HASH, _size(key, place), _size(value, place), entries or 1024)
        found = self._map(spec, any_entries=entries is None)
        assert isinstance(found, HashMap)
        return HashView(found, key, value)

    def ringbuf(self, name: str, record: object = None, size: int | None = None) -> RingReader[Any]:
        """The consumer of a ring of `size` bytes (64 KiB unless a loaded program declares another size).

        Records are bytes, or of the type `record`. Iterating it waits for records and ends with the run.
        """
        found = self._map(MapSpec(name, MapType.RINGBUF, 0, 0, size or 64 * 1024), any_entries=size is None)
        assert isinstance(found, RingBuf)
        reader: RingReader[Any] = RingReader(found, record, waiter=_Waiter(self), monotonic=self.now_ns)
        self._readers.append(reader)
        return reader

    @property
    def maps(self) -> dict[str, Map]:
        """Every map by name, those that only programs declare included."""
        return dict(self._maps)

    # programs

    def load(
        self, source: str | os.PathLike[str] | Sequence[Insn], *, on: str | None = None, name: str = "program",
        priority: int = 0,
    ) -> tuple[Verified, ...]:  # fmt: skip
        """Verify programs, to be attached when the app runs: all of a `.bpf.o` or `.bpf.s`, or a list of instructions.

        `on` names the hook where the source doesn't, or instead of what it says. Instructions mean this app's maps by
        the order in which they were declared. Raises `Rejected`, with the reason, for a program that isn't safe.
        """
        if isinstance(source, str | os.PathLike):
            specs = read_object(source).programs
        else:
            if on is None:
                raise SpecError(
                    name, "is a list of instructions, which name no hook", 'say it: load(..., on="timer/1s")'
                )
            specs = (ProgramSpec(name, tuple(source), tuple(m.spec for m in self._maps.values()), section=on),)
        made = []
        for spec in specs:
            section = on if on is not None else spec.section
            verified = verify(replace(spec, section=section, ctx=ctx_of(section)))
            maps = tuple(self._map(declared) for declared in spec.maps)
            self._programs.append((verified, maps, section, priority))
            made.append(verified)
        return tuple(made)

    def scenario(self, play: Scenario) -> Scenario:
        """Decorates what happens on the mock bench, where there is nobody to press and plug."""
        self._scenario = play
        return play

    # running

    @property
    def clock(self) -> Clock:
        """The run's clock; the monotonic one before it."""
        return self.runtime.clock if self.runtime is not None else MonotonicClock()

    def now_ns(self) -> int:
        """The time of the run's clock."""
        return self.clock.now_ns()

    def read(self, name: str) -> int:
        """The value of an input or output of the board, while the app runs: 0 or 1.

        Raises `BoardError` for a name that the board doesn't have, `SpecError` where there is nothing to read.
        """
        runtime = self.runtime
        if runtime is None or runtime.guard is None or runtime.board is None:
            raise SpecError(self.name, f"can't read `{name}`: the app isn't running on a board")
        line = next((i for i in runtime.board.inputs if i.name == name), None) or runtime.board.output(name)
        if not hasattr(line, "line"):
            raise SpecError(self.name, f"`{name}` is a PWM channel, which has no value")
        result = runtime.guard.get_gpio(line.line, line.chip_id)
        if result < 0:
            raise SpecError(self.name, f"`{name}` can't be read: {os.strerror(-result)}")
        return result

    def end(self) -> None:
        """End the run: every `for record in ring` and `main` return. From any thread."""
        if self.runtime is not None:
            self.runtime.end()
        for reader in self._readers:
            reader.close()

    @contextmanager
    def running(self, options: Options | None = None) -> Iterator[Runtime]:
        """Open the devices, attach the programs, let events come; on the way out, outputs become safe.

        Raises `BackendError` for a device that can't be had.
        """
        options = options if options is not None else Options()
        runtime = self._compose(options)
        self.runtime = runtime
        try:
            self.links = [runtime.attach(*row[:3], priority=row[3]) for row in self._programs]
            with runtime:
                if options.duration_ns is not None:
                    runtime.scheduler.after(options.duration_ns, lambda *_: self.end())
                yield runtime
        finally:
            runtime.close()
            self.end()

    def wait(self) -> None:
        """Wait for the end of the run: `--for`, `end()`, Ctrl-C; in virtual time, until nothing is left to happen."""
        runtime = self.runtime
        if runtime is None:
            return
        if isinstance(runtime.clock, VirtualClock):
            while not runtime.ended.is_set() and runtime.clock.run_next():
                pass
        else:
            runtime.ended.wait()

    def main(self, body: Callable[[], object] | None = None, argv: Sequence[str] | None = None) -> None:
        """Run as a command: read the options, run `body` (or wait), end cleanly, whatever happens.

        Ctrl-C and the end of `--for` exit with 0, SIGTERM with 143; a user's mistake prints a sentence and exits
        with 1. Outputs reach their safe states in each case.
        """
        options = parse_options(self.name, sys.argv[1:] if argv is None else argv)
        try:
            with _terminable(), self.running(options):
                (body or self.wait)()
        except KeyboardInterrupt:
            sys.stdout.flush()
        except AxiomError as error:
            sys.stdout.flush()
            print(error, file=sys.stderr)
            sys.exit(1)
        self._report()

    def _compose(self, options: Options) -> Runtime:
        wanted = options.board if options.board is not None else self.board
        board = load_board(wanted) if isinstance(wanted, str) else wanted
        on_trace = _tell_trace if options.trace else None
        if options.mock and board is not None:
            bench = MockBench(board, MonotonicClock() if options.real_time else None)
            runtime = bench.runtime(on_fault=_tell_fault, on_trace=on_trace, on_error=self._device_failed)
            if self._scenario is not None:
                self._scenario(bench)
            return runtime
        clock: Clock = VirtualClock() if options.mock and not options.real_time else MonotonicClock()
        devices = _real_devices() if board is not None else None
        return Runtime(board, clock, devices, on_fault=_tell_fault, on_trace=on_trace, on_error=self._device_failed)

    def _device_failed(self, error: AxiomError) -> None:
        print(error, file=sys.stderr)
        self.end()

    def _map(self, wanted: MapSpec, *, any_entries: bool = False) -> Map:
        """The app's map of that name, made if it is new. Two declarations of one name must agree."""
        found = self._maps.get(wanted.name)
        if found is None:
            self._maps[wanted.name] = made = create_map(wanted, seed=time.monotonic_ns())
            return made
        for what in ("type", "key_size", "value_size", "max_entries"):
            ours, theirs = getattr(found.spec, what), getattr(wanted, what)
            if ours != theirs and not (any_entries and what == "max_entries"):
                raise SpecError(
                    f"map {wanted.name}", f"is declared twice, with {what} {ours} and with {theirs}",
                    "declare it the same in the app and in the program",
                )  # fmt: skip
        return found

    def _report(self) -> None:
        """What went wrong unseen: nothing is lost silently."""
        for link in self.links:
            if link.faults:
                print(f"{link.program.name}: {link.faults} of {link.runs} runs faulted", file=sys.stderr)
        for reader in self._readers:
            if reader.dropped:
                print(f"{reader!r}: dropped {reader.dropped} records, its ring was full", file=sys.stderr)
        gpio = self.runtime.gpio if self.runtime is not None else None
        if gpio is not None and gpio.lost:
            print(f"gpio: the kernel dropped {gpio.lost} edges; raise event_buffer_size in the board", file=sys.stderr)


class _Waiter:
    """How a reader of the app sleeps: on a pipe, or, in virtual time, by moving the clock until a record comes."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._pipe = PipeWaiter()
        self._woken = threading.Event()

    def arm(self) -> None:
        self._woken.clear()
        self._pipe.arm()

    def wake(self) -> None:
        self._woken.set()
        self._pipe.wake()

    def wait(self, timeout_ns: int | None) -> None:
        clock = self._app.clock
        if not isinstance(clock, VirtualClock):
            self._pipe.wait(timeout_ns)
        elif timeout_ns is not None:
            clock.wait_until(clock.now_ns() + timeout_ns, self._woken)
        elif not self._woken.is_set() and not clock.run_next():
            self._app.end()  # nothing is left that could make a record


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM ends the program like an exception, so that every `finally` on the way runs."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def terminate(_number: int, _frame: FrameType | None) -> None:
        raise SystemExit(TERMINATED)

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _real_devices() -> Devices:
    from axiom_hw.backends.gpiod_gpio import GpiodBackend  # here, because gpiod exists on Linux only

    return Devices(GpiodBackend(), SysfsPwm())


def _size(kind: object, place: str) -> int:
    size = kind.size if isinstance(kind, Scalar) else codec_of(kind, None, place).size
    if size is None:
        raise SpecError(place, "needs a type with a size", "use u8 to s64, or a class with @layout")
    return size


def _tell_fault(link: Link, fault: Fault) -> None:
    if link.faults <= 1:  # the report at the end counts the rest
        print(f"fault: {fault}", file=sys.stderr)


def _tell_trace(trace: Trace) -> None:
    print(f"{trace.timestamp_ns / 1e9:12.6f}  {trace.program}: {trace.text}", file=sys.stderr)


def _without_traceback(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """A mistake in a script is told by its line and a sentence; anything else as Python does."""
    if not isinstance(error, AxiomError):
        sys.__excepthook__(kind, error, trace)
        return
    frames = traceback.extract_tb(trace)
    ours = str(Path(__file__).parent)
    line = next((f for f in reversed(frames) if not f.filename.startswith(ours)), None)
    if line is not None:
        print(f"{line.filename}:{line.lineno}: {line.line}", file=sys.stderr)
    print(error, file=sys.stderr)
