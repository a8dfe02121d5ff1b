"""From a declaration to a live map: the one place that knows all types, and refuses what none of them can be."""

from __future__ import annotations

from typing import Final

from axiom_hw.bpf.maps.array import ArrayMap, array_geometry
from axiom_hw.bpf.maps.hash_map import HashMap, hash_geometry
from axiom_hw.bpf.maps.mem import U32_MASK, Mem
from axiom_hw.bpf.maps.ringbuf import RingBuf, ring_geometry
from axiom_hw.bpf.spec import MapFlag, MapSpec, MapType
from axiom_hw.errors import MapError

Map = ArrayMap | HashMap | RingBuf

MEMORY_LIMIT_BYTES: Final = 256 << 20

_ACCESS: Final = MapFlag.RDONLY | MapFlag.WRONLY | MapFlag.RDONLY_PROG | MapFlag.WRONLY_PROG

# The types there are, and the flags that each takes, as in Linux.
_FLAGS: Final[dict[MapType, int]] = {
    MapType.ARRAY: _ACCESS | MapFlag.MMAPABLE,
    MapType.HASH: _ACCESS | MapFlag.NO_PREALLOC | MapFlag.ZERO_SEED,
    MapType.RINGBUF: 0,
}


def create_map(spec: MapSpec, mem: Mem | None = None, *, seed: int = 0, limit_bytes: int = MEMORY_LIMIT_BYTES) -> Map:
    """Make the map, or attach to it where it lies in `mem` already. Without `mem` it gets memory of its own.

    `seed` (64 bits) is for hash maps: it decides where keys go, and in which order they come out. Raises `MapError`
    where the type isn't supported, the declaration contradicts itself, or the map takes more than `limit_bytes`.
    """
    needed = map_bytes(spec)
    if needed > limit_bytes:
        raise MapError(
            f"map {spec.name}",
            f"takes {needed} bytes for max_entries {spec.max_entries}; the limit is {limit_bytes} bytes a map",
            "declare fewer or smaller entries, or raise limit_bytes",
        )
    match spec.type:
        case MapType.HASH:
            return HashMap(spec, mem, seed=0 if spec.flags & MapFlag.ZERO_SEED else seed)
        case MapType.RINGBUF:
            return RingBuf(spec, mem)
        case _:
            return ArrayMap(spec, mem)


def map_bytes(spec: MapSpec) -> int:
    """How much memory the map takes, in bytes. Refuses what `create_map` refuses, but makes nothing."""
    place = f"map {spec.name}"
    if spec.type not in _FLAGS:
        known = ", ".join(sorted(kind.name.lower() for kind in _FLAGS))
        raise MapError(place, f"is of type {spec.type.name.lower()}, which isn't supported", f"use one of {known}")
    _check_flags(spec, place)
    if spec.fields:
        kind = spec.fields[0].kind.name.lower()
        raise MapError(place, f"has a {kind} at offset {spec.fields[0].offset} of its value; that isn't supported")
    for name in ("key_size", "value_size", "max_entries"):
        value = getattr(spec, name)
        if not 0 <= value <= U32_MASK:
            raise MapError(place, f"has {name} {value}; it holds 0 to {U32_MASK}")
    if spec.type is MapType.RINGBUF:
        if spec.data is not None:
            raise MapError(place, f"has {len(spec.data)} bytes of initial data; a ring starts empty")
        return ring_geometry(spec).total_bytes
    if spec.value_size == 0:
        raise MapError(place, "has value_size 0; its values need at least 1 byte")
    if spec.max_entries == 0:
        raise MapError(place, "has max_entries 0; it needs room for at least 1 entry")
    if spec.data is not None and len(spec.data) > spec.value_size:
        raise MapError(place, f"starts with {len(spec.data)} bytes of data; its value has {spec.value_size}")
    return (hash_geometry(spec) if spec.type is MapType.HASH else array_geometry(spec)).total_bytes


def _check_flags(spec: MapSpec, place: str) -> None:
    unknown = spec.flags & ~_FLAGS[spec.type]
    if unknown:
        names = " | ".join(flag.name for flag in MapFlag if unknown & flag) or "bits without a name"
        kind = spec.type.name.lower()
        raise MapError(place, f"has flags {spec.flags:#x}; {unknown:#x} ({names}) isn't among those of type {kind}")
    for side, both in (
        ("", MapFlag.RDONLY | MapFlag.WRONLY),
        (" for programs", MapFlag.RDONLY_PROG | MapFlag.WRONLY_PROG),
    ):
        if spec.flags & both == both:
            raise MapError(place, f"has flags {spec.flags:#x}: both read-only and write-only{side}", "set one at most")
