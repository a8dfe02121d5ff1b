"""Array maps: `max_entries` values side by side, all there from the start, the key being a u32 index.

Results are those of Linux (kernel/bpf/arraymap.c).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from axiom_hw.bpf.layout import u64
from axiom_hw.bpf.maps.base import E2BIG, EEXIST, EINVAL, EPERM, EXIST, NOEXIST
from axiom_hw.bpf.maps.header import HEADER_BYTES, header_of, settle
from axiom_hw.bpf.maps.mem import Mem, Window, copy, get_u32
from axiom_hw.bpf.spec import MapSpec
from axiom_hw.errors import MapError


@dataclass(frozen=True, slots=True)
class ArrayGeometry:
    """Compile-time constants of one array's operations; sizes and offsets in bytes."""

    data: int
    stride: int
    value_size: int
    max_entries: int
    total_bytes: int


def array_geometry(spec: MapSpec) -> ArrayGeometry:
    """Where things lie in an array. Raises `MapError` where the key isn't 4 bytes."""
    if spec.key_size != 4:
        raise MapError(
            f"map {spec.name}", f"has key_size {spec.key_size}; the key of an array is a u32 index", "set key_size to 4"
        )
    stride = (spec.value_size + 7) & ~7
    total = HEADER_BYTES + stride * spec.max_entries
    return ArrayGeometry(HEADER_BYTES, stride, spec.value_size, spec.max_entries, total)


def array_lookup(m: Mem, g: ArrayGeometry, key: Mem, key_off: int) -> int:
    """The offset of the value of an index, or 0 where there is none."""
    index = get_u32(key, key_off)
    if index >= g.max_entries:
        return 0
    return g.data + index * g.stride


def array_update(m: Mem, g: ArrayGeometry, key: Mem, key_off: int, value: Mem, value_off: int, flags: u64) -> int:
    """Set a value in place. 0, or EINVAL (unknown flags), E2BIG (no such index), EEXIST (it always does)."""
    if flags > EXIST:
        return EINVAL
    index = get_u32(key, key_off)
    if index >= g.max_entries:
        return E2BIG
    if flags == NOEXIST:
        return EEXIST
    copy(m, g.data + index * g.stride, value, value_off, g.value_size)
    return 0


class ArrayMap:
    """An array.

    Synchronization: any thread, and any process that maps the memory. Aligned words of 8 bytes are read and written
    whole; a longer value that is updated while it is read may be seen half old, half new, as in Linux.
    """

    __slots__ = ("g", "mem", "spec", "values")

    def __init__(self, spec: MapSpec, mem: Mem | None = None) -> None:
        self.spec = spec
        self.g = g = array_geometry(spec)
        self.values = Window(g.data, g.stride, g.value_size, g.max_entries)
        header = header_of(spec, total_bytes=g.total_bytes, data=g.data, stride=g.stride)
        self.mem = settle(mem, header, f"map {spec.name}", self._fill)

    def _fill(self, mem: Mem) -> None:
        if self.spec.data is not None:
            mem.u8[self.g.data : self.g.data + len(self.spec.data)] = self.spec.data

    def lookup(self, key: Mem, key_off: int) -> int:
        """The offset of the value at the u32 index in `key`, or 0 where there is no such index."""
        return array_lookup(self.mem, self.g, key, key_off)

    def update(self, key: Mem, key_off: int, value: Mem, value_off: int, flags: int) -> int:
        """0, or EINVAL (unknown flags), E2BIG (no such index), EEXIST (flag NOEXIST), EPERM (frozen)."""
        if self.spec.frozen:
            return EPERM
        return array_update(self.mem, self.g, key, key_off, value, value_off, flags)

    def delete(self, key: Mem, key_off: int) -> int:
        """EINVAL: the entries of an array are there for good."""
        return EINVAL

    def entries(self) -> Iterator[tuple[bytes, bytes]]:
        """All of them, by index."""
        g, data = self.g, self.mem.u8
        for index in range(g.max_entries):
            at = g.data + index * g.stride
            yield index.to_bytes(4, "little"), bytes(data[at : at + g.value_size])

    def __len__(self) -> int:
        return self.g.max_entries
