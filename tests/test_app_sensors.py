"""Sensors in an application: programs on their hooks, last values, and a run that isn't kept going by them."""

from __future__ import annotations

from pathlib import Path

import pytest

import axiom_hw as hw
from axiom_hw.board import parse_board
from axiom_hw.bpf.engine.choice import Engine
from axiom_hw.bpf.maps import ArrayView
from axiom_hw.errors import AxiomError, BackendError
from axiom_hw.options import Options
from tests.bpf.engines import ENGINES

pytestmark = pytest.mark.llvm  # compiles programs

BOARD = parse_board(
    """\
[chip.header]
label = "pinctrl-rp1"
[input.button]
line = 17
bias = "pull-up"
active_low = true
[iio.imu]
device = "mpu6050"
channels = ["accel_x", "accel_y"]
rate = "100Hz"
trigger = "hrtimer"
scan = true
[iio.adc]
device = "ads1015"
channels = ["voltage0"]
rate = "100Hz"
optional = true
[hwmon.soc]
device = "cpu_thermal"
channels = ["temp1"]
rate = "20ms"
""",
    "bench", "bench.toml",
)  # fmt: skip
MOCK = Options(mock=True, cache=False)


def options(engine: str) -> Options:
    return Options(mock=True, engine=Engine(engine), cache=False)


@pytest.mark.parametrize("engine", ENGINES)
def test_scans_samples_and_last_values(engine: str) -> None:
    app = hw.App("sensors", board=BOARD)
    sums = app.array("sums", hw.s64, entries=3)
    temps = app.ringbuf("temps", hw.IioEvent)

    @app.on("scan/imu")
    def add(ctx: hw.ScanEvent) -> int:
        sums[0] += ctx.value[0]
        sums[1] += ctx.micro[1]
        return 0

    @app.on("iio/soc/temp1")
    def warm(ctx: hw.IioEvent) -> int:
        volts = hw.iio_read("adc/voltage0")
        if volts != hw.NO_READING:
            sums[2] = volts
        temps.output(ctx)
        return 0

    @app.scenario
    def world(bench: hw.MockBench) -> None:
        bench.iio.set_signal("imu", "accel_x", lambda now: -3)
        bench.iio.set_signal("imu", "accel_y", lambda now: 10)
        bench.iio.set_signal("adc", "voltage0", lambda now: -11)
        bench.iio.set_signal("soc", "temp1", lambda now: 45_000 + now // 1_000_000)

    with app.running(options(engine)):
        found = [temp for _, temp in zip(range(3), temps, strict=False)]
    assert [(t.timestamp_ns, t.value, t.micro) for t in found] == [
        (20_000_000 * n, 45_000 + 20 * n, (45_000 + 20 * n) * 1_000_000) for n in (1, 2, 3)
    ]
    scans = -sums[0] // 3
    assert scans in (5, 6)  # one is due at the instant of the last temperature
    assert sums[1] == scans * 10 * 598
    assert sums[2] == -11 * 2_000_000, "a value below 0 is no errno"


def test_before_the_first_reading_there_is_none() -> None:
    app = hw.App("sensors", board=BOARD)
    first = app.array("first", hw.s64)

    @app.on("timer/1ms")
    def ask(ctx: hw.TimerEvent) -> int:
        if ctx.count == 1:
            first[0] = hw.iio_read("soc/temp1")
        return 0

    with app.running(MOCK):
        assert app.bench is not None
        app.bench.advance("5ms")
    assert first[0] == hw.NO_READING == -(1 << 63)


def test_a_sensor_that_nobody_wants_keeps_no_run_going() -> None:
    app = hw.App("sensors", board=BOARD)
    edges = app.ringbuf("edges", hw.GpioEvent)

    @app.on("gpio/button")
    def follow(ctx: hw.GpioEvent) -> int:
        edges.output(ctx)
        return 0

    @app.scenario
    def press(bench: hw.MockBench) -> None:
        bench.after("1s").press("button")

    with app.running(MOCK):
        assert len(list(edges)) == 1  # and then the ring ends, because nothing is left to happen
    assert app.bench is not None
    assert app.bench.iio.taken("imu") == 0


def test_a_channel_that_is_misspelt_is_told_with_its_line() -> None:
    app = hw.App("sensors", board=BOARD)

    @app.on("timer/1ms")
    def ask(ctx: hw.TimerEvent) -> int:
        return hw.iio_read("imu/accel_z") & 1

    with pytest.raises(AxiomError, match=r"`imu` has no channel `accel_z`; it has accel_x, accel_y"):
        app.specs()


def test_a_sensor_that_is_not_optional_has_to_be_there() -> None:
    bench = hw.MockBench(BOARD)
    bench.iio.unplug("adc")
    bench.runtime().close()
    bench = hw.MockBench(BOARD)
    bench.iio.unplug("imu")
    with pytest.raises(BackendError, match="no device has the name mpu6050"):
        bench.runtime()


def watching() -> tuple[hw.App, ArrayView[int]]:
    """An application that adds up what it reads."""
    app = hw.App("sensors", board=BOARD)
    sums = app.array("sums", hw.s64, entries=3)

    @app.on("timer/7ms")
    def ask(ctx: hw.TimerEvent) -> int:
        x, volts = hw.iio_read("imu/accel_x"), hw.iio_read("adc/voltage0")
        sums[0] = sums[0] * 31 + (x if x != hw.NO_READING else 1)
        sums[1] += volts if volts != hw.NO_READING else 1
        sums[2] += 1
        return 0

    @app.scenario
    def world(bench: hw.MockBench) -> None:
        bench.iio.set_signal("imu", "accel_x", lambda now: now // 1_000_000)
        bench.iio.set_signal("adc", "voltage0", lambda now: -now // 2_000_000)

    return app, sums


def test_last_values_are_the_same_in_a_replay(tmp_path: Path) -> None:
    file = str(tmp_path / "a.axr")
    made = []
    for options in (
        Options(mock=True, cache=False, duration_ns=500_000_000, record=file),
        Options(replay=file, cache=False),
    ):
        app, sums = watching()
        with app.running(options):
            app.wait()
        made.append([sums[at] for at in range(3)])
    assert made[0] == made[1]
    assert made[0][2] == 71
    assert made[0][1] < -1_000_000
