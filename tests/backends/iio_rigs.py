"""What the IIO contract runs on: a device with two channels and a buffer, the world's side of it, and a clock."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Protocol

from axiom_hw.backends.iio import IioBackend
from axiom_hw.backends.mock_iio import MockIio
from axiom_hw.backends.sysfs_iio import SysfsIio
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


class Rig(Protocol):
    """`scan` lets the device take one, of accel_y and accel_x, one period after the last."""

    backend: IioBackend

    def set(self, accel_y: int, accel_x: int) -> None: ...

    def scan(self, accel_y: int, accel_x: int) -> None: ...

    def cross(self) -> None:
        """Let accel_x rise from 0 to 1000."""

    def unplug(self) -> None: ...

    def plug(self) -> None: ...


class MockRig:
    """The mock, in virtual time."""

    def __init__(self, tmp_path: Path) -> None:
        self.clock = VirtualClock()
        self.scheduler = Scheduler(self.clock)
        self.scheduler.start()
        self.bench = MockIio([declared()], self.clock, self.scheduler)
        self.backend: IioBackend = self.bench
        for channel in ("accel_x", "accel_y"):
            self.bench.set_unit("imu", channel, Fraction("0.0006"), Fraction(10))

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


class SysfsRig:
    """The real backend, on a tree that obeys the kernel's rules."""

    def __init__(self, tmp_path: Path) -> None:
        self.files = FakeIio(tmp_path)
        self.backend: IioBackend = SysfsIio(self.files.tree, self.files)
        self.time_ns = 0
        self.plug()

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
        self.files.unplug(self.device)

    def plug(self) -> None:
        values = {"in_accel_x_raw": "0", "in_accel_y_raw": "0", "in_accel_scale": "0.000600", "in_accel_offset": "10"}
        self.device = self.files.add(0, "mpu6050", values, TYPES)
        events = self.device.folder / "events"
        events.mkdir()
        for name in ("value", "hysteresis", "en"):
            (events / f"in_accel_x_thresh_rising_{name}").write_text("0\n")


@contextmanager
def opened(rig: Rig, device: IioDevice) -> Iterator[object]:
    sensor = rig.backend.open(device)
    try:
        yield sensor
    finally:
        sensor.close()
