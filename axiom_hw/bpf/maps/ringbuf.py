"""Ring buffers as objects: records from programs to one consumer, in order, none lost without being counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from axiom_hw.bpf.maps.base import EINVAL
from axiom_hw.bpf.maps.header import header_of, settle
from axiom_hw.bpf.maps.mem import Mem, Window, load_u32, load_u64, store_u32
from axiom_hw.bpf.maps.ring import (
    DATA,
    DROPPED,
    FORCE_WAKEUP,
    NO_WAKEUP,
    RingGeometry,
    ring_discard,
    ring_output,
    ring_peek,
    ring_query,
    ring_read,
    ring_record_size,
    ring_release,
    ring_reserve,
    ring_submit,
)
from axiom_hw.bpf.maps.waiter import ARMED, SILENT
from axiom_hw.bpf.spec import MapSpec
from axiom_hw.errors import MapError

LEAST_BYTES: Final = 64
MOST_BYTES: Final = 1 << 30  # a record's size has 30 bits


def ring_geometry(spec: MapSpec) -> RingGeometry:
    """Where things lie in a ring. Raises `MapError` for sizes that a ring can't have."""
    size, place = spec.max_entries, f"ring {spec.name}"
    if spec.key_size or spec.value_size:
        raise MapError(
            place,
            f"has key_size {spec.key_size} and value_size {spec.value_size}; records have neither",
            "set both to 0; max_entries is the ring's size in bytes",
        )
    if size & (size - 1) or not LEAST_BYTES <= size <= MOST_BYTES:
        raise MapError(
            place,
            f"has {size} bytes (max_entries); a ring's size is a power of two from {LEAST_BYTES} to {MOST_BYTES}",
            f"take {min(max(LEAST_BYTES, 1 << size.bit_length()), MOST_BYTES)}; Linux wants whole pages besides",
        )
    return RingGeometry(size, size - 1, DATA + 2 * size)


class RingBuf:
    """A ring buffer.

    `on_submit` is called after each submit that may wake the consumer; it must not block. `bell` holds a u32 that
    native producers look at first: unless it is `ARMED`, they don't call. Who doesn't want each call sets it `AWAKE`.
    A program may touch the bytes of its own reserved records only, so `values` shows engines the room where those can
    lie.

    Synchronization: reserve, submit, discard and output from any thread; peek, release, read and consume from one
    at a time. Another process may be the consumer; producers in several processes need native operations.
    """

    __slots__ = ("_on_submit", "bell", "g", "mem", "spec", "values")

    def __init__(self, spec: MapSpec, mem: Mem | None = None) -> None:
        self.spec = spec
        self.g = g = ring_geometry(spec)
        self.values = Window(DATA, 2 * g.size, 2 * g.size, 1)
        self.bell = Mem(bytearray(8))
        self._on_submit: Callable[[], None] | None = None
        header = header_of(spec, total_bytes=g.total_bytes, data=DATA, stride=0)
        self.mem = settle(mem, header, f"ring {spec.name}", _stays_zero)

    @property
    def on_submit(self) -> Callable[[], None] | None:
        """Whom to call when there is a record; None: nobody waits."""
        return self._on_submit

    @on_submit.setter
    def on_submit(self, wake: Callable[[], None] | None) -> None:
        self._on_submit = wake
        store_u32(self.bell, 0, SILENT if wake is None else ARMED)

    @property
    def dropped(self) -> int:
        """How many records there was no room for."""
        return load_u64(self.mem, DROPPED)

    def reserve(self, size: int) -> int:
        """The offset in `mem` of `size` bytes for a record, or 0 where they don't fit now; that counts as dropped."""
        return ring_reserve(self.mem, self.g, size)

    def submit(self, off: int, flags: int) -> None:
        """Publish the record reserved at `off`. Flag NO_WAKEUP alone leaves the consumer asleep."""
        ring_submit(self.mem, off)
        if flags & 3 != NO_WAKEUP:
            self.wake()

    def discard(self, off: int, flags: int) -> None:
        """Give the record reserved at `off` up. Its room is freed when the consumer comes by, so this wakes it too."""
        ring_discard(self.mem, off)
        if flags & 3 != NO_WAKEUP:
            self.wake()

    def output(self, src: Mem, src_off: int, size: int, flags: int) -> int:
        """Publish a copy of `size` bytes. 0, or EINVAL (unknown flags), EAGAIN (no room now: counted as dropped)."""
        if flags > (NO_WAKEUP | FORCE_WAKEUP):
            return EINVAL
        result = ring_output(self.mem, self.g, src, src_off, size)
        if result == 0 and flags & 3 != NO_WAKEUP:
            self.wake()
        return result

    def wake(self) -> None:
        """Tell the consumer that there is a record."""
        if (call := self._on_submit) is not None:  # it may be taken away meanwhile
            call()
        else:
            store_u32(self.bell, 0, SILENT)

    def query(self, what: int) -> int:
        """0 unread bytes with headers, 1 size, 2 consumer position, 3 producer position, in bytes; else 0."""
        return ring_query(self.mem, self.g, what)

    def record_size(self, off: int) -> int:
        """The size of the record that is reserved at `off`, or EINVAL where none is."""
        return ring_record_size(self.mem, self.g, off)

    def peek(self) -> memoryview | None:
        """The next record where it lies, None where none is ready. Valid until `release`, which must follow."""
        off = ring_peek(self.mem, self.g)
        return self.mem.u8[off : off + load_u32(self.mem, off - 8)] if off else None

    def release(self) -> None:
        """Free the record that `peek` gave."""
        ring_release(self.mem, self.g)

    def read(self, dst: Mem, dst_off: int, room: int) -> int:
        """Move the next record to `dst`: its size, or EAGAIN (none), ENOSPC (over `room` bytes; the record stays)."""
        return ring_read(self.mem, self.g, dst, dst_off, room)

    def consume(self) -> bytes | None:
        """Take the next record, None where none is ready."""
        record = self.peek()
        if record is None:
            return None
        data = bytes(record)
        self.release()
        return data


def _stays_zero(mem: Mem) -> None:
    """A new ring is empty, and empty is zero."""
