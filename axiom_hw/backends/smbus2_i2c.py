"""The real I2C backend: /dev/i2c-N through smbus2 (Documentation/i2c/dev-interface.rst).

A transfer takes the smallest call that does it, byte, word or block: the more adapters can.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from smbus2 import SMBus

from axiom_hw.backends.i2c import address_busy, check_transfer, closed_bus, no_such_bus, transfer_failed
from axiom_hw.board.i2c import SensorBus
from axiom_hw.errors import BackendError


class Smbus2Backend:
    """Buses below `dev`, whose adapters are described below `sysfs`; both are arguments for tests.

    Synchronization: none required by the caller.
    """

    def __init__(self, dev: Path = Path("/dev"), sysfs: Path = Path("/sys/bus/i2c/devices")) -> None:
        self._dev = dev
        self._sysfs = sysfs

    def open(self, bus: SensorBus) -> Smbus2Port:
        """See `I2cBackend.open`."""
        path = self._path(bus)
        opened = SMBus()
        try:
            opened.open(str(path))
        except OSError as error:
            opened.close()  # the path may be open, and no bus
            raise self._refusal(bus, path, error) from error
        number = path.resolve().name.removeprefix("i2c-")
        return Smbus2Port(opened, str(path), self._sysfs, number)

    def _path(self, bus: SensorBus) -> Path:
        if bus.path:
            return self._dev / Path(bus.path).relative_to("/dev")
        adapters = self._adapters()
        found = [number for number, names in adapters.items() if bus.adapter in names]
        if not found:
            raise no_such_bus(f'"{bus.adapter}"', "; ".join(f"i2c-{n}: {', '.join(a)}" for n, a in adapters.items()))
        if len(found) > 1:
            devices = ", ".join(adapters[number][-1] for number in found)
            raise BackendError(
                f'i2c bus "{bus.adapter}"', f"is the name of {len(found)} buses here",
                f"name the device behind the one that is meant: adapter = one of {devices}", errno.EEXIST,
            )  # fmt: skip
        return self._dev / f"i2c-{found[0]}"

    def _adapters(self) -> dict[int, tuple[str, ...]]:
        """What each bus of this machine is called, by number: the adapter's name, and the device behind it."""
        found = {}
        for path in self._sysfs.glob("i2c-*"):
            number = path.name.removeprefix("i2c-")
            if number.isdecimal():
                name = path / "name"
                words = (name.read_text().strip() if name.exists() else "", path.resolve().parent.name)
                found[int(number)] = tuple(word for word in words if word)
        return dict(sorted(found.items()))

    def _refusal(self, bus: SensorBus, path: Path, error: OSError) -> BackendError:
        match error.errno:
            case errno.ENOENT | errno.ENODEV | errno.ENXIO:
                return no_such_bus(str(path), ", ".join(sorted(p.name for p in self._dev.glob("i2c-*"))))
            case errno.EACCES | errno.EPERM:
                return BackendError(
                    f"i2c bus {path}", "may not be opened by this user",
                    "add yourself to the group that owns it, and log in again: sudo usermod -aG i2c $USER",
                    errno.EACCES,
                )  # fmt: skip
            case _:
                number = error.errno or errno.EIO
                what = f"can't be opened: {os.strerror(number)} ({errno.errorcode.get(number, number)})"
                return BackendError(f"i2c bus {path}", what, "is it an I2C bus? `i2cdetect -l` lists them", number)


class Smbus2Port:
    """An open bus.

    Synchronization: one thread at a time: the address that is talked to is a state of the descriptor.
    """

    def __init__(self, bus: SMBus, path: str, sysfs: Path, number: str) -> None:
        self._bus: SMBus | None = bus
        self._path = path
        self._sysfs = sysfs
        self._number = number

    def read(self, address: int, register: int, length: int) -> bytes:
        """See `I2cPort.read`."""
        check_transfer(self._path, address, length, 1)
        bus = self._open()
        try:
            match length:
                case 1:
                    return bytes([bus.read_byte_data(address, register)])
                case 2:
                    return bus.read_word_data(address, register).to_bytes(2, "little")  # in the order of the wire
                case _:
                    return bytes(bus.read_i2c_block_data(address, register, length))
        except OSError as error:
            raise self._failed(address, error) from error

    def write(self, address: int, register: int, data: bytes) -> None:
        """See `I2cPort.write`."""
        check_transfer(self._path, address, len(data), 0)
        bus = self._open()
        try:
            match len(data):
                case 0:
                    bus.write_byte(address, register)
                case 1:
                    bus.write_byte_data(address, register, data[0])
                case 2:
                    bus.write_word_data(address, register, int.from_bytes(data, "little"))
                case _:
                    bus.write_i2c_block_data(address, register, list(data))
        except OSError as error:
            raise self._failed(address, error) from error

    def close(self) -> None:
        """See `I2cPort.close`."""
        bus, self._bus = self._bus, None
        if bus is not None:
            bus.close()

    def _open(self) -> SMBus:
        if self._bus is None:
            raise closed_bus(self._path)
        # The kernel says that a driver has an address when it is chosen, and smbus2 chooses it when it changes: without
        # this, a driver that comes later and we would both talk to the device, and nobody would know.
        self._bus.address = None
        return self._bus

    def _failed(self, address: int, error: OSError) -> BackendError:
        if error.errno == errno.EBUSY:
            driver = self._sysfs / f"{self._number}-{address:04x}" / "driver"
            return address_busy(self._path, address, driver.resolve().name if driver.exists() else "")
        number = error.errno or errno.EIO
        if number == errno.ENODEV and (self._sysfs / f"i2c-{self._number}").exists():
            number = errno.ENXIO  # i2c-stub says so of an address; of a bus that went away, the bus isn't there
        return transfer_failed(self._path, address, number)
