"""The InvenSense MPU-6050: registers and scales. Source: RM-MPU-6000A-00, PS-MPU-6000A-00."""

from __future__ import annotations

from typing import Final

SMPLRT_DIV: Final = 0x19
CONFIG: Final = 0x1A
GYRO_CONFIG: Final = 0x1B
ACCEL_CONFIG: Final = 0x1C
DATA: Final = 0x3B  # acceleration 3 x 2 bytes, temperature 2, rotation 3 x 2; high byte first
DATA_LENGTH: Final = 14
PWR_MGMT_1: Final = 0x6B
WHO_AM_I: Final = 0x75
# The part, and successors with the same registers: MPU-6500, MPU-9250, and copies.
IDS: Final = (0x68, 0x70, 0x71, 0x72, 0x98)

AWAKE: Final = 0x01  # not asleep; clock of the X gyroscope, which is steadier than the internal one
ASLEEP: Final = 0x40  # as after power-up
FILTER_44_HZ: Final = 0x03

ACCEL_STEPS: Final = 16_384  # a g, at +-2 g
GYRO_STEPS: Final = 131  # a degree a second, at +-250 degrees a second
TEMPERATURE_STEPS: Final = 340  # a degree
STANDARD_GRAVITY_MICRO: Final = 9_806_650  # m/s2, in millionths


def accel_micro(raw: int) -> int:
    """Millionths of m/s2."""
    return raw * STANDARD_GRAVITY_MICRO // ACCEL_STEPS


def gyro_micro(raw: int) -> int:
    """Millionths of a degree a second."""
    return raw * 1_000_000 // GYRO_STEPS


def temperature_micro(raw: int) -> int:
    """Millionths of a degree Celsius."""
    return raw * 1_000_000 // TEMPERATURE_STEPS + 36_530_000
