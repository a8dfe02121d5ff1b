"""What /dev/i2c-N does with smbus2's ioctls (drivers/i2c/i2c-dev.c), in front of a mock bus: the real smbus2 runs."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import smbus2.smbus2 as real

from axiom_hw.backends.mock_i2c import MockI2cPort
from axiom_hw.errors import BackendError

FUNCTIONS = 0x0EFF0009  # of a designware adapter


class FakeI2cDev:
    """Stands in for `ioctl` in smbus2. The address is a state of the descriptor, as in the kernel."""

    def __init__(self, dev: Path, port: MockI2cPort) -> None:
        self.dev = dev
        self.port = port
        self.address: dict[int, int] = {}
        self.bound: set[int] = set()  # addresses that a driver of the kernel has
        self.sizes: list[int] = []  # of the SMBus transfers that were asked for
        (dev / "i2c-1").touch()

    def ioctl(self, fd: int, request: int, argument) -> int:
        os.fstat(fd)
        match request:
            case real.I2C_FUNCS:
                argument.value = FUNCTIONS
            case real.I2C_SLAVE:
                if argument in self.bound:
                    raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
                self.address[fd] = argument
            case real.I2C_SMBUS:
                self.sizes.append(argument.size)
                try:
                    self._transfer(self.address[fd], argument)
                except BackendError as error:
                    raise OSError(error.errno, os.strerror(error.errno or 0)) from None
            case _:
                raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY))
        return 0

    def _transfer(self, address: int, message) -> None:
        data = message.data.contents
        if message.read_write == real.I2C_SMBUS_READ:
            match message.size:
                case real.I2C_SMBUS_BYTE_DATA:
                    (data.byte,) = self.port.read(address, message.command, 1)
                case real.I2C_SMBUS_WORD_DATA:
                    data.word = int.from_bytes(self.port.read(address, message.command, 2), "little")
                case real.I2C_SMBUS_I2C_BLOCK_DATA:
                    length = data.block[0]
                    data.block[1 : length + 1] = list(self.port.read(address, message.command, length))
                case _:
                    raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
            return
        written: dict[int, Callable[[], bytes]] = {
            real.I2C_SMBUS_BYTE: lambda: b"",
            real.I2C_SMBUS_BYTE_DATA: lambda: bytes([data.byte]),
            real.I2C_SMBUS_WORD_DATA: lambda: data.word.to_bytes(2, "little"),
            real.I2C_SMBUS_I2C_BLOCK_DATA: lambda: bytes(data.block[1 : data.block[0] + 1]),
        }
        self.port.write(address, message.command, written[message.size]())
