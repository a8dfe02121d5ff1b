"""Hooks of sensors by name and by number; a slip is quoted and told what there is."""

from __future__ import annotations

import pytest

from axiom_hw.board import Board, parse_board
from axiom_hw.errors import BoardError, HookError
from axiom_hw.events import Edge
from axiom_hw.keys import HookKey, IioKey, ScanKey
from axiom_hw.programs import numbers_of
from axiom_hw.sections import keys_of

TEXT = """\
[iio.imu]
device = "mpu6050"
channels = ["accel_x", "accel_y", "accel_z"]
rate = "100Hz"
scan = true
[iio.adc]
device = "ads1015"
channels = ["voltage0", "voltage1"]
rate = "10Hz"
[iio.adc.threshold.voltage1]
rising = 1000
[hwmon.soc]
device = "cpu_thermal"
channels = ["temp1"]
rate = "1s"
"""


@pytest.fixture
def board() -> Board:
    return parse_board(TEXT, "bench", "bench.toml")


def keys(board: Board, section: str) -> tuple[HookKey, ...]:
    return keys_of(section, board, lambda period_ns: pytest.fail("no timer here"))


@pytest.mark.parametrize(
    ("section", "found"),
    [
        ("scan/imu", (ScanKey(0),)),
        ("scan/0", (ScanKey(0),)),
        ("iio/adc", (IioKey(1, 0), IioKey(1, 1))),
        ("iio/adc/voltage1", (IioKey(1, 1),)),
        ("iio/1/1", (IioKey(1, 1),)),
        ("iio/adc/voltage1/rising", (IioKey(1, 1, Edge.RISING),)),
        ("iio/soc/temp1", (IioKey(2, 0),)),
    ],
)
def test_a_section_is_keys(board: Board, section: str, found: tuple[HookKey, ...]) -> None:
    assert keys(board, section) == found


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("iio/", "section 'iio/': doesn't say which sensor; bench.toml has imu, adc, soc\n"
         "    fix    write its name behind it: iio/<device>/<channel>"),
        ("iio/adcc/voltage0", "section 'iio/adcc/voltage0' on bench.toml: has no iio `adcc`; it has imu, adc, soc\n"
         "    fix    did you mean `adc`?"),
        ("iio/adc/voltage2", "section 'iio/adc/voltage2' on bench.toml: adc has no channel 'voltage2'; it has "
         "voltage0, voltage1\n    fix    did you mean `voltage1`?"),
        ("iio/soc/fan", "section 'iio/soc/fan' on bench.toml: soc has no channel 'fan'; it has temp1\n"
         "    fix    add it to `channels` of [hwmon.soc]"),
        ("iio/9/0", "section 'iio/9/0': has the number 9; bench.toml has 3 sensors: imu, adc, soc\n"
         "    fix    numbers count from 0, in the order of the file"),
        ("iio/imu/accel_x", "section 'iio/imu/accel_x': wants the channels of imu one by one, but bench.toml has "
         "`scan = true`, which makes one event of them\n    fix    scan/imu; or take `scan` out of [iio.imu]"),
        ("scan/adc", "section 'scan/adc': wants adc scan by scan, but its channels come one by one\n"
         "    fix    set scan = true in [iio.adc] of bench.toml, or take iio/adc/voltage0"),
        ("iio/adc/voltage1/falling", "section 'iio/adc/voltage1/falling': bench.toml declares no threshold that "
         "voltage1 crosses falling\n    fix    add [iio.adc.threshold.voltage1] and falling = VALUE, if the device has "
         "events"),
        ("iio/adc/voltage1/up", "section 'iio/adc/voltage1/up': 'up' is no way to cross a threshold\n"
         "    fix    rising or falling"),
    ],
)  # fmt: skip
def test_a_slip_is_told(board: Board, section: str, message: str) -> None:
    with pytest.raises(HookError) as caught:
        keys(board, section)
    assert str(caught.value) == message


def test_the_helper_takes_a_channel_by_name(board: Board) -> None:
    assert numbers_of(board, "sensor channel", "adc/voltage1") == (1, 1)
    with pytest.raises(BoardError) as caught:
        numbers_of(board, "sensor channel", "adc/voltag1")
    assert str(caught.value) == (
        "bench.toml: `adc` has no channel `voltag1`; it has voltage0, voltage1\n    fix    did you mean `adc/voltage1`?"
    )


def test_a_key_tells_its_hook() -> None:
    assert [str(key) for key in (ScanKey(0), IioKey(1, 2), IioKey(1, 2, Edge.FALLING))] == [
        "scan/0", "iio/1/2", "iio/1/2/falling",
    ]  # fmt: skip
