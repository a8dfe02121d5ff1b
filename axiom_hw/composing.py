"""From options to a runtime that is open: on real devices, on the mock bench, or on the events of a recording."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from axiom_hw import console
from axiom_hw.backends.limits import GpioChoice, open_gpio
from axiom_hw.backends.machine_pwm import Pulser, find_pulser, open_pwm
from axiom_hw.backends.sysfs_iio import SysfsIio
from axiom_hw.bench import MockBench
from axiom_hw.board import Board
from axiom_hw.clock import Clock, MonotonicClock, VirtualClock
from axiom_hw.engines import open_cache
from axiom_hw.errors import AxiomError
from axiom_hw.options import Options
from axiom_hw.runtime import Runtime
from axiom_hw.sources import Devices

if TYPE_CHECKING:
    from axiom_hw.keeping import Kept
    from axiom_hw.recorder.tap import Tap


@dataclass(frozen=True, slots=True)
class Run:
    """What is open: the runtime, the bench where it is a mock, and who makes outputs safe if this process dies."""

    runtime: Runtime
    bench: MockBench | None = None
    kept: Kept | None = None

    def close(self) -> None:
        """Close the runtime. Where an output isn't safe, the supervisor gets no goodbye, and tries again."""
        self.runtime.close()
        if self.kept is not None:
            self.kept.say_goodbye()


def open_run(
    options: Options,
    board: Board | None,
    bench: MockBench | None,
    *,
    on_error: Callable[[AxiomError], None],
    end: Callable[[], None],
) -> Run:
    """Open what the options ask for; on `bench`, where one is given.

    `on_error` is told of a device that fails later, `end` called where a recording ends. Raises `AxiomError`.
    """
    if options.replay is not None:
        return _replayed(options, options.replay, board, end)
    clock: Clock = VirtualClock() if options.mock and not options.real_time else MonotonicClock()
    if bench is not None:
        clock = bench.clock
    scheduler, devices = None, None
    if board is not None and options.mock:
        bench = bench if bench is not None else MockBench(board, clock)
        scheduler, devices = bench.scheduler, bench.devices
    elif board is not None:
        console.tell_gpio(options.gpio)
        pulser = find_pulser(board)
        console.tell_pulsed(board, pulser)
        devices = _real_devices(options.gpio, pulser)
    kept = _kept(board, options, clock, bench) if board is not None else None
    try:
        runtime = Runtime(
            board, clock, devices, scheduler=scheduler, state_dir=kept.state_dir if kept is not None else None,
            seed=0 if options.mock else secrets.randbits(64),
            on_fault=console.FaultTeller(), on_trace=console.tell_trace if options.trace else None,
            on_error=on_error, engine=options.engine, cache=open_cache(options.cache),
            on_engine=console.tell, on_trouble=console.tell,
            tap=_recorder(options.record) if options.record is not None else None,
        )  # fmt: skip
        if kept is not None:
            _wait_ready(kept, runtime)
    except BaseException:
        if kept is not None:
            kept.say_goodbye()
        raise
    return Run(runtime, bench, kept)


def _replayed(options: Options, file: str, board: Board | None, end: Callable[[], None]) -> Run:
    from axiom_hw.replay import Replayed  # here, and below: it takes a while to load

    found = Replayed.open(file, board, through_lines=True, real_time=options.real_time)
    console.tell_damage(found.recording)
    console.tell_recorded_board(found.recording, board)
    runtime = Runtime(
        board, found.clock, found.devices, scheduler=found.scheduler, seed=found.recording.header.seed,
        on_fault=console.FaultTeller(), on_trace=console.tell_trace if options.trace else None,
        engine=options.engine, cache=open_cache(options.cache), on_engine=console.tell, tap=found.tap,
    )  # fmt: skip
    runtime.scheduler.at(found.recording.end_ns, lambda *_: end())
    return Run(runtime, found.bench)


def _wait_ready(kept: Kept, runtime: Runtime) -> None:
    try:
        kept.wait_ready()
    except BaseException:
        runtime.close()
        raise


def _kept(board: Board, options: Options, clock: Clock, bench: MockBench | None) -> Kept:
    from axiom_hw.keeping import keep

    return keep(board, options, clock, bench)


def _recorder(file: str) -> Tap:
    from axiom_hw.recorder.recorder import Recorder

    return Recorder(file, on_error=console.tell)


def _real_devices(choice: GpioChoice, pulser: Pulser | None) -> Devices:
    from axiom_hw.backends.pyserial_port import PyserialBackend  # here, because most runs have neither bus nor port
    from axiom_hw.backends.smbus2_i2c import Smbus2Backend

    gpio = open_gpio(choice)
    return Devices(gpio, open_pwm(gpio, pulser or Pulser.THREAD), SysfsIio(), Smbus2Backend(), PyserialBackend())
