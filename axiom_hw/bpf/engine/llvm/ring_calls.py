"""Calls of helpers on rings, as IR: the operations of `maps.ring`, compiled and inlined.

A consumer that sleeps is woken by a callback. `@bell_<map>`, a word beside the ring, says whether there is one.
"""

from __future__ import annotations

from collections.abc import Callable

from axiom_hw.bpf.engine.llvm.body import Body, Value, text64
from axiom_hw.bpf.engine.llvm.calls import leave_if
from axiom_hw.bpf.engine.llvm.choose import by_number
from axiom_hw.bpf.engine.llvm.here import Here
from axiom_hw.bpf.engine.llvm.places import (
    FIRST_MAP_TAG,
    TAG_SHIFT,
    map_object,
    map_pointer,
    maps_of,
    resolve,
    rings_of,
)
from axiom_hw.bpf.engine.llvm.runstate import HELD_SHIFT
from axiom_hw.bpf.maps.base import EAGAIN, EINVAL
from axiom_hw.bpf.maps.ring import (
    CHUNK_BYTES,
    FORCE_WAKEUP,
    NO_WAKEUP,
    RecordSize,
    ring_begin,
    ring_discard,
    ring_put,
    ring_put_known,
    ring_query,
    ring_room,
    ring_room_ahead,
    ring_submit,
)
from axiom_hw.bpf.maps.ringbuf import RingBuf


def output(b: Body, here: Here) -> None:
    size = b.get(3)
    flags = b.get(4)
    choices = _rings(here)
    meant = b.get(1)
    source = resolve(b, here, 2).operand if here.places(2) else None

    def one(index: int) -> Value:
        at = _room(b, here, index, size)
        came_from, put, join = b.here, b.fresh("put"), b.fresh("join")
        b.split(b.op(f"icmp eq i64 {at}, 0"), join, put)
        b.label(put)
        # Without bytes there need not be a pointer: the interpreter takes the ring itself for the source.
        taken = source or f"ptr @map_{index}, i64 0"
        if isinstance(size, int):
            name = here.unit.raw.lower(ring_put_known, RecordSize(size))
            b.do(f"call void @{name}(ptr @map_{index}, i64 {at}, {taken})")
        else:
            b.do(f"call void @{here.unit.raw.lower(ring_put)}(ptr @map_{index}, i64 {at}, {taken}, i64 {size})")
        b.do(f"br label %{join}")
        b.label(join)
        return b.op(f"phi i64 [ {EAGAIN}, %{came_from} ], [ 0, %{put} ]")

    def publish() -> Value:
        made = text64(by_number(b, meant, choices, one))
        if isinstance(flags, int) and flags & 3 == NO_WAKEUP:
            return made
        ring_it, on = b.fresh("wake"), b.fresh("on")
        b.split(b.op(f"icmp eq i64 {made}, 0"), ring_it, on)
        b.label(ring_it)
        by_number(b, meant, choices, lambda index: _wake(b, here, index, flags))
        b.do(f"br label %{on}")
        b.label(on)
        return made

    most = NO_WAKEUP | FORCE_WAKEUP
    if isinstance(flags, int):
        b.set(0, publish() if flags <= most else EINVAL)
        return
    came_from, known, join = b.here, b.fresh("known"), b.fresh("join")
    b.split(b.op(f"icmp ule i64 {flags}, {most}"), known, join)
    b.label(known)
    made = publish()
    published = b.here
    b.do(f"br label %{join}")
    b.label(join)
    b.set(0, b.op(f"phi i64 [ {EINVAL}, %{came_from} ], [ {text64(made)}, %{published} ]"))


def reserve(b: Body, here: Here) -> None:
    size, flags = b.get(2), b.get(3)
    choices = _rings(here)
    meant = b.get(1)

    def one(index: int) -> Value:
        at = _room(b, here, index, size)
        came_from, begin, join = b.here, b.fresh("begin"), b.fresh("join")
        b.split(b.op(f"icmp eq i64 {at}, 0"), join, begin)
        b.label(begin)
        name = here.unit.raw.lower(ring_begin)
        begun = b.op(f"call i64 @{name}(ptr @map_{index}, i64 {at}, i64 {text64(size)})")
        if here.unit.holds:
            here.unit.prelude.add("hold")
            b.do(f"call void @hold(ptr %run, i64 {_entry(b, index, begun)})")
        pointer = b.op(f"add nuw nsw i64 {begun}, {map_pointer(index, 0)}")
        b.do(f"br label %{join}")
        b.label(join)
        return b.op(f"phi i64 [ 0, %{came_from} ], [ {pointer}, %{begin} ]")

    if isinstance(flags, int):
        b.set(0, by_number(b, meant, choices, one) if flags == 0 else 0)  # no flags are defined for it
        return
    came_from, known, join = b.here, b.fresh("known"), b.fresh("join")
    b.split(b.op(f"icmp eq i64 {flags}, 0"), known, join)
    b.label(known)
    made = by_number(b, meant, choices, one)
    reserved = b.here
    b.do(f"br label %{join}")
    b.label(join)
    b.set(0, b.op(f"phi i64 [ 0, %{came_from} ], [ {text64(made)}, %{reserved} ]"))


def _room(b: Body, here: Here, index: int, size: Value) -> str:
    """Room for a record, as `ring_room` gives it: of the batch's chunk, where this is a batch."""
    g, raw, ahead = _ring(here, index).g, here.unit.raw, here.unit.ahead
    arguments = f"ptr @map_{index}, i64 {text64(size)}"
    alone = f"call i64 @{raw.lower(ring_room, g)}({arguments})"
    if index not in ahead:
        return b.op(alone)
    single, many, join = b.fresh("single"), b.fresh("many"), b.fresh("join")
    b.split(b.op("icmp eq ptr %chunks, null"), single, many)
    b.label(single)
    taken = b.op(alone)
    b.do(f"br label %{join}")
    b.label(many)
    at = CHUNK_BYTES * ahead.index(index)
    reserved = b.op(f"call i64 @{raw.lower(ring_room_ahead, g)}({arguments}, ptr %chunks, i64 {at})")
    b.do(f"br label %{join}")
    b.label(join)
    return b.op(f"phi i64 [ {taken}, %{single} ], [ {reserved}, %{many} ]")


def submit(b: Body, here: Here) -> None:
    _release(b, here, ring_submit)


def discard(b: Body, here: Here) -> None:
    _release(b, here, ring_discard)


def _release(b: Body, here: Here, function: Callable[..., None]) -> None:
    record, flags = text64(b.get(1)), b.get(2)
    name = here.unit.raw.lower(function)
    choices = [(FIRST_MAP_TAG + index, index) for index in rings_of(here, 1)]

    def one(index: int) -> Value:
        offset = b.op(f"sub i64 {record}, {map_pointer(index, 0)}")
        if here.unit.holds:
            here.unit.prelude.add("release")
            b.do(f"call void @release(ptr %run, i64 {_entry(b, index, offset)})")
        b.do(f"call void @{name}(ptr @map_{index}, i64 {offset})")
        return _wake(b, here, index, flags)

    tag: Value = b.op(f"lshr i64 {record}, {TAG_SHIFT}") if len(choices) > 1 else 0
    by_number(b, tag, choices, one)
    b.set(0, 0)


def query(b: Body, here: Here) -> None:
    what = text64(b.get(2))

    def one(index: int) -> Value:
        name = here.unit.raw.lower(ring_query, _ring(here, index).g)
        return b.op(f"call i64 @{name}(ptr @map_{index}, i64 {what})")

    b.set(0, by_number(b, b.get(1), _rings(here), one))


def _wake(b: Body, here: Here, index: int, flags: Value) -> Value:
    """Wake the consumer if it sleeps, unless the flags say otherwise; what wakes it may raise."""
    if isinstance(flags, int) and flags & 3 == NO_WAKEUP:
        return 0
    unit = here.unit
    unit.prelude.add("wake")
    unit.externals.add(f"@bell_{index} = external global i32, align 4")
    leave_if(b, b.op(f"call i1 @wake(ptr %run, ptr @bell_{index}, i64 {index}, i64 {text64(flags)})"))
    return 0


def _entry(b: Body, index: int, offset: str) -> str:
    return b.op(f"or i64 {offset}, {index << HELD_SHIFT}") if index else offset


def _rings(here: Here) -> list[tuple[int, int]]:
    return [(map_object(index), index) for index in maps_of(here, 1)]


def _ring(here: Here, index: int) -> RingBuf:
    live = here.unit.maps[index]
    if not isinstance(live, RingBuf):
        raise here.lost(1, "a ring")
    return live
