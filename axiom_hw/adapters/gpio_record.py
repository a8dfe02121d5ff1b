"""The kernel's record of an edge to a `GpioEvent`, and what is known of each line: one source for Python and pumps.

Functions here are in the subset that native code is made of: `Mem`s and numbers, and nothing else.
"""

from __future__ import annotations

from typing import Final

from axiom_hw.bpf.maps.mem import U32_MASK, Mem, load_u32, load_u64, store_u32, store_u64

# struct gpio_v2_line_event (include/uapi/linux/gpio.h): u64 timestamp_ns, u32 id, offset, seqno, line_seqno, pad[6].
RECORD_BYTES: Final = 48
RECORD_ID: Final = 8
RECORD_OFFSET: Final = 12
RECORD_LINE_SEQNO: Final = 20
RISING: Final = 1  # its id; the other one is falling

# A line: what it is (u32 chip_id, line), counters (u64), and the state after its last event (u32).
LINE_BYTES: Final = 48
CHIP_ID: Final = 0
LINE: Final = 4
RECEIVED: Final = 8
LOST: Final = 16  # dropped by the kernel's buffer
CAUGHT_UP: Final = 24  # events of our own making, after a loss
SEQNO: Final = 32  # of the last event; a request counts from 1
VALUE: Final = 36
SUSPECT: Final = 40  # something was lost since the value was last compared with the line

# Fields of the context, `events.GpioEvent`.
CTX_TIMESTAMP: Final = 0
CTX_CHIP_ID: Final = 8
CTX_LINE: Final = 12
CTX_EDGE: Final = 16
CTX_VALUE: Final = 20
CTX_SEQNO: Final = 24
CTX_LOST: Final = 28
CTX_BYTES: Final = 32


def note_edge(m: Mem, line: int, seqno: int, value: int) -> int:
    """Take the line at `line` to the event `seqno`, after which it has `value`. How many were lost just before."""
    lost = (seqno - load_u32(m, line + SEQNO) - 1) & U32_MASK
    if lost != 0:
        store_u64(m, line + LOST, load_u64(m, line + LOST) + lost)
        store_u32(m, line + SUSPECT, 1)
    store_u64(m, line + RECEIVED, load_u64(m, line + RECEIVED) + 1)
    store_u32(m, line + SEQNO, seqno)
    store_u32(m, line + VALUE, value)
    return lost


def note_catch_up(m: Mem, line: int, value: int) -> int:
    """Take the line at `line` to a value that no event told of. The number of its last event."""
    store_u64(m, line + CAUGHT_UP, load_u64(m, line + CAUGHT_UP) + 1)
    store_u32(m, line + VALUE, value)
    return load_u32(m, line + SEQNO)


def convert_edge(m: Mem, record: int, line: int, ctx: int) -> int:
    """Make the context at `ctx` of the record at `record`, an edge of the line at `line`. Its edge, 1 or 2."""
    edge = 2
    if load_u32(m, record + RECORD_ID) == RISING:
        edge = 1
    value = 2 - edge
    seqno = load_u32(m, record + RECORD_LINE_SEQNO)
    lost = note_edge(m, line, seqno, value)
    store_u64(m, ctx + CTX_TIMESTAMP, load_u64(m, record))
    store_u32(m, ctx + CTX_CHIP_ID, load_u32(m, line + CHIP_ID))
    store_u32(m, ctx + CTX_LINE, load_u32(m, line + LINE))
    store_u32(m, ctx + CTX_EDGE, edge)
    store_u32(m, ctx + CTX_VALUE, value)
    store_u32(m, ctx + CTX_SEQNO, seqno)
    store_u32(m, ctx + CTX_LOST, lost)
    return edge
