"""Sensors of the kernel as the adapter sees them: one protocol for the real ones and for mocks, and its errors.

The kernel's: Documentation/ABI/testing/sysfs-bus-iio, Documentation/driver-api/iio/. A *raw* value is what a device
measured, as a whole number; (raw + offset) * scale is it in the channel's unit. Both are kept exact, as integers.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Protocol

from axiom_hw.backends.scan_format import ScanFormat
from axiom_hw.board.iio import FoundBy, IioDevice
from axiom_hw.errors import BackendError
from axiom_hw.events import Edge

UDEV_RULE: Final = (
    "IIO is root's by default; docs/sensors.md has the udev rule that gives it to a group, or run as root"
)
S32_MIN: Final = -(1 << 31)
S32_MAX: Final = (1 << 31) - 1


@dataclass(frozen=True, slots=True)
class Unit:
    """What a raw value means: (raw * scale_nano + base_nano) billionths of the channel's unit.

    `scale` and `offset` are the fields of events: millionths of the unit for one step, and what is added to the raw
    value, both rounded.
    """

    scale_nano: int
    base_nano: int
    scale: int
    offset: int


PLAIN: Final = Unit(1_000_000_000, 0, 1_000_000, 0)  # hwmon: the files have whole numbers of a small unit
THOUSANDTHS: Final = Unit(1_000_000, 0, 1000, 0)  # processed values, which have up to 3 decimals that matter


def unit_of(scale: Fraction, offset: Fraction) -> Unit:
    """The unit of a channel, from its attributes. Billionths are what the kernel prints, so nothing is lost."""
    return Unit(
        round(scale * 1_000_000_000), round(offset * scale * 1_000_000_000),
        round(scale * 1_000_000) & 0xFFFF_FFFF, max(S32_MIN, min(round(offset), S32_MAX)),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Crossing:
    """A device's own event: a channel crossed a threshold upwards (RISING) or downwards."""

    channel: int  # its place in the declared channels
    edge: Edge
    timestamp_ns: int


class Capture(Protocol):
    """A buffer of the kernel's that fills with scans.

    Synchronization: `read` by one thread at a time, `close` when nobody reads.
    """

    format: ScanFormat
    """Its elements are the declared channels, in their order."""

    period_ns: int
    """Between two scans, as the device says; 0 where it doesn't."""

    monotonic: bool
    """Whether the time stamps are CLOCK_MONOTONIC; otherwise they are of no use."""

    def fileno(self) -> int:
        """A descriptor that polls readable from `watermark` scans on, and when the device is gone."""
        ...

    def descriptor(self) -> int | None:
        """A descriptor whose read(2) gives whole scans, for native code; None where there is none."""
        ...

    def read(self, max_scans: int) -> bytes:
        """Whole scans, oldest first; none where nothing is there. Raises `BackendError`: ENODEV when it is gone."""
        ...

    def check(self) -> None:
        """Whether it can still fill, for one that is silent: poll(2) doesn't tell of a device that was taken away.

        From any thread. Raises `BackendError`: ENODEV when it is gone, or was switched off.
        """
        ...

    def fire(self) -> None:
        """Take a scan now: of a buffer whose trigger is `sysfs`. Raises `BackendError`."""
        ...

    def close(self) -> None:
        """Stop, and undo what was made for it. Twice is fine."""
        ...


class Crossings(Protocol):
    """A device's own events. Synchronization: as `Capture`."""

    def fileno(self) -> int:
        """A descriptor that polls readable when there is an event."""
        ...

    def read(self) -> tuple[Crossing, ...]:
        """What is there now, oldest first. Raises `BackendError`."""
        ...

    def close(self) -> None:
        """Switch them off. Twice is fine."""
        ...


class Sensor(Protocol):
    """A device that was found, with its declared channels.

    Synchronization: calls on one sensor must not overlap, but for those on its capture.
    """

    units: tuple[Unit, ...]
    """Of the declared channels, in their order."""

    def read(self, channel: int) -> int:
        """The value of a channel now: raw, or what `THOUSANDTHS` says. Raises `BackendError`: ENODEV when it's gone."""
        ...

    def capture(self) -> Capture:
        """Let the declared trigger fill a buffer. Raises `BackendError`: EBUSY when somebody else has it."""
        ...

    def crossings(self) -> Crossings:
        """Let the declared thresholds raise events. Raises `BackendError`."""
        ...

    def close(self) -> None:
        """Give it back. Twice is fine."""
        ...


class IioBackend(Protocol):
    """Where sensors come from."""

    def open(self, declared: IioDevice) -> Sensor:
        """Find a device by what it is. Raises `BackendError`: ENODEV without one, ENOENT without a channel."""
        ...


# What goes wrong, told alike by all backends.


def no_such_device(declared: IioDevice, there: Iterable[str]) -> BackendError:
    """Nothing is called so."""
    what = {FoundBy.NAME: "name", FoundBy.LABEL: "label", FoundBy.OF_NODE: "node of the device tree"}
    listed = ", ".join(sorted(there)) or "none"
    bus = declared.subsystem.value
    fix = "is its driver loaded, and its overlay in /boot/firmware/config.txt? docs/sensors.md has the lines"
    return BackendError(
        f"{bus} {declared.name}", f"no device has the {what[declared.found_by]} {declared.device}; there are: {listed}",
        fix, errno.ENODEV,
    )  # fmt: skip


def no_such_channel(declared: IioDevice, channel: str, there: Iterable[str]) -> BackendError:
    """The device has other channels."""
    listed = ", ".join(sorted(there)) or "none"
    return BackendError(
        f"{declared.subsystem.value} {declared.name}", f"{declared.device} has no channel {channel}; it has {listed}",
        f"change `channels` of [{declared.subsystem.value}.{declared.name}]", errno.ENOENT,
    )  # fmt: skip


def failed(place: str, what: str, number: int, fix: str = "") -> BackendError:
    """An error of the kernel's, with what was tried."""
    if not fix and number in (errno.EACCES, errno.EPERM):
        fix = UDEV_RULE
    if not fix and number == errno.ENODEV:
        fix = "was it unplugged, or its driver removed?"
    name = errno.errorcode.get(number, "?")
    return BackendError(place, f"{what}: {os.strerror(number)} ({name})", fix, number)
