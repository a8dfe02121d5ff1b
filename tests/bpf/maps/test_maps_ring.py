"""Ring buffers against a deque: order, wrapping, fullness as Linux counts it, BUSY and DISCARD."""

from __future__ import annotations

import errno
from collections import deque

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from axiom_hw.bpf.maps import Mem, RingBuf
from axiom_hw.bpf.maps.ring import DATA
from axiom_hw.bpf.spec import MapSpec, MapType


def ring_of(size: int) -> RingBuf:
    return RingBuf(MapSpec("r", MapType.RINGBUF, 0, 0, size))


def push(ring: RingBuf, data: bytes, flags: int = 0) -> int:
    return ring.output(Mem(data), 0, len(data), flags)


class RingMachine(RuleBasedStateMachine):
    """Records as (state, bytes) in a deque; positions as Linux moves them."""

    @initialize(size=st.sampled_from([64, 128, 256]))
    def make(self, size: int) -> None:
        self.ring = ring_of(size)
        self.model: deque[list[object]] = deque()  # [state, data, offset]
        self.producer = self.consumer = self.dropped = 0
        self.serial = 0

    def fits(self, n: int) -> bool:
        return self.producer + _length(n) - self.consumer <= self.ring.spec.max_entries - 1

    def bytes_of(self, n: int) -> bytes:
        self.serial += 1
        return bytes((self.serial + i) % 256 for i in range(n))

    @rule(n=st.integers(0, 80))
    def output(self, n: int) -> None:
        data = self.bytes_of(n)
        if self.fits(n):
            assert push(self.ring, data) == 0
            self.model.append(["done", data, 0])
            self.producer += _length(n)
        else:
            assert push(self.ring, data) == -errno.EAGAIN
            self.dropped += 1

    @rule(n=st.integers(0, 300))
    def reserve(self, n: int) -> None:
        at = self.ring.reserve(n)
        assert (at != 0) == self.fits(n)
        if not at:
            self.dropped += 1
            return
        assert at % 8 == 0
        assert self.ring.record_size(at) == n
        window = self.ring.values
        assert window.origin <= at
        assert at + n <= window.origin + window.extent
        data = self.bytes_of(n)
        self.ring.mem.u8[at : at + n] = data
        self.model.append(["busy", data, at])
        self.producer += _length(n)

    @precondition(lambda self: any(r[0] == "busy" for r in self.model))
    @rule(pick=st.integers(0, 99), keep=st.booleans())
    def finish(self, pick: int, keep: bool) -> None:
        busy = [r for r in self.model if r[0] == "busy"]
        record = busy[pick % len(busy)]
        at = record[2]
        assert isinstance(at, int)
        (self.ring.submit if keep else self.ring.discard)(at, 0)
        assert self.ring.record_size(at) == -errno.EINVAL
        record[0] = "done" if keep else "gone"

    @rule()
    def consume(self) -> None:
        while self.model and self.model[0][0] == "gone":
            self._free()
        if self.model and self.model[0][0] == "done":
            assert self.ring.consume() == self.model[0][1]
            self._free()
        else:
            assert self.ring.consume() is None

    def _free(self) -> None:
        data = self.model.popleft()[1]
        assert isinstance(data, bytes)
        self.consumer += _length(len(data))

    @invariant()
    def counts(self) -> None:
        ring = self.ring
        assert [ring.query(what) for what in (1, 3, 4, 2**63)] == [ring.spec.max_entries, self.producer, 0, 0]
        assert ring.dropped == self.dropped
        assert ring.query(2) == self.consumer
        assert ring.query(0) == self.producer - self.consumer


def _length(n: int) -> int:
    return 8 + -(-n // 8) * 8


TestRing = RingMachine.TestCase
TestRing.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)


def test_a_record_becomes_visible_when_it_is_submitted_not_before() -> None:
    ring = ring_of(64)
    first, second = ring.reserve(8), ring.reserve(8)
    ring.mem.u8[second : second + 8] = b"second.."
    ring.submit(second, 0)
    assert ring.consume() is None  # the first one is still being written
    ring.mem.u8[first : first + 8] = b"first..."
    ring.submit(first, 0)
    assert [ring.consume(), ring.consume(), ring.consume()] == [b"first...", b"second..", None]


def test_a_producer_between_its_two_steps_shows_nothing() -> None:
    ring = ring_of(64)
    push(ring, b"\xff" * 40)
    assert ring.consume() == b"\xff" * 40
    ring.mem.u64[256 >> 3] += 16  # it moved the position, and hasn't written its header
    assert ring.consume() is None
    assert ring.query(0) == 16


def test_a_record_over_the_end_lies_in_one_piece() -> None:
    ring = ring_of(64)
    push(ring, bytes(40))
    ring.consume()
    at = ring.reserve(40)
    assert at == DATA + 48 + 8  # it ends at 96 of 64
    ring.mem.u8[at : at + 40] = bytes(range(40))
    ring.submit(at, 0)
    assert ring.consume() == bytes(range(40))
    push(ring, b"next")
    assert ring.peek() is not None
    assert ring.query(2) == 96


@pytest.mark.parametrize(
    ("size", "fits"), [(47, True), (48, True), (49, False), (56, False), (64, False), (2**40, False)]
)
def test_the_largest_record_is_linux_s(size: int, fits: bool) -> None:
    ring = ring_of(64)  # at most 63 bytes may be unread, headers included
    assert (ring.reserve(size) != 0) == fits
    assert ring.dropped == (not fits)


def test_a_record_that_is_too_long_for_the_reader_stays() -> None:
    ring, small, big = ring_of(64), Mem(bytearray(8)), Mem(bytearray(16))
    assert ring.read(small, 0, 8) == -errno.EAGAIN
    push(ring, b"twelve bytes")
    assert ring.read(small, 0, 8) == -errno.ENOSPC
    assert ring.read(big, 2, 14) == 12
    assert bytes(big.u8) == b"\0\0twelve bytes\0\0"


def test_room_is_zero_again_after_reading() -> None:
    ring = ring_of(64)
    for n in range(30):
        push(ring, b"\xff" * (n % 40))
        ring.consume()
    assert bytes(ring.mem.u8[DATA:]) == bytes(128)


def test_unknown_flags_are_refused_and_known_ones_wake_as_they_say() -> None:
    ring, woken = ring_of(256), []
    ring.on_submit = lambda: woken.append(len(woken))
    assert push(ring, b"x", flags=4) == -errno.EINVAL
    assert (ring.query(3), ring.dropped, len(woken)) == (0, 0, 0)
    for flags, times in ((0, 1), (1, 1), (2, 2), (3, 3)):  # force wins
        assert push(ring, b"x", flags) == 0
        assert len(woken) == times
    at = ring.reserve(1)
    ring.submit(at, 1)
    assert len(woken) == 3
    ring.submit(ring.reserve(1), 0)
    assert len(woken) == 4


@pytest.mark.parametrize("at", [0, 8, DATA, DATA + 12, DATA + 8 + 64, 2**40])
def test_what_isn_t_a_record_under_way_has_no_size(at: int) -> None:
    assert ring_of(64).record_size(at) == -errno.EINVAL
