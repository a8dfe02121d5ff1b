"""Arrays and hash maps as mappings: what a user's program holds.

    presses[0] += 1
    for tag, seen in tags.items(): ...

A hash of numbers reads as `collections.Counter` does: 0 for a key that isn't there. `.get(key)` and `in` tell.

An access is one operation on the map. `view[k] += 1` is two, a read and a write: a program that counts in between is
overwritten. Where programs count, let them.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Any, Final, Generic, TypeVar, overload

from axiom_hw.bpf.layout import U32, scalar_of
from axiom_hw.bpf.maps.array import ArrayMap
from axiom_hw.bpf.maps.base import ANY, E2BIG, EPERM, Table
from axiom_hw.bpf.maps.codec import codec_of
from axiom_hw.bpf.maps.hash_map import HashMap
from axiom_hw.bpf.maps.mem import Mem
from axiom_hw.errors import MapError, MapFull, MapKeyError

K = TypeVar("K")
V = TypeVar("V")
D = TypeVar("D")
_NOTHING: Final = object()  # what a default that wasn't given is


class ArrayView(MutableMapping[int, V], Generic[V]):
    """An array by index, 0 to `len(view) - 1`; each index is always there.

    `value` is the type of the values (see `codec_of`); without it they are what the declaration says, or bytes.

    Synchronization: any thread.
    """

    def __init__(self, table: ArrayMap, value: object = None) -> None:
        spec = table.spec
        self.map = self._table = table
        self.value_type = value or spec.value_layout
        self._place = f"map {spec.name}"
        self._codec = codec_of(self.value_type, spec.value_size, self._place)

    def __getitem__(self, index: int) -> V:
        table = self._table
        at = table.g.data + self._checked(index) * table.g.stride
        value: V = self._codec.decode(bytes(table.mem.u8[at : at + table.g.value_size]))
        return value

    def __setitem__(self, index: int, value: V) -> None:
        key = Mem(self._checked(index).to_bytes(4, "little"))
        result = self._table.update(key, 0, Mem(self._codec.encode(value)), 0, ANY)
        if result == EPERM:
            raise _frozen(self._place)
        assert result == 0

    def __delitem__(self, index: int) -> None:
        raise MapError(
            self._place, f"can't forget index {index!r}: the entries of an array are there for good", "set it"
        )

    def __contains__(self, index: object) -> bool:
        return isinstance(index, int) and 0 <= index < len(self)

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self)))

    def __len__(self) -> int:
        return len(self._table)

    def __repr__(self) -> str:
        return f"<array {self._table.spec.name}: {len(self)} of {self._codec.kind}>"

    def _checked(self, index: object) -> int:
        if not isinstance(index, int):
            raise MapKeyError(self._place, f"{index!r} is no index; an array's keys are ints from 0 to {len(self) - 1}")
        if not 0 <= index < len(self):
            raise MapKeyError(self._place, f"has no index {index}; it has {len(self)}, from 0 to {len(self) - 1}")
        return index


class HashView(MutableMapping[K, V], Generic[K, V]):
    """A hash map by key. `key` and `value` are types as in `ArrayView`.

    A key that isn't there reads as 0 where values are numbers; where they are structs or bytes it is a `MapKeyError`.

    Synchronization: any thread. Iteration sees each entry that is there all the while, once.
    """

    def __init__(self, table: HashMap, key: object = None, value: object = None) -> None:
        spec = table.spec
        self.map = self._table = table
        self.key_type, self.value_type = key or spec.key_layout, value or spec.value_layout
        self._place = f"map {spec.name}"
        self._keys = codec_of(self.key_type, spec.key_size, f"{self._place} (key)")
        self._values = codec_of(self.value_type, spec.value_size, f"{self._place} (value)")
        self._counts = scalar_of(self.value_type) is not None

    def __getitem__(self, key: K) -> V:
        found = self._table.read(self._keys.encode(key))
        if found is None:
            if not self._counts:
                raise self._missing(key)
            found = bytes(self._table.spec.value_size)
        value: V = self._values.decode(found)
        return value

    @overload
    def get(self, key: K, /) -> V | None: ...

    @overload
    def get(self, key: K, /, default: V | D) -> V | D: ...

    def get(self, key: K, default: V | D | None = None) -> V | D | None:
        """A key's value, or `default` where the key isn't there."""
        found = self._table.read(self._keys.encode(key))
        if found is None:
            return default
        value: V = self._values.decode(found)
        return value

    @overload
    def pop(self, key: K, /) -> V: ...

    @overload
    def pop(self, key: K, /, default: V | D) -> V | D: ...

    def pop(self, key: K, default: Any = _NOTHING) -> Any:
        """Remove a key and return its value; `default` where it isn't there, `MapKeyError` without one."""
        found = self._table.read(self._keys.encode(key))
        if found is None:
            if default is _NOTHING:
                raise self._missing(key)
            return default
        del self[key]
        return self._values.decode(found)

    def setdefault(self, key: K, default: V) -> V:
        """A key's value; where it isn't there, it is set first."""
        if self.get(key) is None:
            self[key] = default
        return self[key]

    def set(self, key: K, value: V) -> bool:
        """Set a key's value. False, where `view[key] = value` raises, if the map has no room for another key."""
        try:
            self[key] = value
        except MapFull:
            return False
        return True

    @property
    def refused(self) -> int:
        """How many updates, of programs too, found no room since the map was made."""
        return self._table.refused

    def __setitem__(self, key: K, value: V) -> None:
        result = self._table.update(Mem(self._keys.encode(key)), 0, Mem(self._values.encode(value)), 0, ANY)
        if result == E2BIG:
            limit = self._table.spec.max_entries
            raise MapFull(
                self._place,
                f"has no room for key {key!r}: all of its {limit} entries (max_entries) are taken",
                "delete one, or declare more",
            )
        if result == EPERM:
            raise _frozen(self._place)
        if result != 0:
            raise MapError(self._place, f"can't set key {key!r} now: more than 64 updates are under way", "try again")

    def __delitem__(self, key: K) -> None:
        """Forget a key. As in a `Counter`, one that isn't there is no error: a program may have been first."""
        if self._table.delete(Mem(self._keys.encode(key)), 0) == EPERM:
            raise _frozen(self._place)

    def __contains__(self, key: object) -> bool:
        encoded: bytes = self._keys.encode(key)
        return self._table.lookup(Mem(encoded), 0) != 0

    def __iter__(self) -> Iterator[K]:
        for key, _ in self._table.entries():
            yield self._keys.decode(key)

    def __len__(self) -> int:
        return len(self._table)

    def __repr__(self) -> str:
        kinds = f"{self._keys.kind} to {self._values.kind}"
        return f"<hash {self._table.spec.name}: {len(self)} of {self._table.spec.max_entries}, {kinds}>"

    def _missing(self, key: K) -> MapKeyError:
        taken = f"{len(self)} of {self._table.spec.max_entries} entries are taken"
        return MapKeyError(self._place, f"has no key {key!r}; {taken}", "ask with `in` or .get()")


def _frozen(place: str) -> MapError:
    return MapError(place, "is frozen: nobody writes it after the start", "declare it without const, or not frozen")


def view_of(table: Table, key: object = None, value: object = None) -> ArrayView[Any] | HashView[Any, Any]:
    """The view that suits a map's type."""
    if isinstance(table, HashMap):
        return HashView(table, key, value)
    if isinstance(table, ArrayMap):
        if key is not None and codec_of(key, 4, f"map {table.spec.name} (key)").kind != U32.name:
            raise MapError(f"map {table.spec.name}", "is an array; its keys are u32", "leave the key's type out")
        return ArrayView(table, value)
    raise MapError(f"map {table.spec.name}", f"of type {table.spec.type.name.lower()} has no keys to look at")
