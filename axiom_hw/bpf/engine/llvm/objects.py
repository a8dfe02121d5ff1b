"""The objects that LLVM makes, read as far as linking them needs it: ELF64 (System V ABI, chapters 4 and 5)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

_HEADER: Final = struct.Struct("<4sBB10xHHIQQQIHHHHHH")
_SECTION: Final = struct.Struct("<IIQQQQIIQQ")
_SYMBOL: Final = struct.Struct("<IBBHQQ")
_RELA: Final = struct.Struct("<QQq")
_MAGIC: Final = (b"\x7fELF", 2, 1)  # of 64 bits, the lowest byte first
_RELOCATABLE: Final = 1
_SHT_SYMTAB: Final = 2
_SHT_RELA: Final = 4
_SHT_NOBITS: Final = 8

WRITE: Final = 1  # flags of a section
ALLOC: Final = 2
EXECUTE: Final = 4
OUTSIDE: Final = 0  # the section of a symbol that is defined elsewhere


@dataclass(frozen=True, slots=True)
class Reference:
    """A relocation: the field at `offset` of its section leads to symbol plus `addend`."""

    offset: int
    kind: int
    symbol: int
    addend: int


@dataclass(frozen=True, slots=True)
class Section:
    """A section by its place in the object's table."""

    name: str
    flags: int
    align: int
    data: bytes
    references: tuple[Reference, ...]


@dataclass(frozen=True, slots=True)
class Symbol:
    """A name for a place in a section; `section` is `OUTSIDE`, or one that no object has, where it has none."""

    name: str
    section: int
    value: int
    shared: bool  # seen from outside


@dataclass(frozen=True, slots=True)
class Object:
    """A relocatable object; `machine` is e_machine."""

    machine: int
    sections: tuple[Section, ...]
    symbols: tuple[Symbol, ...]


def read_object(image: bytes) -> Object:
    """Raises `ValueError` for what is none."""
    try:
        return _read(image)
    except (struct.error, IndexError) as error:
        raise ValueError(f"not a whole ELF object: {error}") from error


def _read(image: bytes) -> Object:
    *magic, kind, machine, _, _, _, at, _, _, _, _, size, count, strings = _HEADER.unpack_from(image)
    if (tuple(magic), kind) != (_MAGIC, _RELOCATABLE):
        raise ValueError("not a relocatable ELF object of 64 bits")
    rows = [_SECTION.unpack_from(image, at + n * size) for n in range(count)]
    references: dict[int, tuple[Reference, ...]] = {}
    symbols: tuple[Symbol, ...] = ()
    for _, kind, _, _, start, length, link, target, *_ in rows:
        if kind == _SHT_RELA:
            found = _RELA.iter_unpack(image[start : start + length])
            references[target] = tuple(
                Reference(where, info & 0xFFFFFFFF, info >> 32, add) for where, info, add in found
            )
        elif kind == _SHT_SYMTAB:
            names = rows[link][4]
            symbols = tuple(
                Symbol(_text(image, names + name), home, value, info >> 4 != 0)
                for name, info, _, home, value, _ in _SYMBOL.iter_unpack(image[start : start + length])
            )
    names = rows[strings][4]
    return Object(
        machine,
        tuple(
            Section(
                _text(image, names + name),
                flags,
                align,
                bytes(length) if kind == _SHT_NOBITS else image[start : start + length],
                references.get(n, ()),
            )
            for n, (name, kind, flags, _, start, length, _, _, align, _) in enumerate(rows)
        ),
        symbols,
    )


def _text(image: bytes, at: int) -> str:
    return image[at : image.index(b"\0", at)].decode("ascii")
