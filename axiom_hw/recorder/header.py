"""What a recording says of itself: the bench, the clock, and how its contexts are laid out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from enum import Enum
from types import MappingProxyType
from typing import Any, Final

from axiom_hw.board import Board, InputLine, OutputLine
from axiom_hw.bpf.layout import S8, S16, S32, S64, U8, U16, U32, U64, Field, Layout
from axiom_hw.errors import RecordingError
from axiom_hw.events import HOOKS

_SCALARS: Final = {scalar.name: scalar for scalar in (U8, U16, U32, U64, S8, S16, S32, S64)}


@dataclass(frozen=True, slots=True)
class Wire:
    """A name of the board for a wire, channel or port: `button` for `gpio/0/line17`. An output is driven by us."""

    name: str
    path: str
    is_output: bool
    active_low: bool = False  # a value of 1 is a low level


@dataclass(frozen=True, slots=True)
class Header:
    """Written before the first event.

    `clock` is "virtual" or "monotonic"; `start_ns` its time, and `start_realtime_ns` that of the wall clock, then.
    `board` is the board file's name, "" where there was none; `board_digest` is of what it declares.
    """

    version: str  # of the package that recorded
    clock: str
    start_ns: int
    start_realtime_ns: int
    board: str
    board_digest: str
    seed: int
    engine: str
    wires: tuple[Wire, ...]
    layouts: Mapping[str, Layout]

    def name_of(self, path: str) -> str:
        """The board's name for a wire, or its path."""
        wire = self.wire(path)
        return wire.name if wire is not None else path

    def wire(self, path: str) -> Wire | None:
        """What the board says of a wire; None where it says nothing."""
        return next((wire for wire in self.wires if wire.path == path), None)


def board_digest(board: Board) -> str:
    """A digest of all that a board declares, but for where its file lies."""
    return hashlib.sha256(repr(_plain(replace(board, source=""))).encode()).hexdigest()


def wires_of(board: Board | None) -> tuple[Wire, ...]:
    """The names of a board's lines and channels."""
    if board is None:
        return ()
    both: tuple[InputLine | OutputLine, ...] = (*board.inputs, *board.output_lines)
    lines = (
        Wire(line.name, f"gpio/{line.chip_id}/line{line.line}", isinstance(line, OutputLine), line.active_low)
        for line in both
    )
    channels = (Wire(row.name, f"pwm/{row.chip_id}/channel{row.channel}", True) for row in board.pwm_channels)
    return (*lines, *channels, *_sensors(board))


def _sensors(board: Board) -> Iterator[Wire]:
    for number, device in enumerate(board.iio):
        yield Wire(device.name, f"scan/{number}", False)
        for at, channel in enumerate(device.channels):
            yield Wire(f"{device.name}.{channel}", f"iio/{number}/{at}", False)
    for number, sensor in enumerate(board.sensors):
        for at, one in enumerate(sensor.channels):
            yield Wire(f"{sensor.name}.{one.name}", f"i2c/{number}/{at}", False)
    for number, port in enumerate(board.serial_ports):
        yield Wire(port.name, f"serial/{number}", False)


def current_layouts() -> Mapping[str, Layout]:
    """The contexts of this version, by name."""
    return MappingProxyType({layout.name: layout for layout in HOOKS.values()})


def pack(header: Header) -> bytes:
    """As JSON, in UTF-8."""
    told = {
        "version": header.version, "clock": header.clock, "start_ns": header.start_ns,
        "start_realtime_ns": header.start_realtime_ns, "seed": header.seed, "engine": header.engine,
        "board": {"name": header.board, "digest": header.board_digest},
        "wires": [
            [wire.name, wire.path, "output" if wire.is_output else "input", int(wire.active_low)]
            for wire in header.wires
        ],
        "layouts": {
            one.name: {"size": one.size, "fields": [[f.name, f.offset, f.scalar.name, f.count] for f in one.fields]}
            for one in header.layouts.values()
        },
    }  # fmt: skip
    return json.dumps(told, separators=(",", ":")).encode()


def unpack(text: bytes, name: str) -> Header:
    """The reverse. Raises `RecordingError` for a header that lacks something."""
    try:
        told = json.loads(text)
        layouts = {name: _layout(name, row) for name, row in told["layouts"].items()}
        wires = tuple(Wire(name, path, kind == "output", bool(low)) for name, path, kind, low in told["wires"])
        return Header(
            told["version"], told["clock"], told["start_ns"], told["start_realtime_ns"], told["board"]["name"],
            told["board"]["digest"], told["seed"], told["engine"], wires, MappingProxyType(layouts),
        )  # fmt: skip
    except (ValueError, KeyError, TypeError) as error:
        raise RecordingError(
            name, f"has a header that can't be read ({type(error).__name__}: {error})", "take another copy"
        ) from None


def _layout(name: str, row: dict[str, Any]) -> Layout:
    rows = tuple(Field(field, offset, _SCALARS[kind], count) for field, offset, kind, count in row["fields"])
    return Layout(name, row["size"], rows)


def _plain(value: object) -> object:
    """Values whose `repr` is the same on every machine and in every version of Python."""
    if isinstance(value, Enum):
        return value.name
    if is_dataclass(value):
        return [type(value).__name__, *((f.name, _plain(getattr(value, f.name))) for f in fields(value))]
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    if isinstance(value, Mapping):
        return sorted((str(key), repr(_plain(one))) for key, one in value.items())
    return value
