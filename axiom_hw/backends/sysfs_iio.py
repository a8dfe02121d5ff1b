"""The real sensors: IIO below /sys/bus/iio and /dev/iio:deviceN, hwmon below /sys/class/hwmon, found by what they are.

Documentation/ABI/testing/sysfs-bus-iio, Documentation/hwmon/sysfs-interface.rst.
"""

from __future__ import annotations

import errno
import os
import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

from axiom_hw.backends.iio import (
    PLAIN,
    THOUSANDTHS,
    Capture,
    Crossings,
    Unit,
    failed,
    no_such_channel,
    no_such_device,
    unit_of,
)
from axiom_hw.backends.kernel_files import Files, KernelFiles
from axiom_hw.backends.sysfs_capture import SysfsCapture, SysfsCrossings
from axiom_hw.board.iio import FoundBy, IioDevice, Subsystem, Trigger
from axiom_hw.errors import BackendError

_MODIFIER: Final = re.compile(r"(.+)_[a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Tree:
    """Where the kernel's files are: /sys, /dev and /proc, or what stands in for them."""

    sys: Path = Path("/sys")
    dev: Path = Path("/dev")
    proc: Path = Path("/proc")

    def devices(self, subsystem: Subsystem) -> Path:
        """The directory with a directory for each device."""
        return self.sys / ("bus/iio/devices" if subsystem is Subsystem.IIO else "class/hwmon")


class SysfsIio:
    """The kernel's sensors. `tree` and `files` are there for tests.

    Synchronization: none required by the caller.
    """

    def __init__(self, tree: Tree | None = None, files: Files | None = None) -> None:
        self._tree = tree if tree is not None else Tree()
        self._files = files if files is not None else KernelFiles()

    def open(self, declared: IioDevice) -> SysfsSensor:
        """See `IioBackend.open`."""
        folder = self._find(declared)
        return SysfsSensor(declared, folder, self._tree, self._files)

    def _find(self, declared: IioDevice) -> Path:
        devices = self._tree.devices(declared.subsystem)
        begin = "iio:device" if declared.subsystem is Subsystem.IIO else "hwmon"
        there: dict[Path, str] = {}
        for name in self._files.names(devices):
            if name.startswith(begin) and (told := self._told(devices / name, declared.found_by)):
                there[devices / name] = told
        found = [folder for folder, told in there.items() if _fits(told, declared)]
        if len(found) > 1:
            names = ", ".join(folder.name for folder in found)
            raise BackendError(
                f"{declared.subsystem.value} {declared.name}", f"{declared.device} could be any of {names}",
                "tell them apart by `label` or `of_node`: `readlink -f /sys/bus/iio/devices/*/of_node`", errno.ENOTUNIQ,
            )  # fmt: skip
        if not found:
            raise no_such_device(declared, there.values())
        return found[0]

    def _told(self, folder: Path, how: FoundBy) -> str:
        """What a device is called, "" where it doesn't say."""
        if how is FoundBy.OF_NODE:
            node = folder / "of_node"
            return os.path.realpath(node).partition("/devicetree/base")[2] if node.exists() else ""
        try:
            return self._files.read(folder / how.value.replace("device", "name"))
        except OSError:
            return ""


def _fits(told: str, declared: IioDevice) -> bool:
    if declared.found_by is FoundBy.OF_NODE:
        return told == declared.device or told.endswith("/" + declared.device.lstrip("/"))
    return told == declared.device


class SysfsSensor:
    """A sensor in sysfs. Synchronization: as `Sensor`."""

    def __init__(self, declared: IioDevice, folder: Path, tree: Tree, files: Files) -> None:
        """Raises `BackendError`: ENOENT without a channel, and what reading its attributes says."""
        self.declared = declared
        self.folder = folder
        self.files = files
        self.tree = tree
        self.place = f"{declared.subsystem.value} {declared.name} ({folder.name})"
        self._paths: list[tuple[Path, int]] = []  # of each channel: its file, and which number in it
        self._processed: list[bool] = []
        self.units: tuple[Unit, ...] = tuple(map(self._look_at, declared.channels))
        self._device = -1
        self._users = 0

    def read(self, channel: int) -> int:
        """See `Sensor.read`."""
        path, number = self._paths[channel]
        text = self.text(path)
        try:
            exact = Fraction(text.split()[number])
        except (ValueError, IndexError):
            raise BackendError(self.place, f"`{path.name}` says {text!r}, where a number is expected") from None
        return round(exact * 1000) if self._processed[channel] else round(exact)

    def capture(self) -> Capture:
        """See `Sensor.capture`."""
        return SysfsCapture(self)

    def crossings(self) -> Crossings:
        """See `Sensor.crossings`."""
        return SysfsCrossings(self)

    def close(self) -> None:
        """See `Sensor.close`."""
        if self._device >= 0:
            os.close(self._device)
        self._device, self._users = -1, 0

    # for the capture and the events, which share the device: it can be opened once

    def open_device(self) -> int:
        """Its descriptor; to be given back by `close_device`. Raises `BackendError`."""
        if self._device < 0:
            path = self.tree.dev / self.folder.name
            try:
                self._device = self.files.open(path)
            except OSError as error:
                number = error.errno or errno.EIO
                if number == errno.EBUSY:
                    raise self.busy(f"{path} can't be opened") from error
                raise failed(self.place, f"{path} can't be opened", number) from error
        self._users += 1
        return self._device

    def close_device(self) -> None:
        """Give it back, once for each `open_device`."""
        self._users -= 1
        if self._users == 0:
            os.close(self._device)
            self._device = -1

    def text(self, path: Path) -> str:
        """The text of a file. Raises `BackendError`: ENODEV where the device is gone."""
        try:
            return self.files.read(path)
        except OSError as error:
            number = error.errno or errno.EIO
            if number == errno.ENOENT and not self.files.names(self.folder):  # sysfs says so of a device that is gone
                number = errno.ENODEV
            raise failed(self.place, f"`{path.name}` can't be read", number) from error

    def put(self, path: Path, text: str, fix: str = "") -> None:
        """Write a file. Raises `BackendError`; `fix` is for EINVAL."""
        try:
            self.files.write(path, text)
        except OSError as error:
            number = error.errno or errno.EIO
            what = f"`{path.name}` can't be set to {text.strip()}"
            if number == errno.EBUSY:
                raise self.busy(what) from error
            raise failed(self.place, what, number, fix if number == errno.EINVAL else "") from error

    def put_if_there(self, path: Path, text: str) -> bool:
        """Write a file that not every kernel has. Whether it had it."""
        if path.name not in self.files.names(path.parent):
            return False
        self.put(path, text)
        return True

    def use_monotonic(self) -> bool:
        """Let time stamps be CLOCK_MONOTONIC. Whether they are: kernels before 4.8 have realtime only.

        Before the buffer or an event is switched on: afterwards the kernel refuses it, even the same clock again.
        """
        path = self.folder / "current_timestamp_clock"
        if path.name not in self.files.names(self.folder):
            return False
        if self.text(path) != "monotonic":
            self.put(path, "monotonic")
        return True

    def busy(self, what: str) -> BackendError:
        """Somebody else has the buffer: who. Nobody else can where we have the device open, but events may be on."""
        if self._device >= 0:
            return self._busy_by_itself(what)
        who = _holder(self.tree.proc, self.tree.dev / self.folder.name)
        by = f"{who} has its buffer" if who else "another process has its buffer, or died with it switched on"
        disable = self.folder / "buffer/enable"
        return BackendError(
            self.place, f"{what}: {by} (EBUSY)",
            f"end that process (iiod is a usual one: sudo systemctl stop iiod), or: echo 0 | sudo tee {disable}",
            errno.EBUSY,
        )  # fmt: skip

    def _busy_by_itself(self, what: str) -> BackendError:
        """What a driver says that can't have both its buffer and its events, as ti-ads1015."""
        events = self.folder / "events"
        names = [name for name in self.files.names(events) if name.endswith("_en") and self.text(events / name) == "1"]
        if not names:
            return failed(self.place, what, errno.EBUSY)
        table = f"[{self.declared.subsystem.value}.{self.declared.name}]"
        return BackendError(
            self.place, f"{what}: its events are on ({', '.join(names)}), and this driver can't have both (EBUSY)",
            f"choose one in {table}: `trigger` or `threshold`; where a killed process has left them on: "
            f"echo 0 | sudo tee {events / names[0]}", errno.EBUSY,
        )  # fmt: skip

    def attribute(self, channel: str, name: str) -> Path | None:
        """The file of a channel's attribute: its own, or one that channels of its type share."""
        there = self.files.names(self.folder)
        for base in _bases(channel.partition(":")[0]):
            if f"in_{base}_{name}" in there:
                return self.folder / f"in_{base}_{name}"
        return self.folder / name if name in there else None

    def _look_at(self, channel: str) -> Unit:
        declared, there = self.declared, self.files.names(self.folder)
        bare, _, number = channel.partition(":")
        if declared.subsystem is Subsystem.HWMON:
            if f"{bare}_input" not in there:
                raise no_such_channel(declared, channel, _channels(there, "", "_input"))
            self._paths.append((self.folder / f"{bare}_input", 0))
            self._processed.append(False)
            return PLAIN
        is_raw, is_processed = f"in_{bare}_raw" in there, f"in_{bare}_input" in there
        if is_processed and declared.trigger is Trigger.NONE:
            is_raw = False  # the driver's own arithmetic: `scale` has nine decimals, and bmp280's wants more
        if not is_raw and not is_processed:
            listed = _channels(there, "in_", "_raw") | _channels(there, "in_", "_input")
            raise no_such_channel(declared, channel, listed)
        self._paths.append((self.folder / f"in_{bare}_{'raw' if is_raw else 'input'}", int(number or 0)))
        self._processed.append(not is_raw)
        if not is_raw:
            return THOUSANDTHS
        return unit_of(self._exact(channel, "scale", Fraction(1)), self._exact(channel, "offset", Fraction(0)))

    def _exact(self, channel: str, name: str, default: Fraction) -> Fraction:
        path = self.attribute(channel, name)
        if path is None:
            return default
        text = self.text(path)
        try:
            return Fraction(text)
        except ValueError:
            raise BackendError(self.place, f"`{path.name}` says {text!r}, where a number is expected") from None


def _channels(there: tuple[str, ...], begin: str, end: str) -> set[str]:
    return {name[len(begin) : -len(end)] for name in there if name.startswith(begin) and name.endswith(end)}


def _bases(channel: str) -> list[str]:
    """`voltage0`, `voltage`; `accel_x`, `accel`; the names under which a channel's attributes may be."""
    found = [channel]
    while match := _MODIFIER.fullmatch(found[-1]):
        found.append(match[1])
    return list(dict.fromkeys([*found, *(re.sub(r"\d+", "", base) for base in found)]))


def _holder(proc: Path, device: Path) -> str:
    """Who has a device open, as "iiod (pid 42)"; "" where that can't be seen."""
    for folder in proc.glob("[0-9]*"):
        try:
            if any(os.path.realpath(fd) == os.path.realpath(device) for fd in (folder / "fd").iterdir()):
                return f"{(folder / 'comm').read_text().strip()} (pid {folder.name})"
        except OSError:
            continue  # gone meanwhile, or somebody else's
    return ""
