"""The timer adapter: expirations of a scheduler's timers become events on timer hooks."""

from __future__ import annotations

import struct
from collections.abc import Callable
from itertools import count
from typing import Protocol, cast

from axiom_hw.bpf.layout import Struct
from axiom_hw.errors import HookError
from axiom_hw.events import TimerEvent
from axiom_hw.keys import TimerKey

_U32 = 0xFFFF_FFFF
# Without the layout's checks: these three are in range by construction.
_pack = struct.Struct(cast(type[Struct], TimerEvent).LAYOUT.format).pack


class Cancellable(Protocol):
    """A timer that was started."""

    def cancel(self) -> None: ...


class Timers(Protocol):
    """Where timers are started: the scheduler."""

    def every(self, period_ns: int, callback: Callable[[int, int, int], None], *, priority: int) -> Cancellable: ...


class TimerAdapter:
    """Fires a `TimerEvent` for each expiration, in the thread that serves the timers.

    Synchronization: one owner adds and removes; from inside a program too.
    """

    __slots__ = ("_fire", "_ids", "_timers", "_timers_by_key")

    def __init__(self, timers: Timers, fire: Callable[[TimerKey, bytes], None]) -> None:
        self._timers = timers
        self._fire = fire
        self._ids = count(1)
        self._timers_by_key: dict[TimerKey, Cancellable] = {}

    def add(self, period_ns: int, priority: int = 0) -> TimerKey:
        """Start a timer; its first event is one period from now. Attach programs to the key that comes back.

        Of timers due at once the lower priority goes first. Raises `ClockError` for a period below 1 ns.
        """
        key = TimerKey(period_ns, next(self._ids))
        fire = self._fire

        def expired(due_ns: int, expirations: int, overruns: int) -> None:
            fire(key, _pack(due_ns, expirations & _U32, min(overruns, _U32)))

        self._timers_by_key[key] = self._timers.every(period_ns, expired, priority=priority)
        return key

    def keys(self) -> tuple[TimerKey, ...]:
        """The timers that run, oldest first."""
        return tuple(self._timers_by_key)

    def remove(self, key: TimerKey) -> None:
        """Stop a timer. Raises `HookError` for one that isn't running."""
        timer = self._timers_by_key.pop(key, None)
        if timer is None:
            running = ", ".join(map(str, self._timers_by_key)) or "none"
            raise HookError(str(key), f"isn't a timer of this adapter; running: {running}", "add it first")
        timer.cancel()

    def close(self) -> None:
        """Stop all timers. Twice is fine."""
        for key in self.keys():
            self.remove(key)
