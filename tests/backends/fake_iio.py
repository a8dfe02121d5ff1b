"""A tree like /sys/bus/iio, /sys/class/hwmon and configfs, whose writes obey the kernel.

The rules are read from drivers/iio/industrialio-buffer.c (`length_store`, `watermark_store`, `enable_store`,
`iio_verify_update`), industrialio-trigger.c, industrialio-event.c, iio-trig-hrtimer.c and iio-trig-sysfs.c.
"""

from __future__ import annotations

import errno
import os
import select
import struct
from dataclasses import dataclass, field
from pathlib import Path

from axiom_hw.backends.kernel_files import KernelFiles
from axiom_hw.backends.sysfs_iio import Tree

ACCEL_TYPES = {f"accel_{axis}": (number, "be:s16/16>>0") for number, axis in enumerate("xyz")}
TIMESTAMP = "le:s64/64>>0"


@dataclass
class FakeDevice:
    """One iio:deviceN: what its files don't say."""

    folder: Path
    needs_trigger: bool = True
    one_at_a_time: bool = False  # iio_validate_scan_mask_onehot
    buffer_or_events: bool = False  # ads1015_buffer_preenable
    is_active: bool = False
    ours: int = -1  # the kernel's end of the stream
    events: int = -1  # the kernel's end of the event stream
    log: list[tuple[str, str]] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        """Whether somebody has the other end."""
        if self.ours < 0:
            return False
        poll = select.poll()
        poll.register(self.ours, 0)
        return not poll.poll(0)


class FakeIio(KernelFiles):
    """Files for `SysfsIio`; `feed` and `cross` are the device's side."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.tree = Tree(root / "sys", root / "dev", root / "proc")
        self.devices = root / "sys/bus/iio/devices"
        self.configfs = root / "sys/kernel/config/iio/triggers/hrtimer"
        self.by_name: dict[str, FakeDevice] = {}
        self.fired = 0
        self.failing: dict[str, int] = {}  # errno by the name of a file
        (self.devices / "iio_sysfs_trigger").mkdir(parents=True)
        for name in ("add_trigger", "remove_trigger"):
            (self.devices / "iio_sysfs_trigger" / name).touch()
        self.configfs.mkdir(parents=True)
        self.tree.dev.mkdir()
        self.tree.proc.mkdir()

    # what there is

    def add(
        self, number: int, name: str, values: dict[str, str], types: dict[str, tuple[int, str]] | None = None, *,
        timestamp: bool = True, **others: str,
    ) -> FakeDevice:  # fmt: skip
        """`values`: files by name; `types`: index and type of each channel of the buffer; `others`: label, ..."""
        folder = self.devices / f"iio:device{number}"
        folder.mkdir()
        _fill(folder, {"name": name, **values, **others})
        if types is not None:
            for sub in ("scan_elements", "buffer", "trigger"):
                (folder / sub).mkdir()
            listed = {**types, **({"timestamp": (len(types), TIMESTAMP)} if timestamp else {})}
            for channel, (index, kind) in listed.items():
                _fill(folder / "scan_elements", {
                    f"in_{channel}_en": "0", f"in_{channel}_index": str(index), f"in_{channel}_type": kind,
                })  # fmt: skip
            _fill(folder / "buffer", {"enable": "0", "length": "2", "watermark": "1", "data_available": "0"})
            _fill(folder / "trigger", {"current_trigger": ""})
            _fill(folder, {"current_timestamp_clock": "realtime"})
        (self.tree.dev / folder.name).touch()
        self.by_name[folder.name] = FakeDevice(folder)
        return self.by_name[folder.name]

    def add_trigger(self, name: str, **files: str) -> Path:
        taken = {int(e.removeprefix("trigger")) for e in os.listdir(self.devices) if e.startswith("trigger")}
        folder = self.devices / f"trigger{next(n for n in range(99) if n not in taken)}"
        folder.mkdir()
        _fill(folder, {"name": name, **files})
        return folder

    def add_hwmon(self, number: int, name: str, **values: str) -> Path:
        folder = self.root / f"sys/class/hwmon/hwmon{number}"
        folder.mkdir(parents=True)
        _fill(folder, {"name": name, **values})
        return folder

    def unplug(self, device: FakeDevice, *, silent: bool = False) -> None:
        """`silent`: as the kernel does it, whose poll(2) says nothing then; but a read would."""
        del self.by_name[device.folder.name]
        for path in sorted(device.folder.rglob("*"), reverse=True):
            path.unlink() if path.is_file() or path.is_symlink() else path.rmdir()
        device.folder.rmdir()
        if device.ours >= 0 and not silent:
            os.close(device.ours)  # the other end reads its end
            device.ours = -1
        device.is_active = False

    def feed(self, device: FakeDevice, data: bytes) -> None:
        """Scans, as the device has them."""
        assert device.is_active, "the buffer is off"
        os.write(device.ours, data)

    def cross(self, device: FakeDevice, code: int, time_ns: int) -> None:
        os.write(device.events, struct.pack("<Qq", code, time_ns))

    # Files

    def read(self, path: Path) -> str:
        self._fail(path)
        return super().read(path)

    def write(self, path: Path, text: str) -> None:
        self._fail(path)
        if not path.exists():
            raise _error(errno.ENOENT)
        text = text.strip()
        if path.parent.name == "iio_sysfs_trigger":
            self._sysfs_trigger(path.name, text)
            return
        if path.name == "trigger_now":
            self.fired += 1
            return
        device = next((d for d in self.by_name.values() if d.folder in path.parents), None)
        if device is not None:
            device.log.append((path.name, text))
            text = self._rule(device, path, text)
        path.write_text(text + "\n")

    def make(self, folder: Path) -> None:
        super().make(folder)
        self.add_trigger(folder.name, sampling_frequency="100.000000")

    def remove(self, folder: Path) -> None:
        super().remove(folder)
        self._drop_trigger(folder.name)

    def open(self, path: Path) -> int:
        self._fail(path)
        device = self.by_name.get(path.name)
        if device is None:
            raise _error(errno.ENODEV)
        if device.is_open:
            raise _error(errno.EBUSY)
        if device.ours >= 0:
            os.close(device.ours)
        theirs, device.ours = os.pipe2(os.O_NONBLOCK)
        return theirs

    def event_descriptor(self, fd: int) -> int:
        device = next(d for d in self.by_name.values() if d.is_open)
        if not (device.folder / "events").exists():
            raise _error(errno.ENODEV)
        theirs, device.events = os.pipe2(os.O_NONBLOCK)
        return theirs

    # rules

    def _rule(self, device: FakeDevice, path: Path, text: str) -> str:
        buffer = device.folder / "buffer"
        match path.parent.name, path.name:
            case "scan_elements", _:
                if device.is_active:
                    raise _error(errno.EBUSY)
                others = [p for p in path.parent.glob("*_en") if p != path and "timestamp" not in p.name]
                crowded = text == "1" and "timestamp" not in path.name and any(self.read(p) == "1" for p in others)
                if device.one_at_a_time and crowded:
                    raise _error(errno.EINVAL)
            case "buffer", "length":
                if text == self.read(path):
                    return text
                if device.is_active:
                    raise _error(errno.EBUSY)
                if 0 < int(text) < int(self.read(buffer / "watermark")):
                    (buffer / "watermark").write_text(text + "\n")
            case "buffer", "watermark":
                if not 0 < int(text) <= int(self.read(buffer / "length")):
                    raise _error(errno.EINVAL)
                if device.is_active:
                    raise _error(errno.EBUSY)
            case "buffer", "enable":
                self._enable(device, text == "1")
            case "trigger", "current_trigger":
                if device.is_active:
                    raise _error(errno.EBUSY)
                there = {self.read(self.devices / e / "name") for e in self.names(self.devices) if e[:7] == "trigger"}
                return text if text in there else ""  # an unknown name takes the trigger away, and says nothing
            case _, "current_timestamp_clock":
                if device.is_active or device.events >= 0:
                    raise _error(errno.EBUSY)
            case _, "sampling_frequency" if "sampling_frequency_available" in self.names(device.folder):
                if text not in self.read(device.folder / "sampling_frequency_available").split():
                    raise _error(errno.EINVAL)
            case _:
                pass
        return text

    def _enable(self, device: FakeDevice, on: bool) -> None:
        if device.is_active == on:
            return
        if on:
            elements = device.folder / "scan_elements"
            chosen = [n for n in self.names(elements) if n.endswith("_en") and "timestamp" not in n]
            if not any(self.read(elements / name) == "1" for name in chosen):
                raise _error(errno.EINVAL)
            events = device.folder / "events"
            if device.buffer_or_events and any(
                self.read(events / n) == "1" for n in self.names(events) if n[-3:] == "_en"
            ):
                raise _error(errno.EBUSY)
            if device.needs_trigger and not self.read(device.folder / "trigger/current_trigger"):
                raise _error(errno.EINVAL)
        device.is_active = on

    def _sysfs_trigger(self, verb: str, text: str) -> None:
        there = {self.read(self.devices / e / "name") for e in self.names(self.devices) if e.startswith("trigger")}
        if (f"sysfstrig{text}" in there) == (verb == "add_trigger"):
            raise _error(errno.EINVAL)
        if verb == "add_trigger":
            self.add_trigger(f"sysfstrig{text}", trigger_now="")
        else:
            self._drop_trigger(f"sysfstrig{text}")

    def _drop_trigger(self, name: str) -> None:
        for entry in self.names(self.devices):
            folder = self.devices / entry
            if entry.startswith("trigger") and self.read(folder / "name") == name:
                for path in folder.iterdir():
                    path.unlink()
                folder.rmdir()

    def _fail(self, path: Path) -> None:
        if path.name in self.failing:
            raise _error(self.failing[path.name])


def _fill(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).write_text(text + "\n")


def _error(number: int) -> OSError:
    return OSError(number, os.strerror(number))
