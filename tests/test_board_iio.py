"""Sensors in a board file: what is read, and what is refused, with the whole message."""

from __future__ import annotations

import pytest

from axiom_hw.board import parse_board
from axiom_hw.board.iio import FoundBy, IioDevice, Subsystem, Threshold, Trigger, parse_period_ns
from axiom_hw.errors import BoardError

IMU = """\
[iio.imu]
device = "mpu6050"
channels = ["accel_x", "accel_y", "accel_z"]
rate = "100Hz"
"""


def board(text: str) -> tuple[IioDevice, ...]:
    return parse_board(text, "bench", "bench.toml").iio


def test_a_sensor_that_is_read_one_by_one() -> None:
    assert board(IMU) == (
        IioDevice("imu", FoundBy.NAME, "mpu6050", ("accel_x", "accel_y", "accel_z"), 10_000_000),
    )  # fmt: skip


def test_every_key() -> None:
    text = """\
[iio.adc]
of_node = "i2c@74000/adc@48"
channels = ["voltage0", "quaternion:2"]
trigger = "own"
length = 256
watermark = 32
scan = true
optional = true
[iio.adc.threshold.voltage0]
rising = 1000
falling = -5
hysteresis = 3
[hwmon.soc]
device = "cpu_thermal"
channels = ["temp1"]
rate = "1s"
"""
    adc, soc = board(text)
    assert adc == IioDevice(
        "adc", FoundBy.OF_NODE, "i2c@74000/adc@48", ("voltage0", "quaternion:2"), 0, Subsystem.IIO, Trigger.OWN, 256,
        32, True, (Threshold(0, 1000, -5, 3),), True,
    )  # fmt: skip
    assert soc == IioDevice("soc", FoundBy.NAME, "cpu_thermal", ("temp1",), 1_000_000_000, Subsystem.HWMON)


@pytest.mark.parametrize(
    ("text", "period_ns"),
    [("100Hz", 10_000_000), ("12.5 Hz", 80_000_000), ("3Hz", 333_333_333), ("1.5kHz", 666_667), ("10ms", 10_000_000)],
)
def test_a_rate_or_a_period(text: str, period_ns: int) -> None:
    assert parse_period_ns(text) == period_ns


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('device = "mpu6050"\n', ""), "bench.toml:1 [iio.imu]: `device` is missing"),
        (('"mpu6050"', '"iio:device0"'), 'bench.toml:2 [iio.imu]: `device` is "iio:device0", a number that moves'),
        (('rate = "100Hz"\n', ""), "bench.toml:1 [iio.imu]: `rate` is missing"),
        (('"100Hz"', '"often"'), "bench.toml:4 [iio.imu]: `rate`: 'often' is no rate; write \"100Hz\", or a period"),
        (('"100Hz"', '"0Hz"'), "bench.toml:4 [iio.imu]: `rate`: '0Hz' is never"),
        (('"100Hz"', '"1us"'), "bench.toml:4 [iio.imu]: `rate` is one reading each 1us; 10us is the limit"),
        (('"accel_y"', '"accel_x"'), 'bench.toml:3 [iio.imu]: `channels` has "accel_x" twice'),
        (('"accel_y"', '"in_accel_y_raw"'), '`channels` has "in_accel_y_raw", the name of a file\n    fix    wr'),
        (('"accel_y"', '"Y"'), '`channels` has "Y", which is no name of a channel'),
        (("100Hz\"\n", "100Hz\"\nwatermark = 3\n"), "`watermark` is of the kernel's buffer, which needs a trigger"),
        (("100Hz\"\n", "100Hz\"\ntrigger = \"hrtime\"\n"), 'did you mean "hrtimer"?'),
        (("100Hz\"\n", "100Hz\"\nlabel = \"x\"\n"), "has `device` and `label`; a device is found by one of them"),
        (("100Hz\"\n", "100Hz\"\n[iio.imu.threshold.temp]\nrising = 1\n"), "threshold.temp]: `temp` isn't in `c"),
        (("100Hz\"\n", "100Hz\"\n[iio.imu.threshold.accel_x]\n"), "[iio.imu.threshold.accel_x]: `rising` is missing"),
        (("100Hz\"\n", "100Hz\"\n[hwmon.imu]\ndevice = \"x\"\nchannels = [\"temp1\"]\nrate = \"1s\"\n"),
         "bench.toml:5 [hwmon.imu]: `imu` is the name of another sensor"),
    ],
)  # fmt: skip
def test_what_is_refused(change: tuple[str, str], message: str) -> None:
    with pytest.raises(BoardError) as caught:
        board(IMU.replace(*change))
    assert message in str(caught.value)


def test_a_scan_has_room_for_eight() -> None:
    channels = ", ".join(f'"voltage{n}"' for n in range(9))
    text = f'[iio.adc]\ndevice = "adc"\nchannels = [{channels}]\nrate = "1Hz"\nscan = true\n'
    with pytest.raises(BoardError, match="`scan` has room for 8 channels, and here are 9"):
        board(text)
