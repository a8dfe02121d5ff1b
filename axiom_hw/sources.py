"""The devices of a bench, and the adapters that make events of what they read: one source for each kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from axiom_hw.adapters.feed import MakeServer
from axiom_hw.adapters.iio import IioSource
from axiom_hw.adapters.source import Source
from axiom_hw.backends.gpio import GpioBackend
from axiom_hw.backends.iio import IioBackend
from axiom_hw.backends.pwm import PwmBackend
from axiom_hw.board import Board
from axiom_hw.clock import Clock
from axiom_hw.errors import AxiomError
from axiom_hw.keys import HookKey
from axiom_hw.scheduler import Scheduler


@dataclass(frozen=True, slots=True)
class Devices:
    """The backends of a bench: the real ones, or mocks."""

    gpio: GpioBackend
    pwm: PwmBackend
    iio: IioBackend | None = None


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
    if board.iio and devices.iio is not None:
        iio = IioSource(
            devices.iio, board, around.fire, around.clock, around.scheduler, make_server=around.make_server,
            wanted=around.wanted, on_trouble=around.on_trouble, on_error=around.on_error,
        )  # fmt: skip
        around.on_change(iio.changed)
        sources.append(iio)
    return tuple(sources)
