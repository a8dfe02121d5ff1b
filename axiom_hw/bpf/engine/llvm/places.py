"""What a pointer is in native code: a tag that names the memory it lies in, plus the offset in that memory.

A register is an i64. A pointer is `tag << TAG_SHIFT` plus an offset from the first byte of the context, of the
program's stack, or of a map's memory; the tag is at least 1, so that no pointer is NULL, however it was moved. Where
the proof knows one memory for an access, the address is that memory's base plus the register less a constant: LLVM
folds it, and sees what each access can alias. Where there are several, the tag decides at run time. No address is
ever made of a number, so none escapes from LLVM's sight.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from axiom_hw.bpf.arithmetic import M64
from axiom_hw.bpf.engine.llvm.body import Body, Value, text64
from axiom_hw.bpf.engine.llvm.here import Here
from axiom_hw.bpf.verified import Into, Place

TAG_SHIFT: Final = 40  # offsets are less: a memory has at most 2 GiB
CTX_TAG: Final = 1
STACK_TAG: Final = 2
FIRST_MAP_TAG: Final = 3
_OBJECT: Final = 1 << 62  # a map itself, or a function: only compared, and recognised


class Access(Enum):
    """How a memory is read and written."""

    PLAIN = "by nobody else while the program runs"
    ALIGNED = "so, and at offsets that are multiples of the size"
    ATOMIC = "by others at the same time"


@dataclass(frozen=True, slots=True)
class Where:
    """An address: `base`, an IR pointer, and a byte offset from it, which is never negative."""

    base: str
    offset: Value
    access: Access

    def pointer(self, b: Body) -> str:
        """As one pointer. Only for an access that the proof allows: it is marked as in bounds."""
        if self.offset == 0:
            return self.base
        return b.op(f"getelementptr inbounds i8, ptr {self.base}, i64 {text64(self.offset)}")

    @property
    def operand(self) -> str:
        """As the two arguments that an operation in restricted Python takes for memory."""
        return f"ptr {self.base}, i64 {text64(self.offset)}"


def ctx_pointer() -> int:
    return CTX_TAG << TAG_SHIFT


def stack_pointer(offset: int) -> int:
    return (STACK_TAG << TAG_SHIFT) + offset


def map_pointer(index: int, offset: int) -> int:
    """A pointer into the memory of a map."""
    return (FIRST_MAP_TAG + index << TAG_SHIFT) + offset


def map_object(index: int) -> int:
    return _OBJECT + index


def function_object(pc: int) -> int:
    return _OBJECT + (1 << 32) + pc


def resolve(b: Body, here: Here, register: int, move: int = 0) -> Where:
    """Where register + move points, for an access. `AssertionError` where the proof doesn't know."""
    tags = {}
    for place in here.places(register):
        tag = _tag(place)
        if tag is None:
            raise here.lost(register, "a pointer to memory")
        tags[tag] = place
    if not tags:
        raise here.lost(register, "a pointer")
    if len(tags) == 1:
        ((tag, place),) = tags.items()
        offset = _plus(b, b.get(register), move - (tag << TAG_SHIFT))
        return Where(_base(place), offset, _access(here, place))
    # Moved first: the pointer itself may lie outside of its memory, the bytes that are touched don't.
    moved = _plus(b, b.get(register), move)
    base = _choose(b, moved, tags)
    offset = b.op(f"and i64 {text64(moved)}, {(1 << TAG_SHIFT) - 1}")
    shared = any(_access(here, place) is Access.ATOMIC for place in tags.values())
    return Where(base, offset, Access.ATOMIC if shared else Access.PLAIN)


def _choose(b: Body, pointer: Value, tags: dict[int, Place]) -> str:
    """The base of the memory whose tag the pointer has."""
    tag = b.op(f"lshr i64 {text64(pointer)}, {TAG_SHIFT}")
    rest = sorted(tags)
    base = _base(tags[rest[0]])
    for other in rest[1:]:
        matches = b.op(f"icmp eq i64 {tag}, {other}")
        base = b.op(f"select i1 {matches}, ptr {_base(tags[other])}, ptr {base}")
    return base


def maps_of(here: Here, register: int) -> tuple[int, ...]:
    """The indexes of the maps that a register may mean, in order. `AssertionError` where it may be anything else."""
    places = here.places(register)
    if not places or any(place.into is not Into.MAP for place in places):
        raise here.lost(register, "a map")
    return tuple(sorted(place.map for place in places))


def rings_of(here: Here, register: int) -> tuple[int, ...]:
    """The indexes of the rings whose record a register may point at."""
    places = here.places(register)
    if not places or any(place.into is not Into.RECORD for place in places):
        raise here.lost(register, "a record")
    return tuple(sorted(place.map for place in places))


def _tag(place: Place) -> int | None:
    match place.into:
        case Into.CTX:
            return CTX_TAG
        case Into.STACK | Into.CALLER:
            return STACK_TAG
        case Into.VALUE | Into.RECORD:
            return FIRST_MAP_TAG + place.map
        case _:
            return None


def _base(place: Place) -> str:
    match place.into:
        case Into.CTX:
            return "%ctx"
        case Into.STACK | Into.CALLER:
            return "%stack"
        case _:
            return f"@map_{place.map}"


def _access(here: Here, place: Place) -> Access:
    match place.into:
        case Into.STACK | Into.CALLER:
            return Access.ALIGNED
        case Into.VALUE if place.map not in here.unit.constants:
            return Access.ATOMIC
        case _:
            return Access.PLAIN  # a record is its producer's alone until it is submitted


def _plus(b: Body, value: Value, move: int) -> Value:
    if isinstance(value, int):
        return value + move & M64
    return b.op(f"add i64 {value}, {move}") if move else value
