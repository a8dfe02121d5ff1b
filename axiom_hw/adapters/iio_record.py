"""A scan of the kernel's buffer to `IioEvent`s or a `ScanEvent`, and what is known of a device: one source for Python
and pumps.

Functions here are in the subset that native code is made of: `Mem`s and numbers, and nothing else.
"""

from __future__ import annotations

from typing import Final

from axiom_hw.bpf.maps.mem import (
    U32_MASK,
    Mem,
    get_u16,
    get_u64,
    load_u8,
    load_u64,
    store_u32,
    store_u64,
)

# A device, u64 each; behind it a row for each of its channels.
DEVICE_ID: Final = 0
CHANNELS: Final = 8  # how many
PERIOD: Final = 16  # ns between two scans; 0 where nobody knows, and no loss can be told
ONE_EVENT: Final = 24  # not 0: one event a scan, else one for each channel
STAMP: Final = 32  # where the time stamp lies in a scan, or NO_STAMP
TIME: Final = 40  # ns, of the last scan; 0 before the first
RECEIVED: Final = 48
LOST: Final = 56
SEQNO: Final = 64  # of the last scan, from 1, lost ones included
GAP: Final = 72  # lost just before the last scan
DUE: Final = 80  # ns, when the last scan was due: no later than its time stamp
STEADY: Final = 88  # not 0: a timer of the kernel paces it, which is exact; else a clock of the sensor's own
ROWS: Final = 96

# A row: where a channel lies in a scan, what its raw values mean, and what it had last. u64 each.
AT: Final = 0  # bytes behind the begin of the scan
BYTES: Final = 8
BIG_ENDIAN: Final = 16
SHIFT: Final = 24
BITS: Final = 32
SIGNED: Final = 40
SCALE_NANO: Final = 48  # without its sign
SCALE_NEGATIVE: Final = 56
BASE_NANO: Final = 64  # without its sign
BASE_NEGATIVE: Final = 72
SCALE: Final = 80  # as in the event
OFFSET: Final = 88
MICRO: Final = 96  # of its last value
RAW: Final = 104  # of its last value
SEEN: Final = 112  # values so far
ROW_BYTES: Final = 120

NO_STAMP: Final = 1 << 32

# Fields of the contexts, `events.IioEvent` and `events.ScanEvent`.
CTX_TIMESTAMP: Final = 0
CTX_DEVICE: Final = 8
IIO_CHANNEL: Final = 12
IIO_VALUE: Final = 16
IIO_SCALE: Final = 20
IIO_OFFSET: Final = 24
IIO_RESERVED: Final = 28
IIO_SEQNO: Final = 32
IIO_LOST: Final = 36
IIO_MICRO: Final = 40
IIO_BYTES: Final = 48
SCAN_COUNT: Final = 12
SCAN_SEQNO: Final = 16
SCAN_LOST: Final = 20
SCAN_VALUES: Final = 24
SCAN_MICROS: Final = 56
SCAN_BYTES: Final = 120


def row_of(state: int, channel: int) -> int:
    """The row of a channel of the device at `state`."""
    return state + ROWS + channel * ROW_BYTES


def note_scan(m: Mem, state: int, record: int, now_ns: int) -> None:
    """Take the device at `state` to the scan at `record`, which was read at `now_ns`: its time, number, and losses.

    The kernel numbers no scans. What is lost shows in the time stamps: of the periods since the last scan was due, each
    but one is a lost scan. A scan that is late counts for its own period: when the next is due doesn't move, but for
    the drift of a clock. Where a timer paces it, it may be late by 15/16 of a period, which is where the timer skips
    one; a sensor's own clock is less exact, and where it runs slow, looks late: 3/4.
    """
    time_ns = now_ns
    stamp = load_u64(m, state + STAMP)
    if stamp != NO_STAMP:
        time_ns = get_u64(m, record + stamp)
    before = load_u64(m, state + TIME)
    period = load_u64(m, state + PERIOD)
    due = time_ns
    periods = 1
    if stamp != NO_STAMP and before != 0 and period != 0:
        due = load_u64(m, state + DUE) + period
        early = period // 4
        share = 4
        if load_u64(m, state + STEADY) != 0:
            early = period // 16
            share = 64
        if time_ns + early >= due + period:
            periods += (time_ns + early - due) // period
            due += (periods - 1) * period
        due = time_ns if time_ns < due else due + (time_ns - due) // share
    store_u64(m, state + DUE, due)
    note_time(m, state, time_ns, periods - 1)


def note_time(m: Mem, state: int, time_ns: int, lost: int) -> None:
    """Take the device at `state` to a scan at a time, before which so many were lost."""
    store_u64(m, state + TIME, time_ns)
    store_u64(m, state + GAP, lost)
    store_u64(m, state + LOST, load_u64(m, state + LOST) + lost)
    store_u64(m, state + SEQNO, load_u64(m, state + SEQNO) + lost + 1)
    store_u64(m, state + RECEIVED, load_u64(m, state + RECEIVED) + 1)


def raw_in(m: Mem, record: int, row: int) -> int:
    """The raw value of the channel at `row` in the scan at `record`."""
    at = record + load_u64(m, row + AT)
    count = load_u64(m, row + BYTES)
    value = 0
    i = 0
    if count == 2:  # as most are
        value = get_u16(m, at)
        if load_u64(m, row + BIG_ENDIAN) != 0:
            value = (value >> 8) | ((value & 0xFF) << 8)
    elif load_u64(m, row + BIG_ENDIAN) != 0:
        while i < count:
            value = (value << 8) | load_u8(m, at + i)
            i += 1
    else:
        while i < count:
            value = value | (load_u8(m, at + i) << (8 * i))
            i += 1
    bits = load_u64(m, row + BITS)
    value = (value >> load_u64(m, row + SHIFT)) & ((1 << bits) - 1)
    if load_u64(m, row + SIGNED) != 0 and (value >> (bits - 1)) & 1 != 0:
        value = value - (1 << bits)
    return value


def micro_of(m: Mem, row: int, raw: int) -> int:
    """Millionths of the unit of the channel at `row`, to the nearest."""
    scale = _with_sign(load_u64(m, row + SCALE_NANO), load_u64(m, row + SCALE_NEGATIVE))
    base = _with_sign(load_u64(m, row + BASE_NANO), load_u64(m, row + BASE_NEGATIVE))
    return (raw * scale + base + 500) // 1000


def _with_sign(amount: int, negative: int) -> int:
    return -amount if negative != 0 else amount


def convert_sample(m: Mem, record: int, state: int, channel: int, ctx: int) -> None:
    """Make the context at `ctx` of one channel of the scan at `record`, which was noted."""
    sample(m, state, channel, raw_in(m, record, row_of(state, channel)), ctx)


def sample(m: Mem, state: int, channel: int, raw: int, ctx: int) -> None:
    """Make the context at `ctx` of a raw value of a channel, in the scan that was noted last."""
    _keep(m, row_of(state, channel), raw)
    _fill(m, state, channel, load_u64(m, state + TIME), load_u64(m, state + GAP), ctx)


def note_raw(m: Mem, state: int, channel: int, raw: int) -> None:
    """Take a channel to a value that belongs to no scan."""
    _keep(m, row_of(state, channel), raw)


def crossing(m: Mem, state: int, channel: int, time_ns: int, ctx: int) -> None:
    """Make the context at `ctx` of an event of the device's own, from the last value of a channel."""
    _fill(m, state, channel, time_ns, 0, ctx)


def _fill(m: Mem, state: int, channel: int, time_ns: int, lost: int, ctx: int) -> None:
    row = row_of(state, channel)
    store_u64(m, ctx + CTX_TIMESTAMP, time_ns)
    store_u32(m, ctx + CTX_DEVICE, load_u64(m, state + DEVICE_ID))
    store_u32(m, ctx + IIO_CHANNEL, channel)
    store_u32(m, ctx + IIO_VALUE, _saturated(load_u64(m, row + RAW)))
    store_u32(m, ctx + IIO_SCALE, load_u64(m, row + SCALE))
    store_u32(m, ctx + IIO_OFFSET, load_u64(m, row + OFFSET))
    store_u32(m, ctx + IIO_RESERVED, 0)
    store_u32(m, ctx + IIO_SEQNO, load_u64(m, state + SEQNO) & U32_MASK)
    store_u32(m, ctx + IIO_LOST, lost & U32_MASK)
    store_u64(m, ctx + IIO_MICRO, load_u64(m, row + MICRO))


def convert_scan(m: Mem, record: int, state: int, ctx: int) -> None:
    """Make the context at `ctx` of the scan at `record`, which was noted."""
    begin_scan(m, state, ctx)
    count = load_u64(m, state + CHANNELS)
    channel = 0
    while channel < count:
        scan_value(m, state, channel, raw_in(m, record, row_of(state, channel)), ctx)
        channel += 1


def begin_scan(m: Mem, state: int, ctx: int) -> None:
    """Make the context at `ctx` of the scan that was noted last, but for its values."""
    store_u64(m, ctx + CTX_TIMESTAMP, load_u64(m, state + TIME))
    store_u32(m, ctx + CTX_DEVICE, load_u64(m, state + DEVICE_ID))
    store_u32(m, ctx + SCAN_COUNT, load_u64(m, state + CHANNELS))
    store_u32(m, ctx + SCAN_SEQNO, load_u64(m, state + SEQNO) & U32_MASK)
    store_u32(m, ctx + SCAN_LOST, load_u64(m, state + GAP) & U32_MASK)
    at = ctx + SCAN_VALUES
    while at < ctx + SCAN_BYTES:
        store_u64(m, at, 0)
        at += 8


def scan_value(m: Mem, state: int, channel: int, raw: int, ctx: int) -> None:
    """Put a raw value of a channel into the context at `ctx`."""
    row = row_of(state, channel)
    _keep(m, row, raw)
    store_u32(m, ctx + SCAN_VALUES + 4 * channel, _saturated(load_u64(m, row + RAW)))
    store_u64(m, ctx + SCAN_MICROS + 8 * channel, load_u64(m, row + MICRO))


def _keep(m: Mem, row: int, raw: int) -> None:
    store_s64(m, row + RAW, raw)
    store_s64(m, row + MICRO, micro_of(m, row, raw))
    store_u64(m, row + SEEN, load_u64(m, row + SEEN) + 1)  # behind the value: who finds this counts on one


def _saturated(word: int) -> int:
    """A number of 64 bits, as it is stored, to the nearest one of 32."""
    high = word >> 31 & 0x1FFFFFFFF
    if high == 0 or high == 0x1FFFFFFFF:
        return word & U32_MASK
    return 0x7FFFFFFF if high >> 32 == 0 else 0x80000000


def store_s64(m: Mem, at: int, value: int) -> None:
    """Store a number that may be negative."""
    store_u64(m, at, ((value >> 32 & U32_MASK) << 32) | (value & U32_MASK))
