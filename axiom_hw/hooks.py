"""The registry: which programs run on which hook, in which order; and Link, the hold on one attached program.

The registry publishes one immutable snapshot. A writer builds the next one beside it and swaps it in by a single
store; an event reads whichever is current and never waits. `detach` and `replace` then wait for a grace period:
until every dispatch that may still see the old snapshot has ended.
"""

from __future__ import annotations

import threading
from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Protocol

from axiom_hw.admission import admit
from axiom_hw.errors import Fault, HookError
from axiom_hw.keys import GpioKey, HookKey, PwmKey, TimerKey
from axiom_hw.slots import Grace, Slots

__all__ = [
    "Attachment",
    "GpioKey",
    "Grace",
    "Hook",
    "HookKey",
    "Link",
    "Program",
    "PwmKey",
    "Registry",
    "Row",
    "Snapshot",
    "TimerKey",
]


class Program(Protocol):
    """What can be attached: a loaded program, or a Python object of the same shape."""

    @property
    def name(self) -> str: ...

    @property
    def worst_case_insns(self) -> int | None:
        """The verifier's bound on the instructions of one run; None where nobody knows it."""

    def run(self, ctx: bytes, slot: int) -> int:
        """Handle one event and return r0. May raise `Fault`; any other `Exception` is counted as a fault too."""


class Attachment:
    """One version of a link's program. `replace` retires it in favour of its heir, `detach` without one.

    Synchronization: `run` and `heir` are written by the registry's writers; `runs` and `faults` by each slot at its
    own index, and shared by all versions of the link.
    """

    __slots__ = ("faults", "heir", "link", "program", "run", "runs")

    def __init__(self, link: Link, program: Program, runs: array[int], faults: array[int]) -> None:
        self.link = link
        self.program = program
        self.runs = runs
        self.faults = faults
        self.run: Callable[[bytes, int], int] | None = program.run  # None: retired, must not be started again
        self.heir: Attachment | None = None

    def successor(self) -> tuple[Attachment, Callable[[bytes, int], int] | None]:
        """Of a retired version: the one that took its place, with its `run`, which is None after a detach."""
        at, run = self, self.run
        while run is None and at.heir is not None:
            at = at.heir
            run = at.run
        return at, run


class Hook:
    """The counters of one hook, a cell per slot; they outlive the links.

    Synchronization: cell i has one writer, the thread that holds slot i; a reader sums.
    """

    __slots__ = ("events", "key", "overflows", "suppressed", "unhandled")

    def __init__(self, key: HookKey, slots: int) -> None:
        self.key = key
        self.events = _cells(slots)
        self.unhandled = _cells(slots)
        self.suppressed = _cells(slots)
        self.overflows = _cells(slots)


@dataclass(frozen=True, slots=True)
class Row:
    """One hook in a snapshot: its counters, and its attachments in the order they run."""

    hook: Hook
    attachments: tuple[Attachment, ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Who runs on what, as of one generation. Never changed once it is published."""

    generation: int
    rows: Mapping[HookKey, Row]


class Link:
    """One program attached to one or more hooks. It stays attached until `detach`, whether or not you keep the link.

    Synchronization: any method from any thread, from inside a running program too.
    """

    __slots__ = ("_age", "_registry", "attachment", "keys", "last_fault", "priority")

    def __init__(
        self, registry: Registry, program: Program, keys: tuple[HookKey, ...], priority: int, age: int, slots: int
    ) -> None:
        self._registry = registry
        self.keys = keys
        self.priority = priority
        self._age = age
        self.last_fault: Fault | None = None
        self.attachment = Attachment(self, program, _cells(slots), _cells(slots))

    def __repr__(self) -> str:
        state = "attached" if self.active else "detached"
        return f"<Link {self.program.name} on {', '.join(map(str, self.keys))}: {state}, {self.runs} runs>"

    @property
    def program(self) -> Program:
        """The version that the next event runs (after a detach, the last one)."""
        return self.attachment.program

    @property
    def active(self) -> bool:
        """Whether the next event may start the program."""
        return self.attachment.run is not None

    @property
    def runs(self) -> int:
        """Runs begun, of all versions, those that ended in a fault included."""
        return sum(self.attachment.runs)

    @property
    def faults(self) -> int:
        """Runs that ended in a fault. A fault detaches nothing; `last_fault` is the latest one."""
        return sum(self.attachment.faults)

    def successor(self, program: Program) -> Attachment:
        """A next version that goes on with this one's counters. For the registry; `replace` is what you want."""
        return Attachment(self, program, self.attachment.runs, self.attachment.faults)

    @property
    def order(self) -> tuple[int, int]:
        """Sorts the links of one hook: by priority, then by age, both least first."""
        return self.priority, self._age

    def detach(self) -> Grace:
        """Take the program off its hooks; a second call only waits.

        Returns after a grace period: with `Grace.OVER` no thread is running the program, and none will. From inside
        a running program, its own or another, it can't wait for the slot that it runs on: the program won't be
        started again, the other slots are waited for, and the result is `Grace.PENDING`.
        """
        return self._registry.detach(self)

    def replace(self, program: Program) -> Grace:
        """Put another program in this one's place, at the same priority and age, keeping the counters.

        Each event runs either the old or the new one, never both, never neither. Returns as `detach` does. Raises
        `HookError` on a detached link, and where the new program doesn't fit the budget.
        """
        return self._registry.replace(self, program)


class Registry:
    """Who runs on what. Reading is one load of `snapshot`; writers take turns under a lock that no event takes.

    `budget_insns` bounds the summed worst case of the programs on one hook; None admits any.
    """

    __slots__ = ("_ages", "_hooks", "_watchers", "_writing", "budget_insns", "slots", "snapshot")

    def __init__(self, slots: Slots | None = None, budget_insns: int | None = None) -> None:
        self.slots = slots if slots is not None else Slots()
        self.budget_insns = budget_insns
        self.snapshot = Snapshot(1, {})
        self._hooks: dict[HookKey, Hook] = {}
        self._ages = count()
        self._watchers: tuple[Callable[[], object], ...] = ()
        # Re-entrant, because a signal handler or a finaliser may detach in the middle of a writer on its thread.
        self._writing = threading.RLock()

    def hook(self, key: HookKey) -> Hook:
        """The counters of a hook, made on first use."""
        found = self._hooks.get(key)
        return found if found is not None else self._hooks.setdefault(key, Hook(key, len(self.slots)))

    def hooks(self) -> tuple[Hook, ...]:
        """Every hook that had a link or an event so far."""
        return tuple(self._hooks.values())

    def links(self, key: HookKey | None = None) -> tuple[Link, ...]:
        """The links on one hook in the order they run, or all of them by age."""
        rows = self.snapshot.rows
        if key is not None:
            return tuple(a.link for a in _attached(rows, key))
        found = {a.link: None for row in rows.values() for a in row.attachments}
        return tuple(sorted(found, key=lambda link: link.order[1]))

    def watch(self, watcher: Callable[[], object]) -> None:
        """Call `watcher` after each new snapshot, before its writer waits: for a thread that keeps a snapshot longer
        than an event, and has to let go of it. It must return at once."""
        with self._writing:
            self._watchers = (*self._watchers, watcher)

    def unwatch(self, watcher: Callable[[], object]) -> None:
        """Undo `watch`."""
        with self._writing:
            self._watchers = tuple(w for w in self._watchers if w != watcher)

    def renew(self) -> None:
        """Publish what is attached once more, and wait for nobody: a program's code is now elsewhere."""
        with self._writing:
            while not self._publish(base := self.snapshot, base.rows):
                pass

    def retarget(self, program: Program) -> None:
        """`program.run` is another function now: let attachments of it call that one from the next event on.

        It must mean the same. Nobody waits: a run of the old one that is under way goes on. What was detached or
        replaced stays so.
        """
        with self._writing:
            run = program.run
            for row in self.snapshot.rows.values():
                for attachment in row.attachments:
                    if attachment.program is program and attachment.run is not None:
                        attachment.run = run
            self.renew()

    def attach(self, program: Program, *keys: HookKey, priority: int = 0) -> Link:
        """Run `program` on every event of `keys` from now on.

        On one hook, lower priorities run first (as in Linux's tc), and at equal priority the older link. Raises
        `HookError` for no key, a key named twice, or a program that exceeds the hook's budget.
        """
        if not keys:
            raise HookError(program.name, "is attached to no hook", "name at least one: attach(program, key)")
        twice = next((key for i, key in enumerate(keys) if key in keys[:i]), None)
        if twice is not None:
            raise HookError(program.name, f"names {twice} twice in one attach", "name each hook once")
        link = Link(self, program, keys, priority, next(self._ages), len(self.slots))
        with self._writing:
            while True:
                base = self.snapshot
                rows = dict(base.rows)
                for key in keys:
                    others = _attached(rows, key)
                    admit(key, [*(a.program for a in others), program], self.budget_insns)
                    rows[key] = Row(self.hook(key), tuple(sorted((*others, link.attachment), key=_order)))
                link.attachment.run = program.run  # it may be another one by now: see retarget
                if self._publish(base, rows):
                    return link

    def detach(self, link: Link) -> Grace:
        """See `Link.detach`."""
        self._take_off(link)
        return self.synchronize()

    def detach_all(self) -> Grace:
        """Detach every link, then wait once for all of them."""
        for link in self.links():
            self._take_off(link)
        return self.synchronize()

    def replace(self, link: Link, program: Program) -> Grace:
        """See `Link.replace`."""
        with self._writing:
            while True:
                base = self.snapshot
                old = _published(base, link)
                if old is None:
                    raise HookError(
                        f"link of {link.program.name}",
                        f"was detached, so {program.name} can't take its place",
                        f"attach {program.name} anew",
                    )
                new = link.successor(program)  # under the lock: it reads `run`, see retarget
                rows = dict(base.rows)
                for key in link.keys:
                    others = tuple(a for a in _attached(rows, key) if a.link is not link)
                    admit(key, [*(a.program for a in others), program], self.budget_insns)
                    rows[key] = Row(self.hook(key), tuple(sorted((*others, new), key=_order)))
                if self._publish(base, rows):
                    # Plain stores, as in _take_off: no call, so no signal handler's exception, comes in between.
                    # The heir before `run`: whoever finds that gone looks for it.
                    link.attachment = new
                    old.heir = new
                    old.run = None
                    break
        return self.synchronize()

    def synchronize(self) -> Grace:
        """Wait until every dispatch that began before this call has ended; what `detach` does after its swap.

        From inside a running program the calling slot isn't waited for: `Grace.PENDING`.
        """
        with self._writing:
            while not self._publish(base := self.snapshot, base.rows):
                pass
            generation = self.snapshot.generation
        return self.slots.wait_for(generation)

    def _take_off(self, link: Link) -> None:
        with self._writing:
            while (old := _published(base := self.snapshot, link)) is not None:
                rows = dict(base.rows)
                for key in link.keys:
                    left = tuple(a for a in _attached(rows, key) if a.link is not link)
                    if left:
                        rows[key] = Row(self.hook(key), left)
                    else:
                        rows.pop(key, None)
                if self._publish(base, rows):
                    old.run = None

    def _publish(self, base: Snapshot, rows: Mapping[HookKey, Row]) -> bool:
        new = Snapshot(base.generation + 1, rows)
        if self.snapshot is not base:
            return False  # a signal handler or finaliser on this thread wrote meanwhile: build again
        self.snapshot = new
        for watcher in self._watchers:
            watcher()
        return True


def _cells(slots: int) -> array[int]:
    """A counter for each slot, as native code has them too: it counts in the slot that its thread owns."""
    return array("Q", bytes(8 * slots))


def _published(snapshot: Snapshot, link: Link) -> Attachment | None:
    """The version of a link that a snapshot holds; None once it was taken off."""
    return next((a for a in _attached(snapshot.rows, link.keys[0]) if a.link is link), None)


def _attached(rows: Mapping[HookKey, Row], key: HookKey) -> tuple[Attachment, ...]:
    row = rows.get(key)
    return row.attachments if row is not None else ()


def _order(attachment: Attachment) -> tuple[int, int]:
    return attachment.link.order
