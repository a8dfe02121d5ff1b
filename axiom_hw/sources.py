"""The devices of a bench, and the adapters that make events of what they read: one source for each kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from axiom_hw.adapters.feed import MakeServer
from axiom_hw.adapters.i2c import I2cSource
from axiom_hw.adapters.iio import IioSource
from axiom_hw.adapters.serial import SerialSource
from axiom_hw.adapters.source import Source
from axiom_hw.backends.gpio import GpioBackend
from axiom_hw.backends.i2c import I2cBackend
from axiom_hw.backends.iio import IioBackend
from axiom_hw.backends.pwm import PwmBackend
from axiom_hw.backends.serial_port import SerialBackend
from axiom_hw.board import Board
from axiom_hw.clock import Clock, VirtualClock
from axiom_hw.errors import AxiomError
from axiom_hw.keys import HookKey
from axiom_hw.scheduler import Scheduler


@dataclass(frozen=True, slots=True)
class Devices:
    """The backends of a bench: the real ones, or mocks. In virtual time `is_served` says whether anybody reads now."""

    gpio: GpioBackend
    pwm: PwmBackend
    iio: IioBackend | None = None
    i2c: I2cBackend | None = None
    serial: SerialBackend | None = None
    is_served: Callable[[], bool] = lambda: True


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a source is given. `make_server` is there where native code may read in its place.

    `wanted` says whether programs are attached to a hook, and `on_change` has a function called when that may have
    changed: what is read on request only is read for somebody. `on_trouble` is told of a device that fails and is
    tried again; `on_error` of one that ends the run.
    """

    fire: Callable[[HookKey, bytes], object]
    clock: Clock
    scheduler: Scheduler
    on_error: Callable[[AxiomError], object] | None = None
    make_server: MakeServer | None = None
    wanted: Callable[[HookKey], bool] = lambda key: True
    on_change: Callable[[Callable[[], object]], object] = lambda told: None
    on_trouble: Callable[[AxiomError], object] = lambda error: None


def open_sources(board: Board, devices: Devices, around: Surroundings) -> tuple[Source, ...]:
    """The sources of a board beside its GPIO lines, whose values the guard reads too: its sensors and ports.

    Raises `BackendError` where a device can't be had; those that were opened are closed again.
    """
    sources: list[Source] = []
    try:
        _open_into(sources, board, devices, around)
    except BaseException:  # Ctrl-C too: somebody else may want the devices
        for source in sources:
            source.close()
        raise
    return tuple(sources)


def _open_into(sources: list[Source], board: Board, devices: Devices, around: Surroundings) -> None:
    if board.iio and devices.iio is not None:
        iio = IioSource(
            devices.iio, board, around.fire, around.clock, around.scheduler, make_server=around.make_server,
            wanted=around.wanted, on_trouble=around.on_trouble, on_error=around.on_error,
        )  # fmt: skip
        around.on_change(iio.changed)
        sources.append(iio)
    real_time = not isinstance(around.clock, VirtualClock)
    if board.sensors and devices.i2c is not None:
        # A slow bus keeps nobody else waiting: in real time each has timers, and so a thread, of its own.
        timers = {at: Scheduler(around.clock) if real_time else around.scheduler for at in range(len(board.i2c_buses))}
        i2c = I2cSource(
            devices.i2c, board, around.fire, around.clock, timers, real_time=real_time,
            wanted=around.wanted, on_error=around.on_error, on_trouble=around.on_trouble,
        )  # fmt: skip
        around.on_change(i2c.rearm)
        sources.append(i2c)
    if board.serial_ports and devices.serial is not None:
        serial = SerialSource(
            devices.serial, board, around.fire, around.clock, real_time=real_time,
            wanted=around.wanted, on_error=around.on_error, on_trouble=around.on_trouble,
        )  # fmt: skip
        around.on_change(serial.rewant)
        sources.append(serial)
