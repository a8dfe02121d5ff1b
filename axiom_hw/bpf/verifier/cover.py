"""When one state makes following another needless: everything the second can do, the first could.

Comparing what doesn't matter would keep loops from closing; leaving out what matters would accept unsafe programs
(CVE-2023-2163). What matters is decided before the walk, in `liveness`.
"""

from __future__ import annotations

from collections.abc import Hashable

from axiom_hw.bpf.insn import FRAME_POINTER
from axiom_hw.bpf.verifier.liveness import ADDRESS, Needs, Weights
from axiom_hw.bpf.verifier.num import BYTES, M32, Num
from axiom_hw.bpf.verifier.values import Frame, Kind, Ptr, Reg, State

_CALLEE_SAVED = 0b11_1100_0000  # r6 to r9: what a caller's frame still holds while a callee runs


_EVERYTHING = -1  # as a set of jumps: all bits


class View:
    """A frame at one point: its live registers, and what its numbers may decide."""

    __slots__ = ("all_slots", "frame", "live", "needs", "weights")

    def __init__(self, needs: Needs, frame: Frame, live: int, weights: Weights, all_slots: bool) -> None:
        self.needs = needs
        self.frame = frame
        self.live = live
        self.weights = weights
        self.all_slots = all_slots

    def decides(self, number: int, decided: int) -> bool:
        """Whether a register's value decides an address, or one of the `decided` jumps."""
        return bool(self.weights.get(number, 0) & decided)

    def slot_decides(self, off: int, decided: int) -> bool:
        return self.all_slots or bool(self.needs.weigh_slot(self.weights, off) & decided)


def views(needs: Needs, state: State, pc: int) -> list[View]:
    """Each frame at this point."""
    found = []
    last = len(state.frames) - 1
    for depth, frame in enumerate(state.frames):
        at = pc if depth == last else state.frames[depth + 1].return_pc
        live = needs.live[at] if depth == last else needs.live[at] & _CALLEE_SAVED
        # While a callee runs, it may read this frame through a pointer.
        all_slots = depth != last and needs.escapes[frame.function]
        found.append(View(needs, frame, live, needs.weights[at], all_slots))
    return found


class _Ids:
    """A one-to-one match between the ids of two states: what is a copy there must be a copy here."""

    def __init__(self) -> None:
        self.forth: dict[int, int] = {}
        self.back: dict[int, int] = {}

    def match(self, old: int, new: int) -> bool:
        return self.forth.setdefault(old, new) == new and self.back.setdefault(new, old) == old


def covers(needs: Needs, old: State, new: State, pc: int, decided: int) -> bool:
    """Whether whatever holds after `old` at `pc` holds after `new`.

    `decided` are the jumps that some value decided after `old`, as bits of `liveness.jump_bit`.
    """
    decided |= ADDRESS
    if len(old.frames) != len(new.frames) or len(old.refs) != len(new.refs):
        return False
    ids, refs = _Ids(), _Ids()
    new_frames = new.frames
    for depth, view in enumerate(views(needs, old, pc)):
        frame, other = view.frame, new_frames[depth]
        if frame.function != other.function or frame.return_pc != other.return_pc:
            return False
        for number in range(FRAME_POINTER):
            if view.live >> number & 1:
                matters = view.decides(number, decided)
                if not _reg_covers(frame.regs[number], other.regs[number], matters, ids, refs):
                    return False
        if not _cells_cover(view, other, decided, ids, refs):
            return False
    if any((ref in old.refs) != (match in new.refs) for ref, match in refs.forth.items()):
        return False
    # Records that nothing points at any more still have to be released: they must match one to one as well.
    rest_old = [ref for ref in old.refs if ref not in refs.forth]
    rest_new = [ref for ref in new.refs if ref not in refs.back]
    return len(rest_old) == len(rest_new)


def _reg_covers(old: Reg, new: Reg, decisive: bool, ids: _Ids, refs: _Ids) -> bool:
    if old is None:
        return not isinstance(new, Ptr)  # proved safe without reading it; what a helper may take can't be a pointer
    if new is None:
        return False
    if isinstance(old, Num):
        if not isinstance(new, Num):
            return False
        # Copies must be copies even where the value decides nothing: testing one may bound another that does.
        if old.id and not (new.id and ids.match(old.id, new.id)):
            return False
        if old.id and (old.delta, old.form) != (new.delta, new.form):
            return False
        return not decisive or old.covers(new)
    if not isinstance(new, Ptr) or old.kind is not new.kind or old.size != new.size:
        return False
    if old.kind is Kind.RECORD:
        if old.ring != new.ring or not refs.match(old.obj, new.obj):
            return False
    elif old.obj != new.obj:
        return False
    if old.null != new.null and not old.null:
        return False
    if old.null and (not new.null or not ids.match(old.id, new.id)):
        return False
    return old.off.covers(new.off)


def _cells_cover(view: View, new: Frame, decided: int, ids: _Ids, refs: _Ids) -> bool:
    for off, (size, value) in view.frame.cells.items():
        cell = new.cells.get(off)
        matters = view.slot_decides(off, decided)
        if cell is None or cell[0] != size:
            if isinstance(value, Ptr) or value.id or matters or not _merely_written(new, off, size):
                return False
            continue
        if not _reg_covers(value, cell[1], matters, ids, refs):
            return False
    return True


def _merely_written(new: Frame, off: int, size: int) -> bool:
    """Cells cut differently still match where only being written counts."""
    covered = off
    for at in sorted(new.cells):
        length, value = new.cells[at]
        if at + length <= covered or at >= off + size:
            continue
        if at > covered or isinstance(value, Ptr):
            return False
        covered = at + length
    return covered >= off + size


def signature(needs: Needs, state: State, pc: int, *, loosely: bool = False) -> Hashable:
    """Equal signatures, equal futures: ids are numbered in the order in which they appear.

    With `loosely`, the numbers that `widen` would let go of are all alike.
    """
    order: dict[int, int] = {0: 0}
    parts: list[Hashable] = [len(state.refs)]
    for view in views(needs, state, pc):
        frame = view.frame
        parts.append((frame.function, frame.return_pc))
        for number in range(FRAME_POINTER):
            if view.live >> number & 1:
                reg = frame.regs[number]
                loose = loosely and _is_loose(reg, view.decides(number, ADDRESS))
                parts.append("loose" if loose else _sign(reg, view.decides(number, _EVERYTHING), order, state))
        for off in sorted(frame.cells):
            size, value = frame.cells[off]
            loose = loosely and _is_loose(value, view.slot_decides(off, ADDRESS))
            shown = "loose" if loose else _sign(value, view.slot_decides(off, _EVERYTHING), order, state)
            parts.append((off, size, shown))
    return tuple(parts)


def _sign(value: Reg, decisive: bool, order: dict[int, int], state: State) -> Hashable:
    if value is None:
        return None
    if isinstance(value, Num):
        link = (order.setdefault(value.id, len(order)), value.delta, value.form)
        return (value.key, link) if decisive else "number"
    # References and ids are numbered alike: a record's or-NULL id is its reference.
    obj = order.setdefault(value.obj, len(order)) if value.kind is Kind.RECORD else value.obj
    return (
        value.kind,
        obj,
        value.ring,
        state.is_released(value),
        value.off.key,
        value.size,
        value.null,
        order.setdefault(value.id, len(order)),
    )


def widen(needs: Needs, state: State, pc: int) -> None:
    """Forget what is known of numbers that decide jumps at most, and aren't exact: paths that differ in them meet.

    A checksum that is tested bit by bit has as many values as paths; a loop's counter is exact, and is kept.
    """
    for view in views(needs, state, pc):
        frame = view.frame
        for number in range(FRAME_POINTER):
            reg = frame.regs[number]
            if isinstance(reg, Num) and _is_loose(reg, view.decides(number, ADDRESS)):
                frame.regs[number] = BYTES[4] if reg.umax <= M32 else BYTES[8]
        for off, (size, value) in frame.cells.items():
            if isinstance(value, Num) and _is_loose(value, view.slot_decides(off, ADDRESS)):
                frame.cells[off] = (size, BYTES[size])


def _is_loose(value: Reg, vital: bool) -> bool:
    return isinstance(value, Num) and not vital and not value.is_const


def forget_single_ids(state: State) -> None:
    """An id with one holder says nothing; dropping it lets states match."""
    count: dict[int, int] = {}
    for value in state.held():
        if isinstance(value, Num) and value.id:
            count[value.id] = count.get(value.id, 0) + 1
    single = {id for id, n in count.items() if n == 1}
    if not single:
        return
    for frame in state.frames:
        for i, reg in enumerate(frame.regs):
            if isinstance(reg, Num) and reg.id in single:
                frame.regs[i] = reg.with_id(0)
        for off, (size, value) in frame.cells.items():
            if isinstance(value, Num) and value.id in single:
                frame.cells[off] = (size, value.with_id(0))
