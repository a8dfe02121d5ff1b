"""What runs on which hook, as addresses for the pump's loop: one table for each snapshot of the registry."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from axiom_hw.bpf.maps.mem import Mem, store_u64
from axiom_hw.hooks import Attachment, Hook, Registry, Snapshot
from axiom_hw.keys import HookKey
from axiom_hw.pump import loop
from axiom_hw.syscalls import address_of


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a program's native code lies, and its state in one slot, as addresses.

    `abort` is that of a u32 which isn't 0 after a run that ended early; `fault` of the program then says why.
    """

    code: int
    run: int
    abort: int


@runtime_checkable
class NativeProgram(Protocol):
    """A program that a pump can run. Whoever holds it keeps its code and state where they are."""

    def entry(self, slot: int) -> Entry | None:
        """None while it isn't native code; the registry is renewed when it has become so."""

    def fault(self, slot: int) -> BaseException:
        """What ended the last run early; the next run may begin."""


class Table:
    """The rows of some hooks in one snapshot, for one slot. It keeps what it points to."""

    __slots__ = ("_kept", "address", "attachments", "is_complete")

    def __init__(self, registry: Registry, snapshot: Snapshot, keys: Sequence[HookKey], slot: int) -> None:
        rows = [snapshot.rows.get(key) for key in keys]
        self.attachments = tuple(row.attachments if row is not None else () for row in rows)
        found = {hook.key: hook for hook in registry.hooks()}
        # A hook without programs that had no event so far is Python's to make, with its first event.
        self.is_complete = all(row is not None or key in found for row, key in zip(rows, keys, strict=True))
        entries = [_entries(one, slot) for one in self.attachments]
        sizes = [loop.ENTRIES + len(one or ()) * loop.ENTRY_BYTES for one in entries]
        mem = Mem(bytearray(8 * len(keys) + sum(sizes)))
        self.address = address_of(mem)
        at = 8 * len(keys)
        for number, (key, row, listed) in enumerate(zip(keys, rows, entries, strict=True)):
            store_u64(mem, 8 * number, self.address + at)
            hook = row.hook if row is not None else found.get(key)
            _write_row(mem, at, hook, self.attachments[number], listed, slot)
            at += sizes[number]
        self._kept = (mem, self.attachments, tuple(found.values()))


def _entries(attachments: tuple[Attachment, ...], slot: int) -> list[Entry] | None:
    """The native code of all of them, or None where one has none."""
    listed = []
    for attachment in attachments:
        program = attachment.program
        entry = program.entry(slot) if isinstance(program, NativeProgram) else None
        if entry is None:
            return None
        listed.append(entry)
    return listed


def _write_row(
    mem: Mem, at: int, hook: Hook | None, attachments: tuple[Attachment, ...], entries: list[Entry] | None, slot: int
) -> None:
    if hook is None or entries is None:
        store_u64(mem, at + loop.PROGRAMS, loop.FOR_PYTHON)
        return
    store_u64(mem, at + loop.EVENTS, _cell(hook.events, slot))
    store_u64(mem, at + loop.UNHANDLED, _cell(hook.unhandled, slot))
    store_u64(mem, at + loop.PROGRAMS, len(entries))
    for number, (attachment, entry) in enumerate(zip(attachments, entries, strict=True)):
        to = at + loop.ENTRIES + number * loop.ENTRY_BYTES
        store_u64(mem, to + loop.CODE, entry.code)
        store_u64(mem, to + loop.RUN, entry.run)
        store_u64(mem, to + loop.ABORT, entry.abort)
        store_u64(mem, to + loop.RUNS, _cell(attachment.runs, slot))


def _cell(cells: array[int], slot: int) -> int:
    return cells.buffer_info()[0] + cells.itemsize * slot
