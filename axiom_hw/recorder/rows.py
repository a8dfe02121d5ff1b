"""A recording as rows of a table: what happened when, on which hook, with the fields of its event."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from axiom_hw.recorder.entries import Event, Value
from axiom_hw.recorder.fields import fields_of
from axiom_hw.recorder.hook_names import wire_of
from axiom_hw.recorder.reading import Recording

Cell = int | list[int] | bytes

COLUMNS = ("time_ns", "kind", "hook", "name")  # before the fields


@dataclass(frozen=True, slots=True)
class Row:
    """One entry. `kind`: event, raised (by a program), level, read, written or set. `time_ns`: of its dispatch."""

    time_ns: int
    kind: str
    hook: str
    name: str
    fields: tuple[tuple[str, Cell], ...]


def rows_of(recording: Recording) -> Iterator[Row]:
    """All rows, in the order of the recording."""
    header = recording.header
    for entry in recording.entries:
        match entry:
            case Event():
                kind = "raised" if entry.is_caused else "event"
                name = header.name_of(wire_of(entry.key))
                yield Row(entry.time_ns, kind, str(entry.key), name, tuple(_cells(recording, entry)))
            case Value():
                name = header.name_of(entry.wire)
                yield Row(entry.time_ns, entry.what.value, entry.wire, name, (("value", entry.value),))
            case _:
                pass


def field_names(rows: list[Row]) -> tuple[str, ...]:
    """The fields that occur, in the order in which they do."""
    return tuple(dict.fromkeys(name for row in rows for name, _ in row.fields))


def _cells(recording: Recording, event: Event) -> Iterator[tuple[str, Cell]]:
    found = fields_of(recording, event)
    if not found:
        yield "ctx", event.ctx
        return
    length = next((value for name, value in found if name == "length" and isinstance(value, int)), None)
    for name, value in found:
        if name == "data" and isinstance(value, list) and length is not None:
            yield name, bytes(value[:length])
        else:
            yield name, value
