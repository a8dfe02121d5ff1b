"""Reserving room ahead: nothing is lost, nothing is dropped that fits, nobody waits for longer than a chunk."""

from __future__ import annotations

import random

import pytest
from interleave import Steps, run, stepwise

from axiom_hw.bpf.maps import Mem, RingBuf, ring
from axiom_hw.bpf.maps.ring import CHUNK_BYTES, DATA, ring_close, ring_put, ring_reserve, ring_room_ahead, ring_submit
from axiom_hw.bpf.spec import MapSpec, MapType

RING = stepwise(ring)


def ring_of(size: int) -> RingBuf:
    return RingBuf(MapSpec("r", MapType.RINGBUF, 0, 0, size))


def chunk() -> Mem:
    return Mem(bytearray(CHUNK_BYTES))


def push(r: RingBuf, mine: Mem, data: bytes) -> bool:
    at = ring_room_ahead(r.mem, r.g, len(data), mine, 0)
    if at:
        ring_put(r.mem, at, Mem(data), 0, len(data))
    return at != 0


def test_records_of_a_chunk_are_there_at_once_and_what_is_left_goes_back() -> None:
    r, mine = ring_of(4096), chunk()
    for n in range(3):
        assert push(r, mine, bytes([n]) * 8)
        assert r.consume() == bytes([n]) * 8
    assert r.query(3) == 4096 >> 4  # reserved at once, for 16 records
    assert r.consume() is None
    assert not ring_close(r.mem, r.g, mine, 0)
    assert (r.query(3), r.query(0)) == (3 * 16, 0)
    assert not any(r.mem.u8[DATA:])


def test_records_of_others_wait_until_the_chunk_ends_and_then_the_consumer_must_be_woken() -> None:
    r, mine = ring_of(4096), chunk()
    assert push(r, mine, b"mine....")
    assert r.output(Mem(b"theirs.."), 0, 8, 0) == 0
    assert (r.consume(), r.consume()) == (b"mine....", None)
    assert ring_close(r.mem, r.g, mine, 0)
    assert (r.consume(), r.consume()) == (b"theirs..", None)
    assert not any(r.mem.u8[DATA:])


def test_a_chunk_that_ends_too_soon_for_a_record_is_made_good_by_the_next() -> None:
    r, mine = ring_of(4096), chunk()
    assert push(r, mine, b"a" * 8)
    assert push(r, mine, b"b" * 200)
    assert push(r, mine, b"b" * 100)  # the first chunk has 32 bytes left; the next one begins there
    assert r.query(3) == 16 + 208 + (4096 >> 4)
    assert push(r, mine, b"c" * 3000)  # longer than any chunk
    assert r.query(3) == 16 + 208 + 112 + 3008
    assert [r.consume() for _ in range(4)] == [b"a" * 8, b"b" * 200, b"b" * 100, b"c" * 3000]


@pytest.mark.parametrize("size", [64, 128, 256, 1024, 4096])
def test_positions_and_drops_of_one_producer_are_those_of_single_reservations(size: int) -> None:
    for seed in range(60):
        choice = random.Random(seed)
        ahead, alone, mine = ring_of(size), ring_of(size), chunk()
        for n in range(120):
            length = choice.choice((0, 1, 8, 24, 24, 24, size // 3, size, 2**32))
            if length < 2**20:
                data = bytes([n % 256]) * length
                assert push(ahead, mine, data) == (alone.output(Mem(data), 0, length, 0) == 0), f"seed {seed}"
            else:
                assert ring_room_ahead(ahead.mem, ahead.g, length, mine, 0) == 0
                assert alone.reserve(length) == 0
            if choice.random() < 0.2:
                assert not ring_close(ahead.mem, ahead.g, mine, 0)
                assert ahead.query(3) == alone.query(3)
            for _ in range(choice.choice((0, 0, 1, 3))):
                assert ahead.consume() == alone.consume()
            assert ahead.dropped == alone.dropped


def producer(r: RingBuf, me: int, sizes: list[int], sent: list[bytes], ahead: bool) -> Steps:
    mine = chunk()
    for n, size in enumerate(sizes):
        if ahead:
            at = yield from RING["ring_room_ahead"](r.mem, r.g, size, mine, 0)
        else:
            at = yield from RING["ring_room"](r.mem, r.g, size)
        if at:
            data = (bytes([me, n + 1]) * 40)[:size]
            yield from RING["ring_put"](r.mem, at, Mem(data), 0, size)
            sent.append(data)
    if ahead:
        yield from RING["ring_close"](r.mem, r.g, mine, 0)


def consumer(r: RingBuf, rounds: int, got: list[bytes]) -> Steps:
    room = Mem(bytearray(128))
    for _ in range(rounds):
        size = yield from RING["ring_read"](r.mem, r.g, room, 0, 128)
        if size >= 0:
            got.append(bytes(room.u8[:size]))


def test_in_any_order_of_steps_nothing_is_lost_and_room_is_zero_at_the_end() -> None:
    for seed in range(600):
        choice = random.Random(seed)
        r = ring_of(1024)
        got: list[bytes] = []
        sent: list[list[bytes]] = [[], [], []]
        ahead = (True, seed % 2 == 0, False)
        plans = [[choice.choice((2, 8, 9, 20, 30)) for _ in range(8)] for _ in sent]
        run([*(producer(r, n, plans[n], sent[n], ahead[n]) for n in range(3)), consumer(r, 12, got)], seed)
        while (record := r.consume()) is not None:
            got.append(record)
        for me in range(3):
            assert [record for record in got if record[0] == me] == sent[me], f"seed {seed}"
        assert r.query(0) == 0, f"seed {seed}"
        assert not any(r.mem.u8[DATA:]), f"seed {seed}: free room isn't zero"


def test_a_record_that_is_held_begins_behind_the_chunk() -> None:
    r, mine = ring_of(4096), chunk()
    at = ring_reserve(r.mem, r.g, 8)
    assert push(r, mine, b"later...")
    assert r.consume() is None
    ring_submit(r.mem, at)
    assert (r.consume(), r.consume()) == (bytes(8), b"later...")
