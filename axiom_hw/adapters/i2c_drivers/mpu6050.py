"""The driver of the InvenSense MPU-6050: +-2 g, +-250 degrees a second, filtered at 44 Hz; polled, without its FIFO."""

from __future__ import annotations

import struct

from axiom_hw.adapters.i2c_drivers.driver import Reading, not_ready, wrong_part
from axiom_hw.backends.i2c import I2cPort
from axiom_hw.parts import mpu6050 as part

_SETTINGS = (
    (part.PWR_MGMT_1, part.AWAKE),
    (part.CONFIG, part.FILTER_44_HZ),
    (part.SMPLRT_DIV, 0),
    (part.GYRO_CONFIG, 0),
    (part.ACCEL_CONFIG, 0),
)


class Mpu6050:
    """An MPU-6050, or one of its successors with the same registers.

    Synchronization: one thread at a time.
    """

    def __init__(self, address: int, place: str) -> None:
        self._address = address
        self._place = place

    def begin(self, port: I2cPort) -> None:
        """See `Driver.begin`."""
        (found,) = port.read(self._address, part.WHO_AM_I, 1)
        if found not in part.IDS:
            raise wrong_part(self._place, found, "mpu6050", "is it another sensor? see its marking")
        for register, value in _SETTINGS:
            port.write(self._address, register, bytes([value]))

    def read(self, port: I2cPort) -> list[Reading]:
        """See `Driver.read`. All zeros are a part that fell asleep: gravity never shows nothing on all axes."""
        data = port.read(self._address, part.DATA, part.DATA_LENGTH)
        if not any(data):
            raise not_ready(self._place)
        ax, ay, az, temperature, gx, gy, gz = struct.unpack(">7h", data)
        return [
            *(Reading(raw, part.accel_micro(raw)) for raw in (ax, ay, az)),
            Reading(temperature, part.temperature_micro(temperature)),
            *(Reading(raw, part.gyro_micro(raw)) for raw in (gx, gy, gz)),
        ]
