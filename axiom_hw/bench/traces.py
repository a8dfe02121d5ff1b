"""Recorded traces as points of time and value: from a table (CSV), or from a recording of a run (.axr)."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Final, cast

from axiom_hw.bpf.layout import Struct
from axiom_hw.errors import SpecError
from axiom_hw.events import I2cEvent, IioEvent, ScanEvent
from axiom_hw.keys import I2cKey, IioKey, ScanKey

_UNITS_NS: Final = {"time_ns": 1, "time_us": 1_000, "time_ms": 1_000_000, "time_s": 1_000_000_000}

Points = list[tuple[int, float]]


def read_trace(file: str | os.PathLike[str], channel: str, column: str = "") -> Points:
    """The points of one channel, `imu/accel_x`; times count from the first line, or from the recording's start.

    A CSV file has a header: `time_s` (or `_ms`, `_us`, `_ns`), and `column`, or else the channel's name; with two
    columns the other one is meant. Raises `SpecError` for what can't be read.
    """
    path = os.fspath(file)
    return _recorded(path, channel) if path.endswith(".axr") else _table(path, channel, column)


def _table(path: str, channel: str, column: str) -> Points:
    try:
        rows = list(csv.reader(Path(path).read_text(encoding="utf-8").splitlines()))
    except OSError as error:
        raise SpecError(path, f"can't be read: {error.strerror}", "check the path") from None
    head = [cell.strip() for cell in rows[0]] if rows else []
    times = [name for name in head if name in _UNITS_NS]
    if not times:
        raise SpecError(f"{path}:1", f"names no column of times; it has {', '.join(head) or 'none'}",
                        f"call it one of {', '.join(_UNITS_NS)}")  # fmt: skip
    at_time = head.index(times[0])
    others = [name for name in head if name != times[0]]
    named = [name for name in ((column,) if column else (channel, channel.rpartition("/")[2])) if name in others]
    if not named and (column or len(others) != 1):
        raise SpecError(f"{path}:1", f"has no column {column or channel}; it has {', '.join(others) or 'none'}",
                        'say which: trace(FILE, column="...")')  # fmt: skip
    at_value = head.index(named[0] if named else others[0])
    found: Points = []
    for number, row in enumerate(rows[1:], 2):
        if not row:
            continue
        try:
            found.append((round(float(row[at_time]) * _UNITS_NS[times[0]]), float(row[at_value])))
        except (IndexError, ValueError):
            raise SpecError(f"{path}:{number}", f"{','.join(row)!r} isn't a time and a number") from None
    begin_ns = found[0][0] if found else 0
    return [(time_ns - begin_ns, value) for time_ns, value in found]


def _recorded(path: str, channel: str) -> Points:
    from axiom_hw.recorder.reading import read_recording

    recording = read_recording(path)
    wires = {wire.name: wire.path for wire in recording.header.wires if wire.path.startswith(("iio/", "i2c/"))}
    wire = wires.get(channel.replace("/", "."))
    if wire is None:
        there = ", ".join(sorted(name.replace(".", "/") for name in wires)) or "none"
        raise SpecError(path, f"has no channel {channel}; it has {there}")
    kind, device, place = wire.split("/")
    found: dict[int, float] = {}
    for event in recording.events:
        match event.key:
            case IioKey(edge=None) | I2cKey() if str(event.key) == wire:
                sample = cast(type[Struct], IioEvent if kind == "iio" else I2cEvent).unpack(event.ctx)
                found[event.time_ns - recording.header.start_ns] = cast(IioEvent | I2cEvent, sample).micro / 1e6
            case ScanKey() if kind == "iio" and event.key.device_id == int(device):
                scan = cast(ScanEvent, cast(type[Struct], ScanEvent).unpack(event.ctx))
                found[event.time_ns - recording.header.start_ns] = scan.micro[int(place)] / 1e6
            case _:
                pass
    if not found:
        raise SpecError(path, f"has no sample of {channel}", "record a run in which a program reads it")
    return sorted(found.items())
