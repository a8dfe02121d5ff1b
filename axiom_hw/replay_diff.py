"""What two programs made of one recording: where their maps, records, outputs and runs differ."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final

from axiom_hw.bpf.layout import Layout
from axiom_hw.recorder.reading import Recording
from axiom_hw.replay import MapContent, Outcome, Output, RingContent, Runs, outputs_of

_NOTHING: Final = "nothing"
_SHOWN: Final = 16  # bytes of a value that are shown as hexadecimal


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where two outcomes differ: `map presses[0]`, and what either has there."""

    place: str
    a: str
    b: str


def differences(a: Outcome, b: Outcome) -> tuple[Difference, ...]:
    """All of them: maps, records, outputs, then runs. Equal names are compared with one another."""
    return (
        *_maps(a.maps, b.maps),
        *_rings(a.rings, b.rings),
        *_outputs(a.outputs, b.outputs),
        *_runs(a.runs, b.runs),
    )


def differences_from_record(recording: Recording, outcome: Outcome) -> tuple[Difference, ...]:
    """What a program makes otherwise than was recorded: its outputs, and which maps differ; a file holds no more."""
    found = list(_outputs(outputs_of(recording.entries, recording.header), outcome.outputs))
    end = recording.end
    for name, digest in outcome.digests.items():
        before = end.maps.get(name, _NOTHING) if end is not None else digest
        if before != digest:
            found.append(Difference(f"map {name}", f"contents {before}", f"contents {digest}"))
    return tuple(found)


def _maps(a: Sequence[MapContent], b: Sequence[MapContent]) -> Iterator[Difference]:
    first, second = {one.name: one for one in a}, {one.name: one for one in b}
    for name in dict.fromkeys((*first, *second)):
        if name not in first or name not in second:
            yield Difference(f"map {name}", _has(name in first), _has(name in second))
            continue
        left, right = dict(first[name].entries), dict(second[name].entries)
        for key in sorted({*left, *right}):
            if left.get(key) != right.get(key):
                place = f"map {name}[{_value(key)}]"
                yield Difference(place, _value(left.get(key)), _value(right.get(key)))


def _rings(a: Sequence[RingContent], b: Sequence[RingContent]) -> Iterator[Difference]:
    first, second = {one.name: one for one in a}, {one.name: one for one in b}
    for name in dict.fromkeys((*first, *second)):
        if name not in first or name not in second:
            yield Difference(f"ring {name}", _has(name in first), _has(name in second))
            continue
        layout = first[name].layout or second[name].layout
        for at, (one, two) in enumerate(zip_longest(first[name].records, second[name].records)):
            left, right = (record[1] if record is not None else None for record in (one, two))
            if left != right:
                yield from _record(f"ring {name}, record {at}", left, right, layout)


def _record(place: str, a: bytes | None, b: bytes | None, layout: Layout | None) -> Iterator[Difference]:
    if layout is None or a is None or b is None or not len(a) == len(b) == layout.size:
        yield Difference(place, _told(a, layout), _told(b, layout))
        return
    for field in layout.fields:
        left, right = (one[field.offset : field.offset + field.size] for one in (a, b))
        if left != right:
            signed = field.scalar.signed
            yield Difference(f"{place}, {field.name}", _value(left, signed=signed), _value(right, signed=signed))


def _told(record: bytes | None, layout: Layout | None) -> str:
    if record is None or layout is None or len(record) != layout.size:
        return _value(record)
    fields = (f"{f.name} {_value(record[f.offset : f.offset + f.size], signed=f.scalar.signed)}" for f in layout.fields)
    return ", ".join(fields)


def _outputs(a: Sequence[Output], b: Sequence[Output]) -> Iterator[Difference]:
    """By output and time: what one program writes and the other doesn't shifts nothing behind it."""
    times: defaultdict[tuple[int, str], tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for side, outputs in enumerate((a, b)):
        for output in outputs:
            times[output.time_ns, output.name][side].append(output.value)
    for (time_ns, name), (left, right) in sorted(times.items()):
        for one, two in zip_longest(left, right):
            if one != two:
                yield Difference(f"output {name} at {time_ns / 1e9:.9f} s", _number(one), _number(two))


def _runs(a: Sequence[Runs], b: Sequence[Runs]) -> Iterator[Difference]:
    first, second = {(one.name, one.section): one for one in a}, {(one.name, one.section): one for one in b}
    for at in dict.fromkeys((*first, *second)):
        name = at[0]
        if at not in first or at not in second:
            yield Difference(f"program {name}", _counted(first.get(at)), _counted(second.get(at)))
            continue
        one, two = first[at], second[at]
        if _counted(one) != _counted(two):
            yield Difference(f"program {name}", _counted(one), _counted(two))
        pairs = enumerate(zip(one.returned, two.returned, strict=False), 1)
        for number, (left, right) in pairs:
            if left != right:
                yield Difference(f"program {name}, what run {number} returned", str(left), str(right))


def _counted(runs: Runs | None) -> str:
    if runs is None:
        return _NOTHING
    return f"{len(runs.returned) + len(runs.faults)} runs on {runs.section}, {len(runs.faults)} faults"


def _has(there: bool) -> str:
    return "there" if there else _NOTHING


def _number(value: int | None) -> str:
    return _NOTHING if value is None else "off" if value < 0 else str(value)


def _value(data: bytes | None, *, signed: bool = False) -> str:
    """A number where the size is one's, else hexadecimal."""
    if data is None:
        return _NOTHING
    if len(data) in (1, 2, 4, 8):
        return str(int.from_bytes(data, "little", signed=signed))
    return data[:_SHOWN].hex(" ", 4) + ("..." if len(data) > _SHOWN else "")
