"""A slot is what a thread owns while it dispatches events (what Linux calls a CPU), and what a grace period waits for.

A thread gets a slot with its first event and gives it back when it ends. Per-slot data (counters, per-CPU maps,
stacks) has one writer at a time, and so needs no lock.

Synchronization: one writer per field, noted below; readers may be any thread. Plain attribute loads and stores are
sequentially consistent under the GIL, which this file relies on.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from axiom_hw.errors import HookError
from axiom_hw.keys import HookKey

IDLE = 0
_FIRST_PAUSE_NS = 20_000
_LONGEST_PAUSE_NS = 1_000_000


class Grace(Enum):
    """What is known when `detach`, `replace` or `synchronize` returns."""

    OVER = "over"
    """Every run that was under way has ended: the old program can't be running anywhere."""

    PENDING = "pending"
    """Called from inside a program: nothing old will be started, but the run that called, and runs on slots that
    wait for this one in the same way, end only when they return."""


@dataclass(frozen=True, slots=True)
class Deferred:
    """An event that was raised inside a program's run and waits for its turn on the same slot."""

    key: HookKey
    ctx: bytes
    chain: tuple[HookKey, ...]  # the hooks whose events led to this one, oldest first


class Stretch(Protocol):
    """Many events that native code serves in one epoch, without telling the slot of each."""

    def key(self) -> HookKey:
        """The hook of the event under way."""

    def leave(self) -> None:
        """Return to Python as soon as the program under way has ended."""


class Slot:
    """All that one dispatching thread owns. Every field is written by that thread only."""

    __slots__ = ("chain", "epoch", "index", "key", "queue", "stretch", "waiting")

    def __init__(self, index: int) -> None:
        self.index = index
        self.epoch = IDLE  # generation that the dispatch under way announced, or IDLE
        self.key: HookKey | None = None  # hook of the last dispatch begun
        self.chain: tuple[HookKey, ...] = ()  # what led to the dispatch under way
        self.queue: deque[Deferred] = deque()
        self.stretch: Stretch | None = None
        self.waiting = False  # inside a program that waits for the other slots


class _Lease:
    """Lives in a thread's locals, so that it dies with the thread, and gives the slot back then."""

    __slots__ = ("_free", "_slot")

    def __init__(self, free: list[Slot], slot: Slot) -> None:
        self._free = free
        self._slot = slot

    def __del__(self) -> None:
        self._free.append(self._slot)


class Local(threading.local):
    """What a thread knows of its slot: None until its first event."""

    slot: Slot | None = None
    lease: _Lease | None = None


def _sleep_ns(duration_ns: int) -> None:
    time.sleep(duration_ns / 1e9)


class Slots:
    """The slots of one runtime: as many threads as there are slots can dispatch.

    `pause` is called with a duration in ns by a thread that waits for a grace period; never by an event.
    Raises `HookError` for a count below 1.
    """

    __slots__ = ("_free", "_pause", "_slots", "local")

    def __init__(self, count: int = 8, pause: Callable[[int], None] = _sleep_ns) -> None:
        if count < 1:
            raise HookError("slots", f"{count} slots can't dispatch anything", "one is the least; 8 is the default")
        self._slots = tuple(Slot(index) for index in range(count))
        self._free = list(reversed(self._slots))  # a stack: low indices first, so per-slot data stays dense
        self.local = Local()
        self._pause = pause

    def __len__(self) -> int:
        return len(self._slots)

    def __iter__(self) -> Iterator[Slot]:
        return iter(self._slots)

    def mine(self) -> Slot | None:
        """The calling thread's slot, or None while it has fired no event."""
        return self.local.slot

    def claim(self) -> Slot:
        """The calling thread's slot, taken now if it has none. Raises `HookError` when all are taken."""
        slot = self.local.slot
        if slot is not None:
            return slot
        try:
            slot = self._free.pop()  # one atomic operation, no lock
        except IndexError:
            raise HookError(
                f"thread {threading.current_thread().name}",
                f"fires an event, but all {len(self._slots)} slots belong to other threads that still live",
                f"fire from at most {len(self._slots)} threads, or make more slots: Slots({2 * len(self._slots)})",
            ) from None
        self.local.lease = _Lease(self._free, slot)
        self.local.slot = slot
        return slot

    def queued(self) -> int:
        """Events that wait behind a program's run just now, over all slots."""
        return sum(len(slot.queue) for slot in self._slots)

    def inside(self) -> bool:
        """Whether the calling thread is in the middle of a dispatch."""
        slot = self.local.slot
        return slot is not None and slot.epoch != IDLE

    def wait_for(self, generation: int) -> Grace:
        """Return when no other slot is in a dispatch that began before `generation`.

        The caller's own slot is not waited for, nor, from inside a program, a slot whose program waits here too:
        each would wait for the other for ever.
        """
        own = self.local.slot
        inside = own is not None and own.epoch != IDLE
        if own is None or not inside:
            for slot in self._slots:
                self._wait_for_slot(slot, generation, give_way=False)
            return Grace.OVER
        own.waiting = True
        try:
            for slot in self._slots:
                if slot is not own:
                    self._wait_for_slot(slot, generation, give_way=True)
        finally:
            own.waiting = False
        return Grace.PENDING

    def _wait_for_slot(self, slot: Slot, generation: int, *, give_way: bool) -> None:
        pause_ns = 0  # the first one only yields the processor
        while IDLE < slot.epoch < generation and not (give_way and slot.waiting):
            self._pause(pause_ns)
            pause_ns = min(2 * pause_ns, _LONGEST_PAUSE_NS) or _FIRST_PAUSE_NS
