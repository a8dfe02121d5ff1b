"""Struct layouts declared once: for packing, the verifier, the C header and the docs.

    @layout(size=16)
    class Reading:
        "One sample."
        timestamp_ns: u64
        value:        s32
        flags:        u32

Fields lie in order at their natural alignment, little-endian, as clang's BPF target lays a C struct out.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Annotated, Any, ClassVar, Protocol, Self, TypeVar, dataclass_transform, get_type_hints

from axiom_hw.errors import SpecError


@dataclass(frozen=True, slots=True)
class Scalar:
    """An integer type: its C name, size in bytes, and whether it is signed."""

    name: str
    size: int
    signed: bool

    @property
    def code(self) -> str:
        """The `struct` module's letter."""
        letter = {1: "b", 2: "h", 4: "i", 8: "q"}[self.size]
        return letter if self.signed else letter.upper()

    @property
    def limits(self) -> tuple[int, int]:
        """Least and greatest value."""
        bits = 8 * self.size
        return (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if self.signed else (0, (1 << bits) - 1)


U8, U16, U32, U64 = (Scalar(f"u{8 * n}", n, signed=False) for n in (1, 2, 4, 8))
S8, S16, S32, S64 = (Scalar(f"s{8 * n}", n, signed=True) for n in (1, 2, 4, 8))

# To a type checker these are plain ints; the annotation carries the width.
u8 = Annotated[int, U8]
u16 = Annotated[int, U16]
u32 = Annotated[int, U32]
u64 = Annotated[int, U64]
s8 = Annotated[int, S8]
s16 = Annotated[int, S16]
s32 = Annotated[int, S32]
s64 = Annotated[int, S64]


@dataclass(frozen=True, slots=True)
class Field:
    """One member: where it lies and what it holds."""

    name: str
    offset: int
    scalar: Scalar


@dataclass(frozen=True, slots=True)
class Layout:
    """A struct: its fields in order, and its size in bytes with padding."""

    name: str
    size: int
    fields: tuple[Field, ...]
    doc: str = ""

    @property
    def format(self) -> str:
        """The `struct` format: little-endian, padding made explicit."""
        text, at = "<", 0
        for field in self.fields:
            text += "x" * (field.offset - at) + field.scalar.code
            at = field.offset + field.scalar.size
        return text + "x" * (self.size - at)

    def c_struct(self) -> str:
        """The declaration as C, for headers."""
        rows = "\n".join(f"\t__{f.scalar.name} {f.name};" for f in self.fields)
        return f"struct {self.name} {{\n{rows}\n}};"


class Struct(Protocol):
    """What `@layout` adds to a class."""

    LAYOUT: ClassVar[Layout]

    def pack(self) -> bytes: ...

    @classmethod
    def unpack(cls, data: bytes | bytearray | memoryview) -> Self: ...


T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def layout(*, size: int) -> Callable[[type[T]], type[T]]:
    """Make a class of annotated integers a frozen struct of `size` bytes.

    Raises `SpecError` where a field has no width, or where the fields don't add up to `size`: the size is said
    twice on purpose, because programs compiled elsewhere rely on it.
    """

    def decorate(cls: type[T]) -> type[T]:
        made = dataclass(frozen=True, slots=True)(cls)
        found = _measure(made, size)
        packer = struct.Struct(found.format)
        names = [f.name for f in found.fields]

        def pack(self: Any) -> bytes:
            values = [getattr(self, name) for name in names]
            try:
                return packer.pack(*values)
            except struct.error:
                raise _out_of_range(found, values) from None

        def unpack(cls: Callable[..., T], data: bytes | bytearray | memoryview) -> T:
            if len(data) != size:
                raise SpecError(found.name, f"takes {size} bytes, got {len(data)}")
            return cls(*packer.unpack(data))

        for name, value in (("LAYOUT", found), ("pack", pack), ("unpack", classmethod(unpack))):
            setattr(made, name, value)
        return made

    return decorate


def _measure(cls: type[Any], size: int) -> Layout:
    hints = get_type_hints(cls, include_extras=True)
    at, placed = 0, []
    for field in fields(cls):
        scalar = next((m for m in getattr(hints[field.name], "__metadata__", ()) if isinstance(m, Scalar)), None)
        if scalar is None:
            raise SpecError(
                f"{cls.__name__}.{field.name}",
                f"has the type {hints[field.name]!r}, which has no width",
                "use one of u8 u16 u32 u64 s8 s16 s32 s64",
            )
        at = -(-at // scalar.size) * scalar.size
        placed.append(Field(field.name, at, scalar))
        at += scalar.size
    widest = max((f.scalar.size for f in placed), default=1)
    total = -(-at // widest) * widest
    if total != size:
        raise SpecError(cls.__name__, f"its fields take {total} bytes with padding, but size={size} is declared")
    return Layout(cls.__name__, size, tuple(placed), (cls.__doc__ or "").strip())


def _out_of_range(found: Layout, values: list[Any]) -> SpecError:
    for field, value in zip(found.fields, values, strict=True):
        low, high = field.scalar.limits
        if not isinstance(value, int) or not low <= value <= high:
            limit = f"{field.scalar.name} holds {low} to {high}"
            return SpecError(f"{found.name}.{field.name}", f"{value!r} doesn't fit; {limit}")
    return SpecError(found.name, f"can't pack {values!r}")
