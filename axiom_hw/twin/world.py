"""The world around the twin's board, as a test or a person moves it: lines, registers of devices, serial ports."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from axiom_hw.errors import TwinError
from axiom_hw.twin.guest.devices import LINES
from axiom_hw.twin.ports import Ports


class World:
    """What is wired to the header.

    Synchronization: any thread; a port is read by one at a time.
    """

    def __init__(self, call: Callable[[dict[str, Any]], Any], ports: Ports, directory: str) -> None:
        """`call` asks the agent; `directory` is where the guest has its simulated lines."""
        self._call = call
        self._ports = ports
        self._directory = directory

    def pull(self, line: int | str, level: int) -> None:
        """Pull a line up (1) or down (0), as a button or a wire does. An input sees the edge."""
        if level not in (0, 1):
            raise TwinError(f"line {line}", f"can't be pulled to {level}", "0 is down, 1 is up")
        self._call({"what": "pull", "line": line_number(line), "level": level})

    def pulled(self, line: int | str) -> int:
        """Which way a line is pulled: 1 is up."""
        return int(self._call({"what": "pulled", "line": line_number(line)}))

    def value(self, line: int | str) -> int:
        """The level of a line: what an output drives, or which way an input is pulled."""
        return int(self._call({"what": "value", "line": line_number(line)}))

    def pull_path(self, line: int | str) -> str:
        """The guest's file that pulls the line: a program there writes "pull-up" or "pull-down" to it."""
        return f"{self._directory}/sim_gpio{line_number(line)}/pull"

    def set_registers(self, address: int, register: int, content: bytes) -> None:
        """Set bytes of a device on the simulated bus, from `register` on. Raises `TwinError` for no such device."""
        self._call({"what": "set", "address": address, "register": register, "values": list(content), "words": False})

    def registers(self, address: int, register: int, count: int) -> bytes:
        """Bytes of a device on the simulated bus."""
        call = {"what": "get", "address": address, "register": register, "count": count, "words": False}
        return bytes(self._call(call))

    def set_word(self, address: int, register: int, value: int) -> None:
        """Set a register of 16 bits that goes over the bus high byte first, as those of an ADS1015 do."""
        self._call(
            {"what": "set", "address": address, "register": register, "values": [_swapped(value)], "words": True}
        )

    def word(self, address: int, register: int) -> int:
        """A register of 16 bits, high byte first."""
        call = {"what": "get", "address": address, "register": register, "count": 1, "words": True}
        return _swapped(self._call(call)[0])

    def feed(self, port: str, data: bytes) -> None:
        """Send bytes into a serial port of the guest, "ttyAMA0". They wait there until somebody opens it."""
        self._ports.feed(port, data)

    def read(self, port: str, count: int, timeout_s: float = 5.0) -> bytes:
        """Up to `count` bytes that the guest sent by a port; fewer where no more come in time."""
        return self._ports.read(port, count, timeout_s)


def line_number(line: int | str) -> int:
    """The number of a line by its number or its name: 17, "17", "GPIO17", "gpio17", "FAN_PWM". Raises `TwinError`."""
    text = str(line)
    names = [name.lower() for name in LINES]
    if text.isdecimal() and int(text) < len(LINES):
        return int(text)
    if text.lower() in names and text != "-":
        return names.index(text.lower())
    if text.lower() in ("gpio0", "gpio1"):
        return int(text[-1])
    raise TwinError(f"line {text}", f"isn't one of the header's {len(LINES)}", "a number or a name: 17, GPIO17")


def _swapped(word: int) -> int:
    return (word & 0xFF) << 8 | word >> 8
