"""A serial port whose driver is taken away while it is read, and given back."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from axiom_hw.backends.pyserial_port import PyserialBackend
from axiom_hw.backends.serial_port import SerialLink
from axiom_hw.board.serial import SerialPort
from axiom_hw.errors import BackendError
from tests.twin.inside.bench import until

DRIVER = Path("/sys/bus/pnp/drivers/serial")
PORT = SerialPort("gps", "/dev/ttyAMA2", None, 9600)


def device_of(tty: str) -> str:
    """The device of the PC's bus that a port belongs to, as its driver knows it: "00:03"."""
    path = Path("/sys/class/tty", tty).resolve()
    return next(parent.name for parent in path.parents if parent.parent.name.startswith("pnp"))


def error_of(link: SerialLink) -> BackendError | None:
    """What a read that fails raises."""
    try:
        link.read()
    except BackendError as error:
        return error
    return None


def test_an_uart_that_loses_its_driver_is_told_and_comes_back() -> None:
    backend = PyserialBackend()
    device = device_of(Path(PORT.port).resolve().name)
    link = backend.open(PORT)
    (DRIVER / "unbind").write_text(device)
    try:
        until(lambda: error_of(link) is not None, 10)
        told = error_of(link)
        assert told is not None
        assert (told.errno, "went away" in told.problem) == (errno.ENODEV, True)
        link.close()
        with pytest.raises(BackendError) as caught:  # the kernel keeps a node that leads nowhere
            backend.open(PORT)
        assert str(caught.value).startswith("serial gps, /dev/ttyAMA2: ")
    finally:
        (DRIVER / "bind").write_text(device)
    again = backend.open(PORT)
    assert again.read() == b""
    again.close()
