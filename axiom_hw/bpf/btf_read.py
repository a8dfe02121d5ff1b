"""Reads the bytes of a `.BTF` section (kernel: Documentation/bpf/btf.rst) into the values of `btf`."""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import partial
from types import MappingProxyType
from typing import Final

from axiom_hw.bpf.btf import (
    DAMAGED,
    MAGIC,
    Alias,
    Array,
    Btf,
    BtfType,
    DataSection,
    Enumeration,
    Enumerator,
    Extent,
    Float,
    Forward,
    Function,
    Integer,
    Kind,
    Member,
    Parameter,
    Pointer,
    Prototype,
    Struct,
    Tag,
    Variable,
    Void,
    check_size,
)
from axiom_hw.bpf.strtab import StringTable
from axiom_hw.errors import ObjectError

_HEADER = struct.Struct("<HBBIIIII")  # magic, version, flags, header's length, types: offset, length, strings: the same
_TYPE = struct.Struct("<III")  # name, info, size or type
_KINDS: Final = {kind.value: kind for kind in Kind}
_TRAILER: Final = {Kind.INT: "<I", Kind.ARRAY: "<III", Kind.VAR: "<I", Kind.DECL_TAG: "<i"}
_REPEATED: Final = {
    Kind.STRUCT: "<III",
    Kind.UNION: "<III",
    Kind.ENUM: "<Ii",
    Kind.FUNC_PROTO: "<II",
    Kind.DATASEC: "<III",
    Kind.ENUM64: "<III",
}


def parse_btf(data: bytes | memoryview, place: str) -> Btf:
    """Read a `.BTF` section; `place` names it in errors. Raises `ObjectError` with the offset of what is off."""
    damaged = partial(_damaged, place)
    check_size(data, place)
    if len(data) < _HEADER.size:
        raise damaged(len(data), f"it ends inside its header of {_HEADER.size} bytes")
    magic, version, _, header, type_off, type_len, str_off, str_len = _HEADER.unpack_from(data)
    if magic != MAGIC:
        raise damaged(0, f"the magic number is {magic:#06x}, not {MAGIC:#06x}")
    if version != 1:
        raise ObjectError(
            f"{place} at byte 2", f"BTF version {version}, and only version 1 is known", "use clang 11 to 22"
        )
    if header < _HEADER.size:
        raise damaged(4, f"the header claims {header} bytes; it has at least {_HEADER.size}")
    for at, what, offset, length in ((8, "types", type_off, type_len), (16, "strings", str_off, str_len)):
        if header + offset + length > len(data):
            raise damaged(at, f"the {what} end at byte {header + offset + length}, but the section has {len(data)}")
    view = memoryview(data)
    strings = StringTable(view[header + str_off : header + str_off + str_len], f"{place} strings")
    types = _types(view[header + type_off : header + type_off + type_len], header + type_off, strings, damaged)
    sections = {t.name: t for t in types if isinstance(t, DataSection)}
    return Btf(place, types, MappingProxyType(sections), strings)


def _damaged(place: str, offset: int, problem: str) -> ObjectError:
    return ObjectError(f"{place} at byte {offset}", problem, DAMAGED)


def _types(
    data: memoryview, base: int, strings: StringTable, damaged: Callable[[int, str], ObjectError]
) -> tuple[BtfType, ...]:
    found: list[BtfType] = [Void()]
    at = 0
    while at < len(data):
        if at + _TYPE.size > len(data):
            raise damaged(base + at, f"type {len(found)} is cut off")
        name_off, info, operand = _TYPE.unpack_from(data, at)
        number, vlen, flag = info >> 24 & 0x1F, info & 0xFFFF, bool(info >> 31)
        kind = _KINDS.get(number)
        if kind is None:
            raise damaged(base + at, f"type {len(found)} has kind {number}; the kinds known are 1 to {max(_KINDS)}")
        shape = _TRAILER.get(kind) or _REPEATED.get(kind)
        parts: list[tuple[int, ...]] = []
        start, at = at, at + _TYPE.size
        if shape:
            end = at + struct.calcsize(shape) * (vlen if kind in _REPEATED else 1)
            if end > len(data):
                raise damaged(base + start, f"type {len(found)} ({kind.name.lower()}) is cut off")
            parts, at = list(struct.iter_unpack(shape, data[at:end])), end
        name = strings.at(name_off, f"the name of type {len(found)}")
        found.append(_make(kind, name, vlen, flag, operand, parts, strings))
    return tuple(found)


def _make(
    kind: Kind, name: str, vlen: int, flag: bool, operand: int, parts: list[tuple[int, ...]], strings: StringTable
) -> BtfType:
    """One type from its fields; `operand` is its size or the type it refers to, as the kind has it."""
    match kind:
        case Kind.INT:
            (info,) = parts[0]
            return Integer(name, operand, bool(info >> 24 & 1), info & 0xFF, info >> 16 & 0xFF)
        case Kind.FLOAT:
            return Float(name, operand)
        case Kind.PTR:
            return Pointer(operand)
        case Kind.ARRAY:
            element, _, count = parts[0]
            return Array(element, count)
        case Kind.STRUCT | Kind.UNION:
            # With the flag, a member's offset carries the size of its bit field in the upper byte.
            members = tuple(
                Member(strings.at(n), t, off & 0xFFFFFF if flag else off, off >> 24 if flag else 0)
                for n, t, off in parts
            )
            return Struct(name, operand, members, kind is Kind.UNION)
        case Kind.ENUM:
            values = tuple(Enumerator(strings.at(n), v if flag else v & 0xFFFFFFFF) for n, v in parts)
            return Enumeration(name, operand, flag, values)
        case Kind.ENUM64:
            return Enumeration(name, operand, flag, tuple(_enumerator64(p, flag, strings) for p in parts))
        case Kind.FWD:
            return Forward(name)
        case Kind.TYPEDEF | Kind.VOLATILE | Kind.CONST | Kind.RESTRICT | Kind.TYPE_TAG:
            return Alias(kind, name, operand)
        case Kind.FUNC_PROTO:
            return Prototype(operand, tuple(Parameter(strings.at(n), t) for n, t in parts))
        case Kind.FUNC:
            return Function(name, operand, vlen)  # its linkage lies where others have the number of parts
        case Kind.VAR:
            return Variable(name, operand, parts[0][0])
        case Kind.DATASEC:
            return DataSection(name, operand, tuple(Extent(*p) for p in parts))
        case Kind.DECL_TAG:
            return Tag(name, operand, parts[0][0])


def _enumerator64(part: tuple[int, ...], signed: bool, strings: StringTable) -> Enumerator:
    name, low, high = part
    value = high << 32 | low
    return Enumerator(strings.at(name), value - (1 << 64) if signed and value >> 63 else value)
