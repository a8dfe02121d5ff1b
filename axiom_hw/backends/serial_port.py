"""The serial seam: a port that is read as bytes come in, and what goes wrong with it."""

from __future__ import annotations

import errno
from typing import Protocol

from axiom_hw.board.serial import SerialPort
from axiom_hw.errors import BackendError


class SerialLink(Protocol):
    """An open port, ours alone until `close`.

    Synchronization: one thread at a time; `fileno` may be waited on meanwhile.
    """

    def read(self) -> bytes:
        """What has come in, up to 4096 bytes; nothing where nothing has. Never waits.

        Raises `BackendError`: ENODEV where the port went away.
        """
        ...

    def ready(self) -> bool:
        """Whether `read` would give something now, or raise."""
        ...

    def fileno(self) -> int:
        """A descriptor that polls readable when `ready`."""
        ...

    def overrun(self) -> int:
        """Bytes that port and kernel dropped since the call before, because nobody read them in time.

        A damaged byte counts as dropped. 0 where the port can't tell, as a USB adapter may not.
        """
        ...

    def close(self) -> None:
        """Give the port back. Twice is fine."""
        ...


class SerialBackend(Protocol):
    """Where ports come from.

    Synchronization: none required by the caller.
    """

    def open(self, port: SerialPort) -> SerialLink:
        """Raises `BackendError`: ENOENT where the port isn't there, EBUSY where somebody has it, EACCES where it may
        not be opened."""
        ...

    def present(self, port: SerialPort) -> bool:
        """Whether the port is there, so that opening it may be worth a try."""
        ...


def place_of(port: SerialPort) -> str:
    """How errors call a port."""
    return f"serial {port.name}, {port.where}"


def no_such_port(port: SerialPort, found: str) -> BackendError:
    """The error of a port that isn't there: not plugged in, or switched off."""
    there = f"here are {found}" if found else "there is no serial port on this machine"
    fix = (
        "is it plugged in? `lsusb` lists what is; without hardware run with --mock"
        if port.usb is not None
        else "on a Pi 5, write dtparam=uart0=on into /boot/firmware/config.txt and reboot: GPIO14 and 15 are then "
        "/dev/ttyAMA0; without hardware run with --mock"
    )
    return BackendError(place_of(port), f"isn't there; {there}", fix, errno.ENOENT)


def port_busy(port: SerialPort, who: str = "") -> BackendError:
    """The error of a port that somebody has."""
    fix = (
        "end that program; a console on it ends with: sudo systemctl disable --now serial-getty@ttyAMA0, "
        "and without console=ttyAMA0 in /boot/firmware/cmdline.txt"
    )
    return BackendError(place_of(port), f"is in use{f' by {who}' if who else ''}", fix, errno.EBUSY)


def port_gone(port: SerialPort) -> BackendError:
    """The error of a port that was unplugged."""
    return BackendError(place_of(port), "went away", "it is looked for every second: plug it in again", errno.ENODEV)


def closed_port(port: SerialPort) -> BackendError:
    """The error of a port that was given back."""
    return BackendError(place_of(port), "was closed", "open it again", errno.EPERM)
