"""The Bosch BME280 and BMP280: registers and compensation, in the integers of their data sheets.

Sources: BST-BME280-DS002 (4.2.3 compensation, 5.3 registers, 9.1 measuring time); BST-BMP280-DS001, whose example
(3.12) is the test. The kernel's driver computes the same (drivers/iio/pressure/bmp280-core.c).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

CHIP_ID: Final = 0xD0
IDS: Final = {"bme280": (0x60,), "bmp280": (0x56, 0x57, 0x58)}  # 0x56 and 0x57 are samples
CTRL_HUM: Final = 0xF2  # takes effect with the next write to CTRL_MEAS
CTRL_MEAS: Final = 0xF4
CONFIG: Final = 0xF5
DATA: Final = 0xF7  # pressure 3 bytes, temperature 3, humidity 2; read at once, they belong together
CALIBRATION: Final = 0x88
CALIBRATION_LENGTH: Final = 24
HUMIDITY_1: Final = 0xA1
HUMIDITY_2: Final = 0xE1
HUMIDITY_2_LENGTH: Final = 7

OVERSAMPLING_1: Final = 0b001
NORMAL: Final = 0b11  # measure again and again, by itself
SKIPPED: Final = 0x80000  # what temperature and pressure read before the first measurement, and without one
MEASURING_NS: Final = 9_300_000  # of all three at oversampling 1, the maximum
# The pauses between two measurements (t_sb), ns, with their codes for bits 7 to 5 of CONFIG.
STANDBY_NS: Final = (
    (500_000, 0b000), (62_500_000, 0b001), (125_000_000, 0b010),
    (250_000_000, 0b011), (500_000_000, 0b100), (1_000_000_000, 0b101),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Calibration:
    """The numbers that were burnt into one chip: `t` and `p` as in the data sheet, `h` empty on a BMP280."""

    t: tuple[int, int, int]
    p: tuple[int, int, int, int, int, int, int, int, int]
    h: tuple[int, int, int, int, int, int] | None = None


def calibration_of(low: bytes, h1: int | None = None, high: bytes = b"") -> Calibration:
    """From the registers: 24 bytes at 0x88, and, of a BME280, the byte at 0xA1 and 7 bytes at 0xE1."""
    numbers = struct.unpack("<HhhHhhhhhhhh", low)
    t, p = numbers[:3], numbers[3:]
    if h1 is None:
        return Calibration(t, p)
    h2, h3, e4, e5, e6, h6 = struct.unpack("<hBbBbb", high)
    return Calibration(t, p, (h1, h2, h3, e4 << 4 | e5 & 0xF, e6 << 4 | e5 >> 4, h6))


def registers_of(calibration: Calibration) -> dict[int, bytes]:
    """The inverse of `calibration_of`: bytes by the address of the first."""
    found = {CALIBRATION: struct.pack("<HhhHhhhhhhhh", *calibration.t, *calibration.p)}
    if calibration.h is not None:
        h1, h2, h3, h4, h5, h6 = calibration.h
        found[HUMIDITY_1] = bytes([h1])
        found[HUMIDITY_2] = struct.pack("<hBbBbb", h2, h3, h4 >> 4, h4 & 0xF | (h5 & 0xF) << 4, h5 >> 4, h6)
    return found


def fine_temperature(c: Calibration, raw: int) -> int:
    """`t_fine` of the data sheet, which the other compensations need: 1/5120 degC."""
    t1, t2, t3 = c.t
    first = (((raw >> 3) - (t1 << 1)) * t2) >> 11
    second = (((((raw >> 4) - t1) * ((raw >> 4) - t1)) >> 12) * t3) >> 14
    return first + second


def temperature_centi(t_fine: int) -> int:
    """Hundredths of a degree Celsius."""
    return (t_fine * 5 + 128) >> 8


def pressure_q8(c: Calibration, raw: int, t_fine: int) -> int:
    """256ths of a pascal, by the data sheet's 64-bit formula; 0 where the calibration makes no sense."""
    p1, p2, p3, p4, p5, p6, p7, p8, p9 = c.p
    first = t_fine - 128_000
    second = first * first * p6 + ((first * p5) << 17) + (p4 << 35)
    first = ((first * first * p3) >> 8) + ((first * p2) << 12)
    first = (((1 << 47) + first) * p1) >> 33
    if first == 0:
        return 0
    pressure = _divided(((1_048_576 - raw) << 31) - second, first, 3125)
    third = (p9 * (pressure >> 13) * (pressure >> 13)) >> 25
    fourth = (p8 * pressure) >> 19
    return ((pressure + third + fourth) >> 8) + (p7 << 4)


def humidity_q10(c: Calibration, raw: int, t_fine: int) -> int:
    """1024ths of a per cent of relative humidity, 0 to 100 %. The chip is a BME280."""
    assert c.h is not None, "a BMP280 has no humidity"
    h1, h2, h3, h4, h5, h6 = c.h
    x = t_fine - 76_800
    dry = ((raw << 14) - (h4 << 20) - h5 * x + 16_384) >> 15
    slope = ((((x * h6) >> 10) * (((x * h3) >> 11) + 32_768)) >> 10) + 2_097_152
    value = dry * ((slope * h2 + 8_192) >> 14)
    value -= ((((value >> 15) * (value >> 15)) >> 7) * h1) >> 4
    return min(max(value, 0), 419_430_400) >> 12


def _divided(value: int, divisor: int, factor: int) -> int:
    """`value * factor / divisor` as C divides: towards zero."""
    quotient = abs(value * factor) // abs(divisor)
    return quotient if (value < 0) == (divisor < 0) else -quotient
