"""What later instructions still need: which registers are read, and which numbers can decide about safety.

Two states that differ only in what nothing reads any more, or in numbers that never reach an address, a size or a
comparison, have the same future: the verifier need not follow both. Both facts are found before the walk, backwards
over the control flow, as bit sets: bit r for register r, bit SLOTS + n for the n-th 8 bytes of the frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from axiom_hw.bpf import helpers
from axiom_hw.bpf.helpers import Arg
from axiom_hw.bpf.insn import FRAME_POINTER, Insn
from axiom_hw.bpf.isa import Kind, Op
from axiom_hw.bpf.verifier.cfg import Function, Shape
from axiom_hw.bpf.verifier.values import STACK_BYTES

SLOTS: Final = 16
ALL_SLOTS: Final = (1 << STACK_BYTES // 8) - 1 << SLOTS
_ARGS: Final = 0b111110
_SCRATCH: Final = 0b111111  # r0 to r5: gone after a call
_INDIFFERENT: Final = {Arg.SCALAR, Arg.OPTIONAL}  # any number will do


@dataclass(frozen=True, slots=True)
class Needs:
    """Per pc, before the instruction: `live` registers; `decisive` registers and stack slots."""

    live: list[int]
    decisive: list[int]
    escapes: dict[int, bool]  # function -> its frame's address is held elsewhere than in r10


def slot_bit(offset: int) -> int:
    """The bit of the 8 bytes of stack that hold `offset` (negative, from the frame's end); 0 outside the frame."""
    return 1 << SLOTS + (STACK_BYTES + offset) // 8 if -STACK_BYTES <= offset < 0 else 0


def needs_of(shape: Shape) -> Needs:
    """Solve both, each function after those that it calls."""
    size = len(shape.insns)
    needs = Needs([0] * size, [0] * size, {start: _escapes(shape, f) for start, f in shape.functions.items()})
    predecessors: list[list[int]] = [[] for _ in range(size)]
    for pc, targets in enumerate(shape.successors):
        for target in targets:
            predecessors[target].append(pc)
    for start in shape.callees_first:
        _solve(shape, shape.functions[start], needs, predecessors)
    return needs


def _solve(shape: Shape, function: Function, needs: Needs, predecessors: list[list[int]]) -> None:
    todo = [pc for pc in range(function.start, function.end) if shape.rows[pc] is not None]
    waiting = set(todo)
    escapes = needs.escapes[function.start]
    callee_of = dict(function.calls)
    while todo:
        pc = todo.pop()  # backwards: the last first
        waiting.discard(pc)
        row, insn = shape.rows[pc], shape.insns[pc]
        assert row is not None
        live = decisive = 0
        for target in shape.successors[pc]:
            live |= needs.live[target]
            decisive |= needs.decisive[target]
        if pc in callee_of:
            # What the callee needs of its arguments; what it returns may decide, so r0 stays as it came.
            start = callee_of[pc]
            live = live & ~_SCRATCH | needs.live[start] & _ARGS
            decisive = decisive & ~_SCRATCH | needs.decisive[start] & _ARGS
            if escapes:
                decisive |= ALL_SLOTS
        else:
            live, decisive = _before(row, insn, live, decisive, escapes, main=function.start == 0)
        if live != needs.live[pc] or decisive != needs.decisive[pc]:
            needs.live[pc], needs.decisive[pc] = live, decisive
            for before in predecessors[pc]:
                if before not in waiting:
                    waiting.add(before)
                    todo.append(before)


def _before(row: Op, insn: Insn, live: int, decisive: int, escapes: bool, *, main: bool) -> tuple[int, int]:
    dst, src = 1 << insn.dst, 1 << insn.src
    match row.kind:
        case Kind.ALU | Kind.MOVSX | Kind.NEG | Kind.ENDIAN:
            copies = row.verb in ("mov", "movsx")
            used = (0 if copies else dst) | (src if row.uses_register else 0)
            live = (live & ~dst if copies else live) | used
            if decisive & dst:
                decisive = (decisive & ~dst if copies else decisive) | used
        case Kind.IMM64:
            live, decisive = live & ~dst, decisive & ~dst
        case Kind.LOAD | Kind.LOADSX:
            wanted = decisive & dst
            live, decisive = live & ~dst | src, decisive & ~dst | src
            if wanted:
                decisive |= _place(insn.src, insn.off, row.width, escapes)
        case Kind.STORE | Kind.STORE_IMM:
            place = _place(insn.dst, insn.off, row.width, escapes)
            data = src if row.kind is Kind.STORE else 0
            live |= dst | data
            if decisive & place:
                decisive |= data
            if insn.dst == FRAME_POINTER and row.width == 64 and insn.off % 8 == 0:
                decisive &= ~place  # wholly overwritten
            decisive |= dst
        case Kind.ATOMIC:
            live, decisive = _atomic(row, insn, live, decisive, escapes)
        case Kind.JUMP_IF:
            used = dst | (src if row.uses_register else 0)
            live, decisive = live | used, decisive | used
        case Kind.CALL:
            used, deciding = _arguments(row, insn)
            live, decisive = live & ~_SCRATCH | used, decisive & ~_SCRATCH | deciding
        case Kind.EXIT:
            live, decisive = 1, 0 if main else 1
        case Kind.JUMP:
            pass
    return live, decisive


def _place(base: int, off: int, width: int, escapes: bool) -> int:
    """The stack slots that an access may mean."""
    if base == FRAME_POINTER:
        return slot_bit(off) | slot_bit(off + width // 8 - 1)
    return ALL_SLOTS if escapes else 0


def _atomic(row: Op, insn: Insn, live: int, decisive: int, escapes: bool) -> tuple[int, int]:
    dst, src = 1 << insn.dst, 1 << insn.src
    place = _place(insn.dst, insn.off, row.width, escapes)
    result = 1 if row.verb == "cmpxchg" else src if row.verb == "xchg" or row.verb.startswith("fetch") else 0
    matters = decisive & (place | result)
    used = src | (1 if row.verb == "cmpxchg" else 0)
    if result:
        live, decisive = live & ~result, decisive & ~result
    live |= dst | used
    if matters:
        decisive |= used | place
    return live, decisive | dst


def _arguments(row: Op, insn: Insn) -> tuple[int, int]:
    """The registers that a call reads, and those whose value the verifier judges."""
    helper = helpers.BY_ID.get(insn.imm) if row.verb == "helper" else None
    if helper is None:
        return _ARGS | 1 << insn.dst, _ARGS | 1 << insn.dst
    used = deciding = 0
    for number, arg in enumerate(helper.args, start=1):
        used |= 1 << number
        if arg not in _INDIFFERENT:
            deciding |= 1 << number
    return used, deciding


def _escapes(shape: Shape, function: Function) -> bool:
    """Whether the frame's address gets into another register (stores through r10 itself don't count)."""
    for pc in range(function.start, function.end):
        row, insn = shape.rows[pc], shape.insns[pc]
        if row is None:
            continue
        reads_src = row.uses_register and row.kind in (Kind.ALU, Kind.MOVSX, Kind.STORE, Kind.ATOMIC)
        if reads_src and insn.src == FRAME_POINTER:
            return True
    return False
