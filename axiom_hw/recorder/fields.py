"""The fields of recorded events, by the layouts that the file itself holds."""

from __future__ import annotations

import struct
from functools import cache

from axiom_hw.bpf.layout import Layout
from axiom_hw.recorder.entries import Event
from axiom_hw.recorder.hook_names import layout_of
from axiom_hw.recorder.reading import Recording

Number = int | list[int]


def fields_of(recording: Recording, event: Event) -> list[tuple[str, Number]]:
    """Names and values, in order; none where the context isn't as the file's layout says."""
    layout = recording.header.layouts.get(layout_of(event.key).name)
    if layout is None or layout.size != len(event.ctx):
        return []
    numbers = _packer(layout.format).unpack(event.ctx)
    return list(zip(_names(layout), layout.values(numbers), strict=True))


@cache
def _packer(text: str) -> struct.Struct:
    return struct.Struct(text)


@cache
def _names(layout: Layout) -> tuple[str, ...]:
    return tuple(field.name for field in layout.fields)
