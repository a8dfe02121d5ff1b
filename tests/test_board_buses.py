"""[i2c_bus.NAME], [sensor.NAME] and [serial.NAME]: what they mean, and what each slip is told."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axiom_hw.board import parse_board
from axiom_hw.board.i2c import Format, Register, Sensor, SensorBus, SensorChannel
from axiom_hw.board.serial import Checksum, Framing, SerialPort, UsbId
from axiom_hw.errors import BoardError

BUS = '[i2c_bus.header]\npath = "/dev/i2c-1"\n'
OWN = '[sensor.s]\naddress = 0x48\nrate = "1s"\n'
TEMP = OWN + "[sensor.s.channel.temp]\nregister = 0\n"
PORT = '[serial.p]\nport = "/dev/ttyAMA0"\nbaud = 9600\n'
PART = '[sensor.s]\ndriver = "bme280"\naddress = 0x76\nrate = "1s"\n'


def board(text: str):
    return parse_board(text, "x", "x.toml")


def refused(text: str) -> str:
    with pytest.raises(BoardError) as caught:
        board(text)
    return str(caught.value)


def test_a_part_with_a_driver() -> None:
    made = board(BUS + PART + "optional = true\n")
    assert made.i2c_buses == (SensorBus("header", "/dev/i2c-1"),)
    channels = (SensorChannel("temperature", "degC"), SensorChannel("pressure", "kPa"), SensorChannel("humidity", "%"))
    assert made.sensors == (Sensor("s", 0, 0x76, 1_000_000_000, channels, "bme280", optional=True),)
    assert made.sensor("s").channel("humidity") == 2


def test_declared_registers_are_exact() -> None:
    text = BUS + OWN + (
        'init = [[0x6B, 0x00], [0x10]]\nburst = true\n[sensor.s.channel.a]\nregister = 0x3B\nformat = "le:u24>>4"\n'
        'scale = "1/340"\noffset = 12420.5\nunit = "degC"\n[sensor.s.channel.b]\nregister = 0x3E\nscale = 1e-3\n'
    )  # fmt: skip
    (sensor,) = board(text).sensors
    a = Register(0x3B, Format(3, False, False, 4), Fraction(1, 340), Fraction(24841, 2))
    b = Register(0x3E, Format(2), Fraction(1, 1000))
    assert sensor.channels == (SensorChannel("a", "degC", a), SensorChannel("b", "", b))
    assert (sensor.init, sensor.burst) == ((b"\x6b\0", b"\x10"), True)


@given(st.sampled_from([1, 2, 3, 4]), st.booleans(), st.booleans(), st.integers(0, 7), st.data())
def test_a_format_reads_what_it_writes(length: int, big: bool, signed: bool, shift: int, data: st.DataObject) -> None:
    form = Format(length, big, signed, shift)
    low, high = form.limits
    number = data.draw(st.sampled_from([low, high, 0]) | st.integers(low, high))
    assert form.number(form.data(number)) == number


@pytest.mark.parametrize(("text", "message"), [
    ("[i2c_bus.b]\n", "x.toml:1 [i2c_bus.b]: `path` is missing\n"
     '    fix    say which bus: path = "/dev/i2c-1" is the one on the header of a Pi'),
    ('[i2c_bus.b]\npath = "i2c-1"\n', 'x.toml:2 [i2c_bus.b]: `path` is "i2c-1"; it begins with /dev/\n'
     '    fix    path = "/dev/i2c-1"'),
    (PART, "x.toml:1 [sensor.s]: no [i2c_bus.NAME] is declared\n"
     '    fix    declare [i2c_bus.header] with path = "/dev/i2c-1"'),
    (BUS + PART.replace("0x76", "0x40"), "x.toml:5 [sensor.s]: `address` is 0x40; a bme280 has 0x76 or 0x77"),
    (BUS + TEMP.replace("0x48", "0x90"), "x.toml:4 [sensor.s]: `address` is 0x90; it takes 0x08 to 0x77\n"
     "    fix    data sheets that count the direction bit mean 0x48"),
    (BUS + PART.replace("bme280", "bme281"), 'x.toml:4 [sensor.s]: `driver` is "bme281"; there are bme280, bmp280, '
     "mpu6050\n    fix    leave it out and declare the registers: [sensor.NAME.channel.NAME] with register = 0x00"),
    (BUS + PART + "burst = true\n", "x.toml:7 [sensor.s]: `burst` is for sensors without a driver, and this one has "
     "bme280\n    fix    leave one out"),
    (BUS + PART.replace('"1s"', '"1ms"'), "x.toml:6 [sensor.s]: `rate` is one reading each 1ms; 10ms is the limit\n"
     "    fix    a bme280 measures no faster"),
    (BUS + OWN, "x.toml:3 [sensor.s]: has neither `driver` nor a channel\n"
     '    fix    driver = one of "bme280", "bmp280", "mpu6050", or [sensor.s.channel.temperature] and register = 0x00 '
     "below"),
    (BUS + TEMP + 'format = "s16"\n', 'x.toml:8 [sensor.s.channel.temp]: `format` is "s16", without a byte order\n'
     '    fix    "be:s16" or "le:s16"'),
    (BUS + TEMP + 'format = "be:u32"\n', 'x.toml:8 [sensor.s.channel.temp]: `format` is "be:u32"; the value of an '
     'event is an s32\n    fix    "be:s32", or drop a bit: "be:u32>>1"'),
    (BUS + TEMP + "scale = 2000000000\n", "x.toml:8 [sensor.s.channel.temp]: values go up to 6.55e+13 of the unit; an "
     "event counts millionths of it in an s64\n    fix    choose a larger unit, and so a smaller `scale`"),
    (BUS + OWN + "init = [[0x6B, 256]]\n[sensor.s.channel.t]\nregister = 0\n",
     "x.toml:6 [sensor.s]: `init` has the write [107, 256]; it takes a register and up to 32 bytes, 0 to 255 each\n"
     "    fix    init = [[0x6B, 0x00]] writes 0x00 to register 0x6B"),
    (BUS + OWN + "burst = true\n[sensor.s.channel.t]\nregister = 0\n[sensor.s.channel.u]\nregister = 0x40\n",
     "x.toml:6 [sensor.s]: `burst` would read 66 bytes from register 0x00 on; a transfer has 32\n"
     "    fix    leave it out: the channels are then read one after the other"),
    (BUS + TEMP + TEMP.replace("sensor.s", "sensor.t"), "x.toml:9 [sensor.t]: address 0x48 of header is taken by "
     "sensor `s`\n    fix    declare all that is read there as channels of one, or let a pin of the part choose "
     "another address"),
    ("[serial.p]\nbaud = 9600\n", "x.toml:1 [serial.p]: `port` is missing\n    fix    say which: port = "
     '"/dev/ttyAMA0" for GPIO14 and 15 of a Pi 5, usb = "067b:2303" for a plug'),
    (PORT.replace("ttyAMA0", "ttyUSB0"), 'x.toml:2 [serial.p]: `port` is "/dev/ttyUSB0", a number that moves with the '
     'order of plugging\n    fix    say what is plugged in, usb = "vid:pid" as `lsusb` shows it, or a path below '
     "/dev/serial/by-id"),
    (PORT.replace("ttyAMA0", "serial0"), 'x.toml:2 [serial.p]: `port` is "/dev/serial0", which is another port on each '
     'Pi: the debug connector of a Pi 5\n    fix    GPIO14 and 15 are "/dev/ttyAMA0" on a Pi 5, "/dev/ttyS0" or '
     '"/dev/ttyAMA0" on others'),
    (PORT.replace("port", "usb"), 'x.toml:2 [serial.p]: `usb` is "/dev/ttyAMA0"; it takes vid:pid or vid:pid:serial, '
     'in hexadecimal\n    fix    as `lsusb` shows them: usb = "067b:2303"'),
    (PORT + 'framing = "fixed"\n', "x.toml:1 [serial.p]: `size` is missing\n"
     "    fix    say how many bytes a record has: 1 to 96"),
    (PORT + "size = 5\n", 'x.toml:4 [serial.p]: `size` is for fixed records\n    fix    framing = "fixed"'),
    (PORT + 'checksum = "crc16"\n', 'x.toml:4 [serial.p]: `checksum` "crc16" is for frames\n'
     '    fix    framing = "cobs" or "fixed"'),
    (PORT + 'framing = "fixed"\nsize = 3\nsync = [1]\nchecksum = "crc16"\n', "x.toml:5 [serial.p]: `size` is 3; with "
     "what belongs to each record it is at least 4"),
])  # fmt: skip
def test_slips(text: str, message: str) -> None:
    assert refused(text) == message


def test_ports() -> None:
    text = '[serial.scale]\nusb = "067b:2303:A1"\nbaud = 115200\nframing = "fixed"\nsize = 12\nsync = [0xAA, 0x55]\n'
    made = board(PORT + 'checksum = "nmea"\noptional = true\n' + text)
    assert made.serial_ports == (
        SerialPort("p", "/dev/ttyAMA0", None, 9600, checksum=Checksum.NMEA, optional=True),
        SerialPort("scale", "", UsbId(0x067B, 0x2303, "A1"), 115200, Framing.FIXED, 12, b"\xaa\x55"),
    )
    assert made.serial_port("scale").where == "the USB port 067b:2303:A1"
