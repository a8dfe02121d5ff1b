"""Rings as iterators: the consumer's side, which sleeps while there is nothing and decodes what there is.

`output` and `reserve` are what programs written in Python call; in plain Python they do the same, for tests.

for edge in RingReader(ring, GpioEvent):   # until the reader is closed
    print(edge.line, edge.value)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, cast

from axiom_hw.bpf.maps.codec import Codec, codec_of
from axiom_hw.bpf.maps.mem import Mem, store_u32
from axiom_hw.bpf.maps.ringbuf import RingBuf
from axiom_hw.bpf.maps.waiter import AWAKE, PipeWaiter, Waiter
from axiom_hw.errors import MapError

T = TypeVar("T")
R = TypeVar("R")


class RingReader(Generic[T]):
    """The consumer of a ring.

    `record` is the type of the records (see `codec_of`), bytes where it is None. `monotonic` gives ns. A producer in
    another process wakes nobody here: for rings in shared files set `recheck_ns`, how often to look nevertheless.

    Synchronization: one thread at a time, but for `close`, which any thread may call. Raises `MapError` where the
    ring has a reader already.
    """

    def __init__(
        self,
        ring: RingBuf,
        record: object = None,
        *,
        waiter: Waiter | None = None,
        monotonic: Callable[[], int] = time.monotonic_ns,
        recheck_ns: int | None = None,
    ) -> None:
        self._place = f"ring {ring.spec.name}"
        if ring.on_submit is not None:
            raise MapError(self._place, "has a reader already; a ring has one consumer", "close the other one first")
        self.map = self._ring = ring
        self.record_type = record
        self._codec: Codec[T] = codec_of(record, None, self._place)
        self._waiter = PipeWaiter() if waiter is None else waiter
        self._monotonic = monotonic
        self._recheck_ns = recheck_ns
        self._closed = False
        self._discarded: object = None
        ring.on_submit = self._wake
        self._waiter.add_bell(ring.bell)

    def __repr__(self) -> str:
        state = "closed" if self._closed else "open"
        return f"<reader of {self._place}: {self._codec.kind} records, {state}>"

    @property
    def name(self) -> str:
        """The ring's."""
        return self._ring.spec.name

    @property
    def bell(self) -> Mem:
        """The ring's: other waiters that its records are to wake set it, too."""
        return self._ring.bell

    @property
    def dropped(self) -> int:
        """How many records there was no room for, since the ring was made."""
        return self._ring.dropped

    @property
    def closed(self) -> bool:
        """Whether `close` was called. What is in the ring can still be consumed."""
        return self._closed

    def consume_n(self, most: int) -> list[T]:
        """Up to `most` records that are ready, without waiting.

        Raises `MapError` where the next record isn't of the reader's type; it stays the next: `skip` drops it.
        """
        found: list[T] = []
        while len(found) < most and (record := self._ring.peek()) is not None:
            if self._codec.size not in (None, len(record)):
                if found:
                    break  # hand these out first; the next call meets the odd one again
                raise MapError(
                    self._place,
                    f"the next record has {len(record)} bytes; {self._codec.kind} takes {self._codec.size}",
                    "read the ring as bytes, or drop the record with skip()",
                )
            found.append(self._codec.decode(record))
            self._ring.release()
        return found

    def consume(self) -> list[T]:
        """All records that are ready, at most a ring full of them, without waiting."""
        return self.consume_n(self._ring.g.size)

    def skip(self) -> bool:
        """Drop the next record unread. Whether there was one."""
        return self._ring.consume() is not None

    def poll(self, timeout_s: float | None = None) -> list[T]:
        """The records that are ready, waiting up to `timeout_s` (None: for ever) for the first.

        Empty when the time is up or the reader is closed.
        """
        return self._take(self._ring.g.size, timeout_s)

    def __iter__(self) -> Iterator[T]:
        """Records as they come; ends when the reader is closed and the ring is empty."""
        while found := self._take(1, None):  # one at a time: a loop that breaks off loses none
            yield from found

    def output(self, record: object) -> bool:
        """Append a record. False where the ring is full, which it counts. In a program: a struct, array or number."""
        data = self._codec.encode(cast(T, record))
        return self._ring.output(Mem(data), 0, len(data), 0) == 0

    @contextmanager
    def reserve(self, kind: type[R]) -> Iterator[R | None]:
        """Room for a record, all zeros, which is appended at the end of the block; None where the ring is full."""
        size = codec_of(kind, None, self._place).size
        assert size is not None
        at = self._ring.reserve(size)
        if not at:
            yield None
            return
        made = cast(Any, kind).unpack(bytes(size))
        self._discarded = None
        try:
            yield made
        except BaseException:
            self._ring.discard(at, 0)
            raise
        if self._discarded is made:
            self._ring.discard(at, 0)
            return
        self._ring.mem.u8[at : at + size] = made.pack()
        self._ring.submit(at, 0)

    def discard(self, record: object) -> None:
        """Give up a record that is reserved: the end of its block doesn't append it."""
        self._discarded = record

    def close(self) -> None:
        """End a `poll` and iteration, and free the ring for another reader. The records stay. From any thread."""
        if not self._closed:
            self._closed = True
            self._ring.on_submit = None
            self._waiter.arm()
            self._waiter.wake()

    def _wake(self) -> None:
        store_u32(self._ring.bell, 0, AWAKE)  # first: who is armed after this sets it again
        self._waiter.wake()

    def _take(self, most: int, timeout_s: float | None) -> list[T]:
        deadline = None if timeout_s is None else self._monotonic() + round(timeout_s * 1e9)
        while not (found := self.consume_n(most)) and not self._closed:
            self._waiter.arm()
            if (found := self.consume_n(most)) or self._closed:
                break
            left = None if deadline is None else deadline - self._monotonic()
            if left is not None and left <= 0:
                break
            self._waiter.wait(min((ns for ns in (left, self._recheck_ns) if ns is not None), default=None))
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
