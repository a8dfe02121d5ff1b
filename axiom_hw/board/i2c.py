"""Sensors that programs here read over I2C: the tables [i2c_bus.NAME] and [sensor.NAME], each to its declaration."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from axiom_hw.board.iio import parse_period_ns
from axiom_hw.board.table import Table
from axiom_hw.board.units import format_duration
from axiom_hw.errors import BoardError
from axiom_hw.parts import PARTS, Part

BUS_KEYS: Final = ("path", "adapter")
SENSOR_KEYS: Final = ("bus", "address", "rate", "driver", "channel", "init", "burst", "optional")
_CHANNEL_KEYS: Final = ("register", "format", "scale", "offset", "unit")

BLOCK_MAX: Final = 32  # bytes of one transfer: I2C_SMBUS_BLOCK_MAX
_ADDRESSES: Final = (0x08, 0x77)  # the others are reserved, I2C-bus specification, 3.1.12
_PERIOD_MIN_NS: Final = 1_000_000
_CHANNELS_MAX: Final = 16
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_FORMAT: Final = re.compile(r"(?:(be|le):)?([su])(8|16|24|32)(?:>>(\d+))?")
_FRACTION: Final = re.compile(r"[+-]?\d+(/[1-9]\d*)?")
_S32: Final = 1 << 31


@dataclass(frozen=True, slots=True)
class SensorBus:
    """An I2C bus, by the path of its device or by its adapter: the name in sysfs, or the device behind it.

    The numbers of /dev/i2c-N are aliases of the device tree: on a Pi they stay, on a PC they don't.
    """

    name: str
    path: str = ""
    adapter: str = ""


@dataclass(frozen=True, slots=True)
class Format:
    """How the bytes of a register are a number: `shift` bits are dropped behind its sign."""

    length: int  # bytes
    big_endian: bool = True
    signed: bool = True
    shift: int = 0

    def number(self, data: bytes) -> int:
        """The number that so many bytes are."""
        return int.from_bytes(data, "big" if self.big_endian else "little", signed=self.signed) >> self.shift

    @property
    def limits(self) -> tuple[int, int]:
        """The least and the greatest number."""
        span = 1 << (8 * self.length - self.shift)
        return (-span // 2, span // 2 - 1) if self.signed else (0, span - 1)

    def data(self, number: int) -> bytes:
        """The bytes that are this number: the inverse of `number`, with zeros in the bits that it drops."""
        return (number << self.shift).to_bytes(self.length, "big" if self.big_endian else "little", signed=self.signed)


@dataclass(frozen=True, slots=True)
class Register:
    """Where a declared channel is read: its value is `(number + offset) * scale`, in its unit."""

    address: int
    format: Format
    scale: Fraction = Fraction(1)
    offset: Fraction = Fraction(0)


@dataclass(frozen=True, slots=True)
class SensorChannel:
    """One quantity of a sensor. A driver knows where it is read; otherwise `register` says."""

    name: str
    unit: str = ""
    register: Register | None = None


@dataclass(frozen=True, slots=True)
class Sensor:
    """A sensor on an I2C bus. Its index in the board is the `sensor_id` of contexts.

    `init` is written before the first reading, and after each time that the sensor was away: a register and the bytes
    for it, each. A `burst` reads all channels in one transfer. The bench works without an `optional` one.
    """

    name: str
    bus_id: int
    address: int
    period_ns: int
    channels: tuple[SensorChannel, ...]
    driver: str = ""
    init: tuple[bytes, ...] = ()
    burst: bool = False
    optional: bool = False

    def channel(self, name: str) -> int:
        """The place of a channel among the sensor's. Raises `KeyError`."""
        for at, channel in enumerate(self.channels):
            if channel.name == name:
                return at
        raise KeyError(name)


def bus_row(name: str, table: Table) -> SensorBus:
    """[i2c_bus.NAME]: `path`, or `adapter`."""
    match ("path" in table, "adapter" in table):
        case (False, False):
            raise table.missing("path", 'say which bus: path = "/dev/i2c-1" is the one on the header of a Pi')
        case (True, True):
            raise table.error("has `path` and `adapter`; a bus is found by one of them", "keep one", "adapter")
    path = table.text("path")
    if path and not re.fullmatch(r"/dev/\S+", path):
        raise table.error(f'`path` is "{path}"; it begins with /dev/', 'path = "/dev/i2c-1"', "path")
    return SensorBus(name, path, table.text("adapter"))


def sensor_row(name: str, table: Table, buses: tuple[SensorBus, ...]) -> Sensor:
    """[sensor.NAME]: a part that has a `driver`, or registers that are declared as channels."""
    bus_id = _bus(table, buses)
    part = _part(table)
    if "address" not in table:
        hint = " or ".join(hex(one) for one in part.addresses) if part else "as in its data sheet"
        raise table.missing("address", f"say its 7-bit address: {hint}; `i2cdetect -y 1` shows who answers")
    address = _address(table, part)
    period_ns = _period_ns(table, part)
    if part is not None:
        for key in ("channel", "init", "burst"):
            if key in table:
                raise table.error(
                    f"`{key}` is for sensors without a driver, and this one has {part.name}", "leave one out", key
                )
        channels = tuple(SensorChannel(one.name, one.unit) for one in part.quantities)
        return Sensor(name, bus_id, address, period_ns, channels, part.name, optional=table.flag("optional"))
    burst = table.flag("burst")
    channels = _channels(table, burst)
    init, optional = _init(table), table.flag("optional")
    return Sensor(name, bus_id, address, period_ns, channels, "", init, burst, optional)


def refuse_same_addresses(top: Table, sensors: tuple[Sensor, ...], buses: tuple[SensorBus, ...]) -> None:
    """Two sensors of one bus need two addresses. Raises `BoardError` at the second."""
    owners: dict[tuple[int, int], str] = {}
    for sensor in sensors:
        owner = owners.setdefault((sensor.bus_id, sensor.address), sensor.name)
        if owner != sensor.name:
            raise BoardError(
                top.places.of(("sensor", sensor.name), "address"),
                f"address {sensor.address:#04x} of {buses[sensor.bus_id].name} is taken by sensor `{owner}`",
                "declare all that is read there as channels of one, or let a pin of the part choose another address",
            )


def _bus(table: Table, buses: tuple[SensorBus, ...]) -> int:
    if not buses:
        raise table.error("no [i2c_bus.NAME] is declared", 'declare [i2c_bus.header] with path = "/dev/i2c-1"')
    names = [bus.name for bus in buses]
    name = table.text("bus", names[0])
    if name not in names:
        raise table.error(f'`bus` is "{name}"; declared are {", ".join(names)}', "", "bus")
    return names.index(name)


def _part(table: Table) -> Part | None:
    if "driver" not in table:
        return None
    name = table.text("driver")
    if name not in PARTS:
        raise table.error(
            f'`driver` is "{name}"; there are {", ".join(PARTS)}',
            "leave it out and declare the registers: [sensor.NAME.channel.NAME] with register = 0x00", "driver",
        )  # fmt: skip
    return PARTS[name]


def _address(table: Table, part: Part | None) -> int:
    low, high = _ADDRESSES
    address = table.integer("address", 0, 0xFF)
    if not low <= address <= high:
        halved = f"data sheets that count the direction bit mean {address >> 1:#04x}" if address > high else ""
        raise table.error(f"`address` is {address:#04x}; it takes {low:#04x} to {high:#04x}", halved, "address")
    if part is not None and address not in part.addresses:
        can = " or ".join(f"{one:#04x}" for one in part.addresses)
        raise table.error(f"`address` is {address:#04x}; a {part.name} has {can}", "", "address")
    return address


def _period_ns(table: Table, part: Part | None) -> int:
    if "rate" not in table:
        raise table.missing("rate", 'say how often to read: rate = "1s", or rate = "10Hz"')
    try:
        period_ns = parse_period_ns(table.text("rate"))
    except ValueError as error:
        raise table.error(f"`rate`: {error}", "", "rate") from None
    least = part.fastest_ns if part else _PERIOD_MIN_NS
    if period_ns < least:
        why = f"a {part.name} measures no faster" if part else "a transfer at 100 kHz takes half of that"
        raise table.error(
            f"`rate` is one reading each {format_duration(period_ns)}; {format_duration(least)} is the limit",
            why, "rate",
        )  # fmt: skip
    return period_ns


def _channels(table: Table, burst: bool) -> tuple[SensorChannel, ...]:
    example = f"[{'.'.join(table.path)}.channel.temperature] and register = 0x00 below"
    group = table.data.get("channel", {})
    if not isinstance(group, Mapping) or not group:
        parts = ", ".join(f'"{name}"' for name in PARTS)
        raise table.error("has neither `driver` nor a channel", f"driver = one of {parts}, or {example}")
    if len(group) > _CHANNELS_MAX:
        raise table.error(f"has {len(group)} channels; {_CHANNELS_MAX} is the limit", "declare two sensors", "channel")
    found = []
    for name, data in group.items():
        row = Table(table.places, (*table.path, "channel", name), data, _CHANNEL_KEYS)
        if not _NAME.fullmatch(name):
            raise row.error(f"the name {name!r} can't stand in a hook's name", "letters, digits, `_` and `-`")
        found.append(_channel(name, row))
    registers = [channel.register for channel in found if channel.register is not None]
    first = min(one.address for one in registers)
    span = max(one.address + one.format.length for one in registers) - first
    if burst and span > BLOCK_MAX:
        raise table.error(
            f"`burst` would read {span} bytes from register {first:#04x} on; a transfer has {BLOCK_MAX}",
            "leave it out: the channels are then read one after the other", "burst",
        )  # fmt: skip
    return tuple(found)


def _channel(name: str, row: Table) -> SensorChannel:
    if "register" not in row:
        raise row.missing("register", "say where it is read: register = 0x00")
    address = row.integer("register", 0, 0xFF, 0, "a register has 8 bits")
    text = row.text("format", "be:s16")
    match = _FORMAT.fullmatch(text)
    if match is None:
        raise row.error(
            f'`format` is "{text}"', 'write byte order, sign, bits and shift: "be:s16", "le:u24", "be:s16>>4", "u8"',
            "format",
        )  # fmt: skip
    order, sign, bits, shift = match[1], match[2], int(match[3]), int(match[4] or 0)
    if order is None and bits > 8:
        raise row.error(f'`format` is "{text}", without a byte order', f'"be:{text}" or "le:{text}"', "format")
    if shift >= bits:
        raise row.error(f'`format` is "{text}", which drops all {bits} bits', "shift by less", "format")
    if sign == "u" and bits - shift > 31:
        raise row.error(
            f'`format` is "{text}"; the value of an event is an s32',
            f'"{order}:s32", or drop a bit: "{text}>>1"',
            "format",
        )
    register = Register(
        address, Format(bits // 8, order != "le", sign == "s", shift), _fraction(row, "scale", 1),
        _fraction(row, "offset", 0),
    )  # fmt: skip
    most = max(abs((limit + register.offset) * register.scale) for limit in register.format.limits)
    if most * 1_000_000 >= 1 << 63:
        raise row.error(
            f"values go up to {float(most):.3g} of the unit; an event counts millionths of it in an s64",
            "choose a larger unit, and so a smaller `scale`", "scale",
        )  # fmt: skip
    return SensorChannel(name, row.text("unit"), register)


def _fraction(row: Table, key: str, default: int) -> Fraction:
    """A number, exactly as it is written: 0.0625, 12420, "1/340"."""
    value = row.data.get(key, default)
    if isinstance(value, str) and _FRACTION.fullmatch(value):
        return Fraction(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or value in (float("inf"), float("-inf")):
        raise row.error(f"`{key}` is {value!r}; it takes a number", f'{key} = 0.0625, or {key} = "1/340"', key)
    if value != value or abs(value) >= _S32:
        raise row.error(f"`{key}` is {value}; it takes a number below {_S32}", "", key)
    return Fraction(repr(value))


def _init(table: Table) -> tuple[bytes, ...]:
    listed = table.data.get("init", [])
    example = "init = [[0x6B, 0x00]] writes 0x00 to register 0x6B"
    if not isinstance(listed, list):
        raise table.error("`init` takes a list of writes", example, "init")
    found = []
    for write in listed:
        good = isinstance(write, list) and all(type(one) is int and 0 <= one <= 0xFF for one in write)
        if not good or not 1 <= len(write) <= 1 + BLOCK_MAX:
            limit = f"a register and up to {BLOCK_MAX} bytes, 0 to 255 each"
            raise table.error(f"`init` has the write {write!r}; it takes {limit}", example, "init")
        found.append(bytes(write))
    return tuple(found)
