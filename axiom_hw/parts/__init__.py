"""Sensors as their data sheets describe them: addresses, channels, registers, and how raw numbers become quantities.

Pure facts and integer arithmetic: the drivers (adapters) read a chip by them, the models (backends) play one.

part.py      what a board file needs to know of a part, and the table of them
bme280.py    Bosch BME280 and BMP280: temperature, pressure, humidity
mpu6050.py   InvenSense MPU-6050: acceleration, rotation, temperature
"""

from axiom_hw.parts.part import PARTS, Part, Quantity

__all__ = ["PARTS", "Part", "Quantity"]
