"""Models of sensors at the level of registers: a quantity of the world becomes the raw numbers that a chip would show.

What a chip doesn't do, its model doesn't do either: no number before it was woken, none before it has measured.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Final, Protocol

from axiom_hw.board.i2c import Sensor
from axiom_hw.parts import bme280, mpu6050

REGISTERS: Final = 256
_T: Final = (27504, 26435, -1000)  # the example of the BMP280's data sheet
_P: Final = (36477, -10685, 3024, 2855, 140, -7, 15500, -14600, 6000)
_H: Final = (75, 361, 0, 327, 50, 30)
_ROOM: Final = {"temperature": Fraction(20), "pressure": Fraction("101.325"), "humidity": Fraction(50)}


class Model(Protocol):
    """A device on a bus, and the quantities that it measures.

    Synchronization: one thread at a time transfers; `put` from any thread.
    """

    def read(self, register: int, length: int) -> bytes:
        """What the registers show, from one on."""
        ...

    def write(self, register: int, data: bytes) -> None:
        """What somebody writes to a register, and those behind it."""
        ...

    def put(self, channel: str, quantity: Fraction) -> None:
        """The world changes: a channel's quantity, in its unit. The nearest raw number is shown."""
        ...

    def power_up(self) -> None:
        """Forget what was written: the supply came back."""
        ...


class RegisterModel:
    """A device that is registers only. A channel's number lies where the board says; writes stay where they go."""

    def __init__(self, sensor: Sensor) -> None:
        self.memory = bytearray(REGISTERS)
        self._sensor = sensor

    def read(self, register: int, length: int) -> bytes:
        return bytes(self.memory[(register + at) % REGISTERS] for at in range(length))

    def write(self, register: int, data: bytes) -> None:
        for at, byte in enumerate(data):
            self.memory[(register + at) % REGISTERS] = byte

    def put(self, channel: str, quantity: Fraction) -> None:
        register = self._sensor.channels[self._sensor.channel(channel)].register
        assert register is not None, "a sensor without a driver declares registers"
        low, high = register.format.limits
        wanted = round(quantity / register.scale - register.offset) if register.scale else 0
        data = register.format.data(min(max(wanted, low), high))
        self.memory[register.address : register.address + len(data)] = data

    def power_up(self) -> None:
        pass  # what the board says of it is where its numbers lie, not what it forgets


class Bme280Model:
    """A BME280, or a BMP280: asleep until CTRL_MEAS is written, and without a number for the time of a measurement."""

    def __init__(self, part: str, now_ns: Callable[[], int]) -> None:
        self._part = part
        self._now_ns = now_ns
        self._calibration = bme280.Calibration(_T, _P, _H if part == "bme280" else None)
        self._world = dict(_ROOM)
        self._raw = (0, 0, 0)
        self._memory = bytearray(REGISTERS)
        self.power_up()
        self._encode()

    def read(self, register: int, length: int) -> bytes:
        self._memory[bme280.DATA : bme280.DATA + 8] = self._data()
        return bytes(self._memory[(register + at) % REGISTERS] for at in range(length))

    def write(self, register: int, data: bytes) -> None:
        if register == bme280.CTRL_MEAS:
            self._humidity_on = bool(self._memory[bme280.CTRL_HUM] & 0b111)
            self._since_ns = self._now_ns()
        if register in (bme280.CTRL_HUM, bme280.CTRL_MEAS, bme280.CONFIG) and data:
            self._memory[register] = data[0]

    def put(self, channel: str, quantity: Fraction) -> None:
        self._world[channel] = quantity
        self._encode()

    def power_up(self) -> None:
        self._memory[:] = bytes(REGISTERS)
        self._memory[bme280.CHIP_ID] = bme280.IDS[self._part][-1]
        for register, data in bme280.registers_of(self._calibration).items():
            self._memory[register : register + len(data)] = data
        self._since_ns = 0
        self._humidity_on = False

    def _data(self) -> bytes:
        control = self._memory[bme280.CTRL_MEAS]
        measured = control & 0b11 == bme280.NORMAL and self._now_ns() - self._since_ns >= bme280.MEASURING_NS
        temperature, pressure, humidity = self._raw
        if not (measured and control >> 5):
            temperature = bme280.SKIPPED
        if not (measured and control >> 2 & 0b111):
            pressure = bme280.SKIPPED
        if not (measured and self._humidity_on):
            humidity = 0x8000
        tail = humidity.to_bytes(2, "big") if self._calibration.h else bytes(2)
        return (pressure << 4).to_bytes(3, "big") + (temperature << 4).to_bytes(3, "big") + tail

    def _encode(self) -> None:
        """The first raw number, on the way up, at which the compensation arrives at the quantity."""
        c = self._calibration
        centi = round(self._world["temperature"] * 100)
        temperature = _first(20, lambda raw: bme280.temperature_centi(bme280.fine_temperature(c, raw)), centi)
        t_fine = bme280.fine_temperature(c, temperature)
        q8 = round(self._world["pressure"] * 256_000)
        pressure = _first(20, lambda raw: -bme280.pressure_q8(c, raw, t_fine), -q8)  # it falls as the number grows
        humidity = 0
        if c.h is not None:
            q10 = round(self._world["humidity"] * 1024)
            humidity = _first(16, lambda raw: bme280.humidity_q10(c, raw, t_fine), q10)
        self._raw = (temperature, pressure, humidity)


class Mpu6050Model:
    """An MPU-6050: asleep, with zeros for numbers, until PWR_MGMT_1 says otherwise. It lies still on a table."""

    def __init__(self) -> None:
        self._world: dict[str, Fraction] = {
            "temperature": Fraction(20),
            "accel_z": Fraction(mpu6050.STANDARD_GRAVITY_MICRO, 1_000_000),
        }
        self._memory = bytearray(REGISTERS)
        self.power_up()

    def read(self, register: int, length: int) -> bytes:
        asleep = self._memory[mpu6050.PWR_MGMT_1] & mpu6050.ASLEEP
        data = bytes(mpu6050.DATA_LENGTH) if asleep else self._data()
        self._memory[mpu6050.DATA : mpu6050.DATA + mpu6050.DATA_LENGTH] = data
        return bytes(self._memory[(register + at) % REGISTERS] for at in range(length))

    def write(self, register: int, data: bytes) -> None:
        for at, byte in enumerate(data):
            self._memory[(register + at) % REGISTERS] = byte

    def put(self, channel: str, quantity: Fraction) -> None:
        self._world[channel] = quantity

    def power_up(self) -> None:
        self._memory[:] = bytes(REGISTERS)
        self._memory[mpu6050.WHO_AM_I] = mpu6050.IDS[0]
        self._memory[mpu6050.PWR_MGMT_1] = mpu6050.ASLEEP

    def _data(self) -> bytes:
        gravity = Fraction(mpu6050.STANDARD_GRAVITY_MICRO, 1_000_000)
        steps = mpu6050.ACCEL_STEPS / gravity
        found = [self._number(axis, steps) for axis in ("accel_x", "accel_y", "accel_z")]
        temperature = (self._world["temperature"] - Fraction("36.53")) * mpu6050.TEMPERATURE_STEPS
        found.append(_signed16(temperature))
        found += [self._number(axis, Fraction(mpu6050.GYRO_STEPS)) for axis in ("gyro_x", "gyro_y", "gyro_z")]
        return b"".join(found)

    def _number(self, channel: str, steps: Fraction) -> bytes:
        return _signed16(self._world.get(channel, Fraction(0)) * steps)


def model_of(sensor: Sensor, now_ns: Callable[[], int]) -> Model:
    """The model of a sensor of a board."""
    makers: Mapping[str, Callable[[], Model]] = {
        "bme280": lambda: Bme280Model("bme280", now_ns),
        "bmp280": lambda: Bme280Model("bmp280", now_ns),
        "mpu6050": Mpu6050Model,
        "": lambda: RegisterModel(sensor),
    }
    return makers[sensor.driver]()


def _first(bits: int, of: Callable[[int], int], wanted: int) -> int:
    return min(bisect_left(range(1 << bits), wanted, key=of), (1 << bits) - 1)


def _signed16(value: Fraction) -> bytes:
    return min(max(round(value), -0x8000), 0x7FFF).to_bytes(2, "big", signed=True)
