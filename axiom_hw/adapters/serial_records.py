"""A stream of bytes to records: lines, COBS frames, or records of one size; what is damaged or too long is counted.

A record that comes out says how many bytes were dropped just before it. How the stream is cut into pieces makes no
difference. COBS: Cheshire and Baker, "Consistent Overhead Byte Stuffing", 1999.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol, assert_never

from axiom_hw.board.serial import RECORD_MAX, Checksum, Framing, SerialPort

_LF: Final = b"\n"
_ZERO: Final = b"\0"
CRC_LENGTH: Final = 2


@dataclass(frozen=True, slots=True)
class Record:
    """What came in, and how many bytes were dropped since the record before."""

    data: bytes
    lost: int


class Framer(Protocol):
    """Makes records of a stream.

    Synchronization: one thread at a time.
    """

    def feed(self, data: bytes) -> Iterator[Record]:
        """The records that these bytes complete."""
        ...

    def gap(self, dropped: int) -> None:
        """Bytes are missing here, so many as far as is known: what has begun can't be completed."""
        ...

    def fresh(self) -> None:
        """A new connection: what comes now may be the beginning of a record."""
        ...

    @property
    def lost(self) -> int:
        """Bytes that were dropped so far, over all."""
        ...


class Losses:
    """Bytes that were dropped: over all, and since the last record.

    Synchronization: one thread at a time.
    """

    def __init__(self) -> None:
        self.total = 0
        self._recent = 0

    def add(self, count: int) -> None:
        """So many more."""
        self.total += count
        self._recent += count

    def record(self, data: bytes) -> Record:
        """A record, with what was dropped just before it."""
        recent, self._recent = self._recent, 0
        return Record(data, recent)


class Delimited:
    """Records that end in a byte. `decode` makes a record of what lies before it, or None where that is damaged.

    Longer ones than `limit` are dropped up to their end. Nothing between two ends is no record.

    Synchronization: one thread at a time.
    """

    def __init__(self, end: bytes, limit: int, decode: Callable[[bytes], bytes | None]) -> None:
        self._end = end
        self._limit = limit
        self._decode = decode
        self._begun = bytearray()
        self._skipping = False  # what comes up to the next end belongs to a record that is dropped
        self._losses = Losses()

    def feed(self, data: bytes) -> Iterator[Record]:
        """See `Framer.feed`."""
        *ended, rest = data.split(self._end)
        for piece in ended:
            self._take(piece)
            raw, skipped = bytes(self._begun), self._skipping
            self._begun.clear()
            self._skipping = False
            if skipped or not raw:
                continue
            found = self._decode(raw)
            if found is None:
                self._losses.add(len(raw))
            elif found:
                yield self._losses.record(found)
        self._take(rest)

    def gap(self, dropped: int) -> None:
        """See `Framer.gap`."""
        self._losses.add(len(self._begun) + dropped)
        self._begun.clear()
        self._skipping = True

    def fresh(self) -> None:
        """See `Framer.fresh`."""
        self._skipping = False

    @property
    def lost(self) -> int:
        """See `Framer.lost`."""
        return self._losses.total

    def _take(self, piece: bytes) -> None:
        if self._skipping:
            self._losses.add(len(piece))
            return
        self._begun += piece
        if len(self._begun) > self._limit:
            self._losses.add(len(self._begun))
            self._begun.clear()
            self._skipping = True


class Fixed:
    """Records of `size` bytes. With `sync` each begins with these bytes, and what doesn't is dropped until one does.

    Synchronization: one thread at a time.
    """

    def __init__(self, size: int, sync: bytes, decode: Callable[[bytes], bytes | None]) -> None:
        self._size = size
        self._sync = sync
        self._decode = decode
        self._begun = bytearray()
        self._losses = Losses()

    def feed(self, data: bytes) -> Iterator[Record]:
        """See `Framer.feed`."""
        self._begun += data
        while True:
            self._find_start()
            if len(self._begun) < self._size:
                return
            found = self._decode(bytes(self._begun[: self._size]))
            if found is not None:
                del self._begun[: self._size]
                yield self._losses.record(found)
            else:  # with `sync` the next start may lie within; without, all that is known is the size
                dropped = 1 if self._sync else self._size
                del self._begun[:dropped]
                self._losses.add(dropped)

    def gap(self, dropped: int) -> None:
        """See `Framer.gap`."""
        self._losses.add(len(self._begun) + dropped)
        self._begun.clear()

    def fresh(self) -> None:
        """See `Framer.fresh`."""

    @property
    def lost(self) -> int:
        """See `Framer.lost`."""
        return self._losses.total

    def _find_start(self) -> None:
        """Drop what can't be the beginning of a record."""
        if not self._sync:
            return
        at = self._begun.find(self._sync)
        if at < 0:  # the start may be cut in two
            kept = next((n for n in range(len(self._sync) - 1, 0, -1) if self._begun.endswith(self._sync[:n])), 0)
            at = len(self._begun) - kept
        del self._begun[:at]
        self._losses.add(at)


def framer_of(port: SerialPort) -> Framer:
    """What makes records of a port's bytes."""
    match port.framing:
        case Framing.LINE:
            nmea = port.checksum is Checksum.NMEA
            return Delimited(_LF, RECORD_MAX + 1, lambda raw: _line(raw, nmea))
        case Framing.COBS:
            crc = CRC_LENGTH if port.checksum is Checksum.CRC16 else 0
            return Delimited(_ZERO, RECORD_MAX + crc + 1, lambda raw: _frame(raw, bool(crc)))
        case Framing.FIXED:
            checked = port.checksum is Checksum.CRC16
            return Fixed(port.size, port.sync, lambda raw: _checked(raw) if checked else raw)
        case _:
            assert_never(port.framing)


def cobs_encode(data: bytes) -> bytes:
    """A frame without zeros, and without the zero that ends it."""
    out = bytearray()
    blocks = data.split(_ZERO)
    for last, block in ((at == len(blocks) - 1, block) for at, block in enumerate(blocks)):
        while len(block) >= 254:
            out += b"\xff" + block[:254]
            block = block[254:]
            if not block and last:
                return bytes(out)
        out += bytes([len(block) + 1]) + block
    return bytes(out)


def cobs_decode(frame: bytes) -> bytes | None:
    """The inverse of `cobs_encode`; None for what it never makes."""
    out = bytearray()
    at = 0
    while at < len(frame):
        code = frame[at]
        block = frame[at + 1 : at + code]
        if code == 0 or len(block) != code - 1 or _ZERO in block:
            return None
        out += block
        at += code
        if code < 255 and at < len(frame):
            out += _ZERO
    return bytes(out)


def nmea_valid(line: bytes) -> bool:
    """Whether a line is `$...*hh` or `!...*hh`, with the exclusive or of what lies between (NMEA 0183)."""
    if len(line) < 4 or line[:1] not in (b"$", b"!") or line[-3:-2] != b"*":
        return False
    total = 0
    for byte in line[1:-3]:
        total ^= byte
    return line[-2:].upper() == b"%02X" % total


def with_crc(data: bytes) -> bytes:
    """A frame with its checksum behind it: CRC-16/CCITT-FALSE, high byte first."""
    return data + binascii.crc_hqx(data, 0xFFFF).to_bytes(CRC_LENGTH, "big")


def _line(raw: bytes, nmea: bool) -> bytes | None:
    line = raw.removesuffix(b"\r")
    if len(line) > RECORD_MAX or (nmea and line and not nmea_valid(line)):
        return None
    return line


def _frame(raw: bytes, crc: bool) -> bytes | None:
    data = cobs_decode(raw)
    if data is not None and crc:
        data = _checked(data)
    return data if data is None or len(data) <= RECORD_MAX else None


def _checked(raw: bytes) -> bytes | None:
    data = raw[:-CRC_LENGTH]
    return data if data and with_crc(data) == raw else None
