"""Operations of ring buffers: many producers, one consumer, one compare-and-swap a record, nobody waits.

Positions, headers and results are those of Linux (kernel/bpf/ringbuf.c), which serialises producers by a lock where
this swaps. Two rules make up for the lock. Free room is zero, since the consumer clears a record before it gives its
room back: so a producer that has moved the position but not written its header yet shows the consumer a header of 0,
"not there yet". And behind the data lies as much room again, where the record that begins last runs on: Linux maps
the data twice to the same end.

A swap costs more than all else that a record does. So who produces many records in a row, as a batch of runs does, may
reserve room for a chunk of them by one swap and fill it record by record: until a header is there, a consumer sees 0,
"not there yet". What is left of a chunk goes back to where it came from, or becomes a discarded record.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from axiom_hw.bpf.layout import u64
from axiom_hw.bpf.maps.base import EAGAIN, EINVAL, ENOSPC
from axiom_hw.bpf.maps.mem import Mem, cas_u64, copy, fetch_add_u64, load_u32, load_u64, store_u32, store_u64, zero

# Words of the map, behind the header: what the consumer writes, what producers write, and counters, 128 bytes apart.
CONSUMER: Final = 128
PRODUCER: Final = 256
DROPPED: Final = 384
DATA: Final = 512

# A record's header: u32 size with two flags, then u32 its own offset in the memory / 8, which is never 0.
RECORD_HEADER: Final = 8
BUSY: Final = 1 << 31
DISCARD: Final = 1 << 30
SIZE_MASK: Final = 0x3FFFFFFF

_WORDS: Final = 0x7FFFFFF8  # positions are multiples of 8: said once more where the compiler should know

# A chunk, as its producer keeps it, in memory of its own: where the next record begins and where the chunk ends,
# positions, and whether what was left of an earlier chunk became a discarded record, which nobody was woken for yet.
CHUNK_BYTES: Final = 24
NEXT, END, OWING = 0, 8, 16
CHUNK_RECORDS: Final = 32
_CHUNK_SHIFT: Final = 4  # a chunk takes a sixteenth of the ring at most: other producers go short of no more

# Arguments of a query, and flags of submit, discard and output (include/uapi/linux/bpf.h).
AVAIL_DATA, RING_SIZE, CONS_POS, PROD_POS = 0, 1, 2, 3
NO_WAKEUP, FORCE_WAKEUP = 1, 2


@dataclass(frozen=True, slots=True)
class RingGeometry:
    """Compile-time constants of one ring's operations, in bytes. `size` is a power of two, `mask` one less."""

    size: int
    mask: int
    total_bytes: int


@dataclass(frozen=True, slots=True)
class RecordSize:
    """A compile-time constant of operations on records that are all as long, in bytes."""

    size: int


def ring_room(m: Mem, g: RingGeometry, size: u64) -> int:
    """The offset of room for a record of `size` bytes, where its header belongs; or 0, counted as dropped."""
    if size <= g.mask:
        length = (size + RECORD_HEADER + 7) & _WORDS
        while True:
            consumer = load_u64(m, CONSUMER)  # first: so it is never ahead of the producer position
            producer = load_u64(m, PRODUCER)
            end = producer + length
            if end - consumer <= g.mask:
                if cas_u64(m, PRODUCER, producer, end):
                    return DATA + (producer & g.mask & _WORDS)
            elif load_u64(m, CONSUMER) == consumer:
                break
    fetch_add_u64(m, DROPPED, 1)
    return 0


def ring_begin(m: Mem, at: int, size: u64) -> int:
    """Say that a record is being written in the room at `at`. The offset of its data."""
    store_u64(m, at, (at >> 3) << 32 | BUSY | size)
    return at + RECORD_HEADER


def ring_put(m: Mem, at: int, src: Mem, src_off: int, size: u64) -> None:
    """Publish a copy of `size` bytes in the room at `at`. Until there is a header, the record isn't there yet."""
    if size > 0:
        copy(m, at + RECORD_HEADER, src, src_off, size)
    store_u64(m, at, (at >> 3) << 32 | size)


def ring_put_known(m: Mem, r: RecordSize, at: int, src: Mem, src_off: int) -> None:
    """As `ring_put`, where the size is known when this is compiled."""
    copy(m, at + RECORD_HEADER, src, src_off, r.size)
    store_u64(m, at, (at >> 3) << 32 | r.size)


def ring_reserve(m: Mem, g: RingGeometry, size: u64) -> int:
    """The offset of `size` bytes for a record of our own, or 0 where they don't fit now; that counts as dropped."""
    at = ring_room(m, g, size)
    if at == 0:
        return 0
    return ring_begin(m, at, size)


def ring_submit(m: Mem, off: int) -> None:
    """Publish the record whose data lie at `off`."""
    store_u32(m, off - 8, load_u32(m, off - 8) & SIZE_MASK)


def ring_discard(m: Mem, off: int) -> None:
    """Give up the record whose data lie at `off`."""
    store_u32(m, off - 8, (load_u32(m, off - 8) & SIZE_MASK) | DISCARD)


def ring_output(m: Mem, g: RingGeometry, src: Mem, src_off: int, size: u64) -> int:
    """Publish a copy of `size` bytes. 0, or EAGAIN where they don't fit now."""
    at = ring_room(m, g, size)
    if at == 0:
        return EAGAIN
    ring_put(m, at, src, src_off, size)
    return 0


def ring_room_ahead(m: Mem, g: RingGeometry, size: u64, chunk: Mem, off: int) -> int:
    """As `ring_room`, but out of the producer's chunk at `off`, or of a new one."""
    if size > g.mask:
        return ring_room(m, g, size)
    length: u64 = (size + RECORD_HEADER + 7) & _WORDS
    position: u64 = load_u64(chunk, off + NEXT)
    if load_u64(chunk, off + END) - position < length:
        if not ring_chunk(m, g, length, chunk, off):
            return ring_room(m, g, size)
        position = load_u64(chunk, off + NEXT)
    store_u64(chunk, off + NEXT, position + length)
    return DATA + (position & g.mask & _WORDS)


def ring_chunk(m: Mem, g: RingGeometry, length: u64, chunk: Mem, off: int) -> bool:
    """Give up what is left of the chunk at `off`, and begin another. False where less than two records fit into it."""
    ring_give_back(m, g, chunk, off)
    most: u64 = min(length * CHUNK_RECORDS, g.size >> _CHUNK_SHIFT)
    if most < 2 * length:
        return False
    while True:
        consumer = load_u64(m, CONSUMER)
        producer = load_u64(m, PRODUCER)
        end = producer + most
        if end - consumer > g.mask:
            return False  # nearly full: from here on each record is reserved alone
        if cas_u64(m, PRODUCER, producer, end):
            store_u64(chunk, off + NEXT, producer)
            store_u64(chunk, off + END, end)
            return True


def ring_give_back(m: Mem, g: RingGeometry, chunk: Mem, off: int) -> None:
    """End a chunk: undo the rest of the reservation, or discard it where somebody reserved behind it meanwhile."""
    position: u64 = load_u64(chunk, off + NEXT)
    end: u64 = load_u64(chunk, off + END)
    if position != end:
        # Nothing but zeros was there, so nobody sees that the position goes back.
        if not cas_u64(m, PRODUCER, end, position):
            at = DATA + (position & g.mask & _WORDS)
            store_u64(m, at, (at >> 3) << 32 | DISCARD | (end - position - RECORD_HEADER))
            store_u64(chunk, off + OWING, 1)
        store_u64(chunk, off + NEXT, end)


def ring_close(m: Mem, g: RingGeometry, chunk: Mem, off: int) -> bool:
    """End the producer's last chunk. Whether the consumer must be woken: records of others were waiting behind it."""
    ring_give_back(m, g, chunk, off)
    return load_u64(chunk, off + OWING) != 0


def ring_query(m: Mem, g: RingGeometry, what: int) -> int:
    """AVAIL_DATA unread bytes with headers, RING_SIZE, CONS_POS, PROD_POS in bytes since the start; else 0."""
    if what == AVAIL_DATA:
        consumer = load_u64(m, CONSUMER)
        return load_u64(m, PRODUCER) - consumer
    if what == RING_SIZE:
        return g.size
    if what == CONS_POS:
        return load_u64(m, CONSUMER)
    if what == PROD_POS:
        return load_u64(m, PRODUCER)
    return 0


def ring_record_size(m: Mem, g: RingGeometry, off: int) -> int:
    """The size of the record under way whose data lie at `off`, or EINVAL where there is none."""
    at = off - RECORD_HEADER
    if at < DATA or at >= DATA + g.size or at & 7 != 0:
        return EINVAL
    header = load_u64(m, at)
    if header >> 32 != at >> 3 or header & BUSY == 0:
        return EINVAL
    return header & SIZE_MASK


# The consumer's side. One thread of one process at a time.


def ring_peek(m: Mem, g: RingGeometry) -> int:
    """The offset of the data of the next record, or 0: none, or its producer isn't done. Frees discarded ones."""
    while load_u64(m, PRODUCER) != load_u64(m, CONSUMER):
        at = DATA + (load_u64(m, CONSUMER) & g.mask & _WORDS)
        header = load_u64(m, at)
        if header == 0 or header & BUSY != 0:
            return 0
        if header & DISCARD == 0:
            return at + RECORD_HEADER
        ring_release(m, g)
    return 0


def ring_release(m: Mem, g: RingGeometry) -> None:
    """Free the room of the next record, which `ring_peek` gave."""
    consumer = load_u64(m, CONSUMER)
    at = DATA + (consumer & g.mask & _WORDS)
    length = ((load_u32(m, at) & SIZE_MASK) + RECORD_HEADER + 7) & 0x7FFFFFF8
    zero(m, at, length)
    store_u64(m, CONSUMER, consumer + length)


def ring_read(m: Mem, g: RingGeometry, dst: Mem, dst_off: int, room: int) -> int:
    """Move the next record to `dst`. Its size, or EAGAIN where there is none, ENOSPC where `room` is too little."""
    off = ring_peek(m, g)
    if off == 0:
        return EAGAIN
    size = load_u32(m, off - 8)
    if size > room:
        return ENOSPC
    copy(dst, dst_off, m, off, size)
    ring_release(m, g)
    return size
