"""What is special about sysfs: the order of writes, what is undone, and each refusal with its way out."""

from __future__ import annotations

import errno
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from axiom_hw.backends.iio import PLAIN, THOUSANDTHS, unit_of
from axiom_hw.backends.scan_format import ElementType, lay_out, parse_type
from axiom_hw.backends.sysfs_iio import SysfsIio
from axiom_hw.board.iio import FoundBy, IioDevice, Subsystem, Trigger
from axiom_hw.errors import BackendError
from tests.backends.fake_iio import FakeIio
from tests.backends.iio_rigs import SysfsRig, declared


@pytest.fixture
def rig(tmp_path: Path) -> SysfsRig:
    return SysfsRig(tmp_path)


def refused(rig: SysfsRig, device: IioDevice) -> BackendError:
    sensor = rig.backend.open(device)
    with pytest.raises(BackendError) as caught:
        sensor.capture()
    sensor.close()
    return caught.value


def test_the_order_of_writes_and_what_is_undone(rig: SysfsRig) -> None:
    sensor = rig.backend.open(declared(watermark=4))
    capture = sensor.capture()
    assert rig.device.log == [
        ("current_timestamp_clock", "monotonic"),
        ("current_trigger", "axiom-imu"),
        ("in_accel_x_en", "1"), ("in_accel_y_en", "1"), ("in_timestamp_en", "1"),
        ("length", "16"), ("watermark", "4"), ("enable", "1"),
    ]  # fmt: skip
    assert rig.files.names(rig.files.configfs) == ("axiom-imu",)
    rig.device.log.clear()
    capture.close()
    assert rig.device.log == [("enable", "0"), ("current_trigger", "")]
    assert rig.files.names(rig.files.configfs) == ()
    assert not rig.device.is_active
    sensor.close()


def test_channels_that_nobody_asked_for_are_switched_off(rig: SysfsRig) -> None:
    (rig.device.folder / "scan_elements/in_accel_x_en").write_text("1\n")
    sensor = rig.backend.open(replace(declared(), channels=("accel_y",)))
    capture = sensor.capture()
    assert capture.format == lay_out([ElementType(False, True, 12, 2, 1, 4)], ElementType(False, True, 64, 8))
    assert ("in_accel_x_en", "0") in rig.device.log
    capture.close()
    sensor.close()


def test_a_device_that_takes_one_channel_at_a_time(rig: SysfsRig) -> None:
    rig.device.one_at_a_time = True
    (rig.device.folder / "scan_elements/in_accel_y_en").write_text("1\n")  # left from somebody
    sensor = rig.backend.open(replace(declared(), channels=("accel_x",)))
    sensor.capture().close()
    sensor.close()
    error = refused(rig, declared())
    assert error.problem == "`in_accel_y_en` can't be set to 1: Invalid argument (EINVAL)"
    assert error.fix.startswith("this device can't have all of these channels in one buffer")


def test_a_buffer_that_somebody_switched_off_is_noticed(rig: SysfsRig) -> None:
    sensor = rig.backend.open(declared())
    capture = sensor.capture()
    capture.check()
    (rig.device.folder / "buffer/enable").write_text("0\n")
    with pytest.raises(BackendError, match="its buffer was switched off by somebody else"):
        capture.check()
    rig.files.unplug(rig.device, silent=True)
    with pytest.raises(BackendError) as caught:
        capture.check()
    assert caught.value.errno == errno.ENODEV
    capture.close()
    sensor.close()


def test_a_timer_that_a_killed_run_left_is_taken_over(rig: SysfsRig) -> None:
    rig.files.make(rig.files.configfs / "axiom-imu")
    sensor = rig.backend.open(declared())
    sensor.capture().close()
    assert rig.files.names(rig.files.configfs) == ()
    sensor.close()


def test_the_sysfs_trigger_is_fired_and_removed(rig: SysfsRig) -> None:
    rig.files.add_trigger("sysfstrig0", trigger_now="")
    sensor = rig.backend.open(declared(Trigger.SYSFS))
    capture = sensor.capture()
    assert ("current_trigger", "sysfstrig1") in rig.device.log
    capture.fire()
    assert rig.files.fired == 1
    capture.close()
    assert not any("sysfstrig1" in path.read_text() for path in rig.files.devices.glob("trigger*/name"))
    sensor.close()


def test_its_own_trigger_and_rate(rig: SysfsRig) -> None:
    rig.files.add_trigger("mpu6050-dev0")
    (rig.device.folder / "sampling_frequency").write_text("50\n")
    (rig.device.folder / "sampling_frequency_available").write_text("50 100 200\n")
    sensor = rig.backend.open(declared(Trigger.OWN))
    capture = sensor.capture()
    assert capture.period_ns == 10_000_000
    assert ("current_trigger", "mpu6050-dev0") in rig.device.log
    capture.close()
    sensor.close()
    error = refused(rig, replace(declared(Trigger.OWN), period_ns=30_000_000))
    assert error.errno == errno.EINVAL
    assert error.fix == "its rates, in Hz: 50 100 200"


def test_a_fifo_needs_no_trigger(rig: SysfsRig) -> None:
    rig.device.needs_trigger = False
    sensor = rig.backend.open(declared(Trigger.OWN))
    capture = sensor.capture()
    assert rig.device.is_active
    capture.close()
    sensor.close()


def test_no_trigger_is_told(rig: SysfsRig) -> None:
    error = refused(rig, declared(Trigger.OWN))
    assert str(error) == (
        "iio imu (iio:device0): `enable` can't be set to 1: Invalid argument (EINVAL)\n"
        '    fix    this device wants a trigger: set `trigger` of its table to "own", "hrtimer" or "sysfs"'
    )


def test_no_module_for_timers_is_told(rig: SysfsRig) -> None:
    rig.files.configfs.rmdir()
    error = refused(rig, declared())
    assert error.errno == errno.ENOENT
    assert error.fix.startswith("sudo modprobe iio-trig-hrtimer")


def test_root_s_files_are_told_with_the_rule(rig: SysfsRig) -> None:
    rig.files.failing["length"] = errno.EACCES
    error = refused(rig, declared())
    assert error.problem == "`length` can't be set to 16: Permission denied (EACCES)"
    assert "docs/sensors.md has the udev rule" in error.fix
    assert rig.files.names(rig.files.configfs) == ()  # what was made until then is gone


def test_who_has_the_buffer_is_told(rig: SysfsRig, tmp_path: Path) -> None:
    process = tmp_path / "proc/42"
    (process / "fd").mkdir(parents=True)
    (process / "comm").write_text("iiod\n")
    (process / "fd/7").symlink_to(rig.files.tree.dev / "iio:device0")
    rig.device.is_active = True
    error = refused(rig, declared())
    assert error.errno == errno.EBUSY
    assert "iiod (pid 42) has its buffer (EBUSY)" in error.problem
    assert f"echo 0 | sudo tee {rig.device.folder}/buffer/enable" in error.fix


def test_events_that_a_killed_process_left_on_are_told(rig: SysfsRig) -> None:
    rig.device.buffer_or_events = True  # found on a kernel with ti-ads1015
    (rig.device.folder / "events/in_accel_x_thresh_rising_en").write_text("1\n")
    sensor = rig.backend.open(declared())
    with pytest.raises(BackendError) as caught:
        sensor.capture()
    sensor.close()
    assert caught.value.errno == errno.EBUSY
    assert caught.value.problem == (
        "`enable` can't be set to 1: its events are on (in_accel_x_thresh_rising_en), and this driver can't have both "
        "(EBUSY)"
    )
    assert caught.value.fix.startswith("choose one in [iio.imu]: `trigger` or `threshold`; where a killed")


def test_a_busy_driver_without_a_reason_says_no_more_than_it_knows(rig: SysfsRig) -> None:
    rig.files.failing["enable"] = errno.EBUSY
    sensor = rig.backend.open(declared())
    with pytest.raises(BackendError) as caught:
        sensor.capture()
    sensor.close()
    assert caught.value.problem == "`enable` can't be set to 1: Device or resource busy (EBUSY)"


def test_what_the_driver_computed_itself_is_read_where_no_buffer_is_asked_for(tmp_path: Path) -> None:
    """bmp280 of Linux 6.12 has both; a scale of 0.000003906 makes 100.647 kPa of what is 100.653."""
    files = FakeIio(tmp_path)
    values = {
        "in_pressure_raw": "25767233", "in_pressure_scale": "0.000003906", "in_pressure_input": "100.653253906"
    }  # fmt: skip
    files.add(0, "bmp280", values, {"pressure": (0, "le:u32/32>>0")})
    plain = IioDevice("baro", FoundBy.NAME, "bmp280", ("pressure",), 100_000_000)
    sensor = SysfsIio(files.tree, files).open(plain)
    assert (sensor.read(0), sensor.units[0]) == (100_653, THOUSANDTHS)
    sensor.close()
    buffered = SysfsIio(files.tree, files).open(replace(plain, trigger=Trigger.HRTIMER))
    assert buffered.units[0].scale_nano == 3906
    buffered.close()


def test_a_device_without_a_buffer(tmp_path: Path) -> None:
    files = FakeIio(tmp_path)
    files.add(0, "bmp280", {"in_temp_input": "25080.000000000", "in_pressure_input": "100.653253906"})
    device = IioDevice("air", FoundBy.NAME, "bmp280", ("temp", "pressure"), 1, trigger=Trigger.HRTIMER)
    sensor = SysfsIio(files.tree, files).open(device)
    assert (sensor.read(0), sensor.read(1)) == (25_080_000, 100_653)
    assert sensor.units == (THOUSANDTHS, THOUSANDTHS)
    with pytest.raises(BackendError, match="has no buffer: its driver can only be read value by value"):
        sensor.capture()


def test_units_are_of_the_channel_or_of_its_type(tmp_path: Path) -> None:
    files = FakeIio(tmp_path)
    files.add(3, "adc", {
        "in_voltage0_raw": "7", "in_voltage0_scale": "0.125", "in_voltage1_raw": "8", "in_voltage_scale": "3.000000",
        "in_temp_raw": "-521", "in_temp_scale": "2.941176", "in_temp_offset": "12420",
        "in_rot_quaternion_raw": "1 2 -3 4",
    })  # fmt: skip
    channels = ("voltage0", "voltage1", "temp", "rot_quaternion:2")
    sensor = SysfsIio(files.tree, files).open(IioDevice("adc", FoundBy.NAME, "adc", channels, 1))
    assert sensor.units == (
        unit_of(Fraction("0.125"), Fraction(0)), unit_of(Fraction(3), Fraction(0)),
        unit_of(Fraction("2.941176"), Fraction(12420)), unit_of(Fraction(1), Fraction(0)),
    )  # fmt: skip
    assert [sensor.read(channel) for channel in range(4)] == [7, 8, -521, -3]


def test_found_by_label_by_node_and_not_by_two(tmp_path: Path) -> None:
    files = FakeIio(tmp_path)
    node = tmp_path / "sys/firmware/devicetree/base/soc/i2c@74000/adc@48"
    node.mkdir(parents=True)
    for number, label in enumerate(("left", "right")):
        files.add(number, "ads1015", {"in_voltage0_raw": f"{number}"}, label=label)
    (files.devices / "iio:device1/of_node").symlink_to(node)
    backend = SysfsIio(files.tree, files)
    row = IioDevice("adc", FoundBy.LABEL, "right", ("voltage0",), 1)
    assert backend.open(row).read(0) == 1
    assert backend.open(replace(row, found_by=FoundBy.OF_NODE, device="i2c@74000/adc@48")).read(0) == 1
    with pytest.raises(BackendError) as caught:
        backend.open(replace(row, found_by=FoundBy.NAME, device="ads1015"))
    assert caught.value.problem == "ads1015 could be any of iio:device0, iio:device1"


def test_hwmon_is_under_the_same_roof(tmp_path: Path) -> None:
    files = FakeIio(tmp_path)
    files.add_hwmon(0, "cpu_thermal", temp1_input="45312")
    device = IioDevice("soc", FoundBy.NAME, "cpu_thermal", ("temp1",), 1, Subsystem.HWMON)
    sensor = SysfsIio(files.tree, files).open(device)
    assert (sensor.read(0), sensor.units) == (45312, (PLAIN,))
    with pytest.raises(BackendError) as caught:
        SysfsIio(files.tree, files).open(replace(device, channels=("temp2",)))
    assert str(caught.value) == (
        "hwmon soc: cpu_thermal has no channel temp2; it has temp1\n    fix    change `channels` of [hwmon.soc]"
    )


def test_repeated_numbers_are_channels_by_number(tmp_path: Path) -> None:
    files = FakeIio(tmp_path)
    values = {"in_rot_quaternion_raw": "1 2 3 4", "in_temp_raw": "0"}
    device = files.add(0, "bno055", values, {"temp": (0, "le:s8/8>>0"), "rot_quaternion": (1, "le:s16/16X4>>0")})
    device.needs_trigger = False
    row = replace(declared(Trigger.OWN), device="bno055", channels=("rot_quaternion:3", "temp"))
    sensor = SysfsIio(files.tree, files).open(row)
    capture = sensor.capture()
    # temp at 0, the quaternion aligned to its 8 bytes, the time stamp behind it
    assert (capture.format.size, capture.format.timestamp) == (24, 16)
    assert [element.offset for element in capture.format.elements] == [14, 0]
    capture.close()
    sensor.close()
    row = replace(row, channels=("rot_quaternion", "temp"))
    with pytest.raises(BackendError, match="it has rot_quaternion:0 to rot_quaternion:3"):
        SysfsIio(files.tree, files).open(row).capture()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("le:s16/16>>0", ElementType(False, True, 16, 2)),
        ("be:u12/16>>4", ElementType(True, False, 12, 2, 1, 4)),
        ("le:s24/32X2>>8", ElementType(False, True, 24, 4, 2, 8)),
        ("le:s64/64>>0\n", ElementType(False, True, 64, 8)),
        ("le:u8/8", ElementType(False, False, 8, 1)),
    ],
)
def test_types_of_elements(text: str, found: ElementType) -> None:
    assert parse_type(text) == found


@pytest.mark.parametrize("text", ["", "s16/16>>0", "le:s17/16>>0", "le:s12/16>>5", "le:s0/16>>0", "le:s12/13>>0"])
def test_types_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no type of a scan element|which don't fit"):
        parse_type(text)
