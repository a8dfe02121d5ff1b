"""Between the bytes of a key, value or record and what a user holds: an int, a struct, or the bytes themselves."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, make_dataclass
from typing import Any, Generic, TypeVar, cast

from axiom_hw.bpf.layout import Layout, Scalar, scalar_of
from axiom_hw.errors import MapError, SpecError

T = TypeVar("T")

BytesLike = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class Codec(Generic[T]):
    """How `size` bytes are read and written, any number where that is None. `kind` names the type in messages."""

    kind: str
    size: int | None
    encode: Callable[[T], bytes]
    decode: Callable[[BytesLike], T]


def codec_of(kind: object, size: int | None, place: str) -> Codec[Any]:
    """The codec of a type that takes `size` bytes; None takes the type's own size, and bytes of any length.

    `kind` is u8 to s64, a class made by `@layout`, a `Layout` (values become frozen dataclasses with its fields),
    or None for plain bytes. Raises `MapError` where the type takes another number of bytes, or isn't one of these.
    """
    if kind is None or kind is bytes:
        return _bytes_codec(size, place)
    scalar = scalar_of(kind)
    if scalar is not None:
        made: Codec[Any] = _scalar_codec(scalar, place)
    elif isinstance(kind, Layout):
        made = _layout_codec(kind, place)
    elif isinstance(kind, type) and isinstance(getattr(kind, "LAYOUT", None), Layout):
        made = _struct_codec(kind, place)
    else:
        raise MapError(place, f"{kind!r} is no type of a key or value", "use u8 to s64, a class with @layout, or bytes")
    if size is not None and made.size != size:
        raise MapError(place, f"{made.kind} takes {made.size} bytes, but the map has {size}", "declare the same size")
    return made


def _bytes_codec(size: int | None, place: str) -> Codec[bytes]:
    def encode(value: BytesLike) -> bytes:
        if not isinstance(value, BytesLike):
            raise MapError(place, f"{value!r} isn't bytes", "give bytes, or name a type where the view is made")
        if size is not None and len(value) != size:
            raise MapError(place, f"takes {size} bytes, got {len(value)}")
        return bytes(value)

    return Codec("bytes", size, encode, bytes)


def _scalar_codec(scalar: Scalar, place: str) -> Codec[int]:
    low, high = scalar.limits

    def encode(value: int) -> bytes:
        if not isinstance(value, int) or not low <= value <= high:
            raise MapError(place, f"{value!r} doesn't fit: {scalar.name} holds {low} to {high}")
        return value.to_bytes(scalar.size, "little", signed=scalar.signed)

    def decode(data: BytesLike) -> int:
        return int.from_bytes(data, "little", signed=scalar.signed)

    return Codec(scalar.name, scalar.size, encode, decode)


def _struct_codec(cls: type[Any], place: str) -> Codec[Any]:
    def encode(value: Any) -> bytes:
        if not isinstance(value, cls):
            raise MapError(place, f"{value!r} is no {cls.__name__}")
        try:
            return cast("bytes", value.pack())
        except SpecError as error:
            raise MapError(place, f"{error.place}: {error.problem}") from None

    return Codec(cls.__name__, cls.LAYOUT.size, encode, cls.unpack)


def _layout_codec(found: Layout, place: str) -> Codec[Any]:
    packer = struct.Struct(found.format)
    names = [field.name for field in found.fields]
    try:
        kinds = [(f.name, list if f.count else int) for f in found.fields]
        cls = make_dataclass(found.name or "value", kinds, frozen=True, slots=True)
    except (TypeError, ValueError) as error:  # a field of the source that is a keyword here, or has no name
        raise MapError(
            place, f"struct {found.name} can't be shown by field names: {error}", "view it as bytes"
        ) from None

    def encode(value: Any) -> bytes:
        try:
            numbers = [getattr(value, name) for name in names]
        except AttributeError as error:
            raise MapError(place, f"{value!r} is no {found.name}: {error}") from None
        try:
            return packer.pack(*found.numbers(numbers))
        except SpecError as error:
            raise MapError(place, f"{error.place}: {error.problem}") from None

    def decode(data: BytesLike) -> Any:
        return cls(*found.values(packer.unpack(data)))

    return Codec(found.name, found.size, encode, decode)
