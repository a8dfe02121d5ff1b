"""Calls of helpers on maps with keys, as IR: the operations of `maps`, compiled and inlined."""

from __future__ import annotations

from collections.abc import Callable

from axiom_hw.bpf.engine.llvm.body import Body, Value, text64
from axiom_hw.bpf.engine.llvm.choose import by_number
from axiom_hw.bpf.engine.llvm.here import Here
from axiom_hw.bpf.engine.llvm.places import map_object, map_pointer, maps_of, resolve
from axiom_hw.bpf.maps.array import ArrayMap, array_lookup, array_update
from axiom_hw.bpf.maps.base import EINVAL, EPERM
from axiom_hw.bpf.maps.hash import hash_delete, hash_lookup, hash_update
from axiom_hw.bpf.maps.hash_map import HashMap
from axiom_hw.bpf.spec import MapFlag


def lookup(b: Body, here: Here) -> None:
    key = resolve(b, here, 2).operand

    def one(index: int) -> Value:
        live = _table(here, index)
        function = array_lookup if isinstance(live, ArrayMap) else hash_lookup
        name = here.unit.raw.lower(function, live.g)
        return pointer_or_null(b, index, b.op(f"call i64 @{name}(ptr @map_{index}, {key})"))

    b.set(0, _for_map(b, here, one))


def update(b: Body, here: Here) -> None:
    key = resolve(b, here, 2).operand
    value = resolve(b, here, 3).operand
    flags = text64(b.get(4))

    def one(index: int) -> Value:
        live = _table(here, index)
        if not _writable(live):
            return EPERM
        function = array_update if isinstance(live, ArrayMap) else hash_update
        name = here.unit.raw.lower(function, live.g)
        return b.op(f"call i64 @{name}(ptr @map_{index}, {key}, {value}, i64 {flags})")

    b.set(0, _for_map(b, here, one))


def delete(b: Body, here: Here) -> None:
    key = resolve(b, here, 2).operand

    def one(index: int) -> Value:
        live = _table(here, index)
        if not _writable(live):
            return EPERM
        if isinstance(live, ArrayMap):
            return EINVAL
        return b.op(f"call i64 @{here.unit.raw.lower(hash_delete, live.g)}(ptr @map_{index}, {key})")

    b.set(0, _for_map(b, here, one))


def pointer_or_null(b: Body, index: int, offset: str) -> Value:
    """The offset that an operation gave as a pointer into the map; 0, NULL, stays 0."""
    came_from, found, join = b.here, b.fresh("found"), b.fresh("join")
    b.split(b.op(f"icmp eq i64 {offset}, 0"), join, found)
    b.label(found)
    pointer = b.op(f"add nuw nsw i64 {offset}, {map_pointer(index, 0)}")  # offsets are less than 2**40
    b.do(f"br label %{join}")
    b.label(join)
    return b.op(f"phi i64 [ 0, %{came_from} ], [ {pointer}, %{found} ]")


def _for_map(b: Body, here: Here, one: Callable[[int], Value]) -> Value:
    choices = [(map_object(index), index) for index in maps_of(here, 1)]
    return by_number(b, b.get(1), choices, one)


def _table(here: Here, index: int) -> ArrayMap | HashMap:
    live = here.unit.maps[index]
    if not isinstance(live, ArrayMap | HashMap):
        raise here.lost(1, "a map with keys")
    return live


def _writable(live: ArrayMap | HashMap) -> bool:
    """By programs; as the interpreter has it (`Linkage`)."""
    return not (live.spec.frozen or live.spec.flags & MapFlag.RDONLY_PROG)
