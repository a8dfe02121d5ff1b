"""Where each instruction comes from: the line and function records of `.BTF.ext` (Documentation/bpf/btf.rst).

Its CO-RE records are left alone: there are no kernel structs here whose offsets could differ from the compiled ones.
"""

from __future__ import annotations

import posixpath
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from axiom_hw.bpf.btf import DAMAGED, MAGIC, Btf, check_size
from axiom_hw.bpf.spec import SourceLine
from axiom_hw.errors import ObjectError

_HEADER = struct.Struct("<HBBIIIII")  # magic, version, flags, header's length, functions' offset and length, lines'
_U32 = struct.Struct("<I")
_SECTION = struct.Struct("<II")  # name, number of records
_LINE = struct.Struct("<IIII")  # byte of the instruction, file name, text, line << 10 | column
_FUNCTION = struct.Struct("<II")  # byte of the instruction, type
MAX_RECORD: Final = 256  # bytes; newer compilers may append fields to a record


@dataclass(frozen=True, slots=True)
class LineRecord:
    """From the instruction at byte `offset` of its section on, the code is that of `source`."""

    offset: int
    source: SourceLine


@dataclass(frozen=True, slots=True)
class FunctionRecord:
    """At byte `offset` of its section starts the function of the type numbered `type_number`."""

    offset: int
    type_number: int


@dataclass(frozen=True, slots=True)
class Origins:
    """The records by the name of the section whose instructions they describe, in the file's order."""

    lines: Mapping[str, tuple[LineRecord, ...]]
    functions: Mapping[str, tuple[FunctionRecord, ...]]


NOTHING: Final = Origins(MappingProxyType({}), MappingProxyType({}))


def parse_btf_ext(data: bytes | memoryview, btf: Btf, place: str) -> Origins:
    """Read a `.BTF.ext` section. Raises `ObjectError` with the offset of what is off."""
    check_size(data, place)
    if len(data) < _HEADER.size:
        raise _damaged(place, len(data), f"it ends inside its header of {_HEADER.size} bytes")
    magic, version, _, header, func_off, func_len, line_off, line_len = _HEADER.unpack_from(data)
    if magic != MAGIC or version != 1:
        raise _damaged(place, 0, f"it starts with magic number {magic:#06x} and version {version}, not {MAGIC:#06x}, 1")
    if header < _HEADER.size:
        raise _damaged(place, 4, f"the header claims {header} bytes; it has at least {_HEADER.size}")
    functions: dict[str, list[FunctionRecord]] = {}
    for section, at in _records(data, btf, place, header + func_off, func_len, _FUNCTION.size):
        functions.setdefault(section, []).append(FunctionRecord(*_FUNCTION.unpack_from(data, at)))
    lines: dict[str, list[LineRecord]] = {}
    for section, at in _records(data, btf, place, header + line_off, line_len, _LINE.size):
        offset, file, text, spot = _LINE.unpack_from(data, at)
        # clang writes the directory that it ran in, then the name that it was given: `./src/../led.c` is `led.c`.
        where = posixpath.normpath(btf.strings.at(file, "a file name"))
        code = btf.strings.at(text, "a line", cut=True)
        lines.setdefault(section, []).append(LineRecord(offset, SourceLine(where, spot >> 10, spot & 0x3FF, code)))
    return Origins(
        MappingProxyType({name: tuple(rows) for name, rows in lines.items()}),
        MappingProxyType({name: tuple(rows) for name, rows in functions.items()}),
    )


def _records(
    data: bytes | memoryview, btf: Btf, place: str, start: int, length: int, least: int
) -> Iterator[tuple[str, int]]:
    """The section's name and the offset of each record of one table, which starts with the size of a record."""
    end = start + length
    if end > len(data):
        raise _damaged(place, start, f"a table ends at byte {end}, but the section has {len(data)}")
    if not length:
        return
    if length < _U32.size:
        raise _damaged(place, start, f"a table of {length} bytes has no room for its record size")
    (size,) = _U32.unpack_from(data, start)
    if not least <= size <= MAX_RECORD or size % 4:
        raise _damaged(place, start, f"a record takes {size} bytes; it must be {least} to {MAX_RECORD}, in fours")
    at = start + _U32.size
    while at < end:
        if at + _SECTION.size > end:
            raise _damaged(place, at, "a section's entry is cut off")
        name_off, count = _SECTION.unpack_from(data, at)
        first = at + _SECTION.size
        at = first + size * count
        if at > end:
            raise _damaged(place, first, f"{count} records of {size} bytes end at byte {at}; their table ends at {end}")
        name = btf.strings.at(name_off, "a section's name")
        for index in range(count):
            yield name, first + size * index


def _damaged(place: str, offset: int, problem: str) -> ObjectError:
    return ObjectError(f"{place} at byte {offset}", problem, DAMAGED)
