"""What the section name of a sensor means on a board: `iio/imu/accel_x` to the key of that channel.

iio/<device>                        iio/imu                  every channel, an event each
iio/<device>/<channel>[/<edge>]     iio/imu/accel_x, iio/adc/voltage0/rising
iio/<N>/<M>                         iio/0/1                  the published form of the Axiom kernel
scan/<device>                       scan/imu                 all channels, an event for a scan
i2c/<sensor>[/<channel>]            i2c/climate/temperature  a channel, or every one
serial/<port>                       serial/gps               the records of a port
"""

from __future__ import annotations

from difflib import get_close_matches

from axiom_hw.board import Board
from axiom_hw.board.iio import IioDevice, Subsystem
from axiom_hw.errors import BoardError, HookError
from axiom_hw.events import Edge
from axiom_hw.keys import HookKey, I2cKey, IioKey, ScanKey, SerialKey


def iio_keys(section: str, rest: str, board: Board) -> tuple[HookKey, ...]:
    """The keys of `iio/REST`. Raises `HookError`, which quotes the section, where the board has no such channel."""
    name, _, path = rest.partition("/")
    device = _device(section, "iio/<device>/<channel>", name, board)
    number = board.iio.index(device)
    word, _, edge = path.partition("/")
    if device.scan and not edge:
        raise HookError(
            f"section {section!r}", f"wants the channels of {device.name} one by one, but {board.source} has "
            "`scan = true`, which makes one event of them",
            f"scan/{device.name}; or take `scan` out of {_table(device)}",
        )  # fmt: skip
    if not word:
        return tuple(IioKey(number, channel) for channel in range(len(device.channels)))
    channel = _channel(section, word, device, board)
    return (IioKey(number, channel, _edge(section, edge, channel, device, board) if edge else None),)


def scan_keys(section: str, rest: str, board: Board) -> tuple[HookKey, ...]:
    """The key of `scan/REST`; as `iio_keys`."""
    device = _device(section, "scan/<device>", rest, board)
    if not device.scan:
        raise HookError(
            f"section {section!r}", f"wants {device.name} scan by scan, but its channels come one by one",
            f"set scan = true in {_table(device)} of {board.source}, or take iio/{device.name}/{device.channels[0]}",
        )  # fmt: skip
    return (ScanKey(board.iio.index(device)),)


def i2c_keys(section: str, rest: str, board: Board) -> tuple[HookKey, ...]:
    """The keys of `i2c/REST`; as `iio_keys`."""
    name, _, word = rest.partition("/")
    if not name:
        there = ", ".join(sensor.name for sensor in board.sensors) or "none"
        raise HookError(f"section {section!r}", f"doesn't say which sensor; {board.source} has {there}",
                        "write its name behind it: i2c/<sensor>/<channel>")  # fmt: skip
    try:
        sensor = board.sensor(name)
    except BoardError as error:
        raise HookError(f"section {section!r} on {error.place}", error.problem, error.fix) from None
    number, channels = board.sensors.index(sensor), [channel.name for channel in sensor.channels]
    if not word:
        return tuple(I2cKey(number, at) for at in range(len(channels)))
    if word not in channels:
        near = get_close_matches(word, channels, n=1) or channels[:1]
        raise HookError(
            f"section {section!r} on {board.source}", f"{name} has no channel {word!r}; it has {', '.join(channels)}",
            f"did you mean `i2c/{name}/{near[0]}`?",
        )  # fmt: skip
    return (I2cKey(number, channels.index(word)),)


def serial_keys(section: str, rest: str, board: Board) -> tuple[HookKey, ...]:
    """The key of `serial/REST`; as `iio_keys`."""
    if not rest:
        there = ", ".join(port.name for port in board.serial_ports) or "none"
        raise HookError(f"section {section!r}", f"doesn't say which port; {board.source} has {there}",
                        "write its name behind it: serial/<port>")  # fmt: skip
    try:
        port = board.serial_port(rest)
    except BoardError as error:
        raise HookError(f"section {section!r} on {error.place}", error.problem, error.fix) from None
    return (SerialKey(board.serial_ports.index(port)),)


def iio_keys_of(board: Board) -> tuple[HookKey, ...]:
    """The hooks of all IIO and hwmon devices, but for those of thresholds."""
    found: list[HookKey] = []
    for number, device in enumerate(board.iio):
        if device.scan:
            found.append(ScanKey(number))
        else:
            found += (IioKey(number, channel) for channel in range(len(device.channels)))
    return tuple(found)


def channel_numbers(board: Board, name: str) -> tuple[int, int]:
    """What `imu/accel_x` means to the helper `iio_read`: device and channel. Raises `BoardError`."""
    device_name, _, word = name.partition("/")
    device = board.iio_device(device_name)
    if word not in device.channels:
        near = get_close_matches(word, device.channels, n=1) or device.channels[:1]
        raise BoardError(
            board.source, f"`{device.name}` has no channel `{word}`; it has {', '.join(device.channels)}",
            f"did you mean `{device.name}/{near[0]}`?",
        )  # fmt: skip
    return board.iio.index(device), device.channels.index(word)


def _device(section: str, form: str, name: str, board: Board) -> IioDevice:
    there = ", ".join(device.name for device in board.iio) or "none"
    if not name:
        raise HookError(f"section {section!r}", f"doesn't say which sensor; {board.source} has {there}",
                        f"write its name behind it: {form}")  # fmt: skip
    if name.isdecimal():
        if int(name) < len(board.iio):
            return board.iio[int(name)]
        raise HookError(f"section {section!r}", f"has the number {name}; {board.source} has {len(board.iio)} sensors: "
                        f"{there}", "numbers count from 0, in the order of the file")  # fmt: skip
    try:
        return board.iio_device(name)
    except BoardError as error:
        raise HookError(f"section {section!r} on {error.place}", error.problem, error.fix) from None


def _channel(section: str, word: str, device: IioDevice, board: Board) -> int:
    if word.isdecimal() and int(word) < len(device.channels):
        return int(word)
    if word in device.channels:
        return device.channels.index(word)
    near = get_close_matches(word, device.channels, n=1)
    raise HookError(
        f"section {section!r} on {board.source}", f"{device.name} has no channel {word!r}; it has "
        f"{', '.join(device.channels)}",
        f"did you mean `{near[0]}`?" if near else f"add it to `channels` of {_table(device)}",
    )  # fmt: skip


def _edge(section: str, word: str, channel: int, device: IioDevice, board: Board) -> Edge:
    if word not in ("rising", "falling"):
        raise HookError(f"section {section!r}", f"{word!r} is no way to cross a threshold", "rising or falling")
    for threshold in device.thresholds:
        if threshold.channel == channel and (threshold.rising if word == "rising" else threshold.falling) is not None:
            return Edge[word.upper()]
    table = f"{_table(device)[:-1]}.threshold.{device.channels[channel]}]"
    raise HookError(
        f"section {section!r}", f"{board.source} declares no threshold that {device.channels[channel]} crosses {word}",
        f"add {table} and {word} = VALUE, if the device has events",
    )  # fmt: skip


def _table(device: IioDevice) -> str:
    return f"[{'hwmon' if device.subsystem is Subsystem.HWMON else 'iio'}.{device.name}]"
