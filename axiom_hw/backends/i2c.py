"""The I2C seam: transfers to the registers of a device, as SMBus has them, and what goes wrong with them.

Numbers of errors are those of Documentation/i2c/fault-codes.rst.
"""

from __future__ import annotations

import errno
import os
from typing import Final, Protocol

from axiom_hw.board.i2c import BLOCK_MAX, SensorBus
from axiom_hw.errors import BackendError

# "No answer" has two numbers: which one is a bus driver's choice (bcm2835 EREMOTEIO, designware EREMOTEIO, i801 ENXIO).
NO_ANSWER: Final = (errno.EREMOTEIO, errno.ENXIO)

_WORDS: Final = {
    errno.EREMOTEIO: ("nobody answers", "check power and wires, SDA and SCL; `i2cdetect -y 1` shows who answers"),
    errno.ENXIO: ("nobody answers", "check power and wires, SDA and SCL; `i2cdetect -y 1` shows who answers"),
    errno.ETIMEDOUT: (
        "the bus is held low, or the device holds the clock for too long",
        "unplug the devices one by one; a slow one may need dtparam=i2c_arm_baudrate=10000",
    ),
    errno.EAGAIN: ("another master won the bus", "one of them has to wait: try again"),
    errno.EIO: ("the transfer failed", "check wires and pull-ups; long wires want dtparam=i2c_arm_baudrate=50000"),
    errno.EOPNOTSUPP: ("the adapter can't do this transfer", "read fewer bytes at once"),
    errno.ENODEV: ("the bus went away", "was the adapter unplugged, or its driver removed?"),
}


class I2cPort(Protocol):
    """One bus, ours to use until `close`; the kernel lets others use it too.

    Synchronization: one thread at a time.
    """

    def read(self, address: int, register: int, length: int) -> bytes:
        """1 to 32 bytes from a register on. Raises `BackendError`: EREMOTEIO or ENXIO where nobody answers, EBUSY where
        a driver of the kernel has the address, EINVAL for another length, and what the bus fails with."""
        ...

    def write(self, address: int, register: int, data: bytes) -> None:
        """0 to 32 bytes to a register; none is the command alone. Raises as `read`."""
        ...

    def close(self) -> None:
        """Give the bus back. Twice is fine."""
        ...


class I2cBackend(Protocol):
    """Where buses come from.

    Synchronization: none required by the caller.
    """

    def open(self, bus: SensorBus) -> I2cPort:
        """Raises `BackendError`: ENOENT where the bus isn't there, EACCES where it may not be opened."""
        ...


def place_of(bus: str, address: int) -> str:
    """How errors call a device."""
    return f"address {address:#04x} of {bus}"


def check_transfer(bus: str, address: int, length: int, least: int) -> None:
    """A transfer has up to 32 bytes, and a read at least one."""
    if not least <= length <= BLOCK_MAX:
        raise BackendError(
            place_of(bus, address), f"{length} bytes in one transfer; it takes {least} to {BLOCK_MAX}",
            errno=errno.EINVAL,
        )  # fmt: skip


def transfer_failed(bus: str, address: int, number: int) -> BackendError:
    """The error of a transfer that failed with an errno."""
    name = errno.errorcode.get(number, str(number))
    what, fix = _WORDS.get(number, (os.strerror(number), ""))
    return BackendError(place_of(bus, address), f"{what} ({name})", fix, number)


def address_busy(bus: str, address: int, driver: str = "") -> BackendError:
    """The error of an address that a driver of the kernel has."""
    who = f"the kernel's driver {driver}" if driver else "a driver of the kernel"
    fix = (
        "read it through the kernel, as [iio.NAME] of the board; or remove its dtoverlay from config.txt and reboot, "
        f"or write {address:#04x} to delete_device of the bus in /sys/bus/i2c/devices"
    )
    return BackendError(place_of(bus, address), f"{who} reads it", fix, errno.EBUSY)


def no_such_bus(bus: str, found: str) -> BackendError:
    """The error of a bus that isn't there; nearly always it is switched off."""
    there = f"here are {found}" if found else "there is no I2C bus on this machine"
    fix = (
        "on a Pi, write dtparam=i2c_arm=on into /boot/firmware/config.txt and reboot (`raspi-config` does it too), "
        "and load i2c-dev; elsewhere run with --mock"
    )
    return BackendError(f"i2c bus {bus}", f"isn't there; {there}", fix, errno.ENOENT)


def closed_bus(bus: str) -> BackendError:
    """The error of a bus that was given back."""
    return BackendError(f"i2c bus {bus}", "was closed", "open it again", errno.EPERM)
