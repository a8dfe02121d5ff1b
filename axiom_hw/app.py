"""The application: a name, a board, programs and the maps they share with you; `main` is a whole command.

app = App("button", board="rpi5-bench")
edges = app.ringbuf("edges", GpioEvent)

@app.on("gpio/button")                  # compiled, proved and attached when the app runs
def follow(ctx: GpioEvent) -> int:
    edges.output(ctx)
    return 0

def show() -> None:
    for edge in edges:                  # ends with the run: --for, Ctrl-C, or the end of the scenario
        print(edge.timestamp_ns, edge.value)

app.main(show)                          # --mock, --board NAME, --for 10s
"""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from signal import SIGTERM
from typing import TYPE_CHECKING, Any, TypeVar

from axiom_hw import console
from axiom_hw.bench import MockBench
from axiom_hw.board import Board, load_board
from axiom_hw.board.find import own_board
from axiom_hw.board.watch import Condition
from axiom_hw.bpf.insn import Insn
from axiom_hw.bpf.layout import Layout, Scalar
from axiom_hw.bpf.maps import ArrayMap, ArrayView, HashMap, HashView, Map, RingBuf, RingReader
from axiom_hw.bpf.maps.codec import codec_of
from axiom_hw.bpf.spec import MapSpec, MapType, ProgramSpec
from axiom_hw.bpf.verified import Verified
from axiom_hw.bpf.verifier import verify
from axiom_hw.clock import Clock, VirtualClock
from axiom_hw.composing import open_run
from axiom_hw.errors import AxiomError, SpecError
from axiom_hw.events import ctx_of
from axiom_hw.hooks import Link
from axiom_hw.levels import show_outputs
from axiom_hw.options import Options, parse_options
from axiom_hw.outputs import Outputs
from axiom_hw.programs import Written, written
from axiom_hw.ready import Ready
from axiom_hw.runtime import Runtime
from axiom_hw.shared_maps import SharedMaps
from axiom_hw.source import read_object
from axiom_hw.waiting import Pace, PacedWaiter
from axiom_hw.watch.event import WatchEvent
from axiom_hw.watch.watchers import Watcher, Watchers, said_watch

if TYPE_CHECKING:
    from axiom_hw.service.service import Service

Scenario = Callable[[MockBench], None]
IDLE_RUN_S = 10  # of virtual time, behind the last step of the scenario where there is one
F = TypeVar("F", bound=Callable[..., int])


class App:
    """What a user writes. Maps exist from their declaration on; devices are opened by `main` or `running`.

    Synchronization: declared by one thread; while it runs, maps and readers from any thread.
    """

    def __init__(self, name: str, board: str | Board | None = None) -> None:
        """`board`: a name from `boards/`, here or beside the script, a path, or a `Board`; None for no pins.

        A mistake in the script that makes an `App` is told by its line and a sentence, without a traceback.
        """
        self.name = name
        self.board = own_board(board, _maker()) if isinstance(board, str) else board
        self.runtime: Runtime | None = None
        self.bench: MockBench | None = None
        self.outputs = Outputs(name, lambda: self.runtime)
        self._pace = Pace(self.end)
        self._maps = SharedMaps(secrets.randbits(64))
        self._programs: list[Ready | Written] = []
        self._watchers = Watchers()
        self._readers: list[RingReader[Any]] = []
        self._waiters: list[PacedWaiter] = []
        self._scenario: Scenario | None = None
        self._exit = 0  # what the process is to end with
        self._service: Service | None = None
        self._ends_by_itself = False
        console.install_excepthook()

    # maps

    def array(self, name: str, value: object, entries: int | None = None) -> ArrayView[Any]:
        """An array of `entries` values (1 unless a loaded program declares more), by index 0, 1, ...

        Programs that declare a map of this name share it; they must mean the same type and sizes.
        """
        size = _size(value, f"array {name}")
        found = self._maps.declare(MapSpec(name, MapType.ARRAY, 4, size, entries or 1), any_entries=entries is None)
        assert isinstance(found, ArrayMap)
        return ArrayView(found, value)

    def hash(self, name: str, key: object, value: object, entries: int | None = None) -> HashView[Any, Any]:
        """A hash map of up to `entries` keys (1024 unless a loaded program declares another number)."""
        place = f"hash {name}"
        spec = MapSpec(name, MapType.HASH, _size(key, place), _size(value, place), entries or 1024)
        found = self._maps.declare(spec, any_entries=entries is None)
        assert isinstance(found, HashMap)
        return HashView(found, key, value)

    def ringbuf(self, name: str, record: object = None, size: int | None = None) -> RingReader[Any]:
        """The consumer of a ring of `size` bytes (64 KiB unless a loaded program declares another size).

        Records are bytes, or of the type `record`. Iterating it waits for records and ends with the run.
        """
        found = self._maps.declare(MapSpec(name, MapType.RINGBUF, 0, 0, size or 64 * 1024), any_entries=size is None)
        assert isinstance(found, RingBuf)
        waiter = PacedWaiter(self._pace)
        reader: RingReader[Any] = RingReader(found, record, waiter=waiter, monotonic=self._pace.now_ns)
        self._readers.append(reader)
        self._waiters.append(waiter)
        return reader

    @property
    def maps(self) -> dict[str, Map]:
        """Every map by name, those that only programs declare included."""
        return self._maps.all()

    # programs

    def load(
        self, source: str | os.PathLike[str] | Sequence[Insn], *, on: str | None = None, name: str = "program",
        priority: int = 0,
    ) -> tuple[Verified, ...]:  # fmt: skip
        """Verify programs, and attach them when the app runs: all of a `.bpf.o` or `.bpf.s`, or a list of instructions.

        `on` names the hook where the source doesn't, or instead of what it says. Instructions mean this app's maps by
        the order in which they were declared. Raises `Rejected`, with the reason, for a program that isn't safe.
        """
        live = tuple(self.maps.values())
        if isinstance(source, str | os.PathLike):
            file = os.fspath(source)
            specs = read_object(file, ctx_of if on is None else lambda _section: ctx_of(on)).programs
        elif on is not None:
            file = None
            specs = (ProgramSpec(name, tuple(source), tuple(found.spec for found in live)),)
        else:
            raise SpecError(name, "is a list of instructions, which name no hook", 'say it: load(..., on="timer/1s")')
        proved = []
        for spec in specs:
            section = spec.section if on is None else on
            proved.append(verify(replace(spec, section=section, ctx=ctx_of(section))))
        bound: dict[str, Map] = {}
        made = [
            Ready(one, live if file is None else self._maps.bind(file, one.spec.maps, bound), priority)
            for one in proved
        ]
        self._programs += made
        if self.runtime is not None:
            for program in made:
                program.attach(self.runtime)
        return tuple(proved)

    def on(self, *hooks: str, priority: int = 0, drives: Collection[str] | None = None) -> Callable[[F], F]:
        """Decorates a function that is a program, written in restricted Python, on one hook or several.

        It runs on every event of `"gpio/button"` and the like; its parameter is the hook's context. `drives` names the
        outputs that it may drive, all unless given. What no program can be is refused here, the rest where the board is
        known: when the app runs, or `axiom-hw verify` looks at it. The function stays what it is, and can be called.
        Raises `HookError`, `Refused`.
        """
        if not hooks or not all(isinstance(hook, str) for hook in hooks):
            raise SpecError("@app.on", "names no hook", 'say which: @app.on("gpio/button"), @app.on("timer/100ms")')

        def declare(function: F) -> F:
            found = written(function, hooks, priority, drives)
            self._programs.append(found)
            if self.runtime is not None:
                for program in self._ready(found, self.runtime.board):
                    program.attach(self.runtime)
            return function

        return declare

    def watch(
        self, name: str, on: str = "", field: str = "", when: Condition | None = None, *, interval: str = "",
        ends: bool = False, into: RingReader[WatchEvent] | None = None, drive: Mapping[str, int] | None = None,
        otherwise: Mapping[str, int] | None = None, stop: int | None = None,
    ) -> Watcher:  # fmt: skip
        """A watcher: fires when the condition `when` becomes true of `field` in the events of the hook `on`.

        With the name alone, it is the one that the board declares. `for fired in watcher` gives a `WatchEvent` for each
        firing, or the ring `into`, which may be that of several; with `ends` also when the condition ends. At most one
        in an `interval` ("1s") is told, with the number of the others. On becoming true it sets the outputs `drive`,
        {"led": 1, "fan": 60}, and stops with the reason `stop`; on ending, it sets `otherwise`. One that acts tells
        only `into` a ring. Raises `SpecError`, `HookError` for one that can never fire.
        """
        if self.runtime is not None:
            raise SpecError(f"watch {name}", "comes too late: the app runs", "declare it before main() or running()")
        said = said_watch(name, on, field, when, interval, ends, drive, otherwise, stop)
        return self._watchers.declare(name, said, into, lambda: self.ringbuf(name, WatchEvent))

    def specs(self, board: Board | None = None) -> tuple[ProgramSpec, ...]:
        """Every program that the app has, in the order of declaration, not proved yet where it is written in Python.

        Names mean what they do on `board`, the app's own by default. Raises `Refused` where a function is no program.
        """
        board = board if board is not None else self._board(None)
        found: list[ProgramSpec] = []
        for program in self._programs:
            found += program.specs(board, self._own_maps) if isinstance(program, Written) else (program.verified.spec,)
        return (*found, *(compiled.spec for compiled in self._watchers.compiled(board)))

    def attach(self, runtime: Runtime) -> tuple[Link, ...]:
        """Attach every program to a runtime that somebody else composed, as a replay does."""
        return tuple(program.attach(runtime) for program in self._all_ready(runtime.board))

    def record_layout(self, ring: str) -> Layout | None:
        """What the app says the records of a ring are; None where it says nothing, or they are bytes."""
        types = (reader.record_type for reader in self._readers if reader.name == ring)
        found = getattr(next(types, None), "LAYOUT", None)
        return found if isinstance(found, Layout) else None

    def scenario(self, play: Scenario) -> Scenario:
        """Decorates what happens on the mock bench, where there is nobody to press and plug."""
        self._scenario = play
        return play

    # running

    @property
    def clock(self) -> Clock:
        """The run's clock; the monotonic one before it."""
        return self._pace.clock

    def now_ns(self) -> int:
        """The time of the run's clock."""
        return self._pace.now_ns()

    @property
    def links(self) -> tuple[Link, ...]:
        """What was attached in this run, in that order."""
        return tuple(self.runtime.attached) if self.runtime is not None else ()

    def read(self, name: str) -> int:
        """The value of an input or output of the board, while the app runs: 0 or 1.

        Raises `BoardError` for a name that the board doesn't have, `SpecError` where there is nothing to read.
        """
        runtime = self.runtime
        if runtime is None or runtime.guard is None or runtime.board is None or runtime.closed:
            raise SpecError(
                self.name, f"can't read `{name}` unless it runs on a board", "read in the function that main() is given"
            )
        line = runtime.board.line(name)
        result = runtime.guard.get_gpio(line.line, line.chip_id)
        if result < 0:
            raise SpecError(self.name, f"`{name}` can't be read: {os.strerror(-result)}")
        return result

    @property
    def over(self) -> bool:
        """Whether the run has ended, or was asked to."""
        return self.runtime is None or self.runtime.ended.is_set()

    def end(self) -> None:
        """End the run: every `for record in ring` and `main` return. From any thread, but not a signal handler."""
        if self.runtime is not None:
            self.runtime.end()
        for reader in self._readers:
            reader.close()

    @contextmanager
    def running(
        self, options: Options | None = None, *, bench: MockBench | None = None, plays: bool = True
    ) -> Iterator[Runtime]:
        """Open the devices, attach the programs, let events come; on the way out, outputs become safe.

        With a `bench` it runs there: on its board, its clock and its devices. `plays` is whether the app's scenario
        is played, or the hands are somebody else's.
        An app runs once. Raises `BackendError` for a device that can't be had, `HookError` for a hook that the board
        doesn't have, `OutputError` for an output that didn't become safe.
        """
        if self.runtime is not None:
            raise SpecError(self.name, "has run already; its rings are closed", "make another App")
        options = options if options is not None else Options()
        if bench is not None:
            if options.replay is not None:
                raise SpecError(self.name, "can't run on a bench and replay a recording", "leave one out")
            options = replace(options, mock=True)
        board = self._board(options.board) if bench is None else bench.board
        ready = self._all_ready(board)  # before a device is touched
        with console.machine_explained(None if options.mock or options.replay else board):
            run = open_run(options, board, bench, on_error=self._device_failed, end=self.end)
        self.runtime, self.bench = run.runtime, run.bench
        runtime = run.runtime
        self._pace.clock = runtime.clock
        try:
            console.tell_missing(runtime)
            console.tell_stop(runtime)
            console.tell_engine(options.engine, runtime.loader.engine)
            for program in ready:
                program.attach(runtime)
            if self.bench is not None and self._scenario is not None and plays and not options.replay:
                self._scenario(self.bench)
            runtime.start()
            if options.duration_ns is not None:
                runtime.scheduler.after(options.duration_ns, lambda *_: self.end())
            elif self._ends_by_itself and not options.replay and isinstance(runtime.clock, VirtualClock):
                last_ns = self.bench.last_step_ns if self.bench is not None else runtime.clock.now_ns()
                runtime.scheduler.at(last_ns + IDLE_RUN_S * 1_000_000_000, self._at_idle_end)
            yield runtime
        finally:
            with console.undisturbed():
                try:
                    run.close()
                finally:
                    self.end()

    def wait(self) -> None:
        """Wait for the end of the run: `--for`, `end()`, Ctrl-C; in virtual time, until nothing is left to happen."""
        if self.runtime is not None:
            self._pace.run_out(self.runtime.ended)

    def records(self) -> Iterator[tuple[RingReader[Any], Any]]:
        """The records of all of the app's rings, each with its reader, as they come; ends with the run."""
        if not self._readers:
            self.wait()
        any_ring = PacedWaiter(self._pace)
        for waiter in self._waiters:
            waiter.followers = (*waiter.followers, any_ring)
        for reader in self._readers:
            any_ring.add_bell(reader.bell)
        try:
            while True:
                any_ring.arm()
                over = self.over  # before looking: what came until then is handed out
                found = False
                for reader in self._readers:
                    for record in reader.consume_n(1):  # one at a time: a loop that breaks off loses none
                        found = True
                        yield reader, record
                if not found and over:
                    return
                if not found:
                    any_ring.wait(None)
        finally:
            for waiter in self._waiters:
                waiter.followers = tuple(w for w in waiter.followers if w is not any_ring)

    def main(self, body: Callable[[], object] | None = None, argv: Sequence[str] | None = None) -> None:
        """Run as a command: read the options, run `body` (or wait), end cleanly, whatever happens.

        Ctrl-C and the end of `--for` exit with 0, SIGTERM with 143, a closed terminal with 129; a user's mistake or a
        device that fails prints a sentence and exits with 1. Outputs reach their safe states in each case. Call it in
        the main thread, the only one that hears signals.

        With --systemd it is a service (docs/service.md): SIGTERM ends it with 0, and failures have their own numbers.

        On hardware it says first that it runs, on standard error. Without a body, each change of an output of the mock
        bench is printed. Virtual time ends 10 s behind the last step of the scenario unless the options say otherwise:
        nothing slows it down, and a timer would print for ever.
        """
        options = parse_options(self.name, sys.argv[1:] if argv is None else argv)
        if options.mock and body is None:
            self._scenario = partial(_watched, self, self._scenario)
        self._ends_by_itself = True
        if options.systemd:
            self._service = _service(self.name)
        try:
            with (
                console.ended_by_signals(), console.threads_watched(self._thread_failed),
                self.running(options) as runtime, self._served(runtime),
            ):  # fmt: skip
                if not options.mock and not options.replay and not options.systemd:
                    console.tell_running(self.name, runtime.board, options.duration_ns)
                (body or self.wait)()
        except KeyboardInterrupt:
            pass  # how a run ends that nobody told when
        except AxiomError as error:
            self._fail(error)
        except BrokenPipeError:
            if not console.drop_stdout():
                raise
            self._fail()
        except SystemExit as ended:  # a service that is stopped did what it was told
            if self._service is None or ended.code != 128 + SIGTERM:
                raise
        finally:
            console.flush()
            if self.runtime is not None:
                console.report(self.runtime, self._readers, self.maps.values(), self._watchers.untold())
            if self._service is not None:
                self._service.ended(self._exit)
        if self._exit:
            sys.exit(self._exit)

    def _board(self, instead: str | None) -> Board | None:
        wanted = instead if instead is not None else self.board
        return load_board(wanted) if isinstance(wanted, str) else wanted

    def _own_maps(self) -> tuple[Map, ...]:
        return tuple(self.maps.values())

    def _all_ready(self, board: Board | None) -> tuple[Ready, ...]:
        programs = [one for program in self._programs for one in self._ready(program, board)]
        return (*programs, *self._watchers.ready(board, lambda name, maps: self._maps.bind(name, maps, {})))

    def _ready(self, program: Ready | Written, board: Board | None) -> tuple[Ready, ...]:
        """Compiled, proved, and with its maps."""
        if isinstance(program, Ready):
            return (program,)
        proved = [verify(spec) for spec in program.specs(board, self._own_maps)]
        bound: dict[str, Map] = {}
        name = program.function.__name__
        return tuple(
            Ready(one, self._maps.bind(name, one.spec.maps, bound), program.priority, program.place, program.drives)
            for one in proved
        )

    def _at_idle_end(self, *_: int) -> None:
        if self.runtime is not None and self.runtime.timers.keys() and not self.over:  # else all came to rest long ago
            print(f"{IDLE_RUN_S}s of virtual time; --for TIME sets another end", file=sys.stderr)
        self.end()

    def _thread_failed(self) -> None:
        self._fail()
        self.end()

    def _device_failed(self, error: AxiomError) -> None:
        self._fail(error)
        self.end()

    def _fail(self, error: AxiomError | None = None) -> None:
        """The first failure decides what the process ends with."""
        if error is not None:
            console.tell(error)
        code = self._service.failed(error) if self._service is not None and error is not None else 1
        self._exit = self._exit or code

    def _served(self, runtime: Runtime) -> AbstractContextManager[None]:
        return self._service.serving(runtime) if self._service is not None else nullcontext()


def _service(name: str) -> Service:
    from axiom_hw.service.service import Service  # here: most runs are none

    return Service.begin(name)


def _maker() -> str:
    """The file whose code makes an `App` right now."""
    return str(sys._getframe(2).f_globals.get("__file__", ""))


def _watched(app: App, scenario: Scenario | None, bench: MockBench) -> None:
    show_outputs(app, bench)
    if scenario is not None:
        scenario(bench)


def _size(kind: object, place: str) -> int:
    size = kind.size if isinstance(kind, Scalar) else codec_of(kind, None, place).size
    if size is None:
        raise SpecError(place, "needs a type with a size", "use u8 to s64, or a class with @layout")
    return size
