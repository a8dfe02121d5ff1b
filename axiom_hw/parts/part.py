"""What a board file needs to know of a part: the addresses that its pins can choose, and what it measures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class Quantity:
    """What a channel measures, and in which unit."""

    name: str
    unit: str


@dataclass(frozen=True, slots=True)
class Part:
    """A sensor that has a driver here. `fastest_ns` is the time between two readings that it can keep up with."""

    name: str
    addresses: tuple[int, ...]
    quantities: tuple[Quantity, ...]
    fastest_ns: int


_TEMPERATURE: Final = Quantity("temperature", "degC")
_PRESSURE: Final = Quantity("pressure", "kPa")
_AXES: Final = ("x", "y", "z")
_MPU6050: Final = (
    *(Quantity(f"accel_{axis}", "m/s2") for axis in _AXES),
    _TEMPERATURE,
    *(Quantity(f"gyro_{axis}", "deg/s") for axis in _AXES),
)

# By the name that `driver` takes. Order of channels: as the registers lie.
PARTS: Final[Mapping[str, Part]] = MappingProxyType({
    part.name: part
    for part in (
        Part("bme280",  (0x76, 0x77), (_TEMPERATURE, _PRESSURE, Quantity("humidity", "%")), 10_000_000),
        Part("bmp280",  (0x76, 0x77), (_TEMPERATURE, _PRESSURE),                            10_000_000),
        Part("mpu6050", (0x68, 0x69), _MPU6050,                                              1_000_000),
    )
})  # fmt: skip
