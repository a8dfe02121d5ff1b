"""Hash maps: up to `max_entries` values by keys of any fixed size, on the lock-free operations of `hash`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

from axiom_hw.bpf.maps.base import ANY, EPERM
from axiom_hw.bpf.maps.hash import (
    BUCKETS,
    COUNT,
    MARK,
    NODE_KEY,
    NUMBER,
    REFUSED,
    SEED,
    HashGeometry,
    hash_delete,
    hash_lookup,
    hash_update,
)
from axiom_hw.bpf.maps.header import header_of, is_formatted, read_header, settle
from axiom_hw.bpf.maps.mem import Mem, Window, load_u64, store_u64
from axiom_hw.bpf.spec import MapSpec
from axiom_hw.errors import MapError

# Nodes beyond max_entries: an update holds a new node before it gives the old one back, so this many threads may be
# in the middle of one at once. When a thread is killed there, its node is lost.
SPARE_NODES: Final = 64


def hash_geometry(spec: MapSpec) -> HashGeometry:
    """Where things lie in a hash map. Raises `MapError` where there is no key."""
    if spec.key_size == 0:
        raise MapError(f"map {spec.name}", "has key_size 0; a hash map needs keys of at least 1 byte")
    buckets = 1 << (spec.max_entries - 1).bit_length()
    nodes = spec.max_entries + SPARE_NODES
    value_at = NODE_KEY + ((spec.key_size + 7) & ~7)
    stride = value_at + ((spec.value_size + 7) & ~7)
    data = BUCKETS + 8 * buckets
    return HashGeometry(
        key_size=spec.key_size,
        value_size=spec.value_size,
        max_entries=spec.max_entries,
        bucket_mask=buckets - 1,
        first_node=data - stride,
        nodes=nodes,
        stride=stride,
        value_at=value_at,
        total_bytes=data + nodes * stride,
    )


class HashMap:
    """A hash map.

    Synchronization: any thread; nobody waits for anybody. A pointer to a value stays valid memory, but after the key
    was deleted or updated it may become another key's, as in Linux. Several processes may read; writing from more
    than one needs native operations, because the interpreter's swaps are atomic within its process only.
    """

    __slots__ = ("g", "mem", "spec", "values")

    def __init__(self, spec: MapSpec, mem: Mem | None = None, *, seed: int = 0) -> None:
        """`seed` spreads keys differently, against keys chosen to collide; a map that lies in `mem` keeps its own."""
        place = f"map {spec.name}"
        if mem is not None and is_formatted(mem):
            seed = read_header(mem, place).seed
        self.spec = spec
        self.g = g = hash_geometry(spec)
        data = g.first_node + g.stride
        self.values = Window(data + g.value_at, g.stride, g.value_size, g.nodes)
        header = header_of(
            spec, total_bytes=g.total_bytes, data=data, stride=g.stride, buckets=g.bucket_mask + 1, seed=seed
        )
        self.mem = settle(mem, header, place, partial(self._fill, seed))

    def _fill(self, seed: int, mem: Mem) -> None:
        store_u64(mem, SEED, seed)  # before the rest of the header, which comes last
        if self.spec.data is not None:
            value = Mem(self.spec.data.ljust(self.spec.value_size, b"\0"))
            assert hash_update(mem, self.g, Mem(bytes(self.spec.key_size)), 0, value, 0, ANY) == 0

    def lookup(self, key: Mem, key_off: int) -> int:
        """The offset of a key's value, or 0."""
        return hash_lookup(self.mem, self.g, key, key_off)

    def update(self, key: Mem, key_off: int, value: Mem, value_off: int, flags: int) -> int:
        """0, or EINVAL (unknown flags), EEXIST, ENOENT, E2BIG (full), ENOMEM (over 64 updates at once), EPERM."""
        if self.spec.frozen:
            return EPERM
        return hash_update(self.mem, self.g, key, key_off, value, value_off, flags)

    def delete(self, key: Mem, key_off: int) -> int:
        """0, or ENOENT, or EPERM where the map is frozen."""
        if self.spec.frozen:
            return EPERM
        return hash_delete(self.mem, self.g, key, key_off)

    def read(self, key: bytes) -> bytes | None:
        """A copy of a key's value as it was at one moment, or None; programs may write through pointers meanwhile."""
        m, g, wanted = self.mem, self.g, Mem(key)
        while at := hash_lookup(m, g, wanted, 0):
            link = load_u64(m, at - g.value_at)
            value = bytes(m.u8[at : at + g.value_size])
            # The node is still the key's, and its link hasn't changed: it was the key's all the while.
            if hash_lookup(m, g, wanted, 0) == at and load_u64(m, at - g.value_at) == link:
                return value
        return None

    def entries(self) -> Iterator[tuple[bytes, bytes]]:
        """All entries; each chain as it was at one moment, though not all of them at the same."""
        for bucket in range(BUCKETS, BUCKETS + 8 * (self.g.bucket_mask + 1), 8):
            chain = self._chain(bucket)
            while chain is None:  # somebody changed it under our eyes
                chain = self._chain(bucket)
            yield from chain

    @property
    def refused(self) -> int:
        """How many updates found no room, since the map was made."""
        return load_u64(self.mem, REFUSED)

    def __len__(self) -> int:
        return min(load_u64(self.mem, COUNT), self.g.max_entries)

    def _chain(self, bucket: int) -> list[tuple[bytes, bytes]] | None:
        m, g = self.mem, self.g
        found: list[tuple[bytes, bytes]] = []
        came_by = [(bucket, load_u64(m, bucket))]
        while number := (came_by[-1][1] >> 1) & NUMBER:
            at, word = came_by[-1]
            node = g.first_node + number * g.stride
            link = load_u64(m, node)
            key = bytes(m.u8[node + NODE_KEY : node + NODE_KEY + g.key_size])
            value = bytes(m.u8[node + g.value_at : node + g.value_at + g.value_size])
            if load_u64(m, at) != word:
                return None
            if not link & MARK:
                found.append((key, value))
            came_by.append((node, link))
        return found if all(load_u64(m, at) == word for at, word in came_by) else None
