"""A recording, read: its header, its entries as far as they are whole, and what is lost of a damaged file."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from axiom_hw.errors import RecordingError
from axiom_hw.recorder.blocks import Block, Damage, unpack_blocks, unpack_header
from axiom_hw.recorder.codec import Decoder
from axiom_hw.recorder.entries import End, Entry, Event, Program, Stopped, Value
from axiom_hw.recorder.header import Header, unpack


@dataclass(frozen=True, slots=True)
class Recording:
    """What a file holds. `damage` is why it ends before its end; None for one that was closed in order."""

    name: str
    header: Header
    entries: tuple[Entry, ...]
    damage: Damage | None
    size_bytes: int
    header_bytes: int

    @property
    def events(self) -> tuple[Event, ...]:
        """All events, in the order in which they were dispatched; consequences stand behind their causes."""
        return tuple(entry for entry in self.entries if isinstance(entry, Event))

    @property
    def values(self) -> tuple[Value, ...]:
        """What programs read, and what was written to outputs."""
        return tuple(entry for entry in self.entries if isinstance(entry, Value))

    @property
    def programs(self) -> tuple[Program, ...]:
        """The programs that were attached, in that order."""
        return tuple(entry for entry in self.entries if isinstance(entry, Program))

    @property
    def end(self) -> End | None:
        """How the run ended; None where the file doesn't hold it."""
        return next((entry for entry in reversed(self.entries) if isinstance(entry, End)), None)

    @property
    def end_ns(self) -> int:
        """The time at which the programs were detached, or of the last entry."""
        for entry in reversed(self.entries):
            if isinstance(entry, Stopped):
                return entry.time_ns
        times = (entry.time_ns for entry in self.entries if isinstance(entry, Event | Value))
        return max(times, default=self.header.start_ns)

    def counts(self) -> Counter[str]:
        """Events by hook, `gpio/0/line17/rising`."""
        return Counter(str(event.key) for event in self.events)


def read_recording(path: str) -> Recording:
    """Read a file, up to its last whole block. Raises `RecordingError` for what is no recording at all."""
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        raise RecordingError(path, "there is no such file", "check the path; recordings are made by --record") from None
    except OSError as error:
        raise RecordingError(path, f"can't be read: {error.strerror}") from None
    return parse_recording(data, path)


def parse_recording(data: bytes, name: str) -> Recording:
    """The same from the content of a file; `name` is what errors call it."""
    text, at = unpack_header(data, name)
    header = unpack(text, name)
    decoder = Decoder(dict(header.layouts))
    entries: list[Entry] = []
    damage: Damage | None = None
    for found in unpack_blocks(data, at):
        match found:
            case Block():
                try:
                    entries += decoder.block(found.raw)
                except RecordingError as error:
                    raise RecordingError(f"{name}, block at byte {found.offset}", str(error)) from None
            case Damage():
                damage = found
    return Recording(name, header, tuple(entries), damage, len(data), at)


def told_damage(recording: Recording) -> str:
    """What is lost of a recording, as a sentence; "" for a whole one."""
    damage = recording.damage
    if damage is None:
        return ""
    if not damage.lost_bytes:
        return f"{recording.name}: {damage.problem}; it ends after {len(recording.events)} events"
    known = f", {damage.events} events" if damage.events else ""
    return (
        f"{recording.name}: at byte {damage.offset}, {damage.problem}; from there on {damage.lost_bytes} bytes{known} "
        f"are lost; {len(recording.events)} events before it are whole"
    )
