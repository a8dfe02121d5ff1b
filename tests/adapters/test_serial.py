"""Serial ports as events: records with their times, losses told, and ports that come back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from axiom_hw.adapters.serial import PortCounters, SerialSource
from axiom_hw.bench import MockBench
from axiom_hw.board import Board, parse_board
from axiom_hw.clock import MonotonicClock
from axiom_hw.errors import BackendError
from axiom_hw.events import SerialEvent
from axiom_hw.keys import SerialKey
from tests.backends.serial_rigs import PtyRig

TEXT = """
[serial.gps]
port = "/dev/ttyAMA0"
baud = 9600
"""


class Program:
    """Keeps what it is given."""

    name = "keep"
    worst_case_insns = 1

    def __init__(self) -> None:
        self.seen: list = []

    def run(self, ctx: bytes, slot: int) -> int:
        self.seen.append(SerialEvent.unpack(ctx))
        return 0


class Rig:
    def __init__(self, text: str = TEXT) -> None:
        self.told: list[str] = []
        self.bench = MockBench(parse_board(text, "x", "x.toml"))
        self.runtime = self.bench.runtime(on_trouble=lambda error: self.told.append(str(error)))
        (self.source,) = (source for source in self.runtime.sources if isinstance(source, SerialSource))
        self.line = self.bench.serial.line("gps")
        self.program = Program()

    def attach(self) -> None:
        self.runtime.registry.attach(self.program, SerialKey(0))

    def rows(self) -> list[tuple[int, bytes, int, int]]:
        seen, self.program.seen = self.program.seen, []
        return [(e.timestamp_ns // 1_000_000, bytes(e.data[: e.length]), e.seqno, e.lost) for e in seen]


@pytest.fixture
def rig() -> Iterator[Rig]:
    made = Rig()
    with made.runtime:
        made.attach()
        yield made


def test_a_record_comes_at_the_time_of_its_last_byte(rig: Rig) -> None:
    rig.bench.after("10ms").feed("gps", b"on")
    rig.bench.after("10ms").feed("gps", b"e\r\ntwo\r\nth")
    rig.bench.advance("1s")
    assert rig.rows() == [(20, b"one", 1, 0), (20, b"two", 2, 0)]
    assert not rig.bench.clock.run_next(), "virtual time comes to rest"
    assert rig.source.losses() == ()


def test_the_rest_of_the_context_is_zeros(rig: Rig) -> None:
    rig.bench.feed("gps", b"abc\n")
    rig.bench.advance(0)
    (event,) = rig.program.seen
    assert (event.port_id, event.length, event.data[:4]) == (0, 3, [97, 98, 99, 0])
    assert not any(event.data[3:])


def test_an_overrun_is_counted_and_what_it_cut_is_dropped(rig: Rig) -> None:
    rig.bench.feed("gps", b"x" * 50 + b"\n" + b"y" * 50 + b"\n")
    rig.bench.feed("gps", b"z\n" * 2000)  # 4102 bytes, 6 more than fit, with nobody reading in between
    rig.bench.advance(0)
    rig.bench.feed("gps", b"rest\nnew\n")
    rig.bench.advance(0)
    rows = rig.rows()
    assert [row[1] for row in rows[:3]] == [b"x" * 50, b"y" * 50, b"z"]
    assert rows[-1][1:] == (b"new", len(rows), 6 + 4)
    assert rig.source.counters("gps") == PortCounters(records=2 + 1997 + 1, lost=10, outages=0)


def test_every_byte_is_a_records_or_lost_however_many_overrun() -> None:
    rig = Rig(TEXT + 'framing = "fixed"\nsize = 12\n')
    random = Random(4)
    sent = 0
    with rig.runtime:
        rig.attach()
        for _ in range(300):
            for _ in range(random.randrange(4)):
                count = random.choice((1, 7, 100, 5000))
                rig.bench.feed("gps", bytes(count))
                sent += count
            rig.bench.advance("1ms")
        counters = rig.source.counters("gps")
        events = rig.program.seen
    assert counters.lost > 100_000
    assert 0 <= sent - (12 * counters.records + counters.lost) < 12, "what is left is a record that has begun"
    assert [event.seqno for event in events] == list(range(1, counters.records + 1))
    assert counters.lost - sum(event.lost for event in events) < 5000, "what came after the last record"


def test_a_port_that_comes_back_goes_on_and_was_told_once(rig: Rig) -> None:
    rig.bench.feed("gps", b"one\nhal")
    rig.bench.advance("1s")
    rig.line.unplug()
    rig.bench.advance("5s")
    assert not rig.bench.clock.run_next(), "a port that is away doesn't keep virtual time going"
    rig.line.feed(b"into the air\n")
    rig.line.plug()
    rig.bench.advance("1s")
    rig.bench.feed("gps", b"two\n")
    rig.bench.advance("1s")
    assert rig.rows() == [(0, b"one", 1, 0), (7000, b"two", 2, 3)]
    assert rig.told == [
        "serial gps, /dev/ttyAMA0: went away\n    fix    it is looked for every second: plug it in again"
    ]
    assert rig.source.losses() == (
        "serial gps: it went away once",
        "serial gps: 3 bytes made no record, damaged, too long or overrun; beside them 2 records came",
    )


def test_a_port_that_isnt_there_ends_the_start() -> None:
    bench = MockBench(parse_board(TEXT, "x", "x.toml"))
    bench.serial.line("gps").unplug()
    with pytest.raises(BackendError, match="serial gps, /dev/ttyAMA0: isn't there") as caught:
        bench.runtime()
    assert "dtparam=uart0=on" in caught.value.fix


def test_an_optional_one_is_opened_for_programs_only() -> None:
    rig = Rig(TEXT + "optional = true\n")
    with rig.runtime:
        rig.bench.feed("gps", b"nobody\n")
        rig.bench.advance("1s")
        assert rig.line.link is None
        rig.attach()
        rig.bench.feed("gps", b"somebody\n")
        rig.bench.advance("1s")
        assert [row[1] for row in rig.rows()] == [b"somebody"]


def test_an_optional_one_that_isnt_there_is_told_and_used_when_it_comes() -> None:
    rig = Rig(TEXT + "optional = true\n")
    rig.line.unplug()
    with rig.runtime:
        assert rig.told == []
        rig.attach()
        rig.bench.advance("3s")
        (told,) = rig.told
        assert told.startswith("without gps, which is optional and tried every second: serial gps, /dev/ttyAMA0: isn't")
        rig.line.plug()
        rig.bench.advance("1s")
        rig.bench.feed("gps", b"here\n")
        rig.bench.advance(0)
        assert [row[1] for row in rig.rows()] == [b"here"]


class RealTime:
    """A source in its own thread, on a pseudo-terminal."""

    def __init__(self, tmp_path: Path) -> None:
        self.pty = PtyRig(tmp_path)
        declared = parse_board(TEXT, "x", "x.toml")
        self.board: Board = replace(declared, serial_ports=(self.pty.port,))
        self.records: list[tuple[bytes, int]] = []
        self.told: list[str] = []
        self.changed = threading.Condition()
        self.source = SerialSource(
            self.pty.backend, self.board, self.fire, MonotonicClock(), real_time=True, on_trouble=self.tell
        )

    def fire(self, key: SerialKey, ctx: bytes) -> None:
        event = SerialEvent.unpack(ctx)
        with self.changed:
            self.records.append((bytes(event.data[: event.length]), event.lost))
            self.changed.notify()

    def tell(self, error: Exception) -> None:
        with self.changed:
            self.told.append(str(error))
            self.changed.notify()

    def until(self, met: Callable[[], bool]) -> None:
        with self.changed:
            assert self.changed.wait_for(met, 10)


def test_on_a_pseudo_terminal_with_its_plug_pulled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("axiom_hw.adapters.serial.LOOK_AGAIN_NS", 5_000_000)
    real = RealTime(tmp_path)
    real.source.start()
    real.pty.feed(b"one\r\ntw")
    real.until(lambda: len(real.records) == 1)
    real.pty.unplug()
    real.until(lambda: len(real.told) == 1)
    real.pty.plug()
    real.pty.feed(b"three\n")  # may be flushed by the open that finds it; the next can't be
    real.until(lambda: real.source.counters("gps").outages == 1)
    while len(real.records) < 2:
        real.pty.feed(b"four\n")
        with real.changed:
            real.changed.wait(0.05)
    assert real.records[0] == (b"one", 0)
    assert real.records[1][0] in (b"three", b"four")
    assert real.records[1][1] >= 2, "the two bytes of what had begun"
    assert len(real.told) == 1
    real.source.stop()
    assert not [thread for thread in threading.enumerate() if thread.name == "axiom-gps"]
    count = len(real.records)
    real.source.start()
    real.pty.feed(b"\nagain\n")
    real.until(lambda: real.records[-1][0] == b"again")
    assert len(real.records) > count
    real.source.close()
    real.source.close()
    real.pty.close()
