"""Struct layouts declared once: for packing, the verifier, the C header and the docs.

    @layout(size=16)
    class Reading:
        "One sample."
        timestamp_ns: u64
        value:        s32
        flags:        u32

Fields lie in order at their natural alignment, little-endian, as clang's BPF target lays a C struct out. A field
may be a fixed array: `samples: array_of(u32, 8)`, a list of 8 ints to Python.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from operator import index
from reprlib import repr as shortened
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Protocol,
    Self,
    SupportsIndex,
    TypeVar,
    dataclass_transform,
    get_type_hints,
    overload,
)

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

    def wrap(self, number: int) -> int:
        """The number of this type that is `number` modulo 2**bits: what a register of this width keeps of it."""
        low, _ = self.limits
        return (number - low) % (1 << 8 * self.size) + low


U8, U16, U32, U64 = (Scalar(f"u{8 * n}", n, signed=False) for n in (1, 2, 4, 8))
S8, S16, S32, S64 = (Scalar(f"s{8 * n}", n, signed=True) for n in (1, 2, 4, 8))


class _Width(type):
    """The type of `u8` to `s64`: annotations that carry a width, and functions that cut a number to it."""

    scalar: Scalar

    @property
    def __metadata__(cls) -> tuple[Scalar]:
        """Where `Annotated` keeps what it carries, so that both are read alike."""
        return (cls.scalar,)

    def __call__(cls, number: SupportsIndex = 0) -> int:
        return cls.scalar.wrap(index(number))

    def __repr__(cls) -> str:
        return cls.__name__


if TYPE_CHECKING:  # to a type checker these are plain ints
    u8 = int
    u16 = int
    u32 = int
    u64 = int
    s8 = int
    s16 = int
    s32 = int
    s64 = int
else:
    u8, u16, u32, u64, s8, s16, s32, s64 = (
        _Width(scalar.name, (int,), {"scalar": scalar, "__doc__": f"An int of the width {scalar.name}."})
        for scalar in (U8, U16, U32, U64, S8, S16, S32, S64)
    )


@dataclass(frozen=True, slots=True)
class ArrayOf:
    """The type of a fixed array: `count` integers of one type, one behind the other."""

    scalar: Scalar
    count: int

    @property
    def size(self) -> int:
        """In bytes."""
        return self.scalar.size * self.count

    def __str__(self) -> str:
        return f"array_of({self.scalar.name}, {self.count})"


def scalar_of(kind: object) -> Scalar | None:
    """The integer type that `u8` to `s64`, or a `Scalar`, mean; None for anything else."""
    if isinstance(kind, Scalar):
        return kind
    return next((m for m in getattr(kind, "__metadata__", ()) if isinstance(m, Scalar)), None)


def array_type_of(kind: object) -> ArrayOf | None:
    """The array type that an annotation means, bare or in `Annotated[list[int], ...]`; None for anything else."""
    if isinstance(kind, ArrayOf):
        return kind
    return next((m for m in getattr(kind, "__metadata__", ()) if isinstance(m, ArrayOf)), None)


def array_of(kind: object, count: int) -> ArrayOf:
    """The type of a struct's field that holds `count` integers: `samples: array_of(u32, 8)`. A list to Python.

    Where a type checker looks, write `samples: Annotated[list[int], array_of(u32, 8)]`. Raises `SpecError`.
    """
    scalar = scalar_of(kind)
    if scalar is None:
        raise SpecError("array_of", f"{kind!r} has no width", "use one of u8 u16 u32 u64 s8 s16 s32 s64")
    if not isinstance(count, int) or count < 1:
        raise SpecError("array_of", f"has {count!r} elements; it takes at least 1")
    return ArrayOf(scalar, count)


def zeros(kind: object, count: int) -> list[int]:
    """An array of `count` zeros. In a program, a fixed array on its stack; `window: list[int] = zeros(u32, 8)`."""
    return [0] * array_of(kind, count).count


@dataclass(frozen=True, slots=True)
class Field:
    """One member: where it lies and what it holds; `count` elements of an array, 0 for a single number."""

    name: str
    offset: int
    scalar: Scalar
    count: int = 0

    @property
    def size(self) -> int:
        """In bytes."""
        return self.scalar.size * (self.count or 1)

    @property
    def code(self) -> str:
        """For the `struct` module."""
        return f"{self.count or ''}{self.scalar.code}"


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
            text += "x" * (field.offset - at) + field.code
            at = field.offset + field.size
        return text + "x" * (self.size - at)

    def c_struct(self) -> str:
        """The declaration as C, for headers."""
        rows = "\n".join(f"\t__{f.scalar.name} {f.name}{f'[{f.count}]' if f.count else ''};" for f in self.fields)
        return f"struct {self.name} {{\n{rows}\n}};"

    def numbers(self, values: Iterable[Any]) -> list[Any]:
        """One value for each field, as one number for each place in `format`. Raises `SpecError` for a wrong one."""
        flat: list[Any] = []
        for field, value in zip(self.fields, values, strict=True):
            numbers = (value,) if not field.count else value
            if field.count and (not isinstance(value, list | tuple) or len(value) != field.count):
                raise SpecError(
                    f"{self.name}.{field.name}", f"{shortened(value)} doesn't fit; it takes {field.count} numbers"
                )
            low, high = field.scalar.limits
            for number in numbers:
                if not isinstance(number, int) or not low <= number <= high:
                    limit = f"{field.scalar.name} holds {low} to {high}"
                    raise SpecError(f"{self.name}.{field.name}", f"{number!r} doesn't fit; {limit}")
            flat += numbers
        return flat

    def values(self, numbers: Sequence[int]) -> list[Any]:
        """The reverse: numbers as `format` unpacks them, as one value for each field; arrays are lists."""
        left = iter(numbers)
        return [[next(left) for _ in range(f.count)] if f.count else next(left) for f in self.fields]


class Struct(Protocol):
    """What `@layout` adds to a class."""

    LAYOUT: ClassVar[Layout]

    def pack(self) -> bytes: ...

    @classmethod
    def unpack(cls, data: bytes | bytearray | memoryview) -> Self: ...


T = TypeVar("T")


@overload
def layout(cls: type[T], /) -> type[T]: ...


@overload
def layout(*, size: int | None = None, frozen: bool = False) -> Callable[[type[T]], type[T]]: ...


@dataclass_transform()
def layout(cls: Any = None, /, *, size: int | None = None, frozen: bool = False) -> Any:
    """Make a class of annotated integers a struct: a dataclass with a place in memory for each field.

    `@layout`, or `@layout(size=24)` where programs compiled elsewhere rely on the size: then it is said twice on
    purpose, and raises `SpecError` where the fields don't add up to it. So does a field that has no width. With
    `frozen`, its fields can't be assigned to.
    """
    return _decorate(cls, None, frozen=False) if cls is not None else lambda c: _decorate(c, size, frozen=frozen)


def _decorate(cls: type[Any], size: int | None, *, frozen: bool) -> type[Any]:
    # A hash from the fields in each case: structs are keys of hash maps, and so of dicts made from their views.
    made: type[Any] = dataclass(frozen=frozen, slots=True, unsafe_hash=not frozen)(cls)
    found = _measure(made, size)
    packer = struct.Struct(found.format)
    names = [f.name for f in found.fields]
    arrays = any(f.count for f in found.fields)

    def pack(self: Any) -> bytes:
        values = [getattr(self, name) for name in names]
        if arrays:
            return packer.pack(*found.numbers(values))
        try:
            return packer.pack(*values)
        except struct.error:
            raise _out_of_range(found, values) from None

    def unpack(cls: Callable[..., T], data: bytes | bytearray | memoryview) -> T:
        if len(data) != found.size:
            raise SpecError(found.name, f"takes {found.size} bytes, got {len(data)}")
        numbers = packer.unpack(data)
        return cls(*(found.values(numbers) if arrays else numbers))

    for name, value in (("LAYOUT", found), ("pack", pack), ("unpack", classmethod(unpack))):
        setattr(made, name, value)
    return made


def _measure(cls: type[Any], size: int | None) -> Layout:
    hints = get_type_hints(cls, include_extras=True)
    at, placed = 0, []
    for field in fields(cls):
        array = array_type_of(hints[field.name])
        scalar = array.scalar if array is not None else scalar_of(hints[field.name])
        if scalar is None:
            raise SpecError(
                f"{cls.__name__}.{field.name}",
                f"has the type {hints[field.name]!r}, which has no width",
                "use one of u8 u16 u32 u64 s8 s16 s32 s64",
            )
        at = -(-at // scalar.size) * scalar.size
        placed.append(Field(field.name, at, scalar, array.count if array is not None else 0))
        at += placed[-1].size
    widest = max((f.scalar.size for f in placed), default=1)
    total = -(-at // widest) * widest
    if size is not None and total != size:
        raise SpecError(cls.__name__, f"its fields take {total} bytes with padding, but size={size} is declared")
    return Layout(cls.__name__, total, tuple(placed), (cls.__doc__ or "").strip())


def _out_of_range(found: Layout, values: list[Any]) -> SpecError:
    try:
        found.numbers(values)
    except SpecError as error:
        return error
    return SpecError(found.name, f"can't pack {values!r}")
