"""Dispatch: every event runs the programs on its hook, in the thread that brings it, without waiting for anybody.

An event that a program's run raises on the same thread (a PWM write inside a PWM program) doesn't recurse: it waits
in the slot's queue until the programs of the current event are through. If its hook is already among the causes that
led to it, it isn't dispatched but counted as suppressed, so no chain of events is endless.

Synchronization: `fire` from any thread, one slot each; it takes no lock.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass

from axiom_hw.errors import Fault
from axiom_hw.hooks import Attachment, Link, Registry
from axiom_hw.keys import HookKey
from axiom_hw.slots import IDLE, Deferred, Slot

OnFault = Callable[[Link, Fault], None]


@dataclass(frozen=True, slots=True)
class HookStats:
    """What became of one hook's events. Each is dispatched, unhandled, suppressed, overflowed, or still queued."""

    key: HookKey
    links: int  # attached now
    events: int  # all that were raised
    unhandled: int  # no program was attached
    suppressed: int  # the hook was among the event's own causes
    overflows: int  # dropped, because the slot's queue was full


@dataclass(frozen=True, slots=True)
class Stats:
    """Counters since the start. While threads fire, the fields are of slightly different moments."""

    hooks: tuple[HookStats, ...]
    queued: int  # events that wait behind a running program just now

    @property
    def events(self) -> int:
        return sum(hook.events for hook in self.hooks)


class Executor:
    """Runs programs on events.

    A program that faults stops that one run: it is counted on its link, `on_fault(link, fault)` is told, and the next
    program on the hook runs. Any other `Exception` of a program is made a `Fault` with the original as its cause;
    what isn't an `Exception` (KeyboardInterrupt, SystemExit) leaves `fire` at once, and events still queued are
    dispatched with the thread's next one. An exception out of `on_fault` goes to `threading.excepthook`.

    `queue_limit` bounds the events that wait on one slot; one more is dropped and counted as an overflow.
    """

    __slots__ = ("_local", "_on_fault", "_queue_limit", "_registry")

    def __init__(self, registry: Registry, on_fault: OnFault | None = None, queue_limit: int = 1024) -> None:
        self._registry = registry
        self._local = registry.slots.local
        self._on_fault = on_fault
        self._queue_limit = queue_limit

    def fire(self, key: HookKey, ctx: bytes) -> None:
        """Dispatch one event: `ctx` is the packed layout of the hook.

        Returns when its programs, and the events that they raised, are through; called from inside a program, at
        once. Raises `HookError` when the calling thread needs a slot and none is left.
        """
        slot = self._local.slot
        if slot is None:
            slot = self._registry.slots.claim()
        if slot.epoch:
            self._defer(slot, key, ctx)
            return
        self._dispatch(slot, key, ctx)
        if slot.queue:
            self.drain(slot)

    def stats(self) -> Stats:
        """The counters of every hook that had an event or a link."""
        hooks = tuple(self.stats_of(hook.key) for hook in self._registry.hooks())
        return Stats(hooks, self._registry.slots.queued())

    def stats_of(self, key: HookKey) -> HookStats:
        """The counters of one hook."""
        hook, links = self._registry.hook(key), len(self._registry.links(key))
        sums = (sum(cells) for cells in (hook.events, hook.unhandled, hook.suppressed, hook.overflows))
        return HookStats(key, links, *sums)

    def _dispatch(self, slot: Slot, key: HookKey, ctx: bytes) -> None:
        registry = self._registry
        index = slot.index
        try:
            # The epoch is announced first and the rows are read after it: a writer that missed the announcement
            # had published before, so what is read here is new.
            slot.epoch = registry.snapshot.generation
            slot.key = key
            row = registry.snapshot.rows.get(key)
            if row is None:
                hook = registry.hook(key)
                hook.events[index] += 1
                hook.unhandled[index] += 1
                return
            row.hook.events[index] += 1
            self.run(row.attachments, ctx, index)
        finally:
            slot.epoch = IDLE

    def run(self, attachments: tuple[Attachment, ...], ctx: bytes, index: int) -> None:
        """Run programs on an event that is counted already, in the calling thread's epoch and slot `index`."""
        for attachment in attachments:
            run = attachment.run
            if run is None:  # retired since the rows were read
                attachment, run = attachment.successor()
                if run is None:
                    continue
            attachment.runs[index] += 1
            try:
                run(ctx, index)
            except Exception as error:  # noqa: BLE001 (a program isn't our code: what it raises is its fault)
                self.faulted(attachment, index, error)

    def drain(self, slot: Slot) -> None:
        """Dispatch what the programs raised, each event in an epoch of its own, so that no detach waits for all."""
        queue = slot.queue
        try:
            while queue:
                event = queue.popleft()
                slot.chain = event.chain
                self._dispatch(slot, event.key, event.ctx)
        finally:
            slot.chain = ()

    def _defer(self, slot: Slot, key: HookKey, ctx: bytes) -> None:
        """Inside a dispatch on this slot: queue the event behind it, unless it would close a circle."""
        stretch = slot.stretch
        cause = slot.key if stretch is None else stretch.key()
        assert cause is not None, "a slot in a dispatch knows its hook"
        hook = self._registry.hook(key)
        chain = (*slot.chain, cause)
        if key in chain:
            hook.events[slot.index] += 1
            hook.suppressed[slot.index] += 1
        elif len(slot.queue) >= self._queue_limit:
            hook.events[slot.index] += 1
            hook.overflows[slot.index] += 1
        else:
            slot.queue.append(Deferred(key, ctx, chain))  # counted when it is dispatched
            if stretch is not None:
                stretch.leave()

    def faulted(self, attachment: Attachment, index: int, error: Exception) -> None:
        """Count a run that `error` ended, and tell."""
        fault = error if isinstance(error, Fault) else _as_fault(attachment.program.name, error)
        link = attachment.link
        attachment.faults[index] += 1
        link.last_fault = fault
        if self._on_fault is None:
            return
        try:
            self._on_fault(link, fault)
        except Exception:  # noqa: BLE001 (the programs behind this one must run; the report is as for a thread)
            threading.excepthook(threading.ExceptHookArgs((*sys.exc_info(), threading.current_thread())))


def _as_fault(name: str, error: Exception) -> Fault:
    fault = Fault(name, 0, f"raised {type(error).__name__}: {error}")
    fault.place = name  # Python code has no pc
    fault.__cause__ = error
    return fault
