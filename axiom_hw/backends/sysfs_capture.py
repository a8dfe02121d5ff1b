"""A buffer of the kernel's, and a device's own events: switched on in the order that the kernel wants, and off again.

trigger/current_trigger, scan_elements/*_en, buffer/length, buffer/watermark, buffer/enable; then /dev/iio:deviceN gives
scans. drivers/iio/industrialio-buffer.c, industrialio-event.c; Documentation/iio/iio_configfs.rst.
"""

from __future__ import annotations

import errno
import os
import struct
import sys
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Final

from axiom_hw.backends.iio import Crossing, failed, no_such_channel
from axiom_hw.backends.scan_format import Element, ElementType, ScanFormat, lay_out, parse_type
from axiom_hw.board.iio import Trigger
from axiom_hw.errors import BackendError
from axiom_hw.events import Edge

if TYPE_CHECKING:
    from axiom_hw.backends.sysfs_iio import SysfsSensor

_TIMESTAMP: Final = "timestamp"
_HRTIMER: Final = "kernel/config/iio/triggers/hrtimer"
_DEVICES: Final = "bus/iio/devices"
_NO_TRIGGER: Final = 'this device wants a trigger: set `trigger` of its table to "own", "hrtimer" or "sysfs"'
_EVENT: Final = struct.Struct("<Qq")  # struct iio_event_data: u64 id, s64 timestamp
_BATCH: Final = 64
_SYSFS_IDS: Final = 64

# enum iio_chan_type, include/uapi/linux/iio/types.h, by the names that files carry.
_TYPES: Final = (
    "voltage", "current", "power", "accel", "anglvel", "magn", "illuminance", "intensity", "proximity", "temp", "incli",
    "rot", "angl", "timestamp", "capacitance", "altvoltage", "cct", "pressure", "humidityrelative", "activity", "steps",
    "energy", "distance", "velocity", "concentration", "resistance", "ph", "uvindex",
)  # fmt: skip
_MODIFIERS: Final = ("", "_x", "_y", "_z")  # enum iio_modifier, as far as thresholds are known to have them


class SysfsCapture:
    """A buffer that fills. Synchronization: as `Capture`."""

    def __init__(self, sensor: SysfsSensor) -> None:
        """Raises `BackendError`; what was done until then is undone."""
        self._sensor = sensor
        self._undo: list[tuple[Path, str]] = []  # what to write at the end, the last first
        self._folder: Path | None = None  # the trigger that we made in configfs
        self._fire: Path | None = None
        self._fd = -1
        self.period_ns = 0
        try:
            self._set_up()
        except BaseException:
            self.close()
            raise

    def fileno(self) -> int:
        """See `Capture.fileno`."""
        return self._fd

    def descriptor(self) -> int | None:
        """See `Capture.descriptor`."""
        return self._fd

    def read(self, max_scans: int) -> bytes:
        """See `Capture.read`."""
        try:
            data = os.read(self._fd, max_scans * self.format.size)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise self.failed(error.errno or errno.EIO) from error
        if not data:
            raise self.failed(errno.ENODEV)
        return data

    def check(self) -> None:
        """See `Capture.check`."""
        if self._sensor.text(self._sensor.folder / "buffer/enable") != "1":
            raise failed(
                self._sensor.place, "its buffer was switched off by somebody else", errno.ENODEV,
                "`lsof /dev/iio:device*` says who uses them",
            )  # fmt: skip

    def fire(self) -> None:
        """See `Capture.fire`."""
        assert self._fire is not None, "only a sysfs trigger is fired by hand"
        self._sensor.put(self._fire, "1")

    def failed(self, number: int) -> BackendError:
        """The error of a read that failed so."""
        return failed(self._sensor.place, "has no readable scans", number)

    def close(self) -> None:
        """See `Capture.close`."""
        if self._fd >= 0:
            self._fd = -1
            self._sensor.close_device()
        files = self._sensor.files
        while self._undo:
            path, text = self._undo.pop()
            with suppress(OSError):  # a device that is gone has nothing to be undone
                files.write(path, text)
        if self._folder is not None:
            with suppress(OSError):
                files.remove(self._folder)
            self._folder = None

    def _set_up(self) -> None:
        sensor, declared = self._sensor, self._sensor.declared
        buffer = sensor.folder / "buffer"
        if "enable" not in sensor.files.names(buffer):
            raise BackendError(
                sensor.place, "has no buffer: its driver can only be read value by value",
                f"take `trigger` out of [iio.{declared.name}], and give it a `rate`", errno.ENOSYS,
            )  # fmt: skip
        self.monotonic = sensor.use_monotonic()
        self._choose_trigger()
        self.format = self._choose_elements()
        sensor.put(buffer / "length", str(declared.length))
        sensor.put_if_there(buffer / "watermark", str(declared.watermark))
        self._fd = sensor.open_device()  # before it fills: whoever has it open has it for himself
        sensor.put(buffer / "enable", "1", _NO_TRIGGER if declared.trigger is Trigger.OWN else "")
        self._undo.append((buffer / "enable", "0"))

    # triggers

    def _choose_trigger(self) -> None:
        sensor, declared = self._sensor, self._sensor.declared
        current = sensor.folder / "trigger/current_trigger"
        match declared.trigger:
            case Trigger.HRTIMER:
                name = self._make_hrtimer()
            case Trigger.SYSFS:
                name = self._make_sysfs_trigger()
            case Trigger.OWN | Trigger.NONE:
                self.period_ns = self._set_rate(sensor.attribute(declared.channels[0], "sampling_frequency"))
                name = self._own_trigger()
                if not name:
                    return  # a FIFO needs none; what needs one says so when it is switched on
        before = sensor.text(current)
        if before != name:
            sensor.put(current, name, 'the driver takes its own trigger only: trigger = "own"')
            self._undo.append((current, before or "\n"))
            if sensor.text(current) != name:
                raise failed(sensor.place, f"doesn't take the trigger {name}", errno.EINVAL, _NO_TRIGGER)

    def _own_trigger(self) -> str:
        """The one that the driver made: named after the device, as `mpu6050-dev0`; "" where there is none."""
        sensor = self._sensor
        if "current_trigger" not in sensor.files.names(sensor.folder / "trigger"):
            return ""
        number = sensor.folder.name.removeprefix("iio:device")
        begin = sensor.text(sensor.folder / "name")
        for name in self._triggers():
            if name.startswith((f"{begin}-dev{number}", f"{begin}-trigger{number}")):
                return name
        return sensor.text(sensor.folder / "trigger/current_trigger")

    def _make_hrtimer(self) -> str:
        sensor = self._sensor
        name = f"axiom-{sensor.declared.name}"
        parent = sensor.tree.sys / _HRTIMER
        if parent.name not in sensor.files.names(parent.parent):
            raise failed(
                sensor.place, f"{parent} isn't there to make a timer in", errno.ENOENT,
                "sudo modprobe iio-trig-hrtimer; and if /sys/kernel/config is empty: "
                "sudo mount -t configfs none /sys/kernel/config",
            )  # fmt: skip
        if name not in sensor.files.names(parent):  # otherwise it is left from a run that was killed
            try:
                sensor.files.make(parent / name)
            except OSError as error:
                number = error.errno or errno.EIO
                raise failed(sensor.place, f"the timer {parent / name} can't be made", number) from error
        self._folder = parent / name
        self.period_ns = self._set_rate(self._trigger(name) / "sampling_frequency")
        return name

    def _make_sysfs_trigger(self) -> str:
        sensor = self._sensor
        folder = sensor.tree.sys / _DEVICES / "iio_sysfs_trigger"
        if "add_trigger" not in sensor.files.names(folder):
            raise failed(sensor.place, f"{folder} isn't there", errno.ENOENT, "sudo modprobe iio-trig-sysfs")
        taken = self._triggers()
        number = next(n for n in range(_SYSFS_IDS) if f"sysfstrig{n}" not in taken)
        sensor.put(folder / "add_trigger", str(number))
        self._undo.append((folder / "remove_trigger", str(number)))
        name = f"sysfstrig{number}"
        self._fire = self._trigger(name) / "trigger_now"
        self.period_ns = sensor.declared.period_ns
        return name

    def _triggers(self) -> dict[str, Path]:
        devices = self._sensor.tree.sys / _DEVICES
        files = self._sensor.files
        found = {}
        for entry in files.names(devices):
            if entry.startswith("trigger"):
                with suppress(OSError):  # removed just now
                    found[files.read(devices / entry / "name")] = devices / entry
        return found

    def _trigger(self, name: str) -> Path:
        found = self._triggers().get(name)
        if found is None:
            raise failed(self._sensor.place, f"the trigger {name} was made, but isn't there", errno.ENOENT)
        return found

    def _set_rate(self, path: Path | None) -> int:
        """Ask for the declared rate, and give the period that came of it; 0 where the device doesn't say."""
        sensor, period_ns = self._sensor, self._sensor.declared.period_ns
        if path is None:
            return period_ns
        if period_ns:
            available = path.with_name(f"{path.name}_available")
            there = available.name in sensor.files.names(available.parent)
            fix = f"its rates, in Hz: {sensor.text(available)}" if there else "ask for another `rate`"
            sensor.put(path, _hertz(period_ns), fix)
        try:
            hertz = Fraction(sensor.text(path))
        except ValueError:
            return period_ns
        return round(1_000_000_000 / hertz) if hertz > 0 else 0

    # elements

    def _choose_elements(self) -> ScanFormat:
        sensor, declared = self._sensor, self._sensor.declared
        folder = sensor.folder / "scan_elements"
        there = sorted(name[3:-3] for name in sensor.files.names(folder) if name.endswith("_en"))
        wanted = {channel.partition(":")[0] for channel in declared.channels}
        for channel in declared.channels:
            if channel.partition(":")[0] not in there:
                raise no_such_channel(
                    declared, f"{channel} in its buffer", (name for name in there if name != _TIMESTAMP)
                )
        chosen = {*wanted, *({_TIMESTAMP} & set(there))}
        for name in sorted(there, key=lambda name: name in chosen):  # off first: some take one at a time
            sensor.put(
                folder / f"in_{name}_en", str(int(name in chosen)),
                "this device can't have all of these channels in one buffer: name fewer, or leave `trigger` out",
            )  # fmt: skip
        ordered = sorted(wanted, key=lambda name: int(sensor.text(folder / f"in_{name}_index")))
        types = {name: self._type(folder, name) for name in ordered}
        timestamp = self._type(folder, _TIMESTAMP) if _TIMESTAMP in there else None
        format = lay_out(list(types.values()), timestamp)
        elements = tuple(self._element(channel, ordered, format) for channel in declared.channels)
        return ScanFormat(format.size, elements, format.timestamp)

    def _type(self, folder: Path, name: str) -> ElementType:
        path = folder / f"in_{name}_type"
        try:
            found = parse_type(self._sensor.text(path))
        except ValueError as error:
            raise BackendError(self._sensor.place, f"`{path.name}`: {error}") from None
        if found.storage_bytes > 1 and not found.big_endian and sys.byteorder == "big":
            raise BackendError(self._sensor.place, f"`{path.name}` is little-endian, on a machine that isn't")
        return found

    def _element(self, channel: str, ordered: list[str], format: ScanFormat) -> Element:
        bare, _, number = channel.partition(":")
        element = format.elements[ordered.index(bare)]
        repeat, at = element.type.repeat, int(number or 0)
        if at >= repeat or (repeat > 1 and not number):
            last = f"{bare}:0 to {bare}:{repeat - 1}" if repeat > 1 else bare
            raise no_such_channel(self._sensor.declared, f"{channel} in its buffer", (last,))
        return Element(element.offset + at * element.type.storage_bytes, element.type)


def _hertz(period_ns: int) -> str:
    """A rate as sysfs takes it: three decimals at most."""
    return f"{1e9 / period_ns:.3f}".rstrip("0").rstrip(".")


class SysfsCrossings:
    """A device's own events, by its event descriptor. Synchronization: as `Crossings`."""

    def __init__(self, sensor: SysfsSensor) -> None:
        """Raises `BackendError`; what was done until then is undone."""
        self._sensor = sensor
        self._undo: list[Path] = []
        self._opened = False
        self._fd = -1
        try:
            sensor.use_monotonic()
            device = sensor.open_device()
            self._opened = True
            self._fd = self._descriptor(device)
            self._switch_on()
        except BaseException:
            self.close()
            raise

    def fileno(self) -> int:
        """See `Crossings.fileno`."""
        return self._fd

    def read(self) -> tuple[Crossing, ...]:
        """See `Crossings.read`. Events of channels that have no threshold here are left out."""
        try:
            data = os.read(self._fd, _BATCH * _EVENT.size)
        except BlockingIOError:
            return ()
        except OSError as error:
            raise failed(self._sensor.place, "has no readable events", error.errno or errno.EIO) from error
        if not data:
            raise failed(self._sensor.place, "has no readable events", errno.ENODEV)
        found = (self._crossing(code, time_ns) for code, time_ns in _EVENT.iter_unpack(data))
        return tuple(one for one in found if one is not None)

    def close(self) -> None:
        """See `Crossings.close`."""
        while self._undo:
            with suppress(OSError):
                self._sensor.files.write(self._undo.pop(), "0")
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        if self._opened:
            self._opened = False
            self._sensor.close_device()

    def _descriptor(self, device: int) -> int:
        try:
            return self._sensor.files.event_descriptor(device)
        except OSError as error:
            number = error.errno or errno.EIO
            if number == errno.EBUSY:
                raise self._sensor.busy("its events can't be had") from error
            raise failed(
                self._sensor.place, "its events can't be had", number,
                f"take [iio.{self._sensor.declared.name}.threshold] out, if the device has none",
            ) from error  # fmt: skip

    def _switch_on(self) -> None:
        sensor = self._sensor
        folder = sensor.folder / "events"
        there = sensor.files.names(folder)
        for threshold in sensor.declared.thresholds:
            channel = sensor.declared.channels[threshold.channel]
            for edge, value in (("rising", threshold.rising), ("falling", threshold.falling)):
                if value is None:
                    continue
                begin = next(
                    (
                        b
                        for b in (f"in_{channel}_thresh_{edge}", f"in_{channel}_thresh_either")
                        if f"{b}_value" in there
                    ),
                    None,
                )
                if begin is None:
                    listed = sorted({name.rpartition("_")[0] for name in there if "_thresh_" in name})
                    raise failed(
                        sensor.place, f"has no threshold {edge} for {channel}; it has {', '.join(listed) or 'none'}",
                        errno.ENOENT, f"change [iio.{sensor.declared.name}.threshold.{channel}]",
                    )  # fmt: skip
                sensor.put(folder / f"{begin}_value", str(value), "a raw value that the device can't compare with")
                if threshold.hysteresis is not None:
                    sensor.put_if_there(folder / f"{begin}_hysteresis", str(threshold.hysteresis))
                switch = f"{begin}_en" if f"{begin}_en" in there else f"in_{channel}_thresh_either_en"
                sensor.put(folder / switch, "1")
                self._undo.append(folder / switch)

    def _crossing(self, code: int, time_ns: int) -> Crossing | None:
        """IIO_UNMOD_EVENT_CODE and the like, include/linux/iio/events.h."""
        kind, modifier, number = code >> 32 & 0xFF, code >> 40 & 0xFF, code & 0xFFFF
        type_name = _TYPES[kind] if kind < len(_TYPES) else ""
        suffix = _MODIFIERS[modifier] if modifier < len(_MODIFIERS) else ""
        names = (f"{type_name}{number}{suffix}", f"{type_name}{suffix}")
        declared = self._sensor.declared
        for threshold in declared.thresholds:
            if declared.channels[threshold.channel] in names:
                upwards = code >> 48 & 0x7F == 1 or (code >> 48 & 0x7F == 0 and threshold.rising is not None)
                return Crossing(threshold.channel, Edge.RISING if upwards else Edge.FALLING, time_ns)
        return None
