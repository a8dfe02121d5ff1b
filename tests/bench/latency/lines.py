"""The simulated chip by its label: its device, its number today, and the attributes by which its lines are pulled."""

from __future__ import annotations

import os
from dataclasses import dataclass
from fcntl import ioctl
from pathlib import Path
from typing import Final

_CHIPINFO: Final = 0x8044B401  # GPIO_GET_CHIPINFO_IOCTL, include/uapi/linux/gpio.h
_INFO_BYTES: Final = 68  # char name[32], label[32]; u32 lines
_SYSFS: Final = Path("/sys/bus/gpio/devices")


@dataclass(frozen=True, slots=True)
class SimulatedChip:
    """A chip of gpio-sim's. `lines` is the directory of its attributes."""

    device: Path
    number: int  # lgpio takes nothing else
    lines: Path

    def pull(self, line: int) -> Path:
        """Takes `pull-up` and `pull-down`, which an input then has as its level."""
        return self.lines / f"sim_gpio{line}" / "pull"

    def value(self, line: int) -> Path:
        """Gives 0 or 1."""
        return self.lines / f"sim_gpio{line}" / "value"


def find_chip(label: str) -> SimulatedChip:
    """The chip with this label. Raises `LookupError` with the labels that there are, where there is none."""
    found = []
    for device in sorted(Path("/dev").glob("gpiochip*")):
        found.append(_label(device))
        if found[-1] == label:
            number = int(device.resolve().name.removeprefix("gpiochip"))
            return SimulatedChip(device, number, (_SYSFS / f"gpiochip{number}").resolve())
    raise LookupError(f"no chip {label} here; there are: {', '.join(found) or 'none'}")


def _label(device: Path) -> str:
    fd = os.open(device, os.O_RDWR | os.O_CLOEXEC)
    try:
        info = ioctl(fd, _CHIPINFO, bytes(_INFO_BYTES))
    finally:
        os.close(fd)
    return info[32:64].split(b"\0")[0].decode()
