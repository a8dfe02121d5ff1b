"""When one state makes following another needless: everything the second can do, the first could.

Comparing what doesn't matter would keep loops from closing; leaving out what matters would accept unsafe programs
(CVE-2023-2163). What matters is decided before the walk, in `liveness`.
"""

from __future__ import annotations

from collections.abc import Hashable

from axiom_hw.bpf.insn import FRAME_POINTER
from axiom_hw.bpf.verifier.liveness import ALL_SLOTS, Needs, slot_bit
from axiom_hw.bpf.verifier.num import Num
from axiom_hw.bpf.verifier.values import Frame, Kind, Ptr, Reg, State

_CALLEE_SAVED = 0b11_1100_0000  # r6 to r9: what a caller's frame still holds while a callee runs


def views(needs: Needs, state: State, pc: int) -> list[tuple[Frame, int, int]]:
    """Each frame with its live registers and its decisive bits at this point."""
    found = []
    last = len(state.frames) - 1
    for depth, frame in enumerate(state.frames):
        at = pc if depth == last else state.frames[depth + 1].return_pc
        live, decisive = needs.live[at], needs.decisive[at]
        if depth != last:
            live &= _CALLEE_SAVED
            if needs.escapes[frame.function]:
                decisive |= ALL_SLOTS  # the callee may read this frame through a pointer
        found.append((frame, live, decisive))
    return found


class _Ids:
    """A one-to-one match between the ids of two states: what is a copy there must be a copy here."""

    def __init__(self) -> None:
        self.forth: dict[int, int] = {}
        self.back: dict[int, int] = {}

    def match(self, old: int, new: int) -> bool:
        return self.forth.setdefault(old, new) == new and self.back.setdefault(new, old) == old


def covers(needs: Needs, old: State, new: State, pc: int) -> bool:
    """Whether whatever holds after `old` at `pc` holds after `new`."""
    if len(old.frames) != len(new.frames) or len(old.refs) != len(new.refs):
        return False
    ids, refs = _Ids(), _Ids()
    new_frames = new.frames
    for depth, (frame, live, decisive) in enumerate(views(needs, old, pc)):
        other = new_frames[depth]
        if frame.function != other.function or frame.return_pc != other.return_pc:
            return False
        for number in range(FRAME_POINTER):
            bit = 1 << number
            if live & bit and not _reg_covers(frame.regs[number], other.regs[number], bool(decisive & bit), ids, refs):
                return False
        if not _cells_cover(frame, other, decisive, ids, refs):
            return False
    # Records that nothing points at any more still have to be released: they must match one to one as well.
    rest_old = [ref for ref in old.refs if ref not in refs.forth]
    rest_new = [ref for ref in new.refs if ref not in refs.back]
    return len(rest_old) == len(rest_new)


def _reg_covers(old: Reg, new: Reg, decisive: bool, ids: _Ids, refs: _Ids) -> bool:
    if old is None:
        return True  # proved safe without reading it
    if new is None:
        return False
    if isinstance(old, Num):
        if not isinstance(new, Num):
            return False
        if not decisive:
            return True
        return old.covers(new) and (not old.id or (new.id != 0 and ids.match(old.id, new.id)))
    if not isinstance(new, Ptr) or old.kind is not new.kind or old.size != new.size:
        return False
    if old.kind is Kind.RECORD:
        if not refs.match(old.obj, new.obj):
            return False
    elif old.obj != new.obj:
        return False
    if old.null != new.null and not old.null:
        return False
    if old.null and (not new.null or not ids.match(old.id, new.id)):
        return False
    return old.off.covers(new.off)


def _cells_cover(old: Frame, new: Frame, decisive: int, ids: _Ids, refs: _Ids) -> bool:
    for off, (size, value) in old.cells.items():
        cell = new.cells.get(off)
        if cell is None or cell[0] != size:
            if isinstance(value, Ptr) or not _merely_written(old, new, off, size, decisive):
                return False
            continue
        matters = bool(decisive & slot_bit(off))
        if not _reg_covers(value, cell[1], matters, ids, refs):
            return False
    return True


def _merely_written(old: Frame, new: Frame, off: int, size: int, decisive: int) -> bool:
    """Cells cut differently still match where only being written counts."""
    if decisive & slot_bit(off):
        return False
    covered = off
    for at in sorted(new.cells):
        length, value = new.cells[at]
        if at + length <= covered or at >= off + size:
            continue
        if at > covered or isinstance(value, Ptr):
            return False
        covered = at + length
    return covered >= off + size


def signature(needs: Needs, state: State, pc: int) -> Hashable:
    """Equal signatures, equal futures: ids are numbered in the order in which they appear."""
    order: dict[int, int] = {0: 0}
    parts: list[Hashable] = [len(state.refs)]
    for frame, live, decisive in views(needs, state, pc):
        parts.append((frame.function, frame.return_pc))
        for number in range(FRAME_POINTER):
            if live >> number & 1:
                parts.append(_sign(frame.regs[number], bool(decisive >> number & 1), order))
        for off in sorted(frame.cells):
            size, value = frame.cells[off]
            parts.append((off, size, _sign(value, bool(decisive & slot_bit(off)), order)))
    return tuple(parts)


def _sign(value: Reg, decisive: bool, order: dict[int, int]) -> Hashable:
    if value is None:
        return None
    if isinstance(value, Num):
        return (value.key, order.setdefault(value.id, len(order))) if decisive else "number"
    # References and ids are numbered alike: a record's or-NULL id is its reference.
    obj = order.setdefault(value.obj, len(order)) if value.kind is Kind.RECORD else value.obj
    return (value.kind, obj, value.off.key, value.size, value.null, order.setdefault(value.id, len(order)))


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
