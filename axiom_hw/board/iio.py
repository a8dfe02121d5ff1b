"""Sensors that the kernel reads: the tables [iio.NAME] and [hwmon.NAME] of a board file, each to its declaration."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from axiom_hw.board.table import Table
from axiom_hw.board.units import format_duration, parse_duration_ns

_FOUND_BY: Final = ("device", "label", "of_node")
IIO_KEYS: Final = (
    *_FOUND_BY, "channels", "rate", "trigger", "length", "watermark", "scan", "threshold", "optional",
)  # fmt: skip
HWMON_KEYS: Final = ("device", "label", "channels", "rate", "optional")
_THRESHOLD: Final = ("rising", "falling", "hysteresis")

SCAN_MAX: Final = 8  # channels that a ScanEvent has room for
_CHANNELS_MAX: Final = 64
_LENGTH_MAX: Final = 65_536  # scans; the kernel takes what it has memory for
_LENGTH: Final = 128
_PERIOD_MIN_NS: Final = 10_000
_HERTZ: Final = re.compile(r"(\d+)(?:\.(\d+))?\s*(k?)Hz")
_CHANNEL: Final = re.compile(r"[a-z][a-z0-9_-]*(:\d{1,2})?")
_S32: Final = 1 << 31


class Subsystem(Enum):
    """Which part of the kernel reads a sensor."""

    IIO = "iio"
    HWMON = "hwmon"


class FoundBy(Enum):
    """What a device is told apart by."""

    NAME = "device"
    LABEL = "label"
    OF_NODE = "of_node"


class Trigger(Enum):
    """What makes the kernel take a scan into its buffer; `NONE` reads the channels one by one instead."""

    NONE = "none"
    OWN = "own"  # the device itself: its interrupt, or its FIFO
    HRTIMER = "hrtimer"  # a timer of the kernel, which is made for it
    SYSFS = "sysfs"  # we do, a write for each scan


@dataclass(frozen=True, slots=True)
class Threshold:
    """Raw values at which a device raises an event by itself; None leaves a direction as it is, switched off."""

    channel: int
    rising: int | None
    falling: int | None
    hysteresis: int | None


@dataclass(frozen=True, slots=True)
class IioDevice:
    """A sensor of the kernel's. Its index in the board is the `device_id` of contexts.

    `channels` have the kernel's names, without `in_` and `_raw`; `quaternion:2` is the third number of a channel that
    repeats. `period_ns` 0 leaves the rate of its own trigger as it is. `length` and `watermark` are scans of the
    kernel's buffer. The bench works without an `optional` one.
    """

    name: str
    found_by: FoundBy
    device: str
    channels: tuple[str, ...]
    period_ns: int
    subsystem: Subsystem = Subsystem.IIO
    trigger: Trigger = Trigger.NONE
    length: int = _LENGTH
    watermark: int = 1
    scan: bool = False
    thresholds: tuple[Threshold, ...] = ()
    optional: bool = False


def iio_row(name: str, table: Table) -> IioDevice:
    """[iio.NAME]: a device of the kernel's industrial I/O."""
    found_by, device = _device(table, 'the name in its file `name`: device = "mpu6050"')
    channels = _channels(table, '["accel_x", "accel_y", "accel_z"]')
    trigger = table.choice("trigger", Trigger, Trigger.NONE)
    period_ns = _period_ns(table, needed=trigger is not Trigger.OWN)
    for key in ("length", "watermark"):
        if trigger is Trigger.NONE and key in table:
            raise table.error(f"`{key}` is of the kernel's buffer, which needs a trigger", 'trigger = "hrtimer"', key)
    length = table.integer("length", 2, _LENGTH_MAX, _LENGTH, "scans")
    watermark = table.integer("watermark", 1, length, 1, "scans, up to `length`")
    scan = table.flag("scan")
    if scan and len(channels) > SCAN_MAX:
        raise table.error(
            f"`scan` has room for {SCAN_MAX} channels, and here are {len(channels)}",
            "declare the device twice, under two names, or leave `scan` out", "scan",
        )  # fmt: skip
    thresholds = _thresholds(table, channels)
    return IioDevice(
        name, found_by, device, channels, period_ns, Subsystem.IIO, trigger, length, watermark, scan, thresholds,
        table.flag("optional"),
    )  # fmt: skip


def hwmon_row(name: str, table: Table) -> IioDevice:
    """[hwmon.NAME]: a chip that watches temperatures, voltages and fans; read one by one."""
    found_by, device = _device(table, 'the name in its file `name`: device = "cpu_thermal"')
    channels = _channels(table, '["temp1"]')
    period_ns = _period_ns(table, needed=True)
    return IioDevice(name, found_by, device, channels, period_ns, Subsystem.HWMON, optional=table.flag("optional"))


def refuse_same_names(top: Table, devices: tuple[IioDevice, ...]) -> None:
    """Hooks know sensors by name, whichever part of the kernel reads them. Raises `BoardError`."""
    names = [device.name for device in devices]
    for at, device in enumerate(devices):
        if device.name in names[:at]:
            row = Table(top.places, (device.subsystem.value, device.name), {}, ())
            raise row.error(f"`{device.name}` is the name of another sensor", "give each a name of its own")


def parse_period_ns(text: str) -> int:
    """A rate ("100Hz", "1.5 kHz") or a period ("10ms") to ns. Raises `ValueError` with how to write one."""
    match = _HERTZ.fullmatch(text.strip())
    if match is None:
        try:
            return parse_duration_ns(text)
        except ValueError:
            raise ValueError(f'{text!r} is no rate; write "100Hz", or a period such as "10ms"') from None
    whole, fraction, kilo = match[1], match[2] or "", match[3]
    hertz = int(whole + fraction) * (1000 if kilo else 1)
    if not hertz:
        raise ValueError(f"{text!r} is never; write how often, or leave the sensor out")
    scale: int = 1_000_000_000 * 10 ** len(fraction)
    return (2 * scale + hertz) // (2 * hertz)


def _device(table: Table, example: str) -> tuple[FoundBy, str]:
    given = [how for how in FoundBy if how.value in table]
    if not given:
        raise table.missing("device", f"say which device: {example}")
    if len(given) > 1:
        keys = " and ".join(f"`{how.value}`" for how in given)
        raise table.error(f"has {keys}; a device is found by one of them", "keep one", given[1].value)
    (how,) = given
    text = table.text(how.value)
    if re.fullmatch(r"(/dev/)?(iio:device|hwmon)\d+", text):
        raise table.error(
            f'`{how.value}` is "{text}", a number that moves with the order of drivers',
            "`axiom-hw doctor` lists names; the file is /sys/bus/iio/devices/*/name", how.value,
        )  # fmt: skip
    return how, text


def _channels(table: Table, example: str) -> tuple[str, ...]:
    listed = table.data.get("channels")
    if listed is None:
        raise table.missing("channels", f"say what to read: channels = {example}")
    if not isinstance(listed, list) or not listed or not all(isinstance(one, str) for one in listed):
        raise table.error("`channels` takes a list of names", f"channels = {example}", "channels")
    if len(listed) > _CHANNELS_MAX:
        raise table.error(f"`channels` has {len(listed)} names; {_CHANNELS_MAX} is the limit", "", "channels")
    for channel in listed:
        bare = re.sub(r"^in_|_(raw|input)$", "", channel)
        if bare != channel:
            raise table.error(f'`channels` has "{channel}", the name of a file', f'write "{bare}"', "channels")
        if not _CHANNEL.fullmatch(channel):
            raise table.error(f'`channels` has "{channel}", which is no name of a channel',
                              f"small letters, digits, _ and -, as in {example}", "channels")  # fmt: skip
        if listed.count(channel) > 1:
            raise table.error(f'`channels` has "{channel}" twice', "keep one", "channels")
    return tuple(listed)


def _period_ns(table: Table, *, needed: bool) -> int:
    if "rate" not in table:
        if needed:
            raise table.missing("rate", 'say how often to read: rate = "100Hz", or rate = "10ms"')
        return 0
    try:
        period_ns = parse_period_ns(table.text("rate"))
    except ValueError as error:
        raise table.error(f"`rate`: {error}", "", "rate") from None
    if period_ns < _PERIOD_MIN_NS:
        raise table.error(
            f"`rate` is one reading each {format_duration(period_ns)}; {format_duration(_PERIOD_MIN_NS)} is the limit",
            "no sensor of the kernel's is read faster", "rate",
        )  # fmt: skip
    return period_ns


def _thresholds(table: Table, channels: tuple[str, ...]) -> tuple[Threshold, ...]:
    group = table.data.get("threshold", {})
    example = f"[{'.'.join(table.path)}.threshold.{channels[0]}]"
    if not isinstance(group, Mapping):
        raise table.error("`threshold` holds a table for each channel", f"{example} and rising = 1000", "threshold")
    made = []
    for channel, data in group.items():
        row = Table(table.places, (*table.path, "threshold", channel), data, _THRESHOLD)
        if channel not in channels:
            raise row.error(f"`{channel}` isn't in `channels`, which has {', '.join(channels)}", "add it there")
        values = {key: row.integer(key, -_S32, _S32 - 1) if key in row else None for key in _THRESHOLD}
        if values["rising"] is None and values["falling"] is None:
            raise row.missing("rising", "say the raw value at which the device raises its event, rising or falling")
        made.append(Threshold(channels.index(channel), values["rising"], values["falling"], values["hysteresis"]))
    return tuple(made)
