"""Serial ports in memory: bytes that a bench feeds, noise, and plugs that are pulled."""

from __future__ import annotations

import os
import threading
from collections import deque
from contextlib import suppress
from typing import Final

from axiom_hw.backends.serial_port import closed_port, no_such_port, port_busy, port_gone
from axiom_hw.board import Board
from axiom_hw.board.serial import SerialPort
from axiom_hw.errors import BoardError

BUFFER: Final = 4096  # bytes that the kernel keeps for a port: N_TTY_BUF_SIZE
_READ: Final = 4096


class MockLine:
    """The wire of one port, with whoever is at its other end.

    Bytes that nobody reads lie in a buffer of the kernel's size; what doesn't fit is dropped and counted.

    Synchronization: fed by one thread at a time, read by another.
    """

    def __init__(self, port: SerialPort) -> None:
        self.port = port
        self.present = True
        self.link: MockSerialLink | None = None
        self.unheard = 0  # bytes that came while nobody had the port open
        self._noise: deque[int] = deque()

    def feed(self, data: bytes) -> None:
        """Bytes come in. Where nobody has the port open, or it is unplugged, they are gone, as on a real one."""
        data = bytes(byte ^ (self._noise.popleft() if self._noise else 0) for byte in data)
        if self.link is None or not self.present:
            self.unheard += len(data)
        else:
            self.link.take(data)

    def noise(self, *flips: int) -> None:
        """Flip these bits in the next bytes, one number for each: 0 leaves a byte as it is."""
        self._noise.extend(flips)

    def unplug(self) -> None:
        """Pull the plug. What came in before can't be read any more."""
        self.present = False
        if self.link is not None:
            self.link.wake()

    def plug(self) -> None:
        """Plug it in again."""
        self.present = True


class MockSerial:
    """The ports that a board declares.

    Synchronization: as `SerialBackend` and `MockLine` say.
    """

    def __init__(self, ports: tuple[SerialPort, ...]) -> None:
        self._lines = {port.name: MockLine(port) for port in ports}

    @classmethod
    def for_board(cls, board: Board) -> MockSerial:
        """The ports that a board declares."""
        return cls(board.serial_ports)

    def open(self, port: SerialPort) -> MockSerialLink:
        """See `SerialBackend.open`."""
        line = self._lines.get(port.name)
        if line is None or not line.present:
            found = ", ".join(one.port.where for one in self._lines.values() if one.present)
            raise no_such_port(port, found)
        if line.link is not None:
            raise port_busy(port, "another program on the mock bench")
        line.link = MockSerialLink(line)
        return line.link

    def present(self, port: SerialPort) -> bool:
        """See `SerialBackend.present`."""
        return port.name in self._lines and self._lines[port.name].present

    def line(self, name: str) -> MockLine:
        """The wire of a port, by its name on the board. Raises `BoardError`."""
        if name not in self._lines:
            there = ", ".join(self._lines) or "none"
            raise BoardError(
                "mock serial", f"has no port `{name}`; it has {there}", f"add [serial.{name}] to the board"
            )
        return self._lines[name]

    def feed(self, name: str, data: bytes) -> None:
        """Bytes come in on a port."""
        self.line(name).feed(data)


class MockSerialLink:
    """An open mock port.

    Synchronization: one thread reads; another may feed.
    """

    def __init__(self, line: MockLine) -> None:
        self._line = line
        self._pieces: deque[bytes] = deque()
        self._dropped = 0
        self._told = 0
        self._is_closed = False
        self._closing = threading.Lock()  # a wake-up mustn't meet another file under the number of ours
        self._readable, self._wake = os.pipe()
        os.set_blocking(self._readable, False)
        os.set_blocking(self._wake, False)

    def take(self, data: bytes) -> None:
        """The wire's word: bytes came in."""
        room = BUFFER - sum(map(len, self._pieces))
        self._dropped += max(len(data) - room, 0)
        if data[:room]:
            self._pieces.append(data[:room])
            self.wake()

    def wake(self) -> None:
        """Let whoever waits look."""
        with self._closing, suppress(BlockingIOError):  # it may be full of wake-ups already
            if not self._is_closed:
                os.write(self._wake, b"x")

    def read(self) -> bytes:
        """See `SerialLink.read`."""
        self._check_open()
        if not self._line.present:
            raise port_gone(self._line.port)
        with suppress(BlockingIOError):
            os.read(self._readable, _READ)  # before looking: what comes after this wakes again
        found = b""
        while self._pieces:
            found += self._pieces.popleft()
        return found

    def ready(self) -> bool:
        """See `SerialLink.ready`."""
        return bool(self._pieces) or not self._line.present

    def fileno(self) -> int:
        """See `SerialLink.fileno`."""
        self._check_open()
        return self._readable

    def overrun(self) -> int:
        """See `SerialLink.overrun`."""
        told, self._told = self._told, self._dropped
        return self._dropped - told

    def close(self) -> None:
        """See `SerialLink.close`."""
        with self._closing:
            if self._is_closed:
                return
            self._is_closed = True
            self._line.link = None
            os.close(self._readable)
            os.close(self._wake)

    def _check_open(self) -> None:
        if self._is_closed:
            raise closed_port(self._line.port)
