"""What stands between a bench and its programs while they are recorded, or replayed: it sees all that reaches them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from axiom_hw.actuation import Guard
from axiom_hw.backends.gpio import GpioBackend
from axiom_hw.board import Board
from axiom_hw.bpf.maps import Map
from axiom_hw.bpf.verified import Verified
from axiom_hw.clock import Clock
from axiom_hw.executor import Executor
from axiom_hw.keys import HookKey, TimerKey
from axiom_hw.slots import Slots

ReadLine = Callable[[int, int], int]
"""The value of an input by chip and line. Raises `BackendError`."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What a tap is put into."""

    board: Board | None
    clock: Clock
    executor: Executor
    slots: Slots
    seed: int
    engine: str


@dataclass(frozen=True, slots=True)
class Attached:
    """A program that was attached: what it is, the hook that was asked for, and the keys that this means."""

    verified: Verified
    maps: Sequence[Map]
    section: str
    keys: tuple[HookKey, ...]
    priority: int


class Tap(Protocol):
    """Sees every event on its way to the executor, and everything else that programs learn from outside.

    Synchronization: `fire`, `now_ns` and `read_input` from any thread; the rest by the runtime's owner.
    """

    @property
    def is_replay(self) -> bool:
        """Whether events come from the tap: then the devices and timers that were recorded bring none."""
        ...

    def connect(self, bench: Bench) -> None:
        """Called once, before any device is opened."""
        ...

    def gpio(self, backend: GpioBackend) -> GpioBackend:
        """The backend to open lines of."""
        ...

    def guarded(self, guard: Guard) -> None:
        """The guard of the outputs, as soon as it is there."""
        ...

    def fire(self, key: HookKey, ctx: bytes) -> None:
        """Dispatch an event, as `Executor.fire` does."""
        ...

    def now_ns(self) -> int:
        """The time, for programs and the guard: it stands still while an event is dispatched."""
        ...

    def read_input(self, chip_id: int, line: int, read: ReadLine) -> int:
        """The value of an input, for a program. Raises what `read` raises."""
        ...

    def timer(self, period_ns: int) -> TimerKey | None:
        """The key of a timer of that period which the tap brings itself; None for one that is to be started."""
        ...

    def attached(self, program: Attached) -> None:
        """A program was attached."""
        ...

    def start(self) -> None:
        """Events may come from now on."""
        ...

    def stop(self) -> None:
        """No event comes any more, and the programs are about to be detached."""
        ...

    def close(self) -> None:
        """The run is over, and the outputs are safe. Twice is fine."""
        ...
