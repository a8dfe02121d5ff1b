"""BTF, the type information that clang leaves in an object (`.BTF`; kernel: Documentation/bpf/btf.rst), as values.

Types refer to one another by number, and a damaged file can make them refer in circles: every walk here is bounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from axiom_hw.bpf.strtab import StringTable
from axiom_hw.errors import ObjectError

MAGIC: Final = 0xEB9F
MAX_DEPTH: Final = 32  # of types within types, as in the kernel (MAX_RESOLVE_DEPTH)
MAX_BYTES: Final = 4 << 20  # of .BTF, and of .BTF.ext
POINTER_BYTES: Final = 8
DAMAGED: Final = "the file is damaged: compile its source again"


class Kind(IntEnum):
    """`BTF_KIND_*`."""

    INT = 1
    PTR = 2
    ARRAY = 3
    STRUCT = 4
    UNION = 5
    ENUM = 6
    FWD = 7
    TYPEDEF = 8
    VOLATILE = 9
    CONST = 10
    RESTRICT = 11
    FUNC = 12
    FUNC_PROTO = 13
    VAR = 14
    DATASEC = 15
    FLOAT = 16
    DECL_TAG = 17
    TYPE_TAG = 18
    ENUM64 = 19


@dataclass(frozen=True, slots=True)
class Void:
    """Type 0."""


@dataclass(frozen=True, slots=True)
class Integer:
    """`bits` of the `size` bytes hold the number, from `bit_offset` on."""

    name: str
    size: int
    signed: bool
    bits: int
    bit_offset: int


@dataclass(frozen=True, slots=True)
class Float:
    """A floating-point type of `size` bytes."""

    name: str
    size: int


@dataclass(frozen=True, slots=True)
class Pointer:
    """To the type numbered `target`."""

    target: int


@dataclass(frozen=True, slots=True)
class Array:
    """`count` elements of the type numbered `element`."""

    element: int
    count: int


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a struct; `bit_size` is 0 for one that is no bit field."""

    name: str
    target: int
    bit_offset: int
    bit_size: int


@dataclass(frozen=True, slots=True)
class Struct:
    """A struct or a union of `size` bytes."""

    name: str
    size: int
    members: tuple[Member, ...]
    is_union: bool


@dataclass(frozen=True, slots=True)
class Enumerator:
    """One named value."""

    name: str
    value: int


@dataclass(frozen=True, slots=True)
class Enumeration:
    """An enum of `size` bytes."""

    name: str
    size: int
    signed: bool
    values: tuple[Enumerator, ...]


@dataclass(frozen=True, slots=True)
class Forward:
    """A struct or union that is declared, but not defined."""

    name: str


@dataclass(frozen=True, slots=True)
class Alias:
    """Another name for `target` (typedef), or a qualifier of it."""

    kind: Kind
    name: str
    target: int


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter; type 0 without a name stands for `...`."""

    name: str
    target: int


@dataclass(frozen=True, slots=True)
class Prototype:
    """What a function takes and returns."""

    returns: int
    parameters: tuple[Parameter, ...]


@dataclass(frozen=True, slots=True)
class Function:
    """A function; `linkage` is 0 static, 1 global, 2 extern."""

    name: str
    target: int
    linkage: int


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable; `linkage` is 0 static, 1 global, 2 extern."""

    name: str
    target: int
    linkage: int


@dataclass(frozen=True, slots=True)
class Extent:
    """One variable of a section; clang leaves `offset` 0 and says it in the symbol table."""

    target: int
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class DataSection:
    """The variables of the section called `name`."""

    name: str
    size: int
    extents: tuple[Extent, ...]


@dataclass(frozen=True, slots=True)
class Tag:
    """An attribute of a declaration (`btf_decl_tag`); `component` -1 means the declaration as a whole."""

    name: str
    target: int
    component: int


BtfType = (
    Void | Integer | Float | Pointer | Array | Struct | Enumeration | Forward | Alias | Prototype | Function | Variable
    | DataSection | Tag
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Btf:
    """The types of one object by number, and the table that `.BTF.ext` takes its strings from."""

    place: str
    types: tuple[BtfType, ...]
    sections: Mapping[str, DataSection]  # by name
    strings: StringTable

    def at(self, number: int) -> BtfType:
        """The type of that number. Raises `ObjectError` where there is none."""
        if number >= len(self.types):
            raise self.damaged(f"refers to type {number}, but the types end at {len(self.types) - 1}")
        return self.types[number]

    def resolve(self, number: int) -> BtfType:
        """The type behind typedefs and qualifiers. Raises `ObjectError` where they go in circles."""
        for _ in range(MAX_DEPTH):
            found = self.at(number)
            if not isinstance(found, Alias):
                return found
            number = found.target
        raise self.damaged(f"type {number} is defined by itself, or more than {MAX_DEPTH} types deep")

    def size_of(self, number: int) -> int:
        """The size in bytes. Raises `ObjectError` for a type that has none, and for one defined by itself."""
        count = 1
        for _ in range(MAX_DEPTH):
            match self.resolve(number):
                case Integer() | Float() | Struct() | Enumeration() as sized:
                    return count * sized.size
                case Pointer():
                    return count * POINTER_BYTES
                case Array() as array:
                    count *= array.count
                    number = array.element
                case other:
                    raise self.damaged(f"type {number} ({type(other).__name__.lower()}) has no size")
        raise self.damaged(f"type {number} is an array of arrays more than {MAX_DEPTH} deep")

    def variables(self, section: str) -> dict[str, int]:
        """The variables of a section, each with the number of its type; none where clang described none."""
        described = self.sections.get(section)
        found = (self.at(extent.target) for extent in described.extents) if described else ()
        return {v.name: v.target for v in found if isinstance(v, Variable | Function)}

    def damaged(self, problem: str) -> ObjectError:
        """The error for a description that contradicts itself."""
        return ObjectError(self.place, problem, DAMAGED)


def check_size(data: bytes | memoryview, place: str) -> None:
    """Refuse a description that would unfold into more values than a program could mean."""
    if len(data) > MAX_BYTES:
        raise ObjectError(place, f"has {len(data)} bytes; at most {MAX_BYTES} are read", "split the object")
