"""Drivers of sensors on an I2C bus: how to wake a part, and what its registers say. `driver_of` finds the right one.

driver.py      what a driver is
registers.py   registers that the board declares
bme280.py      Bosch BME280, BMP280
mpu6050.py     InvenSense MPU-6050
"""

from axiom_hw.adapters.i2c_drivers.bme280 import Bme280
from axiom_hw.adapters.i2c_drivers.driver import Driver, Reading
from axiom_hw.adapters.i2c_drivers.mpu6050 import Mpu6050
from axiom_hw.adapters.i2c_drivers.registers import Registers
from axiom_hw.board.i2c import Sensor

__all__ = ["Driver", "Reading", "driver_of"]


def driver_of(sensor: Sensor, place: str) -> Driver:
    """The driver of a sensor of a board; `place` is what its errors call it."""
    match sensor.driver:
        case "bme280" | "bmp280":
            return Bme280(sensor.driver, sensor.address, sensor.period_ns, place)
        case "mpu6050":
            return Mpu6050(sensor.address, place)
        case "":
            return Registers(sensor)
        case other:
            raise AssertionError(f"{other} is in PARTS, and has no driver")
