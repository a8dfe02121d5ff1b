"""Ring readers: what is there, what comes while one sleeps, and how waiting ends."""

from __future__ import annotations

import threading

import pytest

from axiom_hw.bpf.layout import layout, u64
from axiom_hw.bpf.maps import Mem, PipeWaiter, RingBuf, RingReader
from axiom_hw.bpf.spec import MapSpec, MapType
from axiom_hw.errors import MapError


@layout(size=8)
class Tick:
    """A record."""

    count: u64


class Script:
    """A waiter in virtual time: each nap moves the clock and may do something first."""

    def __init__(self, *scenes: object) -> None:
        self.now = 0
        self.naps: list[int | None] = []
        self.scenes = list(scenes)
        self.woken = 0

    def arm(self) -> None:
        pass

    def add_bell(self, bell: Mem) -> None:
        pass

    def wait(self, timeout_ns: int | None) -> None:
        self.naps.append(timeout_ns)
        scene = self.scenes.pop(0)
        if callable(scene):
            scene()
        else:
            assert isinstance(scene, int)
            self.now += scene

    def wake(self) -> None:
        self.woken += 1


def ring() -> RingBuf:
    return RingBuf(MapSpec("edges", MapType.RINGBUF, 0, 0, 256))


def tick(to: RingBuf, n: int) -> None:
    assert to.output(Mem(n.to_bytes(8, "little")), 0, 8, 0) == 0


def test_records_are_decoded_in_order() -> None:
    edges = ring()
    reader: RingReader[Tick] = RingReader(edges, Tick)
    for n in range(5):
        tick(edges, n)
    assert reader.consume_n(2) == [Tick(0), Tick(1)]
    assert reader.consume() == [Tick(2), Tick(3), Tick(4)]
    assert reader.consume() == []


def test_bytes_where_no_type_is_given() -> None:
    edges = ring()
    edges.output(Mem(b"hello"), 0, 5, 0)
    edges.output(Mem(b""), 0, 0, 0)
    assert RingReader[bytes](edges).consume() == [b"hello", b""]


def test_poll_ends_when_the_time_is_up() -> None:
    script = Script(400_000, 600_000)
    reader: RingReader[bytes] = RingReader(ring(), waiter=script, monotonic=lambda: script.now)
    assert reader.poll(0.001) == []
    assert script.naps == [1_000_000, 600_000]
    assert reader.poll(0) == []


def test_poll_ends_with_the_first_records() -> None:
    edges = ring()
    script = Script(1000, lambda: (tick(edges, 1), tick(edges, 2)))
    reader: RingReader[Tick] = RingReader(edges, Tick, waiter=script, monotonic=lambda: script.now)
    assert reader.poll() == [Tick(1), Tick(2)]
    assert script.naps == [None, None]
    assert script.woken == 2


def test_a_ring_of_another_process_is_looked_at_every_so_often() -> None:
    script = Script(70, 30)
    reader: RingReader[bytes] = RingReader(ring(), waiter=script, monotonic=lambda: script.now, recheck_ns=70)
    assert reader.poll(1e-7) == []
    assert script.naps == [70, 30]


def test_iteration_ends_when_the_reader_is_closed_and_the_ring_is_empty() -> None:
    edges = ring()
    tick(edges, 1)
    script = Script(lambda: (tick(edges, 2), tick(edges, 3), reader.close()))
    reader: RingReader[Tick] = RingReader(edges, Tick, waiter=script)
    assert list(reader) == [Tick(1), Tick(2), Tick(3)]
    assert reader.closed
    assert reader.poll() == []


def test_a_loop_that_breaks_off_loses_nothing() -> None:
    edges = ring()
    reader: RingReader[Tick] = RingReader(edges, Tick)
    for n in range(3):
        tick(edges, n)
    for record in reader:
        assert record == Tick(0)
        break
    assert reader.consume() == [Tick(1), Tick(2)]


def test_a_record_of_another_type_stays_until_it_is_skipped() -> None:
    edges = ring()
    reader: RingReader[Tick] = RingReader(edges, Tick)
    tick(edges, 1)
    edges.output(Mem(b"odd"), 0, 3, 0)
    tick(edges, 2)
    assert reader.consume() == [Tick(1)]
    for _ in range(2):
        with pytest.raises(MapError) as caught:
            reader.consume()
        assert str(caught.value) == (
            "ring edges: the next record has 3 bytes; Tick takes 8\n"
            "    fix    read the ring as bytes, or drop the record with skip()"
        )
    assert reader.skip()
    assert reader.consume() == [Tick(2)]
    assert not reader.skip()


def test_a_ring_has_one_reader() -> None:
    edges = ring()
    first: RingReader[bytes] = RingReader(edges)
    with pytest.raises(MapError, match="ring edges: has a reader already; a ring has one consumer"):
        RingReader(edges)
    first.close()
    RingReader(edges).close()


def test_drops_are_seen() -> None:
    edges = ring()
    reader: RingReader[bytes] = RingReader(edges)
    for _ in range(20):
        edges.output(Mem(bytes(24)), 0, 24, 0)
    assert (len(reader.consume()), reader.dropped) == (7, 13)


def test_a_sleeper_is_woken_by_records_of_another_thread() -> None:
    edges = ring()
    got: list[Tick] = []
    first = threading.Event()

    def consume() -> None:
        with RingReader[Tick](edges, Tick) as reader:
            first.set()
            while len(got) < 50:
                got.extend(reader.poll(30))

    thread = threading.Thread(target=consume)
    thread.start()
    assert first.wait(30)
    n = 0
    while n < 50:
        n += edges.output(Mem(n.to_bytes(8, "little")), 0, 8, 0) == 0
    thread.join(30)
    assert [t.count for t in got] == list(range(50))


def test_close_wakes_a_sleeper_without_a_time_out() -> None:
    reader: RingReader[bytes] = RingReader(ring())
    thread = threading.Thread(target=lambda: list(reader))
    thread.start()
    reader.close()
    thread.join(30)
    assert not thread.is_alive()


def test_a_wake_up_before_the_nap_isn_t_lost() -> None:
    waiter = PipeWaiter()
    waiter.wake()  # nobody is about to sleep: nothing happens
    waiter.arm()
    waiter.wake()
    waiter.wake()
    waiter.wait(None)
    waiter.wait(0)
