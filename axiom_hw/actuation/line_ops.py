"""The guard's rules for output lines, in the subset that native code is made of: programs and Python share them.

Here is what decides: which lines there are, which values they take, the latched stop, the end of the guard; the lane of
each line, in which orders are written in turn while nobody waits; and the audit of all that.

`m` is any memory and `s` where the guard's state lies in it: programs get theirs behind a port, Python gives all of
this process and an address. A state is made by `shared_lines`.
"""

from __future__ import annotations

from typing import Final

from axiom_hw.bpf.maps.mem import (
    Mem,
    cas_u64,
    exchange_u64,
    fetch_add_u64,
    load_u32,
    load_u64,
    store_u32,
    store_u64,
)
from axiom_hw.syscalls import CLOCK_MONOTONIC, clock_gettime, ioctl

# A port: what a program knows of the guard. u64 each.
PORT_STATE: Final = 0  # how far behind the port the state lies
PORT_SOURCE: Final = 8  # who asks, for the audit
PORT_BYTES: Final = 16

# The state. u64 each.
ADDRESS: Final = 0  # its own
STOPS: Final = 8  # emergency stops so far; latched while it differs from
ACKNOWLEDGED: Final = 16  # how many of them were released
CLOSED: Final = 24
DECISIONS: Final = 32  # so far, those that Python keeps included
AUDIT: Final = 40  # where the audit lies, from the state on
AUDIT_ENTRIES: Final = 48  # a power of two
INDEX: Final = 56  # u32 for each line of chip 0: where its row lies, from the state on, or 0
INDEX_LINES: Final = 1024
STATE_BYTES: Final = INDEX + 4 * INDEX_LINES

# A row: a line. u64 each.
FD: Final = 0
MASK: Final = 8  # its bit in the request's values
IS_OUTPUT: Final = 16
SAFE: Final = 24
LINE: Final = 32
LANE: Final = 40  # 0, or BUSY and the number of the order that was appended last
FREE: Final = 48  # a bit for each order that is free
SAFE_WRITES: Final = 56  # safe states written so far
SAFE_RESULT: Final = 64  # of the last one
SET_VALUES: Final = 72  # struct gpio_v2_line_values: u64 bits, u64 mask
GET_VALUES: Final = 88
LEAST: Final = 104  # the authority that orders need; programs have PROGRAM
WATCHED: Final = 112  # whether a watchdog looks at
LAST: Final = 120  # when the last order was carried out, struct timespec; 0 since it went to its safe state
ORDERS: Final = 136
ORDER_COUNT: Final = 64
ORDINARY_ORDERS: Final = 56
ORDER_BYTES: Final = 32
ROW_BYTES: Final = ORDERS + ORDER_COUNT * ORDER_BYTES

BUSY: Final = 1 << 32
NUMBER: Final = BUSY - 1

# An order. u64 each.
NEXT: Final = 0  # number of another, or 0
SOURCE: Final = 8
LEVEL: Final = 16
IS_SAFE: Final = 24  # whose safe state it writes: NOBODYS, ANYBODYS, or the WATCHDOGS
NOBODYS, ANYBODYS, WATCHDOGS = 0, 1, 2

# An entry of the audit. u64 each.
TURN: Final = 0  # 2 * number of the decision; odd while it is being written
SECONDS: Final = 8  # struct timespec
BY: Final = 24
OF_LINE: Final = 32
WANTED: Final = 40
WRITTEN: Final = 48
VERDICT: Final = 56
ERRNO: Final = 64
ENTRY_BYTES: Final = 72
NOTHING: Final = 1 << 63  # in the place of what was written

APPLIED, STOPPED, CLOSED_NOW, FAILED, UNKNOWN, REFUSED, CROWDED, DENIED, EXPIRED = 0, 1, 2, 3, 4, 5, 6, 7, 8
PROGRAM: Final = 0  # Authority.PROGRAM

# include/uapi/linux/gpio.h
GPIO_V2_LINE_GET_VALUES_IOCTL: Final = 0xC010B40E
GPIO_V2_LINE_SET_VALUES_IOCTL: Final = 0xC010B40F

EPERM: Final = 1
EAGAIN: Final = 11
EACCES: Final = 13
ENODEV: Final = 19
EINVAL: Final = 22
ESHUTDOWN: Final = 108


# What programs call: the helpers gpio_set, gpio_get and emergency_stopped.


def port_set(m: Mem, line: int, value: int) -> int:
    """Drive an output of chip 0; see `Guard.set_gpio`."""
    s = load_u64(m, PORT_STATE)
    source = load_u64(m, PORT_SOURCE)
    row = _row_of(m, s, line)
    if row == 0:
        return _refuse(m, s, source, line, value, UNKNOWN, ENODEV)
    if load_u64(m, row + IS_OUTPUT) == 0:
        return _refuse(m, s, source, line, value, UNKNOWN, ENODEV)
    if load_u64(m, row + LEAST) > PROGRAM:
        return _refuse(m, s, source, load_u64(m, row + LINE), value, DENIED, EACCES)
    return set_line(m, s, row, source, value)


def port_get(m: Mem, line: int) -> int:
    """The value of a line of chip 0; see `Guard.get_gpio`."""
    s = load_u64(m, PORT_STATE)
    row = _row_of(m, s, line)
    if row == 0:
        return -ENODEV
    return get_line(m, s, row)


def port_stopped(m: Mem) -> int:
    """Whether the emergency stop is latched, 0 or 1."""
    s = load_u64(m, PORT_STATE)
    if load_u64(m, s + STOPS) != load_u64(m, s + ACKNOWLEDGED):
        return 1
    return 0


def _row_of(m: Mem, s: int, line: int) -> int:
    if line < 0 or line >= INDEX_LINES:
        return 0
    at = load_u32(m, s + INDEX + 4 * line)
    if at == 0:
        return 0
    return s + at


# What the guard calls.


def verdict_now(m: Mem, s: int) -> int:
    """What becomes of an order that would be written now, unless it makes safe."""
    if load_u64(m, s + CLOSED) != 0:
        return CLOSED_NOW
    if load_u64(m, s + STOPS) != load_u64(m, s + ACKNOWLEDGED):
        return STOPPED
    return APPLIED


def set_line(m: Mem, s: int, row: int, source: int, value: int) -> int:
    """Drive the output at `row`: 0, or a negative errno."""
    if value != 0 and value != 1:
        return _refuse(m, s, source, load_u64(m, row + LINE), value, REFUSED, EINVAL)
    return submit(m, s, row, source, value, NOBODYS)


def get_line(m: Mem, s: int, row: int) -> int:
    """The value of the line at `row`, or a negative errno.

    Many may ask at once: each writes the same mask, and each answer that they overwrite is from after the question.
    """
    mask = load_u64(m, row + MASK)
    store_u64(m, row + GET_VALUES + 8, mask)
    fd = load_u64(m, row + FD)
    failed = ioctl(fd, GPIO_V2_LINE_GET_VALUES_IOCTL, _address(m, s, row + GET_VALUES))
    if failed < 0:
        return failed
    if load_u64(m, row + GET_VALUES) & mask != 0:
        return 1
    return 0


def submit(m: Mem, s: int, row: int, source: int, level: int, is_safe: int) -> int:
    """Write an order, and those that others append meanwhile; or leave it to whoever is writing this line: 0 then."""
    if not cas_u64(m, row + LANE, 0, BUSY):
        number = _take_order(m, row, is_safe)
        if number == 0:
            return _refuse(m, s, source, load_u64(m, row + LINE), level, CROWDED, EAGAIN)
        order = row + ORDERS + (number - 1) * ORDER_BYTES
        store_u64(m, order + SOURCE, source)
        store_u64(m, order + LEVEL, level)
        store_u64(m, order + IS_SAFE, is_safe)
        while not cas_u64(m, row + LANE, 0, BUSY):
            last = load_u64(m, row + LANE)
            if last != 0:
                store_u64(m, order + NEXT, last & NUMBER)
                if cas_u64(m, row + LANE, last, BUSY | number):
                    return 0
        _give_order(m, row, number)
    result = _write(m, s, row, source, level, is_safe)
    while not cas_u64(m, row + LANE, BUSY, 0):
        _write_all(m, s, row, exchange_u64(m, row + LANE, BUSY) & NUMBER)
    return result


def _write_all(m: Mem, s: int, row: int, last: int) -> None:
    """Write orders that were appended, the one that came first first."""
    first = 0
    while last != 0:
        at = row + ORDERS + (last - 1) * ORDER_BYTES + NEXT
        before = load_u64(m, at)
        store_u64(m, at, first)
        first = last
        last = before
    while first != 0:
        order = row + ORDERS + (first - 1) * ORDER_BYTES
        then = load_u64(m, order + NEXT)
        _write(m, s, row, load_u64(m, order + SOURCE), load_u64(m, order + LEVEL), load_u64(m, order + IS_SAFE))
        _give_order(m, row, first)
        first = then


def _take_order(m: Mem, row: int, is_safe: int) -> int:
    """The number of an order that nobody has, or 0. Some are kept for those that make safe."""
    most = ORDER_COUNT if is_safe != NOBODYS else ORDINARY_ORDERS
    while True:
        free = load_u64(m, row + FREE)
        number = 1
        while number <= most and (free >> (number - 1)) & 1 == 0:
            number += 1
        if number > most:
            return 0
        if cas_u64(m, row + FREE, free, free - (1 << (number - 1))):
            return number


def _give_order(m: Mem, row: int, number: int) -> None:
    fetch_add_u64(m, row + FREE, 1 << (number - 1))


def _write(m: Mem, s: int, row: int, source: int, level: int, is_safe: int) -> int:
    """Decide and write one order; the latch is looked at here, after which only a stop's own order can follow."""
    line = load_u64(m, row + LINE)
    verdict = APPLIED
    if is_safe == NOBODYS:
        verdict = verdict_now(m, s)
    if is_safe == WATCHDOGS:
        verdict = EXPIRED
    if verdict == CLOSED_NOW:
        return _refuse(m, s, source, line, level, CLOSED_NOW, ESHUTDOWN)
    written = level
    number = 0
    if verdict == STOPPED:
        written = load_u64(m, row + SAFE)
        number = EPERM
    failed = drive(m, s, row, written)
    if failed < 0:
        number = -failed
        _note(m, s, source, line, level, NOTHING, FAILED, number)
    else:
        _note(m, s, source, line, level, written, verdict, number)
    if load_u64(m, row + WATCHED) != 0:
        if is_safe == NOBODYS and verdict == APPLIED:
            clock_gettime(CLOCK_MONOTONIC, _address(m, s, row + LAST))
        else:
            store_u64(m, row + LAST, 0)
            store_u64(m, row + LAST + 8, 0)
    if is_safe != NOBODYS:
        store_u64(m, row + SAFE_RESULT, number)
        store_u64(m, row + SAFE_WRITES, load_u64(m, row + SAFE_WRITES) + 1)
    return -number


def drive(m: Mem, s: int, row: int, level: int) -> int:
    """Set the line at `row`, whoever else does: 0, or a negative errno."""
    mask = load_u64(m, row + MASK)
    bits = 0
    if level != 0:
        bits = mask
    store_u64(m, row + SET_VALUES, bits)
    store_u64(m, row + SET_VALUES + 8, mask)
    fd = load_u64(m, row + FD)
    return ioctl(fd, GPIO_V2_LINE_SET_VALUES_IOCTL, _address(m, s, row + SET_VALUES))


def _refuse(m: Mem, s: int, source: int, line: int, wanted: int, verdict: int, number: int) -> int:
    _note(m, s, source, line, wanted, NOTHING, verdict, number)
    return -number


def _note(m: Mem, s: int, source: int, line: int, wanted: int, written: int, verdict: int, number: int) -> None:
    """Append a decision to the audit; the oldest makes room. One whose room is being written just now isn't kept."""
    turn = fetch_add_u64(m, s + DECISIONS, 1) + 1
    entry = s + load_u64(m, s + AUDIT) + (turn & (load_u64(m, s + AUDIT_ENTRIES) - 1)) * ENTRY_BYTES
    old = load_u64(m, entry + TURN)
    if old & 1 != 0:
        return
    if not cas_u64(m, entry + TURN, old, old | 1):
        return
    clock_gettime(CLOCK_MONOTONIC, _address(m, s, entry + SECONDS))
    store_u64(m, entry + BY, source)
    store_u64(m, entry + OF_LINE, line)
    store_u64(m, entry + WANTED, wanted)
    store_u64(m, entry + WRITTEN, written)
    store_u32(m, entry + VERDICT, verdict)
    store_u32(m, entry + ERRNO, number)
    store_u64(m, entry + TURN, 2 * turn)


def _address(m: Mem, s: int, at: int) -> int:
    return load_u64(m, s + ADDRESS) + (at - s)


# How Python asks, in compiled code too: a request lies somewhere in this process, as `m` is. u64 each.
ASK_WHAT: Final = 0
ASK_STATE: Final = 8  # address
ASK_ROW: Final = 16  # address
ASK_SOURCE: Final = 24
ASK_VALUE: Final = 32
ASK_BYTES: Final = 40

ASK_SET, ASK_SAFE, ASK_FORCE, ASK_GET, ASK_STOP, ASK_EXPIRE = 0, 1, 2, 3, 4, 5


def ask(m: Mem, at: int) -> int:
    """One of the functions above, or one stop more."""
    what = load_u64(m, at + ASK_WHAT)
    s = load_u64(m, at + ASK_STATE)
    row = load_u64(m, at + ASK_ROW)
    source = load_u64(m, at + ASK_SOURCE)
    if what == ASK_SET:
        return set_line(m, s, row, source, load_u64(m, at + ASK_VALUE))
    if what == ASK_SAFE:
        return submit(m, s, row, source, load_u64(m, row + SAFE), ANYBODYS)
    if what == ASK_EXPIRE:
        return submit(m, s, row, source, load_u64(m, row + SAFE), WATCHDOGS)
    if what == ASK_FORCE:
        return _write(m, s, row, source, load_u64(m, row + SAFE), ANYBODYS)
    if what == ASK_GET:
        return get_line(m, s, row)
    return fetch_add_u64(m, s + STOPS, 1)
