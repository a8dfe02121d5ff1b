"""One map's declaration in the BTF style (`__uint`, `__type`, `__array`), read from the type of its variable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from axiom_hw.bpf.btf import Array, Btf, Enumeration, Pointer, Prototype, Struct
from axiom_hw.bpf.elf.types import layout_of, special_fields
from axiom_hw.bpf.spec import MapSpec, MapType
from axiom_hw.errors import ObjectError

_NUMBERS: Final = ("type", "max_entries", "map_flags", "key_size", "value_size", "pinning", "map_extra", "numa_node")
_PIN_BY_NAME: Final = 1
_DECLARE: Final = 'declare it as `struct { __uint(type, ...); ... } name SEC(".maps");`'
_DAMAGED: Final = "the file is damaged: compile its source again"
_MAPS_OF_MAPS: Final = (MapType.ARRAY_OF_MAPS, MapType.HASH_OF_MAPS)

# Types that programs for Linux use and that mean nothing here, and what to use instead.
_ELSEWHERE: Final = {
    4: ("perf_event_array", "use BPF_MAP_TYPE_RINGBUF"),
    7: ("stack_trace", "leave it out"),
    25: ("devmap_hash", "leave it out: there is no network device here"),
    14: ("devmap", "leave it out: there is no network device here"),
    15: ("sockmap", "leave it out: there is no socket here"),
    16: ("cpumap", "leave it out: there is no network device here"),
    31: ("user_ringbuf", "use an array or a hash that user space writes"),
}


@dataclass(frozen=True, slots=True)
class _Members:
    """The members of a declaration, sorted out: the numbers, and the types of key, value and entries."""

    numbers: dict[str, int]
    types: dict[str, int]
    entries: int | None

    def number(self, name: str) -> int:
        return self.numbers.get(name, 0)


def map_from_type(btf: Btf, number: int, name: str, place: str, *, nested: bool = False) -> MapSpec:
    """The map that the struct of type `number` declares. Raises `ObjectError` for what it can't mean here."""
    found = btf.resolve(number)
    if not isinstance(found, Struct) or found.is_union:
        what = type(found).__name__.lower()
        raise ObjectError(place, f"is declared as a {what}, not as a struct", _DECLARE)
    members = _members(btf, found, place)
    kind = _type(members, place)
    if not members.number("max_entries"):
        raise ObjectError(place, "doesn't say how large it is", "add `__uint(max_entries, ...);`")
    if members.number("map_extra"):
        raise ObjectError(place, f"has map_extra {members.number('map_extra')}, which isn't supported", "leave it out")
    pinning = members.number("pinning")
    if pinning not in (0, _PIN_BY_NAME):
        raise ObjectError(place, f"has pinning {pinning}", f"use 0, or {_PIN_BY_NAME} (LIBBPF_PIN_BY_NAME)")
    key, value = members.types.get("key"), members.types.get("value")
    inner = _inner(btf, members.entries, kind, name, place, nested=nested)
    return MapSpec(
        name,
        kind,
        key_size=_size(btf, members, "key", place),
        value_size=_size(btf, members, "value", place) or (4 if members.entries is not None else 0),
        max_entries=members.number("max_entries"),
        flags=members.number("map_flags"),
        fields=special_fields(btf, value, place) if value is not None else (),
        inner=inner,
        key_layout=layout_of(btf, key) if key is not None else None,
        value_layout=layout_of(btf, value) if value is not None else None,
        pinned=pinning == _PIN_BY_NAME,
    )


def _members(btf: Btf, declaration: Struct, place: str) -> _Members:
    numbers: dict[str, int] = {}
    types: dict[str, int] = {}
    entries: int | None = None
    for member in declaration.members:
        if member.name in ("key", "value"):
            types[member.name] = _pointee(btf, member.target, f"{place}.{member.name}")
        elif member.name == "values":
            array = btf.resolve(member.target)
            if not isinstance(array, Array):
                raise ObjectError(f"{place}.values", "isn't an array", "write `__array(values, ...);`")
            entries = _pointee(btf, array.element, f"{place}.values")
        elif member.name in _NUMBERS:
            numbers[member.name] = _number(btf, member.target, f"{place}.{member.name}")
        else:
            known = ", ".join((*_NUMBERS, "key", "value", "values"))
            raise ObjectError(place, f"has a member `{member.name}`, which means nothing in a map", f"known: {known}")
    return _Members(numbers, types, entries)


def _pointee(btf: Btf, number: int, place: str) -> int:
    found = btf.resolve(number)
    if not isinstance(found, Pointer):
        raise ObjectError(place, "isn't a pointer to its type", "use the macros `__type` and `__array`")
    return found.target


def _number(btf: Btf, number: int, place: str) -> int:
    """A number that is spelled as a type: `int (*name)[N]`, or an enum of one value (`__ulong`)."""
    found = btf.resolve(number)
    if isinstance(found, Enumeration) and len(found.values) == 1:
        return found.values[0].value
    if isinstance(found, Pointer) and isinstance(array := btf.resolve(found.target), Array):
        return array.count
    raise ObjectError(place, "isn't a number", "use the macro `__uint`")


def _type(members: _Members, place: str) -> MapType:
    if "type" not in members.numbers:
        raise ObjectError(place, "doesn't say its type", "add `__uint(type, BPF_MAP_TYPE_...);`")
    number = members.number("type")
    known = {kind.value: kind for kind in MapType}
    if number not in known:
        types = ", ".join(kind.name.lower() for kind in MapType)
        name, fix = _ELSEWHERE.get(number, ("", f"use one of {types}"))
        shown = f"{number} ({name})" if name else f"{number}"
        raise ObjectError(place, f"is of type {shown}, which isn't supported", fix)
    return known[number]


def _size(btf: Btf, members: _Members, what: str, place: str) -> int:
    """The size of key or value in bytes, said as a number, through a type, or both alike."""
    said = members.numbers.get(f"{what}_size")
    if what not in members.types:
        return said or 0
    size = btf.size_of(members.types[what])
    if said is not None and said != size:
        raise ObjectError(place, f"{what}_size is {said}, but the type of `{what}` takes {size} bytes", "leave one out")
    if size >= 1 << 32:
        raise ObjectError(place, f"its {what} takes {size} bytes", _DAMAGED)
    return size


def _inner(btf: Btf, entries: int | None, kind: MapType, name: str, place: str, *, nested: bool) -> MapSpec | None:
    """What the maps inside a map of maps look like."""
    if kind not in _MAPS_OF_MAPS:
        allowed = kind is MapType.PROG_ARRAY and isinstance(btf.resolve(entries), Prototype) if entries else True
        if not allowed:
            raise ObjectError(
                place, f"has `values`, which a map of type {kind.name.lower()} doesn't have", "leave it out"
            )
        return None
    if nested:
        raise ObjectError(place, "holds maps that hold maps", "one level of maps within a map is all there is")
    if entries is None:
        raise ObjectError(place, "doesn't say what its maps look like", "add `__array(values, struct { ... });`")
    return map_from_type(btf, entries, f"{name}.inner", f"{place}.values", nested=True)
