"""A board file to a Board: strict about keys, types, ranges and units, and about two claims to one pin."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, TypeVar

from axiom_hw.board.conflicts import refuse_conflicts
from axiom_hw.board.find import find_board, shown
from axiom_hw.board.i2c import BUS_KEYS, SENSOR_KEYS, bus_row, refuse_same_addresses, sensor_row
from axiom_hw.board.iio import HWMON_KEYS, IIO_KEYS, hwmon_row, iio_row, refuse_same_names
from axiom_hw.board.line_names import chip_line_names
from axiom_hw.board.model import SOFTWARE, Board, Chip, PwmChip
from axiom_hw.board.outputs import watchdog_ns
from axiom_hw.board.pins import FAN, known_chip, known_pwm
from axiom_hw.board.rows import INPUT_KEYS, OUTPUT_KEYS, input_row, output_row
from axiom_hw.board.serial import SERIAL_KEYS, serial_row
from axiom_hw.board.software_pwm import software_chips
from axiom_hw.board.table import Places, Table
from axiom_hw.board.watch_hooks import refuse_unknown_hooks
from axiom_hw.board.watch_table import WATCH_KEYS, watch_row
from axiom_hw.errors import BoardError

_TOP: Final = (
    "model", "description", "watchdog", "chip", "pwm_chip", "input", "output",
    "iio", "hwmon", "i2c_bus", "sensor", "serial", "watch",
)  # fmt: skip
_CHIP: Final = ("label", "lines", "event_buffer_size", "line_names")
_PWM_CHIP: Final = ("device", "channels")

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_TOML_AT: Final = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
_EVENT_BUFFER_MAX: Final = 1024  # GPIO_V2_LINES_MAX * 16, drivers/gpio/gpiolib-cdev.c
_LINES_MAX: Final = 1024

T = TypeVar("T")


def load_board(name_or_path: str | os.PathLike[str], search: tuple[Path, ...] | None = None) -> Board:
    """Read a board by name ("rpi5-bench") or by path ("my/bench.toml").

    Raises `BoardError` with the file, the line and the table of what it can't take.
    """
    path = find_board(name_or_path, search)
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise BoardError(shown(path), f"byte {error.start} isn't UTF-8, which TOML is written in") from None
    except OSError as error:
        raise BoardError(shown(path), f"can't be read: {error.strerror}") from None
    return parse_board(text, name=path.stem, source=shown(path))


def parse_board(text: str, name: str, source: str) -> Board:
    """Read a board from the text of a file; `source` is what errors call it."""
    places = Places(source, text)
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = _TOML_AT.search(str(error))
        place = f"{source}:{at[1] or len(text.splitlines())}" if at else source
        raise BoardError(place, f"isn't TOML: {_TOML_AT.sub('', str(error))}") from None
    top = Table(places, (), data, _TOP)
    chips = _named(top, "chip", _CHIP, _chip)
    pwm_chips = _named(top, "pwm_chip", _PWM_CHIP, _pwm_chip)
    inputs = _named(top, "input", INPUT_KEYS, lambda name, table: input_row(name, table, chips))
    outputs = _named(top, "output", OUTPUT_KEYS, lambda name, table: output_row(name, table, chips, pwm_chips))
    iio = _named(top, "iio", IIO_KEYS, iio_row) + _named(top, "hwmon", HWMON_KEYS, hwmon_row)
    refuse_same_names(top, iio)
    buses = _named(top, "i2c_bus", BUS_KEYS, bus_row)
    sensors = _named(top, "sensor", SENSOR_KEYS, lambda name, table: sensor_row(name, table, buses))
    refuse_same_addresses(top, sensors, buses)
    serial_ports = _named(top, "serial", SERIAL_KEYS, serial_row)
    watches = _named(top, "watch", WATCH_KEYS, lambda name, table: watch_row(name, table, outputs))
    pwm_chips += tuple(software_chips(chips, len(pwm_chips), outputs))
    refuse_conflicts(places, chips, pwm_chips, inputs, outputs)
    board = Board(
        name, source, chips, inputs, outputs, pwm_chips, top.text("model"), top.text("description"), watchdog_ns(top),
        iio=iio, i2c_buses=buses, sensors=sensors, serial_ports=serial_ports, watches=watches,
    )  # fmt: skip
    refuse_unknown_hooks(places, board)
    return board


def _named(top: Table, kind: str, allowed: tuple[str, ...], make: Callable[[str, Table], T]) -> tuple[T, ...]:
    group = top.data.get(kind, {})
    if not isinstance(group, Mapping):
        raise top.error(f"`{kind}` holds named tables", f"write [{kind}.NAME] and its keys below", kind)
    made = []
    for name, data in group.items():
        table = Table(top.places, (kind, name), data, allowed)
        if not _NAME.fullmatch(name):
            raise table.error(
                f"the name {name!r} can't stand in a hook's name",
                "begin with a letter, and go on with letters, digits, `_` and `-`",
            )
        made.append(make(name, table))
    return tuple(made)


def _chip(name: str, table: Table) -> Chip:
    if "label" not in table:
        raise table.missing("label", 'chips are found by label: "pinctrl-rp1" is the header of a Pi 5')
    label = table.text("label")
    if re.fullmatch(r"(/dev/)?gpiochip\d+", label):
        raise table.error(
            f'`label` is "{label}", a number that moves between kernels',
            "`gpiodetect` prints labels in brackets; the header of a Pi 5 is pinctrl-rp1",
            "label",
        )
    known = known_chip(label)
    if known is None and "lines" not in table:
        raise table.missing("lines", f'"{label}" isn\'t a chip of a Pi: say how many lines it has')
    lines = table.integer("lines", 1, _LINES_MAX, known.lines if known else 0)
    size = table.integer("event_buffer_size", 0, _EVENT_BUFFER_MAX, 0, "the kernel keeps no more events")
    return Chip(name, label, lines, size, chip_line_names(table, lines))


def _pwm_chip(name: str, table: Table) -> PwmChip:
    if "device" not in table:
        raise table.missing("device", 'PWM chips are found by device: "1f00098000.pwm" is the header of a Pi 5')
    device = table.text("device")
    if re.fullmatch(r"pwmchip\d+", device):
        raise table.error(
            f'`device` is "{device}", a number that moves between kernels',
            "`readlink /sys/class/pwm/pwmchip*/device` ends in the name; the header of a Pi 5 is 1f00098000.pwm",
            "device",
        )
    if device.startswith(SOFTWARE):
        raise table.error(
            f'`device` is "{device}", which is no device',
            'an output with line = 23 and pwm = "software" needs no PWM chip', "device",
        )  # fmt: skip
    if device == FAN:
        raise table.error(
            f"`device` is {FAN}, which drives the Pi's own fan: the kernel keeps the processor cool by it",
            "the PWM of the header is 1f00098000.pwm", "device",
        )  # fmt: skip
    known = known_pwm(device)
    if known is None and "channels" not in table:
        raise table.missing("channels", f'"{device}" isn\'t a PWM chip of a Pi: say how many channels it has')
    return PwmChip(name, device, table.integer("channels", 1, 64, known.channels if known else 0))
