"""Batches reserve room in rings ahead; what is in the ring afterwards is what single runs leave there."""

from __future__ import annotations

import threading

import pytest

from axiom_hw.bpf.engine.interp import Interpreter
from axiom_hw.bpf.engine.llvm.ahead import rings_ahead
from axiom_hw.bpf.engine.llvm.native import Native
from axiom_hw.bpf.maps import RingBuf, create_map
from axiom_hw.bpf.maps.ring import CONSUMER, DATA, PRODUCER
from axiom_hw.bpf.maps.ring_reader import RingReader
from axiom_hw.bpf.spec import CtxSpec, MapSpec, MapType
from tests.bpf.engine.llvm.twins import proved
from tests.bpf.engine.rigs import ScriptedEnv

CTX = CtxSpec(8)
# The context twice: written into the ring where it is odd, else sent from the stack.
SEND = """
    r7 = *(u64 *)(r1 + 0)
    r1 = r7
    r1 &= 1
    if r1 != 0 goto reserve
    *(u64 *)(r10 - 16) = r7
    *(u64 *)(r10 - 8) = r7
    r1 = records ll
    r2 = r10
    r2 += -16
    r3 = 16
    r4 = 0
    call 130
    exit
reserve:
    r1 = records ll
    r2 = 40
    r3 = 0
    call 131
    if r0 == 0 goto out
    *(u64 *)(r0 + 0) = r7
    *(u64 *)(r0 + 8) = r7
    *(u64 *)(r0 + 16) = 0
    *(u64 *)(r0 + 24) = 0
    *(u64 *)(r0 + 32) = r7
    r1 = r0
    r2 = 0
    r7 &= 2
    if r7 != 0 goto discard
    call 132
    r0 = 0
    exit
discard:
    call 133
out:
    r0 = 0
    exit
"""
ASK = """
    *(u64 *)(r10 - 8) = 7
    r1 = records ll
    r2 = r10
    r2 += -8
    r3 = 8
    r4 = 0
    call 130
    r1 = records ll
    r2 = 3
    call 134
    exit
"""


def ring_of(size: int) -> RingBuf:
    ring = create_map(MapSpec("records", MapType.RINGBUF, 0, 0, size))
    assert isinstance(ring, RingBuf)
    return ring


def contexts(count: int) -> bytes:
    return b"".join((n * n + n // 3).to_bytes(8, "little") for n in range(1, count + 1))


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("size", [64, 128, 1024, 4096])
def test_a_batch_leaves_the_ring_as_single_runs_do(size: int, quick: bool) -> None:
    one, many = ring_of(size), ring_of(size)
    interpreter = Interpreter(proved(SEND, one.spec, ctx=CTX), [one], ScriptedEnv())
    native = Native(proved(SEND, many.spec, ctx=CTX), [many], ScriptedEnv(), quick=quick)
    for count in (1, 2, 30, 100, 7):
        if count == 100:
            native.improve()
        data = contexts(count)
        for at in range(0, len(data), 8):
            interpreter.run(data[at : at + 8])
        assert native.run_batch(data) == count
        assert [one.mem.u64[at >> 3] for at in (CONSUMER, PRODUCER)] == [
            many.mem.u64[at >> 3] for at in (CONSUMER, PRODUCER)
        ]
        assert bytes(one.mem.u8[DATA:]) == bytes(many.mem.u8[DATA:])
        assert one.dropped == many.dropped
        for _ in range(count // 2):
            assert one.consume() == many.consume()


def test_a_program_that_asks_for_positions_reserves_nothing_ahead() -> None:
    ring = ring_of(4096)
    program = proved(ASK, ring.spec, ctx=CTX)
    assert rings_ahead(program, [ring]) == ()
    assert rings_ahead(proved(SEND, ring.spec, ctx=CTX), [ring]) == (0,)
    native = Native(program, [ring], ScriptedEnv())
    assert native.run_batch(bytes(80)) == 10
    assert native.run(bytes(8)) == 11 * 16


def test_every_record_arrives_that_two_batches_and_single_runs_send_at_once() -> None:
    ring = ring_of(1 << 16)
    natives = [Native(proved(SEND, ring.spec, ctx=CTX), [ring], ScriptedEnv()) for _ in range(3)]
    sent, batch, rounds = 40, 50, 40
    got: list[int] = []
    data = [b"".join((1000 * me + 2 * n).to_bytes(8, "little") for n in range(batch)) for me in range(3)]

    def produce(me: int) -> None:
        for _ in range(rounds):
            if me < 2:
                natives[me].run_batch(data[me])
            else:
                for n in range(sent):
                    natives[me].run(data[me][8 * n : 8 * n + 8])

    threads = [threading.Thread(target=produce, args=(me,)) for me in range(3)]
    with RingReader(ring, bytes) as reader:
        for thread in threads:
            thread.start()
        wanted = rounds * (2 * batch + sent)
        while len(got) + ring.dropped < wanted and (found := reader.poll(10.0)):
            got += [int.from_bytes(record[:8], "little") for record in found]
        for thread in threads:
            thread.join()
        got += [int.from_bytes(record[:8], "little") for record in reader.consume()]
    assert len(got) + ring.dropped == wanted
    if not ring.dropped:
        for me in range(3):
            each = sent if me == 2 else batch
            assert [n for n in got if n // 1000 == me] == [1000 * me + 2 * n for n in range(each)] * rounds
    assert ring.query(0) == 0
