"""Sensors as events: buffered and polled, in virtual and in real time, gone and back; pumps do what Python does."""

from __future__ import annotations

import errno
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from axiom_hw.adapters.iio import IioSource
from axiom_hw.adapters.iio_reader import SensorCounters
from axiom_hw.backends.mock_iio import MockIio
from axiom_hw.backends.sysfs_iio import SysfsIio
from axiom_hw.board import Board, parse_board
from axiom_hw.clock import MS, MonotonicClock, S, VirtualClock
from axiom_hw.errors import AxiomError, BackendError
from axiom_hw.events import Edge, IioEvent, ScanEvent
from axiom_hw.executor import Executor
from axiom_hw.hooks import Registry
from axiom_hw.keys import HookKey, IioKey, ScanKey
from axiom_hw.pump import Pump
from axiom_hw.pump.pump import Enter
from axiom_hw.scheduler import Scheduler
from tests.adapters import scans
from tests.backends.fake_iio import ACCEL_TYPES, FakeIio
from tests.pump_bench import StandIn, until

POLLED = """\
[iio.imu]
device = "mpu6050"
channels = ["accel_x", "accel_y"]
rate = "100Hz"
"""
BUFFERED = POLLED + 'trigger = "hrtimer"\nwatermark = 2\nlength = 8\n'
SCANNED = BUFFERED + "scan = true\n"
OWN = """\
[iio.imu]
device = "mpu6050"
channels = ["accel_x", "accel_y", "accel_z"]
trigger = "own"
rate = "1kHz"
"""


def board(text: str) -> Board:
    return parse_board(text, "bench", "bench.toml")


class Bench:
    """A source on the mock, in virtual time; `wanted` are the hooks that have programs."""

    def __init__(self, text: str) -> None:
        self.clock = VirtualClock()
        self.scheduler = Scheduler(self.clock)
        self.scheduler.start()
        self.board = board(text)
        self.iio = MockIio.for_board(self.board, self.clock, self.scheduler)
        self.fired: list[tuple[HookKey, bytes]] = []
        self.troubles: list[AxiomError] = []
        self.wanted: Callable[[HookKey], bool] = lambda key: True
        self.source = IioSource(
            self.iio, self.board, lambda key, ctx: self.fired.append((key, ctx)), self.clock, self.scheduler,
            wanted=lambda key: self.wanted(key), on_trouble=self.troubles.append,
        )  # fmt: skip
        self.clock.drive(self)
        self.source.changed()

    def next_due_ns(self) -> int | None:
        return self.clock.now_ns() if self.source.ready() else None

    def run_due(self) -> int:
        return self.source.pump()

    def samples(self) -> list[tuple[int, int, int, int, int]]:
        """ms, channel, value, number and losses of each event so far, which are then forgotten."""
        events = [IioEvent.unpack(ctx) for _, ctx in self.fired]
        self.fired.clear()
        return [(e.timestamp_ns // MS, e.channel, e.value, e.seqno, e.lost) for e in events]


def ramp(bench: Bench) -> None:
    bench.iio.set_signal("imu", "accel_x", lambda now: now // (10 * MS))
    bench.iio.set_signal("imu", "accel_y", lambda now: -now // (10 * MS))


def test_values_are_read_one_by_one() -> None:
    bench = Bench(POLLED)
    ramp(bench)
    bench.clock.advance(20 * MS)
    assert bench.samples() == [(10, 0, 1, 1, 0), (10, 1, -1, 1, 0), (20, 0, 2, 2, 0), (20, 1, -2, 2, 0)]
    assert bench.source.last(0, 0) == 2 * 598
    assert bench.source.last(0, 1) == -2 * 598
    assert bench.source.last(0, 2) is bench.source.last(1, 0) is None


def test_a_reading_that_fails_is_told_once_and_counted() -> None:
    bench = Bench(POLLED)
    ramp(bench)
    bench.iio.fail("imu", errno.EIO, readings=2)
    bench.clock.advance(40 * MS)
    assert bench.samples()[::2] == [(30, 0, 3, 3, 2), (40, 0, 4, 4, 0)]
    assert [error.problem for error in bench.troubles] == ["can't be read: Input/output error (EIO)"]
    assert bench.source.counters("imu") == SensorCounters(2, 2, 2)


def test_a_buffer_wakes_at_its_watermark() -> None:
    bench = Bench(BUFFERED)
    ramp(bench)
    bench.clock.advance(30 * MS)
    assert bench.samples() == [(10, 0, 1, 1, 0), (10, 1, -1, 1, 0), (20, 0, 2, 2, 0), (20, 1, -2, 2, 0)]
    bench.clock.advance(10 * MS)
    assert [row[0] for row in bench.samples()] == [30, 30, 40, 40]


def test_a_scan_is_one_event() -> None:
    bench = Bench(SCANNED)
    ramp(bench)
    bench.clock.advance(20 * MS)
    assert [key for key, _ in bench.fired] == [ScanKey(0)] * 2
    event = ScanEvent.unpack(bench.fired[1][1])
    assert (event.timestamp_ns, event.count, list(event.value[:3]), list(event.micro[:3]), event.seqno) == (
        20 * MS, 2, [2, -2, 0], [1196, -1196, 0], 2,
    )  # fmt: skip


def test_scans_that_never_came_are_lost_and_told() -> None:
    bench = Bench(SCANNED)
    bench.clock.advance(20 * MS)
    bench.iio.lose("imu", 3)
    bench.clock.advance(50 * MS)
    events = [ScanEvent.unpack(ctx) for _, ctx in bench.fired]
    assert [(e.seqno, e.lost) for e in events] == [(1, 0), (2, 0), (6, 3), (7, 0)]
    counters = bench.source.counters("imu")
    assert (counters.received, counters.lost) == (4, 3)
    assert counters.received + counters.lost == bench.iio.taken("imu")


def test_any_pattern_of_losses_adds_up() -> None:
    bench = Bench(SCANNED.replace("watermark = 2", "watermark = 1"))
    rng = random.Random(7)
    bench.clock.advance(10 * MS)
    for _ in range(500):
        bench.iio.lose("imu", rng.choice((0, 0, 1, 2, 9)))
        bench.clock.advance(rng.randint(1, 12) * 10 * MS)
    bench.iio.heal("imu")
    bench.clock.advance(10 * MS)
    counters = bench.source.counters("imu")
    assert counters.received + counters.lost == bench.iio.taken("imu")
    assert counters.lost == sum(ScanEvent.unpack(ctx).lost for _, ctx in bench.fired) > 500


@pytest.mark.parametrize("text", [POLLED, BUFFERED])
def test_a_device_that_was_away_goes_on(text: str) -> None:
    bench = Bench(text)
    bench.clock.advance(20 * MS)
    bench.iio.unplug("imu")
    bench.clock.advance(2500 * MS)
    assert len(bench.troubles) == 1
    assert isinstance(bench.troubles[0], BackendError)
    assert bench.troubles[0].errno == errno.ENODEV
    bench.iio.plug("imu")
    bench.samples()
    bench.clock.advance(1 * S)
    rows = bench.samples()
    assert rows[0][3:] == (3, 0), "numbers go on, and the time away isn't counted as loss"
    assert len(bench.troubles) == 1


def test_nobody_reads_what_nobody_wants() -> None:
    bench = Bench(BUFFERED)
    bench.wanted = lambda key: False
    bench.source.changed()
    bench.clock.advance(1 * S)
    assert (bench.fired, bench.iio.taken("imu")) == ([], 0)
    assert not bench.clock.run_next(), "virtual time comes to rest"
    bench.wanted = lambda key: key == IioKey(0, 1)
    bench.source.changed()
    bench.clock.advance(20 * MS)
    assert bench.iio.taken("imu") == 2
    bench.wanted = lambda key: False
    bench.source.changed()
    assert not bench.clock.run_next()
    bench.source.read_all()
    bench.clock.advance(20 * MS)
    assert bench.source.last(0, 0) == 0
    bench.source.stop()
    assert not bench.clock.run_next()


def test_a_threshold_is_a_hook_of_its_own() -> None:
    bench = Bench(POLLED + "[iio.imu.threshold.accel_x]\nrising = 5\n")
    ramp(bench)
    bench.wanted = lambda key: key == IioKey(0, 0, Edge.RISING)
    bench.source.changed()
    bench.clock.advance(60 * MS)
    (ctx,) = [ctx for key, ctx in bench.fired if key == IioKey(0, 0, Edge.RISING)]
    event = IioEvent.unpack(ctx)
    assert (event.timestamp_ns, event.value, event.micro, event.lost) == (50 * MS, 5, 5 * 598, 0)


def test_an_optional_device_may_come_later() -> None:
    with pytest.raises(BackendError, match="no device has the name mpu6050"):
        IioSource(
            MockIio([], VirtualClock(), Scheduler(VirtualClock())), board(POLLED), lambda key, ctx: None,
            VirtualClock(), Scheduler(VirtualClock()),
        )  # fmt: skip
    bench = Bench(POLLED + "optional = true\n")
    bench.source.close()
    bench.iio.unplug("imu")
    troubles: list[AxiomError] = []
    source = IioSource(
        bench.iio, bench.board, lambda key, ctx: bench.fired.append((key, ctx)), bench.clock, bench.scheduler,
        on_trouble=troubles.append,
    )  # fmt: skip
    assert troubles == [], "nobody wants it yet"
    source.changed()
    bench.clock.advance(3 * S)
    assert len(troubles) == 1
    bench.iio.plug("imu")
    bench.clock.advance(2 * S)
    assert bench.fired
    source.close()


# Real time: a fake tree with the kernel's rules, and a stream that tests write.


class Tree:
    """A source on the real backend. With `enter`, its buffer is a pump's."""

    def __init__(self, tmp_path: Path, text: str, make: Callable[[], Enter | None] | None) -> None:
        self.files = FakeIio(tmp_path)
        self.registry = Registry()
        self.executor = Executor(self.registry)
        self.troubles: list[AxiomError] = []
        self.errors: list[AxiomError] = []
        self.plug()
        self.pumps = 0

        def make_server(feeds: object) -> Pump:
            self.pumps += 1
            assert make is not None
            return Pump(self.registry, self.executor, feeds, make())

        clock = MonotonicClock()
        self.scheduler = Scheduler(clock)
        self.source = IioSource(
            SysfsIio(self.files.tree, self.files), board(text), self.executor.fire, clock, self.scheduler,
            make_server=make_server if make is not None else None, wanted=lambda key: bool(self.registry.links(key)),
            on_trouble=self.troubles.append, on_error=self.errors.append,
        )  # fmt: skip
        self.registry.watch(self.source.changed)

    def plug(self) -> None:
        values = {f"in_{axis}_raw": "0" for axis in ACCEL_TYPES}
        self.device = self.files.add(0, "mpu6050", {**values, "in_accel_scale": "0.000598"}, ACCEL_TYPES)
        self.device.needs_trigger = False


def no_pump() -> None:
    return None


def plain() -> Callable[[], Enter | None]:
    return no_pump


def native() -> Callable[[], Enter | None]:
    from axiom_hw.pump.native import compiled_loop

    return compiled_loop


@pytest.fixture(params=["python", "plain pump", pytest.param("native pump", marks=pytest.mark.llvm)])
def how(request: pytest.FixtureRequest) -> Callable[[], Enter | None] | None:
    return {"python": lambda: None, "plain pump": plain, "native pump": native}[request.param]()


@pytest.fixture
def tree(tmp_path: Path, how: Callable[[], Enter | None] | None) -> Iterator[Tree]:
    made = Tree(tmp_path, OWN, how)
    made.scheduler.start()
    yield made
    made.source.close()
    made.scheduler.stop()


def stream(count: int, rng: random.Random) -> tuple[bytes, list[tuple[int, ...]]]:
    """Scans of three axes, some of which are missing, and their values."""
    kinds = [scans.parse_type(kind) for _, kind in ACCEL_TYPES.values()]
    format = scans.lay_out(kinds, scans.TIMESTAMP)
    data, values, at = b"", [], 0
    for _ in range(count):
        at += rng.choice((1, 1, 1, 1, 2, 5))
        values.append(tuple(rng.randint(-32768, 32767) for _ in kinds))
        data += scans.encoded(format, list(values[-1]), at * MS, rng)
    return data, values


def test_a_stream_of_scans(tree: Tree, how: object) -> None:
    programs = {channel: StandIn(f"p{channel}", ctx_bytes=48) for channel in range(3)}
    for channel, program in programs.items():
        tree.registry.attach(program, IioKey(0, channel))
    tree.source.start()
    until(lambda: tree.device.is_active)
    data, values = stream(300, random.Random(8))
    tree.files.feed(tree.device, data)
    until(lambda: len(programs[2].seen) >= 300 or bool(tree.errors))
    tree.source.stop()
    assert tree.errors == []
    assert not tree.device.is_active, "stopped is switched off"
    assert tree.pumps == (2 if how is not None else 0)
    for channel, program in programs.items():
        events = [IioEvent.unpack(ctx) for ctx in program.seen]
        assert [event.value for event in events] == [row[channel] for row in values]
        assert [event.seqno for event in events] == [
            e.timestamp_ns // MS - events[0].timestamp_ns // MS + 1 for e in events
        ]
    counters = tree.source.counters("imu")
    assert counters.received == 300
    assert counters.received + counters.lost == events[-1].seqno


@pytest.mark.parametrize("silent", [False, True])
def test_unplugged_and_back_in_real_time(tree: Tree, monkeypatch: pytest.MonkeyPatch, silent: bool) -> None:
    monkeypatch.setattr("axiom_hw.adapters.iio_service.RETRY_NS", 5 * MS)
    program = StandIn("p", ctx_bytes=48)
    tree.registry.attach(program, IioKey(0, 0))
    tree.source.start()
    until(lambda: tree.device.is_active)
    tree.files.feed(tree.device, stream(3, random.Random(9))[0])
    until(lambda: len(program.seen) == 3)
    tree.files.unplug(tree.device, silent=silent)
    until(lambda: bool(tree.troubles))
    tree.plug()
    until(lambda: tree.device.is_active)
    tree.files.feed(tree.device, stream(2, random.Random(9))[0])
    until(lambda: len(program.seen) == 5)
    assert len(tree.troubles) == 1
    assert tree.errors == []


def test_a_stop_comes_between_two_scans(tree: Tree) -> None:
    program = StandIn("p", ctx_bytes=48)
    link = tree.registry.attach(program, IioKey(0, 1))
    tree.source.start()
    until(lambda: tree.device.is_active)
    link.detach()
    until(lambda: not tree.device.is_active)  # nobody wants it
    tree.registry.attach(program, IioKey(0, 1))
    until(lambda: tree.device.is_active)
    tree.source.stop()
    tree.source.stop()
    tree.source.start()
    until(lambda: tree.device.is_active)


def test_values_are_polled_in_real_time(tmp_path: Path) -> None:
    bench = Tree(tmp_path, OWN.replace('trigger = "own"\n', "").replace("1kHz", "2kHz"), None)
    program = StandIn("p", ctx_bytes=48)
    bench.registry.attach(program, IioKey(0, 2))
    begin = time.monotonic()
    bench.source.start()
    until(lambda: len(program.seen) >= 20)
    bench.source.close()
    counters = bench.source.counters("imu")
    periods = (time.monotonic() - begin) * 2000
    assert counters.received + counters.lost <= periods + 1
    assert IioEvent.unpack(program.seen[-1]).seqno == counters.received + counters.lost
