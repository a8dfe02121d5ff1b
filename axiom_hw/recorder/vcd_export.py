"""A recording as a Value Change Dump (IEEE 1364, 18.2), for PulseView and GTKWave.

A GPIO line is a wire of one bit and shows its *level*, as a logic analyser would; the fields of every other hook are
variables in a scope of its name. A value in millionths of a unit becomes a real. Time is in ns since the recording's
beginning.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from axiom_hw.events import Edge
from axiom_hw.keys import GpioKey
from axiom_hw.recorder.entries import Event, Value, What
from axiom_hw.recorder.fields import Number, fields_of
from axiom_hw.recorder.hook_names import layout_of, wire_of
from axiom_hw.recorder.reading import Recording

_LEFT_OUT: Final = ("timestamp_ns", "chip_id", "channel", "device_id", "sensor_id", "port_id", "reserved")
_MICRO: Final = "micro"


@dataclass(frozen=True, slots=True)
class _Change:
    """One variable takes a value at a time; `make` registers it, when it is met first."""

    time_ns: int
    scope: str
    name: str
    value: object
    kind: str
    bits: int


def to_vcd(recording: Recording) -> bytes:
    """The text of the file."""
    from vcd import VCDWriter

    header = recording.header
    out = io.StringIO()
    began = datetime.fromtimestamp(header.start_realtime_ns / 1e9, UTC)
    writer: Any = VCDWriter(
        out, timescale="1 ns", date=began.isoformat(), version=f"axiom_hw {header.version}",
        comment=f"{recording.name}, board {header.board or 'none'}; 0 is {header.start_ns} ns, {header.clock}",
    )  # fmt: skip
    changes = sorted(_changes(recording), key=lambda change: change.time_ns)
    variables: dict[tuple[str, str], Any] = {}
    for change in changes:
        at = (change.scope, change.name)
        if at not in variables:
            init: object = {"wire": "x", "real": 0.0, "string": ""}.get(change.kind, "x")
            variables[at] = writer.register_var(change.scope, change.name, change.kind, change.bits, init=init)
    for change in changes:
        writer.change(variables[change.scope, change.name], change.time_ns, change.value)
    writer.close(max(recording.end_ns - header.start_ns, changes[-1].time_ns if changes else 0))
    return out.getvalue().encode()


def _changes(recording: Recording) -> Iterator[_Change]:
    start_ns = recording.header.start_ns
    for entry in recording.entries:
        match entry:
            case Event(key=GpioKey() as key):
                values = dict(fields_of(recording, entry))
                value = values.get("value", int(key.edge is Edge.RISING))
                stamp = values.get("timestamp_ns", entry.time_ns)
                assert isinstance(stamp, int)
                yield _wire(recording, wire_of(key), value, stamp - start_ns)
            case Event():
                yield from _fields(recording, entry)
            case Value(what=What.LEVEL | What.WRITTEN | What.SET | What.READ) if entry.value >= 0:
                yield _wire(recording, entry.wire, entry.value, entry.time_ns - start_ns)
            case _:
                pass


def _wire(recording: Recording, path: str, value: Number, time_ns: int) -> _Change:
    wire = recording.header.wire(path)
    name = wire.name if wire is not None else path.replace("/", "_")
    assert isinstance(value, int)
    level = value ^ (wire.active_low if wire is not None else False)
    return _Change(max(time_ns, 0), "gpio", name, int(level), "wire", 1)


def _fields(recording: Recording, event: Event) -> Iterator[_Change]:
    layout = layout_of(event.key)
    path = wire_of(event.key)
    named = recording.header.name_of(path)
    scope = path.replace("/", "_") if named == path else f"{path.partition('/')[0]}_{named}"
    found = fields_of(recording, event)
    stamp = dict(found).get("timestamp_ns", event.time_ns)
    assert isinstance(stamp, int)
    time_ns = max(stamp - recording.header.start_ns, 0)
    bits = {field.name: (8 * field.scalar.size, field.scalar.size == 1) for field in layout.fields}
    for name, value in found:
        if name in _LEFT_OUT:
            continue
        size, is_bytes = bits.get(name, (64, False))
        if isinstance(value, list) and is_bytes:
            length = dict(found).get("length", len(value))
            assert isinstance(length, int)
            text = bytes(value[:length]).decode("latin-1").replace(" ", "\\x20")
            yield _Change(time_ns, scope, name, "".join(c if c.isprintable() else "." for c in text), "string", 1)
            continue
        for number, one in _each(value):
            label = f"{name}{number}"
            if name == _MICRO:
                yield _Change(time_ns, scope, f"value_in_units{number}", one / 1e6, "real", 64)
            else:
                yield _Change(time_ns, scope, label, one & ((1 << size) - 1), "integer", size)


def _each(value: Number) -> Iterator[tuple[str, int]]:
    if isinstance(value, int):
        yield "", value
        return
    for number, one in enumerate(value):
        yield f"_{number}", one
