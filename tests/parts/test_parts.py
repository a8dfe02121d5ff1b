"""Data sheets' arithmetic against their examples, and drivers against models of the parts."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axiom_hw.adapters.i2c_drivers import driver_of
from axiom_hw.backends.mock_i2c import MockI2c
from axiom_hw.board import parse_board
from axiom_hw.errors import BackendError
from axiom_hw.parts import PARTS, bme280, mpu6050

BOARD = parse_board("""
[i2c_bus.header]
path = "/dev/i2c-1"
[sensor.climate]
driver = "bme280"
address = 0x76
rate = "1s"
[sensor.baro]
driver = "bmp280"
address = 0x77
rate = "100ms"
[sensor.imu]
driver = "mpu6050"
address = 0x68
rate = "10ms"
""", "x", "x.toml")  # fmt: skip
CLIMATE, BARO, IMU = BOARD.sensors
EXAMPLE = bme280.Calibration(
    (27504, 26435, -1000), (36477, -10685, 3024, 2855, 140, -7, 15500, -14600, 6000), (75, 361, 5, 327, -50, 30)
)


class Time:
    now = 0


def rig(sensor):
    """A sensor's driver and model, woken, with its first measurement made."""
    time = Time()
    world = MockI2c.for_board(BOARD, lambda: time.now)
    port, driver = world.open(BOARD.i2c_buses[0]), driver_of(sensor, sensor.name)
    driver.begin(port)
    time.now += 10_000_000
    return world.device(sensor.name), driver, port, time


def test_the_example_of_the_data_sheet() -> None:
    t_fine = bme280.fine_temperature(EXAMPLE, 519888)
    assert t_fine == 128422
    assert bme280.temperature_centi(t_fine) == 2508
    assert bme280.pressure_q8(EXAMPLE, 415148, t_fine) == 25767233  # 100653.25 Pa, as the kernel's driver says too


def test_calibration_survives_its_registers() -> None:
    registers = bme280.registers_of(EXAMPLE)
    low, (h1,), high = registers[0x88], registers[0xA1], registers[0xE1]
    assert (len(low), len(high)) == (bme280.CALIBRATION_LENGTH, bme280.HUMIDITY_2_LENGTH)
    assert bme280.calibration_of(low, h1, high) == EXAMPLE


@settings(max_examples=30, deadline=None)
@given(st.integers(-3000, 8000), st.integers(50_000, 108_000), st.integers(0, 100))
def test_a_bme280_measures_what_its_world_is(centi: int, pascal: int, percent: int) -> None:
    device, driver, port, _ = rig(CLIMATE)
    for channel, value in (("temperature", centi / 100), ("pressure", pascal / 1000), ("humidity", percent)):
        device.set(channel, value)
    temperature, pressure, humidity = (reading.micro for reading in driver.read(port))
    assert abs(temperature - centi * 10_000) <= 10_000
    assert abs(pressure - pascal * 1000) <= 2000  # 2 Pa
    assert abs(humidity - percent * 1_000_000) <= 50_000


def test_a_bmp280_has_no_humidity() -> None:
    device, driver, port, _ = rig(BARO)
    device.set("temperature", "25.08")
    assert [reading.micro for reading in driver.read(port)] == [25_080_000, 101_324_898]


def test_a_bmp280_sold_as_a_bme280_is_told() -> None:
    world = MockI2c.for_board(BOARD, lambda: 0)
    world.device("climate").model = world.device("baro").model
    with pytest.raises(BackendError) as caught:
        driver_of(CLIMATE, "sensor climate").begin(world.open(BOARD.i2c_buses[0]))
    assert str(caught.value) == (
        'sensor climate: says that it is 0x58, which is no bme280\n    fix    it is a bmp280: driver = "bmp280"'
    )


@pytest.mark.parametrize("sensor", [CLIMATE, IMU], ids=lambda sensor: sensor.name)
def test_without_its_settings_a_part_has_no_number(sensor) -> None:
    device, driver, port, time = rig(sensor)
    driver.read(port)
    device.unplug()
    device.plug()
    with pytest.raises(BackendError, match="has measured nothing"):
        driver.read(port)
    driver.begin(port)
    time.now += 10_000_000
    driver.read(port)


def test_an_mpu6050_on_a_table_feels_gravity() -> None:
    device, driver, port, _ = rig(IMU)
    device.set("gyro_y", -90)
    names = [quantity.name for quantity in PARTS["mpu6050"].quantities]
    found = dict(zip(names, (reading.micro for reading in driver.read(port)), strict=True))
    assert found["accel_z"] == mpu6050.STANDARD_GRAVITY_MICRO
    assert (found["accel_x"], found["gyro_y"], found["gyro_x"]) == (0, -90_000_000, 0)
    assert abs(found["temperature"] - 20_000_000) < 3_000
