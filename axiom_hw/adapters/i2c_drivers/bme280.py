"""The driver of the Bosch BME280 and BMP280: it measures by itself, and is asked for the last result."""

from __future__ import annotations

from axiom_hw.adapters.i2c_drivers.driver import Reading, not_ready, wrong_part
from axiom_hw.backends.i2c import I2cPort
from axiom_hw.parts import bme280 as part


class Bme280:
    """A BME280 (temperature, pressure, humidity) or a BMP280, which has no humidity.

    Synchronization: one thread at a time.
    """

    def __init__(self, name: str, address: int, period_ns: int, place: str) -> None:
        self._name = name
        self._address = address
        self._place = place
        self._standby = next(code for pause, code in reversed(part.STANDBY_NS) if pause <= max(period_ns // 2, 500_000))
        self._calibration: part.Calibration | None = None

    def begin(self, port: I2cPort) -> None:
        """See `Driver.begin`. Reads the calibration; a sensor that was exchanged has another."""
        address = self._address
        (found,) = port.read(address, part.CHIP_ID, 1)
        if found not in part.IDS[self._name]:
            others = [name for name, ids in part.IDS.items() if found in ids]
            fix = f'it is a {others[0]}: driver = "{others[0]}"' if others else "is it another sensor? see its marking"
            raise wrong_part(self._place, found, self._name, fix)
        low = port.read(address, part.CALIBRATION, part.CALIBRATION_LENGTH)
        if self._name == "bme280":
            (h1,) = port.read(address, part.HUMIDITY_1, 1)
            high = port.read(address, part.HUMIDITY_2, part.HUMIDITY_2_LENGTH)
            self._calibration = part.calibration_of(low, h1, high)
            port.write(address, part.CTRL_HUM, bytes([part.OVERSAMPLING_1]))
        else:
            self._calibration = part.calibration_of(low)
        # Asleep first: in normal mode a write to CONFIG may be ignored (BME280 data sheet, 5.4.6).
        port.write(address, part.CTRL_MEAS, bytes([0]))
        port.write(address, part.CONFIG, bytes([self._standby << 5]))
        port.write(address, part.CTRL_MEAS, bytes([part.OVERSAMPLING_1 << 5 | part.OVERSAMPLING_1 << 2 | part.NORMAL]))

    def read(self, port: I2cPort) -> list[Reading]:
        """See `Driver.read`. EAGAIN also where the part has lost its settings, as after a dip of the supply."""
        calibration = self._calibration
        assert calibration is not None, "begin comes first"
        data = port.read(self._address, part.DATA, 8 if calibration.h else 6)
        pressure = int.from_bytes(data[0:3], "big") >> 4
        temperature = int.from_bytes(data[3:6], "big") >> 4
        if temperature == part.SKIPPED or pressure == part.SKIPPED:
            raise not_ready(self._place)
        t_fine = part.fine_temperature(calibration, temperature)
        found = [
            Reading(temperature, part.temperature_centi(t_fine) * 10_000),
            Reading(pressure, part.pressure_q8(calibration, pressure, t_fine) * 1000 // 256),  # kPa
        ]
        if calibration.h:
            humidity = int.from_bytes(data[6:8], "big")
            found.append(Reading(humidity, part.humidity_q10(calibration, humidity, t_fine) * 1_000_000 // 1024))
        return found
