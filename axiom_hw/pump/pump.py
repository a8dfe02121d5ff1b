"""A thread's service to feeds of records: native code while it goes, Python for what native code can't do."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import accumulate
from typing import Final

from axiom_hw.adapters.feed import Feed
from axiom_hw.bpf.maps.mem import Mem, load_u64, store_u16, store_u32, store_u64
from axiom_hw.executor import Executor
from axiom_hw.hooks import Registry
from axiom_hw.keys import HookKey
from axiom_hw.pump import loop
from axiom_hw.pump.table import NativeProgram, Table
from axiom_hw.slots import IDLE, Slot
from axiom_hw.syscalls import POLLFD_BYTES, POLLIN, PROCESS, address_of

BATCH: Final = 64  # records a read

Enter = Callable[[int], int]
"""Runs the loop of the pump at an address without the GIL, until it returns why."""


class Pump:
    """Serves feeds in the thread that calls `run`, until `stop`. Programs without native code run in Python.

    An event is read from its descriptor once and belongs to the programs that are attached when its turn comes; an
    attach, a detach or a replace comes between two events and loses none.

    Synchronization: `run` by one thread at a time, not the main one, whose signals it would keep waiting; `stop` and
    `wake` from any thread. `close` when nobody runs.
    """

    def __init__(
        self, registry: Registry, executor: Executor, feeds: Sequence[Feed], enter: Enter | None = None
    ) -> None:
        """`enter` is the compiled loop; without it the loop runs as plain Python."""
        self._registry = registry
        self._executor = executor
        self._feeds = tuple(feeds)
        self._enter: Enter = enter if enter is not None else lambda p: loop.pump(PROCESS, p)
        self._keys = tuple(key for feed in self._feeds for key in feed.keys)
        self._table: Table | None = None
        self._generation = 0
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._mem = _lay_out(self._feeds, self._wake)
        self.address = address_of(self._mem)
        registry.watch(self.wake)

    def run(self) -> None:
        """Serve the feeds until `stop`. Raises the error of a feed that failed, and of a program what is no fault."""
        slot = self._registry.slots.mine() or self._registry.slots.claim()
        try:
            while not (load_u64(self._mem, loop.STOPPING) and self._is_empty()):
                self._serve(slot)
        finally:
            store_u64(self._mem, loop.STOPPING, 0)

    def stop(self) -> None:
        """Let `run` return when it has handled what it has read, or the next `run` at once."""
        store_u64(self._mem, loop.STOPPING, 1)
        self.wake()

    def wake(self) -> None:
        """Let the loop return to Python between two programs, and look at what is attached."""
        os.eventfd_write(self._wake, 1)
        self.leave()  # behind the write: who finds this set takes both back

    def leave(self) -> None:
        """As `wake`, from inside a program that the loop runs."""
        store_u64(self._mem, loop.LEAVE, 1)

    def key(self) -> HookKey:
        """The hook of the event under way."""
        return self._keys[load_u64(self._mem, loop.HOOK)]

    def close(self) -> None:
        """Give the pump's own descriptor back; the feeds' are their owners'."""
        self._registry.unwatch(self.wake)
        os.close(self._wake)

    def _serve(self, slot: Slot) -> None:
        """One stretch of native code, and what it left for Python."""
        if load_u64(self._mem, loop.LEAVE):
            # Taken back before the snapshot is read: one that is published from here on asks anew. The descriptor last:
            # who wakes in between sets LEAVE again, and none that is readable stays behind, which would starve feeds.
            store_u64(self._mem, loop.LEAVE, 0)
            with suppress(BlockingIOError):
                os.eventfd_read(self._wake)
        try:
            # As in Executor: the epoch is announced first, and the rows are read after it.
            slot.epoch = self._registry.snapshot.generation
            slot.stretch = self
            self._take_table(slot)
            why = self._enter(self.address)
            if why in (loop.CUT, loop.FAULTED):
                self._finish(slot, why)
        finally:
            slot.stretch = None
            slot.epoch = IDLE
        self._executor.drain(slot)
        match why:
            case loop.HANDED:
                self._executor.fire(self.key(), self._ctx())
            case loop.SETTLED:
                self._settle()
            case loop.FAILED:
                raise self._feeds[load_u64(self._mem, loop.FEED)].failed(load_u64(self._mem, loop.ERROR))

    def _take_table(self, slot: Slot) -> None:
        snapshot = self._registry.snapshot
        table = self._table
        if table is None or snapshot.generation != self._generation or not table.is_complete:
            self._table = table = Table(self._registry, snapshot, self._keys, slot.index)
            self._generation = snapshot.generation
            store_u64(self._mem, loop.TABLE, table.address)

    def _finish(self, slot: Slot, why: int) -> None:
        """Do the rest of an event that native code began, in the same epoch."""
        assert self._table is not None
        attachments = self._table.attachments[load_u64(self._mem, loop.HOOK)]
        done = load_u64(self._mem, loop.PROGRAM)
        if why == loop.FAULTED:
            last = attachments[done - 1]
            assert isinstance(last.program, NativeProgram), "only native programs are in the table"
            error = last.program.fault(slot.index)
            if not isinstance(error, Exception):
                raise error
            self._executor.faulted(last, slot.index, error)
        self._executor.run(attachments[done:], self._ctx(), slot.index)

    def _settle(self) -> None:
        index = load_u64(self._mem, loop.FEED)
        store_u64(self._mem, self._row(index) + loop.LOSSES, int(self._feeds[index].settle()))

    def _is_empty(self) -> bool:
        """Whether no whole record is left that was read and not handled."""
        rows = ((self._row(index), feed.record_bytes) for index, feed in enumerate(self._feeds))
        return all(load_u64(self._mem, row + loop.HAVE) - load_u64(self._mem, row + loop.AT) < n for row, n in rows)

    def _row(self, index: int) -> int:
        return load_u64(self._mem, loop.FEED_ROWS) - self.address + index * loop.FEED_BYTES

    def _ctx(self) -> bytes:
        feed = self._feeds[load_u64(self._mem, loop.FEED)]
        return bytes(self._mem.u8[loop.CTX : loop.CTX + feed.ctx_bytes])


def _lay_out(feeds: Sequence[Feed], wake: int) -> Mem:
    """The pump's memory: its words, the pollfds, the feeds, and behind these each feed's index and buffer."""
    fds = loop.PUMP_BYTES
    rows = fds + (len(feeds) + 1) * POLLFD_BYTES
    indices = rows + len(feeds) * loop.FEED_BYTES
    counts = [max(feed.offsets, default=-1) + 1 for feed in feeds]
    buffers = [-(-BATCH * feed.record_bytes // 8) * 8 for feed in feeds]
    sizes = [-(-2 * count // 8) * 8 + buffer for count, buffer in zip(counts, buffers, strict=True)]
    starts = list(accumulate(sizes, initial=indices))
    mem = Mem(bytearray(starts[-1]))
    base = address_of(mem)
    store_u64(mem, loop.FEEDS, len(feeds))
    store_u64(mem, loop.POLLFDS, base + fds)
    store_u64(mem, loop.FEED_ROWS, base + rows)
    hooks = list(accumulate((len(feed.keys) for feed in feeds), initial=0))
    for number, fd in enumerate((wake, *(feed.fd for feed in feeds))):
        store_u32(mem, fds + number * POLLFD_BYTES, fd)
        store_u16(mem, fds + number * POLLFD_BYTES + 4, POLLIN)
    for number, feed in enumerate(feeds):
        row, index = rows + number * loop.FEED_BYTES, starts[number]
        for line, offset in enumerate(feed.offsets, 1):
            store_u16(mem, index + 2 * offset, line)
        words = (
            (loop.FD, feed.fd),
            (loop.STATES, address_of(feed.states)),
            (loop.INDEX, base + index),
            (loop.INDEX_COUNT, counts[number]),
            (loop.FIRST_HOOK, hooks[number]),
            (loop.BUFFER, base + starts[number + 1] - buffers[number]),
            (loop.BUFFER_BYTES, BATCH * feed.record_bytes),
            (loop.LOSSES, 1),  # of another service to the same lines, perhaps
            (loop.KIND, loop.SCANS if feed.is_scans else 0),
            (loop.RECORD, feed.record_bytes),
        )
        for word, value in words:
            store_u64(mem, row + word, value)
    return mem
