"""The pump's loop: poll, read, convert, run the programs; no Python, and no allocation, for an event.

In the subset that native code is made of; run as plain Python it does the same. `m` is all of this process
(`syscalls.PROCESS`) and every other argument an address or a number. `pump` returns when Python has to do something,
says what, and goes on where it stopped when it is called again.
"""

from __future__ import annotations

from typing import Final

from axiom_hw.adapters.gpio_record import LINE_BYTES, RECEIVED, RECORD_BYTES, RECORD_OFFSET, SUSPECT, convert_edge
from axiom_hw.adapters.iio_record import CHANNELS, ONE_EVENT, convert_sample, convert_scan, note_scan
from axiom_hw.bpf.maps.mem import Mem, load_u8, load_u16, load_u32, load_u64, store_u8, store_u64
from axiom_hw.pump.calls import call_program
from axiom_hw.syscalls import (
    CLOCK_MONOTONIC,
    EAGAIN,
    EINTR,
    ENODEV,
    POLLFD_BYTES,
    POLLFD_REVENTS,
    clock_gettime,
    poll,
    read,
)

# Why `pump` returns.
LEFT: Final = 0  # asked to, by LEAVE or the wake descriptor, between two events
HANDED: Final = 1  # the event of HOOK, its context at CTX, has programs for Python to run
CUT: Final = 2  # LEAVE came inside of the event of HOOK: its programs from PROGRAM on are Python's to run
FAULTED: Final = 3  # the program before PROGRAM ended early; then as CUT
SETTLED: Final = 4  # feed FEED has nothing more to read, and a line that lost something
FAILED: Final = 5  # poll, or read of feed FEED, with errno ERROR

# The pump's words, u64 each.
LEAVE: Final = 0  # set by any thread
TABLE: Final = 8  # address of the table: for each hook the address of its row
FEEDS: Final = 16  # how many
POLLFDS: Final = 24  # address of as many pollfds, behind that of the wake descriptor
FEED_ROWS: Final = 32  # address of the feeds
FEED: Final = 40  # index of the feed that is being served
TURN: Final = 48  # index of the feed that is looked at first after the next poll
HOOK: Final = 56
PROGRAM: Final = 64
ERROR: Final = 72
STOPPING: Final = 80  # not 0: read nothing more
CTX: Final = 88
PUMP_BYTES: Final = CTX + 128

# A feed: a descriptor, what its records speak of, and a buffer. u64 each.
FD: Final = 0
STATES: Final = (
    8  # address: of the lines, of which number 0 counts records of lines that aren't the feed's; or a device
)
INDEX: Final = 16  # address of a u16 for each offset on the chip: the line's number, from 1, or 0
INDEX_COUNT: Final = 24
FIRST_HOOK: Final = 32  # of its line 1; a line has two, for its rising and falling edges
BUFFER: Final = 40  # address
BUFFER_BYTES: Final = 48
AT: Final = 56  # what lies before it in the buffer is handled
HAVE: Final = 64  # what lies behind it is not read
LOSSES: Final = 72  # not 0: a line lost something since the feed was settled
KIND: Final = 80  # of its records: edges of lines (`gpio_record`), or SCANS (`iio_record`)
RECORD: Final = 88  # bytes of a record
PART: Final = 96  # of a scan that becomes several events: how many of them are handled
SECONDS: Final = 104  # struct timespec: when a scan was read that has no time stamp
NANOSECONDS: Final = 112
FEED_BYTES: Final = 120

SCANS: Final = 1

# A row: the cells that count, then the programs in the order they run. u64 each.
EVENTS: Final = 0  # address of the cell
UNHANDLED: Final = 8  # address of the cell
PROGRAMS: Final = 16  # how many, or FOR_PYTHON
ENTRIES: Final = 24
FOR_PYTHON: Final = 1 << 32

CODE: Final = 0  # address of the program's native code
RUN: Final = 8  # address of the state of its runs in this slot
ABORT: Final = 16  # address of a u32 that isn't 0 after a run that ended early
RUNS: Final = 24  # address of the cell that counts them
ENTRY_BYTES: Final = 32


def pump(m: Mem, p: int) -> int:
    """Serve the feeds of the pump at `p`, asleep while there is nothing to do, until Python is needed: why."""
    while True:
        if load_u64(m, p + LEAVE) != 0:
            return LEFT
        feed = load_u64(m, p + FEED_ROWS) + load_u64(m, p + FEED) * FEED_BYTES
        while load_u64(m, feed + HAVE) - load_u64(m, feed + AT) >= load_u64(m, feed + RECORD):
            why = _handle_scan(m, p, feed) if load_u64(m, feed + KIND) == SCANS else _handle_edge(m, p, feed)
            if why != LEFT:
                return why
            if load_u64(m, p + LEAVE) != 0:
                return LEFT
        if load_u64(m, p + STOPPING) != 0:
            return LEFT
        why = _wait(m, p)
        if why != _READABLE:
            return why
        why = _fill(m, p)
        if why != LEFT:
            return why


_READABLE: Final = 6  # of _wait: feed FEED has something to read


def _wait(m: Mem, p: int) -> int:
    """Sleep until a feed is readable, and make it FEED. Feeds that are readable at once take turns."""
    feeds = load_u64(m, p + FEEDS)
    fds = load_u64(m, p + POLLFDS)
    timeout_ms = -1
    i = 0
    while i < feeds:
        if load_u64(m, load_u64(m, p + FEED_ROWS) + i * FEED_BYTES + LOSSES) != 0:
            timeout_ms = 0
        i += 1
    ready = poll(fds, feeds + 1, timeout_ms)
    if ready == -EINTR:
        return LEFT
    if ready < 0:
        store_u64(m, p + ERROR, -ready)
        return FAILED
    if load_u16(m, fds + POLLFD_REVENTS) != 0:
        return LEFT
    i = 0
    while i < feeds:
        losses = load_u64(m, load_u64(m, p + FEED_ROWS) + i * FEED_BYTES + LOSSES)
        if losses != 0 and load_u16(m, fds + (i + 1) * POLLFD_BYTES + POLLFD_REVENTS) == 0:
            store_u64(m, p + FEED, i)
            return SETTLED
        i += 1
    turn = load_u64(m, p + TURN)
    i = 0
    while i < feeds:
        at = turn + i
        if at >= feeds:
            at -= feeds
        if load_u16(m, fds + (at + 1) * POLLFD_BYTES + POLLFD_REVENTS) != 0:
            store_u64(m, p + FEED, at)
            store_u64(m, p + TURN, at + 1 if at + 1 < feeds else 0)
            return _READABLE
        i += 1
    return LEFT


def _fill(m: Mem, p: int) -> int:
    """Read once from FEED, behind what is left of a record that came in parts."""
    feed = load_u64(m, p + FEED_ROWS) + load_u64(m, p + FEED) * FEED_BYTES
    buffer = load_u64(m, feed + BUFFER)
    at = load_u64(m, feed + AT)
    left = load_u64(m, feed + HAVE) - at
    i = 0
    while i < left:
        store_u8(m, buffer + i, load_u8(m, buffer + at + i))
        i += 1
    store_u64(m, feed + AT, 0)
    store_u64(m, feed + HAVE, left)
    n = read(load_u64(m, feed + FD), buffer + left, load_u64(m, feed + BUFFER_BYTES) - left)
    if n == -EAGAIN or n == -EINTR:
        return LEFT
    if n <= 0:
        store_u64(m, p + ERROR, -n if n < 0 else ENODEV)  # a device has no end, but may be gone
        return FAILED
    store_u64(m, feed + HAVE, left + n)
    if load_u64(m, feed + KIND) == SCANS:
        clock_gettime(CLOCK_MONOTONIC, feed + SECONDS)
    return LEFT


def _handle_edge(m: Mem, p: int, feed: int) -> int:
    """The next record of a feed of edges: to a context, to the programs of its hook."""
    record = load_u64(m, feed + BUFFER) + load_u64(m, feed + AT)
    store_u64(m, feed + AT, load_u64(m, feed + AT) + RECORD_BYTES)  # taken, whatever becomes of it
    offset = load_u32(m, record + RECORD_OFFSET)
    line = 0
    if offset < load_u64(m, feed + INDEX_COUNT):
        line = load_u16(m, load_u64(m, feed + INDEX) + 2 * offset)
    state = load_u64(m, feed + STATES) + line * LINE_BYTES
    if line == 0:
        _count(m, state + RECEIVED)
        return LEFT
    edge = convert_edge(m, record, state, p + CTX)
    if load_u32(m, state + SUSPECT) != 0:
        store_u64(m, feed + LOSSES, 1)
    hook = load_u64(m, feed + FIRST_HOOK) + 2 * (line - 1) + edge - 1
    store_u64(m, p + HOOK, hook)
    return _dispatch(m, p, load_u64(m, load_u64(m, p + TABLE) + 8 * hook))


def _handle_scan(m: Mem, p: int, feed: int) -> int:
    """The next event of a feed of scans, which is a scan or a channel of one: as `_handle_edge`."""
    record = load_u64(m, feed + BUFFER) + load_u64(m, feed + AT)
    device = load_u64(m, feed + STATES)
    part = load_u64(m, feed + PART)
    if part == 0:
        now_ns = load_u64(m, feed + SECONDS) * 1000000000 + load_u64(m, feed + NANOSECONDS)
        note_scan(m, device, record, now_ns)
    if load_u64(m, device + ONE_EVENT) != 0:
        convert_scan(m, record, device, p + CTX)
        left = 0
    else:
        convert_sample(m, record, device, part, p + CTX)
        left = load_u64(m, device + CHANNELS) - part - 1
    if left == 0:
        store_u64(m, feed + AT, load_u64(m, feed + AT) + load_u64(m, feed + RECORD))
        store_u64(m, feed + PART, 0)
    else:
        store_u64(m, feed + PART, part + 1)
    hook = load_u64(m, feed + FIRST_HOOK) + part
    store_u64(m, p + HOOK, hook)
    return _dispatch(m, p, load_u64(m, load_u64(m, p + TABLE) + 8 * hook))


def _dispatch(m: Mem, p: int, row: int) -> int:
    """Run the programs of a row on the context at CTX, and count as `Executor` does."""
    programs = load_u64(m, row + PROGRAMS)
    if programs == FOR_PYTHON:
        return HANDED
    _count(m, load_u64(m, row + EVENTS))
    if programs == 0:
        _count(m, load_u64(m, row + UNHANDLED))
    i = 0
    while i < programs:
        entry = row + ENTRIES + i * ENTRY_BYTES
        _count(m, load_u64(m, entry + RUNS))
        call_program(load_u64(m, entry + CODE), p + CTX, load_u64(m, entry + RUN))
        i += 1
        if load_u32(m, load_u64(m, entry + ABORT)) != 0:
            store_u64(m, p + PROGRAM, i)
            return FAULTED
        if i < programs and load_u64(m, p + LEAVE) != 0:
            store_u64(m, p + PROGRAM, i)
            return CUT
    return LEFT


def _count(m: Mem, cell: int) -> None:
    store_u64(m, cell, load_u64(m, cell) + 1)  # a cell has one writer: this slot, or this feed
