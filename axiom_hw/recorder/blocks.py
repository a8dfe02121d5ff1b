"""The frames of a recording: a header, then blocks, each with its length and checksum.

    file   = magic, version u16, byte order u8, 0 u8, length u32, crc u32, header as JSON; blocks
    block  = "AXRB", compression u8, flags u8, 0 u16, stored u32, raw u32, first event u64, events u32, crc u32, content

All numbers are little-endian. A crc is CRC-32 (zlib's) of all that stands before it in its frame, and of what follows.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from axiom_hw.errors import RecordingError

MAGIC: Final = b"\x89AXR\r\n\x1a\n"  # as PNG's: a copy that changed line ends, or lost the eighth bit, is noticed
VERSION: Final = 1
LITTLE_ENDIAN: Final = 1
LAST: Final = 1  # flag of a block: the recording was closed behind it
STORED, DEFLATED = 0, 1

_FILE: Final = struct.Struct("<8sHBxI")
_BLOCK: Final = struct.Struct("<4sBBxxIIQI")
_CRC: Final = struct.Struct("<I")
_MARK: Final = b"AXRB"
FILE_BYTES: Final = _FILE.size + _CRC.size
BLOCK_BYTES: Final = _BLOCK.size + _CRC.size
_LEVEL: Final = 6
_CUT: Final = "the file ends within a block"
_CHANGED: Final = "the block isn't what was written: its checksum is another"


@dataclass(frozen=True, slots=True)
class Block:
    """One block of a file: where it begins, the number of its first event, and its content, unpacked."""

    offset: int
    first: int
    events: int
    is_last: bool
    raw: bytes


@dataclass(frozen=True, slots=True)
class Damage:
    """Where a file stops making sense, why, and what can't be read because of it.

    `events` is how many of the lost ones are known of, from whole blocks further on: 0 where the end is simply missing.
    """

    offset: int
    lost_bytes: int
    problem: str
    events: int = 0


def pack_header(text: bytes) -> bytes:
    """The beginning of a file."""
    front = _FILE.pack(MAGIC, VERSION, LITTLE_ENDIAN, len(text))
    return front + _CRC.pack(zlib.crc32(text, zlib.crc32(front))) + text


def pack_block(raw: bytes, first: int, events: int, *, is_last: bool = False) -> bytes:
    """A block of that content, deflated where that makes it smaller."""
    small = zlib.compress(raw, _LEVEL)
    how, content = (DEFLATED, small) if len(small) < len(raw) else (STORED, raw)
    front = _BLOCK.pack(_MARK, how, LAST if is_last else 0, len(content), len(raw), first, events)
    return front + _CRC.pack(zlib.crc32(content, zlib.crc32(front))) + content


def unpack_header(data: bytes, name: str) -> tuple[bytes, int]:
    """The header's JSON, and where the blocks begin. Raises `RecordingError` for what is no recording, or damaged."""
    if data[:8] != MAGIC:
        if MAGIC.startswith(data[:8]):
            raise RecordingError(name, f"ends after {len(data)} bytes, before its header", "record it again")
        raise RecordingError(name, "is no recording: it doesn't begin as one", "recordings are made by --record FILE")
    if len(data) < FILE_BYTES:
        raise RecordingError(name, f"ends after {len(data)} bytes, in its header", "record it again")
    _, version, order, length = _FILE.unpack_from(data)
    if version != VERSION:
        raise RecordingError(name, f"has version {version} of the format; this axiom_hw reads {VERSION}",
                             "read it with the axiom_hw that wrote it, or a newer one")  # fmt: skip
    text = data[FILE_BYTES : FILE_BYTES + length]
    (crc,) = _CRC.unpack_from(data, _FILE.size)
    if len(text) < length:
        raise RecordingError(name, f"ends after {len(data)} bytes, in its header", "record it again")
    if crc != zlib.crc32(text, zlib.crc32(data[: _FILE.size])) or order != LITTLE_ENDIAN:
        raise RecordingError(name, f"is damaged in its header, bytes 8 to {FILE_BYTES + length}", "take another copy")
    return text, FILE_BYTES + length


def unpack_blocks(data: bytes, at: int) -> Iterator[Block | Damage]:
    """The blocks from `at` on, and last a `Damage` where the file doesn't end behind a block marked as the last."""
    seen = 0
    while at < len(data):
        found = _block(data, at, seen)
        if isinstance(found, Damage):
            yield found
            return
        block, after = found
        seen = block.first + block.events
        yield block
        if block.is_last:
            if after < len(data):
                yield Damage(after, len(data) - after, "bytes behind the last block")
            return
        at = after
    yield Damage(at, 0, "it wasn't closed: the process was killed, or the disk full")


def _block(data: bytes, at: int, seen: int) -> tuple[Block, int] | Damage:
    left = len(data) - at
    if left < BLOCK_BYTES or data[at : at + 4] != _MARK:
        if _MARK.startswith(data[at : at + 4]):
            return Damage(at, left, _CUT)
        return _damaged(data, at, at + 1, seen, "no block begins here")
    _, how, flags, stored, raw_bytes, first, events = _BLOCK.unpack_from(data, at)
    (crc,) = _CRC.unpack_from(data, at + _BLOCK.size)
    begin = at + BLOCK_BYTES
    content = data[begin : begin + stored]
    if crc != zlib.crc32(content, zlib.crc32(data[at : at + _BLOCK.size])):
        if len(content) < stored:
            behind = _damaged(data, at, at + 4, seen, _CHANGED)
            return behind if behind.events else Damage(at, left, _CUT)
        return _damaged(data, at, at + 4, seen, _CHANGED)
    raw = content if how == STORED else zlib.decompress(content)
    if len(raw) != raw_bytes:
        return _damaged(data, at, begin + stored, seen, "the block has another length than it says")
    return Block(at, first, events, bool(flags & LAST), raw), begin + stored


def _damaged(data: bytes, at: int, search: int, seen: int, problem: str) -> Damage:
    """Whole blocks further on tell how many events can't be read; `seen` were read."""
    end, mark = seen, data.find(_MARK, search)
    while mark >= 0:
        after = mark + 4
        if len(data) - mark >= BLOCK_BYTES:
            _, _, _, stored, _, first, count = _BLOCK.unpack_from(data, mark)
            (crc,) = _CRC.unpack_from(data, mark + _BLOCK.size)
            content = data[mark + BLOCK_BYTES : mark + BLOCK_BYTES + stored]
            if len(content) == stored and crc == zlib.crc32(content, zlib.crc32(data[mark : mark + _BLOCK.size])):
                after = mark + BLOCK_BYTES + stored
                end = max(end, first + count)
        mark = data.find(_MARK, after)
    return Damage(at, len(data) - at, problem, end - seen)
