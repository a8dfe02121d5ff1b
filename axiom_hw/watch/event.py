"""What a firing of a watcher tells."""

from __future__ import annotations

from typing import Final, cast

from axiom_hw.bpf.layout import Layout, Struct, layout, s64, u32, u64


@layout(size=40, frozen=True)
class WatchEvent:
    """A watcher fired."""

    timestamp_ns: u64  # of the event
    value: s64  # the number that was looked at; of a u64, its bits
    previous: s64  # of a level: the number of the event before; of a change: what it was compared with
    watcher: u32  # its id in the application
    became: u32  # 1 the condition became true, 0 it ended
    coalesced: u32  # firings before this one, since the last that was told, that nobody was told of
    reserved: u32  # 0


EVENT: Final[Layout] = cast(type[Struct], WatchEvent).LAYOUT
EVENT_FIELDS: Final = {field.name: field for field in EVENT.fields}
