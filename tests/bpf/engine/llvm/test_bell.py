"""Native producers call nobody while the consumer is awake, and always the one who is about to sleep."""

from __future__ import annotations

import threading

from axiom_hw.bpf.engine.llvm.native import Native
from axiom_hw.bpf.maps import RingBuf, RingReader, create_map
from axiom_hw.bpf.maps.mem import load_u32
from axiom_hw.bpf.maps.waiter import ARMED, AWAKE, SILENT
from axiom_hw.bpf.spec import CtxSpec, MapSpec, MapType
from tests.bpf.engine.llvm.twins import proved
from tests.bpf.engine.rigs import ScriptedEnv

BEATS = MapSpec("beats", MapType.RINGBUF, 0, 0, 4096)
OUTPUT = "r2 = r1\nr1 = map[beats] ll\nr3 = 8\nr4 = 0\ncall ringbuf_output\nexit"
RECORDS = 20_000


class CountingWaiter:
    """Counts who wakes it, and never sleeps."""

    def __init__(self) -> None:
        self.woken = 0
        self.bells = 0

    def arm(self) -> None:
        raise AssertionError("nobody sleeps here")

    def add_bell(self, bell: object) -> None:
        self.bells += 1

    def wait(self, timeout_ns: int | None) -> None:
        raise AssertionError("nobody sleeps here")

    def wake(self) -> None:
        self.woken += 1


def loaded() -> tuple[Native, RingBuf]:
    program = proved(OUTPUT, BEATS, ctx=CtxSpec(8))
    ring = create_map(BEATS)
    assert isinstance(ring, RingBuf)
    return Native(program, [ring], ScriptedEnv()), ring


def test_a_reader_that_is_awake_is_called_once() -> None:
    native, ring = loaded()
    native.run(bytes(8))
    assert load_u32(ring.bell, 0) == SILENT
    waiter = CountingWaiter()
    reader = RingReader(ring, waiter=waiter)
    assert load_u32(ring.bell, 0) == ARMED
    for _ in range(5):
        native.run(bytes(8))
    assert (waiter.woken, waiter.bells) == (1, 1)
    assert load_u32(ring.bell, 0) == AWAKE
    assert len(reader.consume()) == 6


def test_a_ring_whose_reader_went_is_silent_again() -> None:
    native, ring = loaded()
    RingReader(ring).close()
    native.run(bytes(8))
    assert load_u32(ring.bell, 0) == SILENT


def test_no_record_is_slept_over() -> None:
    """Each record is produced only when the one before was consumed: a lost call would end in a wait for ever."""
    native, ring = loaded()
    reader = RingReader(ring)
    taken = threading.Semaphore(1)

    def produce() -> None:
        for number in range(RECORDS):
            taken.acquire()
            native.run(number.to_bytes(8, "little"))

    producer = threading.Thread(target=produce, daemon=True)
    producer.start()
    for number in range(RECORDS):
        assert reader.poll(30.0) == [number.to_bytes(8, "little")]
        taken.release()
    producer.join()
    reader.close()
