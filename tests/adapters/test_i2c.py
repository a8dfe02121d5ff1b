"""Sensors on a bus as events: at their rate, while somebody wants them, and honest about what fails."""

from __future__ import annotations

import errno
import threading

import pytest

from axiom_hw.adapters.i2c import I2cSource, SensorCounters
from axiom_hw.bench import MockBench
from axiom_hw.board import parse_board
from axiom_hw.board.i2c import SensorBus
from axiom_hw.clock import MonotonicClock
from axiom_hw.errors import BackendError
from axiom_hw.events import I2cEvent
from axiom_hw.keys import I2cKey
from axiom_hw.scheduler import Scheduler

TEXT = """
[i2c_bus.header]
path = "/dev/i2c-1"
[sensor.outside]
address = 0x48
rate = "100ms"
init = [[0x01, 0x60]]
burst = true
[sensor.outside.channel.temp]
register = 0x02
format = "be:s16>>4"
scale = 0.0625
unit = "degC"
[sensor.outside.channel.level]
register = 0x04
format = "le:u16"
scale = "1/3"
offset = -3
"""


class Program:
    """Keeps what it is given."""

    name = "keep"
    worst_case_insns = 1

    def __init__(self) -> None:
        self.seen: list = []

    def run(self, ctx: bytes, slot: int) -> int:
        self.seen.append(I2cEvent.unpack(ctx))
        return 0


class Rig:
    def __init__(self, text: str = TEXT) -> None:
        self.told: list[str] = []
        self.board = parse_board(text, "x", "x.toml")
        self.bench = MockBench(self.board)
        self.runtime = self.bench.runtime(on_trouble=lambda error: self.told.append(str(error)))
        self.device = self.bench.i2c.device("outside")
        self.program = Program()
        (self.source,) = (source for source in self.runtime.sources if isinstance(source, I2cSource))

    def attach(self, *channels: int):
        return self.runtime.registry.attach(self.program, *(I2cKey(0, channel) for channel in channels))

    def rows(self) -> list[tuple[int, ...]]:
        seen, self.program.seen = self.program.seen, []
        return [(e.timestamp_ns // 1_000_000, e.channel, e.value, e.status, e.seqno, e.lost, e.micro) for e in seen]


@pytest.fixture
def rig():
    made = Rig()
    with made.runtime:
        yield made


def test_channels_are_read_at_the_rate_in_one_transfer(rig: Rig) -> None:
    assert rig.device.model.memory[1] == 0x60, "init was written"
    rig.device.set("temp", "-3.25")
    rig.device.set("level", 7)
    rig.attach(0, 1)
    reads = rig.device.reads
    rig.bench.advance("250ms")
    assert rig.rows() == [
        (100, 0, -52, 0, 1, 0, -3_250_000), (100, 1, 24, 0, 1, 0, 7_000_000),
        (200, 0, -52, 0, 2, 0, -3_250_000), (200, 1, 24, 0, 2, 0, 7_000_000),
    ]  # fmt: skip
    assert rig.device.reads == reads + 2


def test_nothing_is_read_for_nobody(rig: Rig) -> None:
    reads = rig.device.reads
    assert not rig.bench.clock.run_next(), "virtual time comes to rest"
    link = rig.attach(0)
    rig.bench.advance("150ms")
    link.detach()
    rig.bench.advance("1s")
    assert len(rig.rows()) == 1
    assert rig.device.reads == reads + 1
    assert not rig.bench.clock.run_next()
    rig.attach(0)
    rig.bench.advance("100ms")
    assert [row[4] for row in rig.rows()] == [2], "numbers go on"


def test_one_nack_is_tried_again_at_once(rig: Rig) -> None:
    rig.attach(0)
    rig.device.fail(errno.EREMOTEIO)
    rig.bench.advance("100ms")
    assert [row[3] for row in rig.rows()] == [0]
    assert rig.told == []
    assert rig.source.losses() == ()


def test_what_fails_is_an_event_with_its_errno_and_the_last_good_number(rig: Rig) -> None:
    rig.attach(0)
    rig.device.set("temp", 20)
    rig.bench.advance("100ms")
    rig.device.fail(errno.EIO)
    rig.device.set("temp", 21)
    rig.bench.advance("200ms")
    assert [row[2:5] for row in rig.rows()] == [(320, 0, 1), (320, errno.EIO, 2), (336, 0, 3)]
    assert rig.told == [
        "sensor outside, address 0x48 of /dev/i2c-1: the transfer failed (EIO)\n"
        "    fix    check wires and pull-ups; long wires want dtparam=i2c_arm_baudrate=50000"
    ]
    assert rig.source.counters("outside") == SensorCounters(made=2, failed=1, lost=0)
    assert rig.source.losses() == ("sensor outside: 1 of 3 readings failed; the last: the transfer failed (EIO)",)


def test_a_sensor_that_was_unplugged_is_woken_again_and_told_once(rig: Rig) -> None:
    rig.attach(0)
    rig.device.unplug()
    rig.bench.advance("300ms")
    rig.device.model.memory[1] = 0
    rig.device.plug()
    rig.bench.advance("100ms")
    assert [row[3] for row in rig.rows()] == [errno.EREMOTEIO] * 3 + [0]
    assert rig.device.model.memory[1] == 0x60
    assert len(rig.told) == 1
    rig.bench.advance("20s")
    rig.device.unplug()
    rig.bench.advance("1s")
    assert len(rig.told) == 2, "it was well for long"


def test_readings_that_werent_made_are_lost_and_told(rig: Rig) -> None:
    rig.attach(0)
    rig.bench.scheduler.stop()  # as if a transfer took 250 ms
    rig.bench.advance("350ms")
    rig.bench.scheduler.start()
    rig.bench.advance("50ms")
    assert [(row[4], row[5]) for row in rig.rows()] == [(1, 2), (2, 0)]
    assert rig.source.losses()[0].startswith("sensor outside: 2 readings were due, but weren't made in time; lower")


def test_a_stuck_sensor_says_the_same_again(rig: Rig) -> None:
    rig.attach(0)
    rig.device.freeze()
    rig.device.set("temp", 50)
    rig.bench.advance("100ms")
    rig.device.heal()
    rig.device.set("temp", 50)
    rig.bench.advance("100ms")
    assert [row[2] for row in rig.rows()] == [0, 800]


def test_a_sensor_that_isnt_there_ends_the_start() -> None:
    bench = MockBench(parse_board(TEXT, "x", "x.toml"))
    bench.i2c.device("outside").unplug()
    with pytest.raises(BackendError) as caught:
        bench.runtime()
    assert str(caught.value).startswith("sensor outside, address 0x48 of /dev/i2c-1: nobody answers (EREMOTEIO)")


def test_an_optional_one_doesnt_and_is_told_when_somebody_wants_it() -> None:
    rig = Rig(TEXT.replace("burst", "optional = true\nburst"))
    rig.device.unplug()
    with rig.runtime:
        rig.bench.advance("1s")
        assert rig.told == []
        rig.attach(0)
        rig.bench.advance("200ms")
    assert [row[3] for row in rig.rows()] == [errno.EREMOTEIO] * 2
    assert [text.partition(":")[0] for text in rig.told] == ["without outside, which is optional and tried again"]


def test_a_bus_that_isnt_there() -> None:
    bench = MockBench(parse_board(TEXT, "x", "x.toml"))
    bench.i2c._buses = (SensorBus("header", "/dev/i2c-9"),)
    with pytest.raises(BackendError, match="i2c bus /dev/i2c-1: isn't there; here are /dev/i2c-9"):
        bench.runtime()


def test_in_real_time_each_bus_has_a_thread() -> None:
    """The only test that waits for a real clock: for three readings."""
    board = parse_board(TEXT.replace("100ms", "2ms"), "x", "x.toml")
    bench = MockBench(board, MonotonicClock())
    names, enough = [], threading.Event()

    def fire(key, ctx) -> None:
        names.append((threading.current_thread() is not threading.main_thread(), I2cEvent.unpack(ctx).seqno))
        if len(names) == 6:
            enough.set()

    timers = Scheduler(bench.clock)
    source = I2cSource(bench.i2c, board, fire, bench.clock, {0: timers}, real_time=True)
    source.start()
    assert enough.wait(10)
    source.stop()
    count = len(names)
    assert names[:6] == [(True, n) for n in (1, 1, 2, 2, 3, 3)]
    assert not timers.running
    source.close()
    assert len(names) == count
