"""The composition root: clock, devices, guard, hooks, executor and adapters of one running bench, put together here.

with Runtime(board, clock, devices) as runtime:      # outputs are safe from here on, and again behind it
    link = runtime.attach(verified, maps, "gpio/button")
    ...
"""

from __future__ import annotations

import random
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Final, Self, cast

from axiom_hw.actuation import HEARTBEAT_NS, Asker, Guard
from axiom_hw.adapters.gpio import GpioAdapter
from axiom_hw.adapters.iio import IioSource
from axiom_hw.adapters.iio_last import LastValues
from axiom_hw.adapters.source import Source
from axiom_hw.adapters.timer import TimerAdapter
from axiom_hw.board import Board, PwmChannel
from axiom_hw.bpf import helpers, isa
from axiom_hw.bpf.engine.choice import Engine
from axiom_hw.bpf.engine.llvm.cache import Cache
from axiom_hw.bpf.layout import Struct
from axiom_hw.bpf.maps import Map
from axiom_hw.bpf.spec import ProgramSpec
from axiom_hw.bpf.verified import Verified
from axiom_hw.calls import NO_READING
from axiom_hw.clock import Clock, MonotonicClock, VirtualClock
from axiom_hw.engines import Loaded, Loader
from axiom_hw.errors import AxiomError, BackendError, Fault, HookError
from axiom_hw.events import PwmEvent
from axiom_hw.executor import Executor
from axiom_hw.hooks import Link, Registry
from axiom_hw.keys import HookKey, PwmKey, TimerKey
from axiom_hw.natives import Natives, inputs_of
from axiom_hw.recorder.tap import Attached, Bench, Tap
from axiom_hw.scheduler import Scheduler
from axiom_hw.sections import keys_of
from axiom_hw.sensor_sections import iio_keys_of
from axiom_hw.slots import Slots
from axiom_hw.sources import Devices, Surroundings, open_sources

TRACE_LINES: Final = 1000
_FIRST: Final = -(1 << 31)  # priority of what runs ahead of every program
_HARDWARE: Final = 1000  # ids of hardware helpers begin here
_PATIENCE_S: Final = 2.0  # with the threads of devices, at the end of a run
_LEAST_SLOTS: Final = 8
_OTHER_THREADS: Final = 6  # that of the GPIO lines, that of the timers, and the application's own


@dataclass(frozen=True, slots=True)
class Trace:
    """A line that a program printed."""

    timestamp_ns: int
    program: str
    text: str


class _Env:
    """What one program reaches beyond its memory; its name goes with every request to the guard."""

    def __init__(self, runtime: Runtime, name: str, drives: frozenset[str] | None) -> None:
        self._runtime = runtime
        self._name = name
        self._random = random.Random(f"{runtime.seed} {name}").getrandbits  # programs don't share their numbers
        self.now_ns = runtime.now_ns
        # Native code may ask the system itself, but for a tap, which keeps the time still during an event.
        self.monotonic = isinstance(runtime.clock, MonotonicClock) and runtime.tap is None
        self.hardware = _hardware(runtime.guard, Asker(name, drives=drives), runtime.iio_read)
        self.natives = runtime.guard.natives(name, drives) if runtime.guard is not None else {}

    def random_u32(self) -> int:
        return self._random(32)

    def trace(self, text: str) -> None:
        self._runtime.traced(Trace(self.now_ns(), self._name, text.rstrip("\n")))


class Runtime:
    """One bench, running. `on_fault` and `on_trace` are told of faults and of lines that programs print.

    `on_error` is told when a device fails while it runs, `on_trouble` when one fails that is tried again, `on_engine`
    when a program can't become native code and stays on the interpreter. `seed` decides the random numbers of programs.
    `cache` keeps compiled programs on disk. `tap` records what reaches the programs, or replays it; events then go
    through Python, one at a time. As many threads as there are `slots` can raise events: by default those of the
    board's devices, and at least four of the application's. In `state_dir` the latched emergency stop and the guard's
    decisions outlive the process.

    Synchronization: `attach` and the attributes from any thread; opened and closed by one owner.
    """

    def __init__(
        self,
        board: Board | None,
        clock: Clock,
        devices: Devices | None,
        *,
        scheduler: Scheduler | None = None,
        slots: int | None = None,
        seed: int = 0,
        budget_insns: int | None = None,
        on_fault: Callable[[Link, Fault], None] | None = None,
        on_trace: Callable[[Trace], None] | None = None,
        on_error: Callable[[AxiomError], None] | None = None,
        engine: Engine = Engine.INTERP,
        cache: Cache | None = None,
        on_engine: Callable[[AxiomError], None] | None = None,
        tap: Tap | None = None,
        on_trouble: Callable[[AxiomError], None] | None = None,
        state_dir: Path | None = None,
    ) -> None:
        """Raises `BackendError` where a line or channel of the board can't be had, `MissingDependency` where the engine
        can't."""
        self.board = board
        self.clock = clock
        self.seed = seed
        self._state_dir = state_dir
        slots = slots if slots is not None else _slots_for(board)
        self.traces: deque[Trace] = deque(maxlen=TRACE_LINES)
        self._on_trace = on_trace
        self.registry = Registry(Slots(slots), budget_insns)
        self.loader = Loader(engine, slots, cache, self.registry.retarget, on_engine or (lambda error: None))
        self.executor = Executor(self.registry, on_fault)
        self.tap = tap
        self._last: LastValues | None = None
        self.fire: Callable[[HookKey, bytes], None] = self.executor.fire if tap is None else tap.fire
        self.now_ns: Callable[[], int] = clock.now_ns if tap is None else tap.now_ns  # for programs and the guard
        if tap is not None:
            tap.connect(Bench(board, clock, self.executor, self.registry.slots, seed, self.loader.engine.value))
        self.scheduler = scheduler if scheduler is not None else Scheduler(clock)
        self.timers = TimerAdapter(self.scheduler, self._timer_fired)
        self.attached: list[Link] = []
        self._links_by_timer: dict[TimerKey, Link] = {}
        self.gpio: GpioAdapter | None = None
        self.sources: tuple[Source, ...] = ()  # all that raise events from devices, the GPIO adapter first
        self.guard: Guard | None = None
        self._pump: _Pump | None = None
        self.ended = threading.Event()
        self.closed = False
        self._is_served = devices.is_served if devices is not None else lambda: True
        self.missing: list[tuple[str, BackendError]] = []  # optional outputs that aren't there, and why
        if board is not None and devices is not None:
            self._open(board, devices, on_error, on_trouble or (lambda error: None))

    def _open(
        self, board: Board, devices: Devices, on_error: Callable[[AxiomError], None] | None,
        on_trouble: Callable[[AxiomError], None],
    ) -> None:  # fmt: skip
        natives, tap = None, self.tap
        if tap is None and self.loader.engine is not Engine.INTERP and isinstance(self.clock, MonotonicClock):
            natives = Natives(self.registry, self.executor, self.loader.cache)
        make_server = natives.make_server if natives is not None else None
        gpio = devices.gpio if tap is None else tap.gpio(devices.gpio)
        self.gpio = GpioAdapter(gpio, board, self.fire, self.clock, on_error=on_error, make_server=make_server)
        read_input = self.gpio.read if tap is None else partial(_tapped, tap, self.gpio.read)
        self.sources = (self.gpio,)
        try:
            around = Surroundings(
                self.fire, self.clock, self.scheduler, on_error, make_server,
                wanted=lambda key: bool(self.registry.links(key)), on_change=self.registry.watch, on_trouble=on_trouble,
            )  # fmt: skip
            if tap is None or not tap.is_replay:
                self.sources += open_sources(board, devices, around)
            self.guard = Guard.open(
                board, gpio, devices.pwm, self.clock if tap is None else tap,
                read_input=read_input, on_missing=lambda channel, error: self.missing.append((channel.name, error)),
                make_ask=natives.make_ask if natives is not None else None, inputs=inputs_of(self.gpio.feeds()),
                timers=self.scheduler, state_dir=self._state_dir,
            )  # fmt: skip
        except BaseException:  # Ctrl-C too: somebody else may want the lines
            self._close_devices()
            raise
        self.guard.on_pwm_applied(self._pwm_applied)
        if tap is not None:
            tap.guarded(self.guard)
        if self._state_dir is not None and isinstance(self.clock, MonotonicClock):
            beats = self.guard.beat
            self.scheduler.every(min(HEARTBEAT_NS, board.watchdog_ns // 4 or HEARTBEAT_NS), lambda *_: beats())

    def start(self) -> None:
        """Let events come: from the devices' and the timers' threads, or as a virtual clock moves."""
        self.scheduler.start()
        if self.tap is not None:
            self.tap.start()
        if isinstance(self.clock, VirtualClock):
            self._pump = _Pump(self.clock, self.sources, self._is_served)
            self.clock.drive(self._pump)
            return
        for source in self.sources:
            source.start()

    def load(self, verified: Verified, maps: Sequence[Map], drives: Collection[str] | None = None) -> Loaded:
        """Bind maps and helpers. Raises `HookError` for a program that asks for hardware where there is no board.

        `drives` names the outputs that it may drive, unless it is all; `BoardError` where the board has no such one.
        """
        if self.guard is None:
            _refuse_hardware(verified.spec)
        if helpers.BY_NAME["iio_read"].id in _helpers_of(verified.spec):
            self._read_sensors()
        if drives is not None and self.board is not None:
            for name in drives:
                self.board.output(name)
        granted = frozenset(drives) if drives is not None else None
        return self.loader.load(verified, maps, _Env(self, verified.spec.name, granted))

    def attach(
        self, verified: Verified, maps: Sequence[Map], section: str, *, priority: int = 0,
        drives: Collection[str] | None = None,
    ) -> Link:  # fmt: skip
        """Load a program and run it on the hook that `section` names (see `axiom_hw.sections`); `drives` as for `load`.

        A timer is started for it, which stops when the link is detached. Raises `HookError` for a section that names
        no hook of the board, and for a program that exceeds its hook's budget.
        """
        if self.closed:
            raise HookError(verified.spec.name, "comes too late: the run is over", "attach it while the runtime runs")
        loaded = self.load(verified, maps, drives)
        try:
            keys = keys_of(section, self.board, self._start_timer)
        except HookError as error:
            raise HookError(f"{loaded.name}, {error.place}", error.problem, error.fix) from None
        started = self.timers.keys()
        timers = [key for key in keys if isinstance(key, TimerKey) and key in started]
        try:
            link = self.registry.attach(loaded, *keys, priority=priority)
        except HookError:
            for key in timers:
                self.timers.remove(key)
            raise
        self._links_by_timer.update(dict.fromkeys(timers, link))
        self.attached.append(link)
        if self.tap is not None:
            self.tap.attached(Attached(verified, maps, section, keys, priority))
        return link

    def traced(self, trace: Trace) -> None:
        """A program printed a line."""
        self.traces.append(trace)
        if self._on_trace is not None:
            self._on_trace(trace)

    def end(self) -> None:
        """Ask whoever waits for the end of the run to stop waiting. From any thread, but not a signal handler."""
        self.ended.set()

    def close(self) -> None:
        """Detach everything, bring the outputs to their safe states, give the devices back. Twice is fine.

        In real time outputs become safe after 2 s at the latest, where a device's thread doesn't end, and orders are
        refused from then on. Each of these is done even where others fail; then the first failure is raised:
        `OutputError` for outputs that aren't safe, before all else.
        """
        self.ended.set()
        self.closed = True
        guard, tap = self.guard, self.tap
        failed: list[Exception] = []
        late = None
        if guard is not None and isinstance(self.clock, MonotonicClock):  # a device may keep its thread for ever
            late = threading.Timer(_PATIENCE_S, guard.refuse_all)
            late.daemon = True
            late.start()
        try:
            failed += _failures((
                *(source.stop for source in self.sources), self._stop_pump, self.scheduler.stop,
                *((guard.beats_no_more,) if guard is not None else ()), self.timers.close,
                *((tap.stop,) if tap is not None else ()), self.registry.detach_all,
            ))  # fmt: skip
        finally:
            if late is not None:
                late.cancel()
                late.join(_PATIENCE_S)  # it may be writing
            unsafe = _failures((partial(guard.__exit__, None, None, None),)) if guard is not None else []
            failed = [*unsafe, *failed, *self._close_devices()]  # what is live is told first
            if failed:
                raise failed[0]

    def _stop_pump(self) -> None:
        if isinstance(self.clock, VirtualClock) and self._pump is not None:
            self.clock.release(self._pump)

    def _close_devices(self) -> list[Exception]:
        tap = self.tap
        return _failures((
            *(source.close for source in self.sources), self.loader.close, *((tap.close,) if tap is not None else ()),
        ))  # fmt: skip

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def iio_read(self, device: int, channel: int) -> int:
        """The helper: the last value of a sensor's channel, in millionths of its unit, or `NO_READING`."""
        found = None
        if self._last is not None:
            found = self._last.get(device, channel)
        elif self._iio is not None:
            found = self._iio.last(device, channel)
        return NO_READING if found is None else found

    def _read_sensors(self) -> None:
        """A program asks for last values. With a tap these are what events told, which a replay brings again."""
        if self._iio is not None:
            self._iio.read_all()
        if self.tap is not None and self._last is None and self.board is not None and self.board.iio:
            self._last = LastValues()
            self.registry.attach(self._last, *iio_keys_of(self.board), priority=_FIRST)

    @property
    def _iio(self) -> IioSource | None:
        return next((source for source in self.sources if isinstance(source, IioSource)), None)

    def _start_timer(self, period_ns: int) -> TimerKey:
        given = self.tap.timer(period_ns) if self.tap is not None else None
        return self.timers.add(period_ns) if given is None else given

    def _timer_fired(self, key: TimerKey, ctx: bytes) -> None:
        self.fire(key, ctx)
        link = self._links_by_timer.get(key)
        if link is not None and not link.active:  # detached for good: virtual time would never come to rest
            self._links_by_timer.pop(key)
            self.timers.remove(key)

    def _pwm_applied(self, channel: PwmChannel, event: PwmEvent) -> None:
        self.fire(PwmKey(channel.chip_id, channel.channel), cast(Struct, event).pack())


def _slots_for(board: Board | None) -> int:
    """A slot for each thread that may raise events: sensors, buses and ports have one each."""
    own = len(board.iio) + len(board.i2c_buses) + len(board.serial_ports) if board is not None else 0
    return max(_LEAST_SLOTS, own + _OTHER_THREADS)


def _failures(calls: Iterable[Callable[[], object]]) -> list[Exception]:
    """Call all, whatever some of them raise, and say what that was."""
    failed = []
    for call in calls:
        try:
            call()
        except Exception as error:  # noqa: BLE001 (the caller raises it when all is done)
            failed.append(error)
    return failed


def _tapped(tap: Tap, read: Callable[[int, int], int], chip_id: int, line: int) -> int:
    return tap.read_input(chip_id, line, read)


class _Pump:
    """Reads the mock devices whenever a virtual clock moves: due as soon as there is something."""

    def __init__(self, clock: VirtualClock, sources: Sequence[Source], is_served: Callable[[], bool]) -> None:
        self._clock = clock
        self._sources = sources
        self._is_served = is_served

    def next_due_ns(self) -> int | None:
        served = self._is_served() and any(source.ready() for source in self._sources)
        return self._clock.now_ns() if served else None

    def run_due(self) -> int:
        return sum(source.pump() for source in self._sources)


def _hardware(
    guard: Guard | None, source: Asker, iio_read: Callable[[int, int], int]
) -> Mapping[int, Callable[..., int]]:
    """The hardware helpers of one program: numbers from registers, to the guard; and what sensors had last."""
    if guard is None:
        return MappingProxyType({})
    row = helpers.BY_NAME
    return MappingProxyType({
        row["emergency_stop"].id: lambda reason: guard.emergency_stop(f"reason {_signed(reason)}", source),
        row["gpio_set"].id: lambda line, value: guard.set_gpio(_signed(line), _signed(value), source),
        row["gpio_get"].id: lambda line: guard.get_gpio(_signed(line)),
        row["pwm_write"].id: lambda chip, channel, percent: guard.write_pwm(
            _signed(chip), _signed(channel), _signed(percent), source
        ),
        row["iio_read"].id: iio_read,
        row["pwm_write_ns"].id: lambda chip, channel, duty_ns: guard.write_pwm_duty(
            _signed(chip), _signed(channel), _signed(duty_ns), source
        ),
        row["emergency_stopped"].id: lambda: int(guard.is_stopped),
        row["servo_set"].id: lambda chip, channel, mdeg: guard.set_servo(
            _signed(chip), _signed(channel), _signed(mdeg), source
        ),
        row["motor_set"].id: lambda chip, channel, permille: guard.set_motor(
            _signed(chip), _signed(channel), _signed(permille), source
        ),
    })  # fmt: skip


def _signed(register: int) -> int:
    return register - (1 << 64) if register >> 63 else register


def _refuse_hardware(spec: ProgramSpec) -> None:
    for number, pc in _helpers_of(spec).items():
        if number >= _HARDWARE:
            name = helpers.BY_ID[number].name
            raise HookError(
                f"{spec.name} at pc {pc}", f"calls {name}, which needs a board, but none was chosen",
                "choose one: --board rpi5-bench, or App(..., board=\"rpi5-bench\")",
            )  # fmt: skip


def _helpers_of(spec: ProgramSpec) -> dict[int, int]:
    """The helpers that a program calls, by id, each with the slot of a call of it: the first one."""
    calls = [
        (insn.imm, pc)
        for pc, insn in enumerate(spec.insns)
        if insn.code == isa.BY_NAME["call"].code and insn.src == isa.CALL_HELPER
    ]
    return dict(reversed(calls))
