"""A sensor whose registers the board declares: each channel is so many bytes, a scale and an offset."""

from __future__ import annotations

from axiom_hw.adapters.i2c_drivers.driver import Reading
from axiom_hw.backends.i2c import I2cPort
from axiom_hw.board.i2c import Register, Sensor


class Registers:
    """Reads declared registers, one transfer for each, or one for all in a burst.

    Synchronization: one thread at a time.
    """

    def __init__(self, sensor: Sensor) -> None:
        self._sensor = sensor
        self._registers = tuple(one.register for one in sensor.channels if one.register is not None)
        assert len(self._registers) == len(sensor.channels), "without a driver, every channel has a register"
        self._first = min(one.address for one in self._registers)
        self._span = max(one.address + one.format.length for one in self._registers) - self._first

    def begin(self, port: I2cPort) -> None:
        """See `Driver.begin`. A reading that nobody gets shows whether somebody is there."""
        for write in self._sensor.init:
            port.write(self._sensor.address, write[0], write[1:])
        self.read(port)

    def read(self, port: I2cPort) -> list[Reading]:
        """See `Driver.read`."""
        address = self._sensor.address
        if not self._sensor.burst:
            return [_reading(one, port.read(address, one.address, one.format.length)) for one in self._registers]
        data = port.read(address, self._first, self._span)
        return [
            _reading(one, data[(at := one.address - self._first) : at + one.format.length]) for one in self._registers
        ]


def _reading(register: Register, data: bytes) -> Reading:
    """The quantity is rounded down to a millionth of the unit."""
    number = register.format.number(data)
    return Reading(number, (number + register.offset) * register.scale * 1_000_000 // 1)
