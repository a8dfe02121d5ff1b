"""What the IIO contract runs on: a device with a buffer and two channels, or a real one with one; the world's side."""

from __future__ import annotations

import select
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import pytest

from axiom_hw.backends.iio import IioBackend
from axiom_hw.backends.mock_iio import MockIio
from axiom_hw.backends.sysfs_iio import SysfsIio
from axiom_hw.board.i2c import SensorBus
from axiom_hw.board.iio import FoundBy, IioDevice, Threshold, Trigger
from axiom_hw.clock import MS, VirtualClock
from axiom_hw.scheduler import Scheduler
from tests.backends.fake_iio import FakeIio

PERIOD_NS = 10 * MS
TYPES = {"accel_x": (0, "be:s16/16>>0"), "accel_y": (1, "le:s12/16>>4")}
RISING = (1 << 48) | (3 << 32) | (1 << 40)  # accel, x, thresh, rising


def declared(
    trigger: Trigger = Trigger.HRTIMER, watermark: int = 1, length: int = 16, thresholds: tuple[Threshold, ...] = ()
) -> IioDevice:
    return IioDevice(
        "imu", FoundBy.NAME, "mpu6050", ("accel_y", "accel_x"), PERIOD_NS, trigger=trigger, length=length,
        watermark=watermark, thresholds=thresholds,
    )  # fmt: skip


ADC = "ads1015"


def adc(trigger: Trigger = Trigger.HRTIMER, length: int = 16, thresholds: tuple[Threshold, ...] = ()) -> IioDevice:
    """A real ADS1015, whose buffer takes one channel."""
    return IioDevice(
        "adc", FoundBy.NAME, ADC, ("voltage0",), PERIOD_NS, trigger=trigger, length=length, thresholds=thresholds
    )


class Rig(Protocol):
    """`scan` lets the device take one, of accel_y and accel_x, one period after the last.

    `stepwise` is the trigger with which it takes no other; `exact` whether its times are the test's.
    """

    backend: IioBackend
    unit = (Fraction("0.0006"), Fraction(10))
    stepwise = Trigger.HRTIMER
    exact = True

    def declared(self, trigger: Trigger, thresholds: tuple[Threshold, ...] = ()) -> IioDevice:
        """The device, declared so; it is there for it."""

    def of(self, accel_y: int, accel_x: int) -> tuple[int, ...]:
        """What of that its channels show."""

    def set(self, accel_y: int, accel_x: int) -> None: ...

    def scan(self, accel_y: int, accel_x: int) -> None: ...

    def cross(self) -> None:
        """Let accel_x rise from 0 to 1000."""

    def unplug(self) -> None: ...

    def plug(self) -> None: ...


class MockRig(Rig):
    """The mock, in virtual time."""

    def __init__(self, tmp_path: Path) -> None:
        self.clock = VirtualClock()
        self.scheduler = Scheduler(self.clock)
        self.scheduler.start()
        self.backend = self.bench = MockIio([declared()], self.clock, self.scheduler)

    def declared(self, trigger: Trigger, thresholds: tuple[Threshold, ...] = ()) -> IioDevice:
        found = declared(trigger, thresholds=thresholds)
        if trigger is not Trigger.HRTIMER or thresholds:
            self.backend = self.bench = MockIio([found], self.clock, self.scheduler)
        for channel in ("accel_x", "accel_y"):
            self.bench.set_unit("imu", channel, *self.unit)
        return found

    def of(self, accel_y: int, accel_x: int) -> tuple[int, ...]:
        return accel_y, accel_x

    def set(self, accel_y: int, accel_x: int) -> None:
        self.bench.set_signal("imu", "accel_y", lambda time_ns: accel_y)
        self.bench.set_signal("imu", "accel_x", lambda time_ns: accel_x)

    def scan(self, accel_y: int, accel_x: int) -> None:
        self.set(accel_y, accel_x)
        self.clock.advance(PERIOD_NS)

    def cross(self) -> None:
        self.scan(0, 0)
        self.scan(0, 1000)

    def unplug(self) -> None:
        self.bench.unplug("imu")

    def plug(self) -> None:
        self.bench.plug("imu")


class SysfsRig(Rig):
    """The real backend, on a tree that obeys the kernel's rules."""

    def __init__(self, tmp_path: Path) -> None:
        self.files = FakeIio(tmp_path)
        self.backend = SysfsIio(self.files.tree, self.files)
        self.time_ns = 0
        self.plug()

    def declared(self, trigger: Trigger, thresholds: tuple[Threshold, ...] = ()) -> IioDevice:
        return declared(trigger, thresholds=thresholds)

    def of(self, accel_y: int, accel_x: int) -> tuple[int, ...]:
        return accel_y, accel_x

    def set(self, accel_y: int, accel_x: int) -> None:
        (self.device.folder / "in_accel_y_raw").write_text(f"{accel_y}\n")
        (self.device.folder / "in_accel_x_raw").write_text(f"{accel_x}\n")

    def scan(self, accel_y: int, accel_x: int) -> None:
        self.time_ns += PERIOD_NS
        if self.device.is_active:
            data = struct.pack(">h", accel_x) + struct.pack("<h4xq", accel_y << 4, self.time_ns)
            self.files.feed(self.device, data)

    def cross(self) -> None:
        self.set(0, 1000)
        self.files.cross(self.device, RISING, 2 * PERIOD_NS)

    def unplug(self) -> None:
        self.files.unplug(self.device)  # whose other end then reads its end: ENODEV, too

    def plug(self) -> None:
        values = {"in_accel_x_raw": "0", "in_accel_y_raw": "0", "in_accel_scale": "0.000600", "in_accel_offset": "10"}
        self.device = self.files.add(0, "mpu6050", values, TYPES)
        events = self.device.folder / "events"
        events.mkdir()
        for name in ("value", "hysteresis", "en"):
            (events / f"in_accel_x_thresh_rising_{name}").write_text("0\n")


class RealRig(Rig):
    """The kernel's driver of an ADS1015 behind i2c-stub, in real time. No interrupt leads from there."""

    unit = (Fraction(1), Fraction(0))
    stepwise = Trigger.SYSFS
    exact = False

    def __init__(self, tmp_path: Path) -> None:
        from axiom_hw.backends.smbus2_i2c import Smbus2Backend

        self.backend = SysfsIio()
        self.client = real_adc()
        self.address = int(self.client.name.partition("-")[2], 16)
        bus = Smbus2Backend().open(SensorBus("stub", adapter="SMBus stub driver"))
        self.bus = bus._open()  # the world's hands are on the registers, though a driver has the address

    def declared(self, trigger: Trigger, thresholds: tuple[Threshold, ...] = ()) -> IioDevice:
        return adc(trigger, thresholds=thresholds)

    def of(self, accel_y: int, accel_x: int) -> tuple[int, ...]:
        return (accel_y,)

    def set(self, accel_y: int, accel_x: int) -> None:
        word = (accel_y << 4 & 0xFFF0).to_bytes(2, "big")
        self.bus.write_word_data(self.address, 0, int.from_bytes(word, "little"), force=True)

    def scan(self, accel_y: int, accel_x: int) -> None:
        self.set(accel_y, accel_x)
        time.sleep(3 * PERIOD_NS / 1e9)

    def cross(self) -> None:
        raise AssertionError("it has no thresholds")

    def unplug(self) -> None:
        (self.client.parent / "delete_device").write_text(f"{self.address:#x}")

    def plug(self) -> None:
        (self.client.parent / "new_device").write_text(f"{ADC} {self.address:#x}")


def real_adc() -> Path:
    """The I2C client of an ADS1015 that the kernel reads; skips where there is none."""
    for name in Path("/sys/bus/iio/devices").glob("iio:device*/name"):
        client = name.resolve().parents[1]
        if name.read_text().strip() == ADC and (client.parent / "name").read_text().startswith("SMBus stub"):
            return client
    pytest.skip("this kernel has no ADS1015 behind i2c-stub (`make test-twin` boots one that has)")


def wait_readable(part: object, seconds: float = 5.0) -> bool:
    """Whether it polls readable within a time."""
    poll = select.poll()
    poll.register(part, select.POLLIN)  # type: ignore[call-overload]
    return bool(poll.poll(seconds * 1000))


@contextmanager
def opened(rig: Rig, device: IioDevice) -> Iterator[object]:
    sensor = rig.backend.open(device)
    try:
        yield sensor
    finally:
        sensor.close()
