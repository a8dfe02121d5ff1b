"""Entries to bytes and back, as docs/record-and-replay.md defines them.

Numbers are varints (7 bits a byte, least first, as in protobuf), signed ones in zigzag. A field of an event is stored
as its difference to that field in the event before on the same hook, so that most are one byte 0, and a block is
decodable by itself but for the notes before it.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from axiom_hw.bpf.layout import Layout
from axiom_hw.errors import RecordingError
from axiom_hw.keys import HookKey
from axiom_hw.recorder.entries import End, Entry, Event, Program, RingCount, Stopped, Value, What
from axiom_hw.recorder.hook_names import key_of, layout_of

EVENT, CAUSED, VALUE, NOTE = range(4)  # the low two bits of an entry's first number
_STAMP: Final = "timestamp_ns"  # this field is stored as its difference to the entry's time


@dataclass(slots=True)
class Shape:
    """How the contexts of one hook are cut into numbers. None of a field means bytes as they are."""

    size: int
    codec: struct.Struct | None  # None: the whole context as bytes
    stamp: int  # the place of the time stamp, or -1
    previous: Sequence[Any] = ()

    @classmethod
    def of(cls, layout: Layout | None, size: int) -> Shape:
        """Of a layout without gaps; of anything else the bytes as they are."""
        if layout is None or layout.size != size or sum(f.size for f in layout.fields) != size:
            return cls(size, None, -1)
        codes = "".join(f"{f.count}s" if f.count and f.scalar.size == 1 else f.code for f in layout.fields)
        first = layout.fields[0]
        return cls(size, struct.Struct("<" + codes), 0 if first.name == _STAMP and not first.count else -1)

    def restart(self) -> None:
        """A block begins: nothing came before."""
        self.previous = () if self.codec is None else self.codec.unpack(bytes(self.size))


class Encoder:
    """Entries of one file to the contents of its blocks.

    Synchronization: one thread at a time.
    """

    def __init__(self) -> None:
        self._hooks: dict[tuple[HookKey, int], tuple[int, Shape]] = {}
        self._wires: dict[tuple[str, What], int] = {}
        self._slot = 0

    def block(self, entries: Iterable[Entry]) -> bytes:
        """The content of one block."""
        out, time_ns = bytearray(), 0
        for _, shape in self._hooks.values():
            shape.restart()
        for entry in entries:
            match entry:
                case Event():
                    self._event(out, entry, time_ns)
                    time_ns = entry.time_ns
                case Value():
                    self._value(out, entry, time_ns)
                    time_ns = entry.time_ns
                case Program():
                    _note(out, {"program": {
                        "name": entry.name, "section": entry.section, "digest": entry.digest, "keys": entry.keys,
                        "priority": entry.priority, "maps": dict(entry.maps),
                    }})  # fmt: skip
                case Stopped():
                    _note(out, {"stopped": entry.time_ns})
                case End():
                    rings = {name: {"dropped": ring.dropped} for name, ring in entry.rings.items()}
                    _note(out, {"end": {"time_ns": entry.time_ns, "maps": dict(entry.maps), "rings": rings}})
        return bytes(out)

    def _event(self, out: bytearray, event: Event, before_ns: int) -> None:
        found = self._hooks.get((event.key, len(event.ctx)))
        if found is None:
            found = self._define(out, event)
        number, shape = found
        if event.slot != self._slot:
            self._slot = event.slot
            _note(out, {"slot": event.slot})
        _put(out, number << 2 | (CAUSED if event.is_caused else EVENT))
        _put(out, _zigzag(event.time_ns - before_ns))
        if shape.codec is None:
            out += event.ctx
            return
        numbers = shape.codec.unpack(event.ctx)
        for place, (now, before) in enumerate(zip(numbers, shape.previous, strict=True)):
            if place == shape.stamp:
                _put(out, _zigzag(now - event.time_ns))
            elif type(now) is bytes:
                out += now
            elif now == before:
                out.append(0)
            else:
                _put(out, _zigzag(now - before))
        shape.previous = numbers

    def _define(self, out: bytearray, event: Event) -> tuple[int, Shape]:
        layout = layout_of(event.key)
        shape = Shape.of(layout, len(event.ctx))
        shape.restart()
        found = self._hooks[event.key, len(event.ctx)] = (len(self._hooks), shape)
        name = layout.name if shape.codec is not None else None
        _note(out, {"hook": found[0], "key": str(event.key), "layout": name, "size": len(event.ctx)})
        return found

    def _value(self, out: bytearray, value: Value, before_ns: int) -> None:
        number = self._wires.get((value.wire, value.what))
        if number is None:
            number = self._wires[value.wire, value.what] = len(self._wires)
            _note(out, {"wire": number, "name": value.wire, "what": value.what.value})
        _put(out, number << 2 | VALUE)
        _put(out, _zigzag(value.time_ns - before_ns))
        _put(out, value.after)
        _put(out, _zigzag(value.value))


class Decoder:
    """The reverse. `layouts` are those of the file's header: contexts are cut as they were when it was written."""

    def __init__(self, layouts: dict[str, Layout]) -> None:
        self._layouts = layouts
        self._hooks: dict[int, tuple[HookKey, Shape]] = {}
        self._wires: dict[int, tuple[str, What]] = {}
        self._slot = 0

    def block(self, raw: bytes) -> Iterator[Entry]:
        """The entries of one block. Raises `RecordingError` for what no block holds."""
        time_ns, at = 0, 0
        for _, shape in self._hooks.values():
            shape.restart()
        try:
            while at < len(raw):
                head, at = _get(raw, at)
                kind, number = head & 3, head >> 2
                if kind == NOTE:
                    found = self._note(json.loads(raw[at : at + number]))
                    at += number
                    if found is not None:
                        yield found
                    continue
                delta, at = _get(raw, at)
                time_ns += _signed(delta)
                if kind == VALUE:
                    wire, what = self._wires[number]
                    after, at = _get(raw, at)
                    value, at = _get(raw, at)
                    yield Value(wire, what, _signed(value), time_ns, after)
                    continue
                key, shape = self._hooks[number]
                ctx, at = _ctx(raw, at, shape, time_ns)
                yield Event(key, ctx, time_ns, self._slot, kind == CAUSED)
        except (IndexError, KeyError, ValueError, TypeError, struct.error) as error:
            if isinstance(error, RecordingError):
                raise
            raise RecordingError(f"byte {at} of a block", f"isn't an entry ({type(error).__name__}: {error})") from None

    def _note(self, note: dict[str, Any]) -> Entry | None:
        match note:
            case {"hook": int(number), "key": str(text), "layout": name, "size": int(size)}:
                shape = Shape.of(self._layouts[name] if name is not None else None, size)
                shape.restart()
                self._hooks[number] = (key_of(text), shape)
            case {"wire": int(number), "name": str(name), "what": str(what)}:
                self._wires[number] = (name, What(what))
            case {"stopped": int(time_ns)}:
                return Stopped(time_ns)
            case {"slot": int(slot)}:
                self._slot = slot
            case {"program": told}:
                return Program(
                    told["name"], told["section"], told["digest"], tuple(told["keys"]), told["priority"], told["maps"]
                )
            case {"end": told}:
                rings = {name: RingCount(ring["dropped"]) for name, ring in told["rings"].items()}
                return End(told["time_ns"], told["maps"], rings)
            case _:
                pass  # of a later version that adds notes
        return None


def _ctx(raw: bytes, at: int, shape: Shape, time_ns: int) -> tuple[bytes, int]:
    if shape.codec is None:
        return _piece(raw, at, shape.size), at + shape.size
    numbers: list[Any] = []
    for place, before in enumerate(shape.previous):
        if isinstance(before, bytes):
            numbers.append(_piece(raw, at, len(before)))
            at += len(before)
            continue
        delta, at = _get(raw, at)
        numbers.append(_signed(delta) + (time_ns if place == shape.stamp else before))
    shape.previous = numbers
    return shape.codec.pack(*numbers), at


def _piece(raw: bytes, at: int, size: int) -> bytes:
    if at + size > len(raw):
        raise IndexError("cut short")
    return raw[at : at + size]


def _note(out: bytearray, note: dict[str, Any]) -> None:
    text = json.dumps(note, separators=(",", ":")).encode()
    _put(out, len(text) << 2 | NOTE)
    out += text


def _zigzag(number: int) -> int:
    return number << 1 if number >= 0 else (-number << 1) - 1


def _signed(number: int) -> int:
    return number >> 1 if not number & 1 else -((number + 1) >> 1)


def _put(out: bytearray, number: int) -> None:
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)


def _get(raw: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = raw[at]
        at += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, at
        shift += 7
