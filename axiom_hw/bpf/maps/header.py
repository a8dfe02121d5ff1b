"""The first 64 bytes of every map's memory: what it is and how it is cut up. See docs/map-format.md."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Final

from axiom_hw.bpf.maps.mem import Mem, load_u32, load_u64, store_u32, store_u64
from axiom_hw.bpf.spec import MapSpec
from axiom_hw.errors import MapError

MAGIC: Final = int.from_bytes(b"AXMP", "little")
VERSION: Final = 1
HEADER_BYTES: Final = 64

# Offset and width in bytes of each field of `Header`, behind the magic.
_PLACES: Final = {
    "version":      (4, 4),
    "type":         (8, 4),
    "flags":        (12, 4),
    "key_size":     (16, 4),
    "value_size":   (20, 4),
    "max_entries":  (24, 4),
    "frozen":       (28, 4),
    "total_bytes":  (32, 8),
    "data":         (40, 8),
    "seed":         (48, 8),
    "stride":       (56, 4),
    "buckets":      (60, 4),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Header:
    """The fields as the page names them; sizes and offsets in bytes."""

    version: int
    type: int
    flags: int
    key_size: int
    value_size: int
    max_entries: int
    frozen: int
    total_bytes: int
    data: int
    seed: int
    stride: int
    buckets: int


def header_of(spec: MapSpec, *, total_bytes: int, data: int, stride: int, buckets: int = 0, seed: int = 0) -> Header:
    """The header that a map of this declaration and geometry has."""
    return Header(
        version=VERSION,
        type=int(spec.type),
        flags=spec.flags,
        key_size=spec.key_size,
        value_size=spec.value_size,
        max_entries=spec.max_entries,
        frozen=int(spec.frozen),
        total_bytes=total_bytes,
        data=data,
        seed=seed,
        stride=stride,
        buckets=buckets,
    )


def is_formatted(mem: Mem) -> bool:
    """Whether a map lies there already."""
    return mem.size >= HEADER_BYTES and load_u32(mem, 0) == MAGIC


def write_header(mem: Mem, header: Header) -> None:
    """Write the fields, and the magic after everything else: who sees it sees a complete map."""
    for name, (at, width) in _PLACES.items():
        value = getattr(header, name)
        if width == 4:
            store_u32(mem, at, value)
        else:
            store_u64(mem, at, value)
    store_u32(mem, 0, MAGIC)


def read_header(mem: Mem, place: str) -> Header:
    """The fields. Raises `MapError` where no map lies there."""
    if not is_formatted(mem):
        raise MapError(place, f"no map lies in these {mem.size} bytes: they don't begin with `AXMP`")
    return Header(
        **{name: load_u32(mem, at) if width == 4 else load_u64(mem, at) for name, (at, width) in _PLACES.items()}
    )


def check_header(mem: Mem, expected: Header, place: str) -> None:
    """Raise `MapError` naming the first field in which the map there differs from the one declared."""
    found = read_header(mem, place)
    for field in fields(Header):
        here, there = getattr(expected, field.name), getattr(found, field.name)
        if here != there:
            raise MapError(
                place,
                f"is declared with {field.name} {here}, but the map in this memory has {field.name} {there}",
                "declare it as it was made, or remove the old one",
            )
    if mem.size < expected.total_bytes:
        raise MapError(place, f"takes {expected.total_bytes} bytes, but the memory has {mem.size}")


def settle(mem: Mem | None, header: Header, place: str, fill: Callable[[Mem], None]) -> Mem:
    """The memory with the map in it: a map that lies there is checked against `header`, else one is made.

    Without `mem` it is anonymous memory of the map's own; one that is given must be zero where no map lies in it.
    `fill` writes the initial contents, before the header makes the map valid.
    """
    mem = Mem.anonymous(header.total_bytes) if mem is None else mem
    if is_formatted(mem):
        check_header(mem, header, place)
        return mem
    if mem.size < header.total_bytes:
        raise MapError(place, f"takes {header.total_bytes} bytes, but the memory given has {mem.size}")
    if any(mem.u8):
        raise MapError(place, "would overwrite memory that is neither zero nor a map", "give it memory of its own")
    if mem.readonly:
        raise MapError(place, "can't be made in read-only memory, and no map lies there yet")
    fill(mem)
    write_header(mem, header)
    return mem
