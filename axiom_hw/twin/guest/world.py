"""What the world does to the devices, and what it sees of them: lines are pulled and read, registers set and read."""

from __future__ import annotations

import ctypes
import fcntl
import os

from axiom_hw.twin.guest.devices import Devices, read_text

TYPE_CHECKING = False  # as typing has it, which would have to be imported
if TYPE_CHECKING:
    from typing import Any

# linux/i2c-dev.h, linux/i2c.h
_SLAVE_FORCE = 0x0706  # as the kernel's drivers hold the addresses
_SMBUS = 0x0720
_WRITE, _READ = 0, 1
_BYTE_DATA, _WORD_DATA = 2, 3


class _Transfer(ctypes.Structure):
    """struct i2c_smbus_ioctl_data."""

    _fields_ = (
        ("read_write", ctypes.c_uint8),
        ("command", ctypes.c_uint8),
        ("size", ctypes.c_uint32),
        ("data", ctypes.POINTER(ctypes.c_uint16)),
    )


class Hands:
    """Whoever wires and turns and presses. Synchronization: one thread at a time."""

    def __init__(self, devices: Devices) -> None:
        self._lines = devices.lines
        self._bus = f"/dev/i2c-{devices.bus}"
        self._open: dict[str, int] = {}

    def do(self, call: dict[str, Any]) -> Any:
        """Do what a CALL asks, and give what it asks for. Raises `OSError`, `ValueError`."""
        what = call["what"]
        if what == "pull":
            self._write(f"sim_gpio{call['line']}/pull", b"pull-up" if call["level"] else b"pull-down")
            return None
        if what == "value":
            return int(read_text(f"{self._lines}/sim_gpio{call['line']}/value"))
        if what == "pulled":
            return int(read_text(f"{self._lines}/sim_gpio{call['line']}/pull") == "pull-up")
        if what == "set":
            return self._set(call["address"], call["register"], call["values"], _size(call))
        if what == "get":
            return self._get(call["address"], call["register"], call["count"], _size(call))
        raise ValueError(f"nobody knows how to {what!r}")

    def _write(self, name: str, text: bytes) -> None:
        if name not in self._open:
            self._open[name] = os.open(f"{self._lines}/{name}", os.O_WRONLY | os.O_CLOEXEC)
        os.pwrite(self._open[name], text, 0)

    def _set(self, address: int, register: int, values: list[int], size: int) -> None:
        for number, value in enumerate(values):
            self._transfer(address, _WRITE, register + number, size, value)

    def _get(self, address: int, register: int, count: int, size: int) -> list[int]:
        mask = 0xFF if size == _BYTE_DATA else 0xFFFF
        return [self._transfer(address, _READ, register + number, size, 0) & mask for number in range(count)]

    def _transfer(self, address: int, direction: int, register: int, size: int, value: int) -> int:
        if self._bus not in self._open:
            self._open[self._bus] = os.open(self._bus, os.O_RDWR | os.O_CLOEXEC)
        bus = self._open[self._bus]
        fcntl.ioctl(bus, _SLAVE_FORCE, address)
        data = ctypes.c_uint16(value)
        fcntl.ioctl(bus, _SMBUS, _Transfer(direction, register, size, ctypes.pointer(data)))
        return data.value


def _size(call: dict[str, Any]) -> int:
    return _WORD_DATA if call["words"] else _BYTE_DATA
