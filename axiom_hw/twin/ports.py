"""The outer ends of the twin's serial ports."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Sequence
from typing import Final, Protocol

from axiom_hw.errors import TwinError
from axiom_hw.twin.guest.devices import PORTS

_PIECE: Final = 4096


class Ports(Protocol):
    """Serial ports by their names in the guest, "ttyAMA0". Synchronization: any thread; a port is read by one."""

    def feed(self, name: str, data: bytes) -> None:
        """Send bytes in. They wait until somebody in the guest opens the port. Raises `TwinError` for no such port."""
        ...

    def read(self, name: str, count: int, timeout_s: float) -> bytes:
        """Up to `count` bytes that came out; fewer where no more come in time."""
        ...


class SocketPorts:
    """Ports whose streams this process holds. Synchronization: as `Ports`."""

    def __init__(self, streams: Sequence[socket.socket]) -> None:
        self._streams = dict(zip((name for name, _ in PORTS), streams, strict=True))

    def feed(self, name: str, data: bytes) -> None:
        """See `Ports`."""
        self._stream(name).sendall(data)

    def read(self, name: str, count: int, timeout_s: float) -> bytes:
        """See `Ports`."""
        end = time.monotonic() + timeout_s
        stream, got = self._stream(name), bytearray()
        while len(got) < count and select.select([stream], [], [], max(0.0, end - time.monotonic()))[0]:
            piece = stream.recv(min(_PIECE, count - len(got)))
            if not piece:
                break
            got += piece
        return bytes(got)

    def _stream(self, name: str) -> socket.socket:
        found = self._streams.get(name.removeprefix("/dev/"))
        if found is None:
            raise TwinError(name, "is no serial port of the twin", f"it has {', '.join(self._streams)}")
        return found
