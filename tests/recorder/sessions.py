"""Recordings for the tests: written entry by entry, or of a session on a mock bench."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from hypothesis import strategies as st

from axiom_hw.events import Edge, GpioEvent
from axiom_hw.keys import GpioKey, HookKey, ServiceKey
from axiom_hw.recorder.blocks import pack_header
from axiom_hw.recorder.entries import Entry, Event, Value, What
from axiom_hw.recorder.header import Header, Wire, current_layouts, pack
from axiom_hw.recorder.hook_names import layout_of
from axiom_hw.recorder.reading import Recording, read_recording
from axiom_hw.recorder.stream import Stream

WIRES = (Wire("button", "gpio/0/line17", False), Wire("led", "gpio/0/line18", True))
HEADER = Header("0.1.0", "virtual", 0, 1_700_000_000_000_000_000, "desk", "00", 7, "interp", WIRES, current_layouts())


def written(path: Path, entries: Sequence[Entry], blocks: int = 1) -> Path:
    """A file of these entries, in so many blocks or a few less, closed in order."""
    stream = Stream(str(path), pack_header(pack(HEADER)), interval_s=3600)
    size = max(-(-len(entries) // blocks), 1)
    for at in range(0, len(entries), size):
        for entry in entries[at : at + size]:
            stream.add(entry)
        stream.flush()
    stream.close()
    return path


def recorded(path: Path, entries: Sequence[Entry], blocks: int = 1) -> Recording:
    """The same, read again."""
    return read_recording(str(written(path, entries, blocks)))


def press(time_ns: int, value: int, seqno: int, line: int = 17, lost: int = 0) -> Event:
    """An edge of the line."""
    edge = Edge.RISING if value else Edge.FALLING
    ctx = GpioEvent(time_ns, 0, line, edge, value, seqno, lost).pack()  # type: ignore[attr-defined]
    return Event(GpioKey(0, line, edge), ctx, time_ns, 0)


def keys() -> st.SearchStrategy[HookKey]:
    """Any key of any kind of hook that is recorded."""
    small = st.integers(0, 40)
    made = {
        "GpioKey": lambda kind: st.builds(kind, small, small, st.sampled_from(Edge)),
        "TimerKey": lambda kind: st.builds(kind, st.integers(1, 10**12), small),
    }
    pairs = lambda kind: st.builds(kind, small, small)  # noqa: E731
    single = lambda kind: st.builds(kind, small)  # noqa: E731
    kinds = [kind for kind in get_args(HookKey) if kind is not ServiceKey]
    return st.one_of([
        made[kind.__name__](kind) if kind.__name__ in made
        else (single if len([f for f in kind.__dataclass_fields__.values() if f.init]) == 1 else pairs)(kind)
        for kind in kinds
    ])  # fmt: skip


@st.composite
def entries(draw: st.DrawFn) -> list[Entry]:
    """Any entries: contexts of any bytes, times that mostly go on."""
    hooks = draw(st.lists(keys(), min_size=1, max_size=4))
    now, found = draw(st.integers(0, 2**62)), []
    for _ in range(draw(st.integers(0, 12))):
        now = max(now + draw(st.integers(-5, 10**10)), 0)
        if draw(st.booleans()):
            key = draw(st.sampled_from(hooks))
            size = layout_of(key).size if draw(st.integers(0, 9)) else draw(st.integers(0, 40))
            ctx = draw(st.binary(min_size=size, max_size=size))
            found.append(Event(key, ctx, now, draw(st.integers(0, 3)), draw(st.booleans())))
        else:
            what = draw(st.sampled_from(What))
            wire = f"gpio/0/line{draw(st.integers(0, 3))}"
            found.append(Value(wire, what, draw(st.integers(-200, 1)), now, draw(st.integers(0, 300))))
    return found
