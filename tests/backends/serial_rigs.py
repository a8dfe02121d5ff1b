"""What the serial contract runs on: a mock line, a pseudo-terminal behind a link that can be pulled, real ports."""

from __future__ import annotations

import os
import select
import tty
from pathlib import Path

import pytest

from axiom_hw.backends.mock_serial import MockSerial
from axiom_hw.backends.serial_port import SerialBackend, SerialLink
from axiom_hw.board.serial import SerialPort


class MockRig:
    def __init__(self) -> None:
        self.port = SerialPort("gps", "/dev/ttyAMA0", None, 9600)
        self.world = MockSerial((self.port,))
        self.backend: SerialBackend = self.world

    def feed(self, data: bytes) -> None:
        self.world.feed("gps", data)

    def unplug(self) -> None:
        self.world.line("gps").unplug()

    def plug(self) -> None:
        self.world.line("gps").plug()

    def close(self) -> None:
        pass


class PtyRig:
    """The real backend. The port is a symbolic link to the pseudo-terminal, as those below /dev/serial/by-id are."""

    def __init__(self, tmp_path: Path) -> None:
        from axiom_hw.backends.pyserial_port import PyserialBackend

        self.path = tmp_path / "usb-GPS"
        self.port = SerialPort("gps", str(self.path), None, 9600)
        self.backend: SerialBackend = PyserialBackend(tmp_path, tmp_path / "sys")
        self.master = -1
        self.plug()

    def feed(self, data: bytes) -> None:
        os.write(self.master, data)

    def unplug(self) -> None:
        os.close(self.master)
        self.master = -1
        self.path.unlink()

    def plug(self) -> None:
        self.master, slave = os.openpty()
        tty.setraw(slave)
        name = os.ttyname(slave)
        os.close(slave)
        self.path.symlink_to(name)

    def close(self) -> None:
        if self.master >= 0:
            os.close(self.master)


class RealRig:
    """A port of the kernel's; what is behind it is asked, on standard error, to send (tests/twin/running.py)."""

    def __init__(self, name: str) -> None:
        from axiom_hw.backends.pyserial_port import PyserialBackend

        if os.environ.get("AXIOM_INSIDE") != "1":
            pytest.skip("nobody is behind a real port (`make test-twin` boots a kernel where somebody is)")
        self.name = name
        self.port = SerialPort("gps", f"/dev/{name}", None, 9600)
        self.backend: SerialBackend = PyserialBackend()

    def feed(self, data: bytes) -> None:
        os.write(2, f"@feed {self.name} {data.hex()}\n".encode())

    def unplug(self) -> None:
        pytest.skip("it is soldered")

    def plug(self) -> None: ...

    def close(self) -> None: ...


def received(link: SerialLink, length: int) -> bytes:
    """So many bytes from a port; a pseudo-terminal brings them when the kernel's worker has run."""
    found = b""
    while len(found) < length:
        poll = select.poll()
        poll.register(link.fileno(), select.POLLIN)
        assert poll.poll(10_000), f"only {found!r} came"
        found += link.read()
    return found
