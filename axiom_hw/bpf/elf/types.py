"""What BTF says about keys and values: layouts that consumers can read, members that programs must not touch."""

from __future__ import annotations

from typing import Final

from axiom_hw.bpf import layout
from axiom_hw.bpf.btf import MAX_DEPTH, Array, Btf, Enumeration, Integer, Struct
from axiom_hw.bpf.layout import Field, Layout, Scalar
from axiom_hw.bpf.spec import FieldKind, SpecialField
from axiom_hw.errors import ObjectError

SPECIAL: Final = {
    "bpf_timer": FieldKind.TIMER,
    "bpf_spin_lock": FieldKind.SPIN_LOCK,
    "bpf_wq": FieldKind.WORK,
}
MAX_SPECIAL: Final = 64  # in one value
MAX_MEMBERS: Final = 100_000  # looked at on the way to them
_SCALARS: Final = {
    (s.size, s.signed): s
    for s in (layout.U8, layout.U16, layout.U32, layout.U64, layout.S8, layout.S16, layout.S32, layout.S64)
}


def scalar_of(btf: Btf, number: int) -> Scalar | None:
    """The integer type behind a type number, or None where it is none of 1, 2, 4 or 8 whole bytes."""
    match btf.resolve(number):
        case Integer(size=size, signed=signed, bits=bits, bit_offset=0) if bits == 8 * size or size == bits == 1:
            return _SCALARS.get((size, signed))
        case Integer(name="_Bool", size=1):
            return layout.U8
        case Enumeration(size=size, signed=signed):
            return _SCALARS.get((size, signed))
    return None


def layout_of(btf: Btf, number: int) -> Layout | None:
    """The layout of a struct of integers and arrays of them, or of one integer (named after its type, with one
    field `value`).

    None for everything else: unions, bit fields, structs within structs.
    """
    scalar = scalar_of(btf, number)
    if scalar is not None:
        return Layout(scalar.name, scalar.size, (Field("value", 0, scalar),))
    found = btf.resolve(number)
    if not isinstance(found, Struct) or found.is_union or not found.members:
        return None
    fields, end = [], 0
    for member in found.members:
        field, count = _member(btf, member.target)
        offset, rest = divmod(member.bit_offset, 8)
        if field is None or rest or member.bit_size or offset < end or not member.name:
            return None
        end = offset + field.size * (count or 1)
        fields.append(Field(member.name, offset, field, count))
    return Layout(found.name, found.size, tuple(fields)) if end <= found.size else None


def _member(btf: Btf, number: int) -> tuple[Scalar | None, int]:
    """A member's integer type, and how many it holds where it is an array."""
    found = btf.resolve(number)
    if isinstance(found, Array):
        return (scalar_of(btf, found.element), found.count) if 0 < found.count <= MAX_MEMBERS else (None, 0)
    return scalar_of(btf, number), 0


def special_fields(btf: Btf, number: int, place: str) -> tuple[SpecialField, ...]:
    """The timers, locks and work items in a value, nested ones included, by offset.

    Raises `ObjectError` for more than `MAX_SPECIAL` of them, and for one that lies outside its value.
    """
    size = btf.size_of(number)
    holds: dict[int, bool] = {}
    found: list[SpecialField] = []
    waiting, visited = [(number, 0)], 0
    while waiting:
        number, offset = waiting.pop()
        if not _holds_special(btf, number, holds):
            continue
        match btf.resolve(number):
            case Struct(name=name) if name in SPECIAL:
                if offset + btf.size_of(number) > size:
                    raise btf.damaged(f"`struct {name}` at byte {offset} lies outside its value of {size} bytes")
                found.append(SpecialField(SPECIAL[name], offset))
            case Struct(members=members):
                visited += len(members)
                waiting += [(m.target, offset + m.bit_offset // 8) for m in members]
            case Array(element=element, count=count):
                step = btf.size_of(element)
                waiting += [(element, offset + i * step) for i in range(min(count, MAX_SPECIAL + 1))]
        if len(found) > MAX_SPECIAL or visited > MAX_MEMBERS:
            raise ObjectError(
                place, f"its value holds more than {MAX_SPECIAL} timers, locks and work items",
                "keep one in each value, and use more entries",
            )  # fmt: skip
    return tuple(sorted(found, key=lambda field: field.offset))


def _holds_special(btf: Btf, number: int, known: dict[int, bool], depth: int = 0) -> bool:
    """Whether a special member is anywhere in a type; each struct is looked at once."""
    if depth > MAX_DEPTH:
        raise btf.damaged(f"type {number} lies more than {MAX_DEPTH} structs deep, or contains itself")
    if number not in known:
        match btf.resolve(number):
            case Struct(name=name, members=members):
                targets = {m.target for m in members}
                known[number] = name in SPECIAL or any(_holds_special(btf, t, known, depth + 1) for t in targets)
            case Array(element=element, count=count):
                known[number] = count > 0 and _holds_special(btf, element, known, depth + 1)
            case _:
                known[number] = False
    return known[number]
