"""I2C buses, serial ports, and the sensors that the kernel reads, as /dev and /sys show them."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

_BUS: Final = re.compile(r"i2c-(\d+)")
_CLIENT: Final = re.compile(r"(\d+)-([0-9a-f]{4})")
_PORTS: Final = ("ttyAMA*", "ttyS0", "ttyUSB*", "ttyACM*", "serial[0-9]")


@dataclass(frozen=True, slots=True)
class I2cClient:
    """A device on a bus that the kernel knows of; `driver` is empty where none took it."""

    address: int
    name: str
    driver: str


@dataclass(frozen=True, slots=True)
class I2cSeen:
    """A bus. Without the module i2c-dev it has no file: `present` is then False. `clients` are bound by the kernel.

    `names` are what an adapter is found by: its name, and the device behind it.
    """

    number: int
    present: bool
    usable: bool
    clients: tuple[I2cClient, ...] = ()
    names: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """Its file."""
        return f"/dev/i2c-{self.number}"


@dataclass(frozen=True, slots=True)
class PortSeen:
    """A serial port. `target` is where a link leads; `usb` is "vid:pid:serial" of what is plugged in, else empty."""

    name: str
    target: str
    usable: bool
    usb: str = ""

    def __str__(self) -> str:
        return f"{self.name} -> {self.target}" if self.target else self.name


class SensorKind(Enum):
    """Which part of the kernel reads it."""

    IIO = "iio"
    HWMON = "hwmon"


@dataclass(frozen=True, slots=True)
class SensorSeen:
    """A sensor. `device` is its file in /dev, empty where it has none; `readable` of that, else of its directory.

    `of_node` is its place in the device tree, empty where it has none.
    """

    kind: SensorKind
    path: str
    name: str
    label: str
    device: str
    readable: bool
    of_node: str = ""


def i2c_buses(root: Path) -> tuple[I2cSeen, ...]:
    """The buses, by number."""
    devices = root / "sys/bus/i2c/devices"
    numbers = {int(found[1]) for path in devices.glob("i2c-*") if (found := _BUS.fullmatch(path.name))}
    numbers |= {int(found[1]) for path in (root / "dev").glob("i2c-*") if (found := _BUS.fullmatch(path.name))}
    clients: dict[int, list[I2cClient]] = {}
    for path in sorted(devices.glob("*-*")):
        if found := _CLIENT.fullmatch(path.name):
            driver = os.path.basename(os.readlink(path / "driver")) if (path / "driver").is_symlink() else ""
            clients.setdefault(int(found[1]), []).append(I2cClient(int(found[2], 16), _text(path / "name"), driver))
    return tuple(
        I2cSeen(
            number, file.exists(), os.access(file, os.R_OK | os.W_OK), tuple(clients.get(number, ())),
            _adapter(devices / f"i2c-{number}"),
        )
        for number in sorted(numbers)
        for file in (root / f"dev/i2c-{number}",)
    )  # fmt: skip


def _adapter(path: Path) -> tuple[str, ...]:
    return tuple(word for word in (_text(path / "name"), path.resolve().parent.name) if word)


def serial_ports(root: Path) -> tuple[PortSeen, ...]:
    """The serial ports in /dev, links among them."""
    found = sorted(path for pattern in _PORTS for path in (root / "dev").glob(pattern))
    return tuple(
        PortSeen(
            path.name, os.readlink(path) if path.is_symlink() else "", os.access(path, os.R_OK | os.W_OK),
            _usb_id(root / "sys/class/tty" / path.name / "device"),
        )
        for path in found
    )  # fmt: skip


def consoles(root: Path) -> tuple[str, ...]:
    """The ports that the kernel prints on and that a login waits at, as its command line names them."""
    words = _text(root / "proc/cmdline").split()
    return tuple(word.removeprefix("console=").partition(",")[0] for word in words if word.startswith("console="))


def _usb_id(device: Path) -> str:
    """Of the USB device that a port belongs to, some directories above it."""
    for folder in list(device.resolve().parents)[:4] if device.exists() else ():
        if (folder / "idVendor").exists():
            parts = [_text(folder / name) for name in ("idVendor", "idProduct", "serial")]
            return ":".join(part for part in parts if part)
    return ""


def sensors(root: Path) -> tuple[SensorSeen, ...]:
    """IIO devices, then hwmon chips."""
    found = []
    for path in sorted((root / "sys/bus/iio/devices").glob("iio:device*")):
        file = root / "dev" / path.name
        device = f"/dev/{path.name}" if file.exists() else ""
        readable = os.access(file, os.R_OK) if device else os.access(path, os.R_OK)
        name, label = _text(path / "name"), _text(path / "label")
        found.append(SensorSeen(SensorKind.IIO, str(path), name, label, device, readable, _node(path)))
    for path in sorted((root / "sys/class/hwmon").glob("hwmon*")):
        name, label = _text(path / "name"), _text(path / "label")
        found.append(SensorSeen(SensorKind.HWMON, str(path), name, label, "", os.access(path, os.R_OK), _node(path)))
    return tuple(found)


def _node(path: Path) -> str:
    for link in (path / "of_node", path / "device/of_node"):
        if link.is_symlink():
            return os.path.realpath(link)
    return ""


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:  # it says nothing of that kind
        return ""
