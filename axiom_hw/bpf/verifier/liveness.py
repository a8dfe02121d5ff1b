"""What later instructions still need: which registers are read, and which numbers can decide about safety.

Two states that differ only in what nothing reads any more, or in numbers that decide nothing, have the same future:
the verifier need not follow both. Found before the walk, backwards over the control flow:

live     a bit set of registers per pc
weights  per pc, for each register and stack slot that weighs anything, a bit set of what its value may decide:
         bit 0, an address or a size; one bit for each conditional jump

A jump of which the walk followed both sides was decided by no value, so only the jumps that a finished state really
saw decided count when another state is compared with it. (Linux finds the same by walking back over each path.)
What is linked to what isn't known before the walk: after `c = a`, `if a < b` bounds c by b. So a jump that taught about
a linked number counts as well: then its operands must be covered, and c's bounds are.
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

ADDRESS: Final = 1
_JUMP_BITS: Final = 509  # jumps beyond share bits: then a state weighs a little more than it must
_SLOT: Final = 16  # index of the frame's lowest 8 bytes among the weights; registers come before
_ANY_SLOT: Final = 15  # a weight of all slots at once: something is read through a pointer
_ARGS: Final = 0b111110
_SCRATCH: Final = 0b111111  # r0 to r5: gone after a call
_INDIFFERENT: Final = {Arg.SCALAR, Arg.OPTIONAL}  # any number will do

Weights = dict[int, int]


@dataclass(frozen=True, slots=True)
class Needs:
    """Per pc, before the instruction. A `Weights` is shared by many pcs: never change one."""

    live: list[int]
    weights: list[Weights]
    escapes: dict[int, bool]  # function -> its frame's address is held elsewhere than in r10

    def weigh_slot(self, weights: Weights, offset: int) -> int:
        """What the 8 bytes of stack around `offset` (negative, from the frame's end) may decide."""
        return weights.get(_slot(offset), 0) | weights.get(_ANY_SLOT, 0)


def jump_bit(pc: int) -> int:
    """The bit of the conditional jump at `pc`."""
    return 2 << pc % _JUMP_BITS


def _slot(offset: int) -> int:
    return _SLOT + (STACK_BYTES + offset) // 8


def needs_of(shape: Shape) -> Needs:
    """Solve both, each function after those that it calls."""
    size = len(shape.insns)
    nothing: Weights = {}
    needs = Needs([0] * size, [nothing] * size, {start: _escapes(shape, f) for start, f in shape.functions.items()})
    predecessors: list[list[int]] = [[] for _ in range(size)]
    for pc, targets in enumerate(shape.successors):
        for target in targets:
            predecessors[target].append(pc)
    for start in shape.callees_first:
        _Solver(shape, shape.functions[start], needs).solve(predecessors)
    return needs


class _Solver:
    """The fixed point of one function."""

    def __init__(self, shape: Shape, function: Function, needs: Needs) -> None:
        self.shape = shape
        self.function = function
        self.needs = needs
        self.escapes = needs.escapes[function.start]
        self.is_main = function.start == 0
        self.callees = dict(function.calls)

    def solve(self, predecessors: list[list[int]]) -> None:
        needs, shape = self.needs, self.shape
        todo = [pc for pc in range(self.function.start, self.function.end) if shape.rows[pc] is not None]
        waiting = set(todo)
        while todo:
            pc = todo.pop()  # backwards: the last first
            waiting.discard(pc)
            live, weights = 0, self._join(shape.successors[pc])
            for target in shape.successors[pc]:
                live |= needs.live[target]
            live, weights = self._live(pc, live), self._weigh(pc, weights)
            if live != needs.live[pc] or weights != needs.weights[pc]:
                needs.live[pc], needs.weights[pc] = live, weights
                for before in predecessors[pc]:
                    if before not in waiting:
                        waiting.add(before)
                        todo.append(before)

    def _join(self, successors: tuple[int, ...]) -> Weights:
        if not successors:
            return {}
        first = self.needs.weights[successors[0]]
        for target in successors[1:]:
            other = self.needs.weights[target]
            if other is not first and other != first:
                first = {key: first.get(key, 0) | other.get(key, 0) for key in first.keys() | other.keys()}
        return first

    def _live(self, pc: int, live: int) -> int:
        row, insn = self.shape.rows[pc], self.shape.insns[pc]
        assert row is not None
        dst, src = 1 << insn.dst, 1 << insn.src if row.uses_register else 0
        match row.kind:
            case Kind.ALU | Kind.MOVSX | Kind.NEG | Kind.ENDIAN:
                return (live & ~dst if row.verb in ("mov", "movsx") else live | dst) | src
            case Kind.IMM64:
                return live & ~dst
            case Kind.LOAD | Kind.LOADSX:
                return live & ~dst | src
            case Kind.STORE | Kind.STORE_IMM | Kind.JUMP_IF:
                return live | dst | src
            case Kind.ATOMIC:
                return live & ~_result(row, insn) | dst | src | (1 if row.verb == "cmpxchg" else 0)
            case Kind.CALL:
                if pc in self.callees:
                    return live & ~_SCRATCH | self.needs.live[self.callees[pc]] & _ARGS
                return live & ~_SCRATCH | _arguments(row, insn)[0]
            case Kind.EXIT:
                return 1
            case Kind.JUMP:
                return live

    def _weigh(self, pc: int, after: Weights) -> Weights:
        row, insn = self.shape.rows[pc], self.shape.insns[pc]
        assert row is not None
        match row.kind:
            case Kind.ALU | Kind.MOVSX | Kind.NEG | Kind.ENDIAN:
                weight = after.get(insn.dst, 0)
                if not weight:
                    return after
                made = dict(after)
                if row.verb in ("mov", "movsx"):
                    del made[insn.dst]
                return _add(made, insn.src, weight) if row.uses_register else made
            case Kind.IMM64:
                return _without(after, insn.dst)
            case Kind.LOAD | Kind.LOADSX:
                weight = after.get(insn.dst, 0)
                made = _add(_without(after, insn.dst), insn.src, ADDRESS)
                return self._add_place(made, insn.src, insn.off, row.width, weight) if weight else made
            case Kind.STORE | Kind.STORE_IMM:
                return self._store(row, insn, after)
            case Kind.ATOMIC:
                return self._atomic(row, insn, after)
            case Kind.JUMP_IF:
                # Each operand bounds the other, so each decides what the other does.
                weight = jump_bit(pc) | after.get(insn.dst, 0)
                weight |= after.get(insn.src, 0) if row.uses_register else 0
                made = _add(after, insn.dst, weight)
                return _add(made, insn.src, weight) if row.uses_register else made
            case Kind.CALL:
                return self._call(pc, row, insn, after)
            case Kind.EXIT:
                return {} if self.is_main else {0: ADDRESS}  # what the caller does with r0 isn't known here
            case Kind.JUMP:
                return after

    def _store(self, row: Op, insn: Insn, after: Weights) -> Weights:
        weight = self._weight_of_place(insn.dst, insn.off, row.width, after)
        made = after
        if insn.dst == FRAME_POINTER and row.width == 64 and insn.off % 8 == 0:
            made = _without(made, _slot(insn.off))  # wholly overwritten
        if row.kind is Kind.STORE and weight:
            made = _add(made, insn.src, weight)
        return _add(made, insn.dst, ADDRESS)

    def _atomic(self, row: Op, insn: Insn, after: Weights) -> Weights:
        result = _result(row, insn)
        number = 0 if row.verb == "cmpxchg" else insn.src
        weight = self._weight_of_place(insn.dst, insn.off, row.width, after)
        made = after
        if result:
            weight |= after.get(number, 0)
            made = _without(made, number)
        if weight:
            made = _add(made, insn.src, weight)
            if row.verb == "cmpxchg":
                made = _add(made, 0, weight)
            made = self._add_place(made, insn.dst, insn.off, row.width, weight)
        return _add(made, insn.dst, ADDRESS)

    def _call(self, pc: int, row: Op, insn: Insn, after: Weights) -> Weights:
        made = {key: weight for key, weight in after.items() if key > 5}
        if pc not in self.callees:
            for number in range(1, 10):
                if _arguments(row, insn)[1] >> number & 1:
                    made[number] = made.get(number, 0) | ADDRESS
            return made
        entry = self.needs.weights[self.callees[pc]]
        for number in range(1, 6):
            if number in entry:
                made[number] = entry[number]
        if self.escapes:
            made[_ANY_SLOT] = made.get(_ANY_SLOT, 0) | ADDRESS  # the callee may read this frame
        return made

    def _weight_of_place(self, base: int, off: int, width: int, after: Weights) -> int:
        """What the memory that an access means may decide later."""
        if base == FRAME_POINTER:
            first, last = _slot(off), _slot(off + width // 8 - 1)
            return after.get(first, 0) | after.get(last, 0) | after.get(_ANY_SLOT, 0)
        weight = 0
        if self.escapes:
            for key, value in after.items():
                weight |= value if key >= _ANY_SLOT else 0
        return weight if self.is_main else weight | ADDRESS  # it may be a caller's frame

    def _add_place(self, weights: Weights, base: int, off: int, width: int, weight: int) -> Weights:
        if base == FRAME_POINTER:
            return _add(_add(weights, _slot(off), weight), _slot(off + width // 8 - 1), weight)
        return _add(weights, _ANY_SLOT, weight) if self.escapes else weights


def _add(weights: Weights, key: int, weight: int) -> Weights:
    if key == FRAME_POINTER or weights.get(key, 0) | weight == weights.get(key, 0):
        return weights
    return {**weights, key: weights.get(key, 0) | weight}


def _without(weights: Weights, key: int) -> Weights:
    return {k: weight for k, weight in weights.items() if k != key} if key in weights else weights


def _result(row: Op, insn: Insn) -> int:
    """The register, as a bit, that an atomic operation fetches into."""
    if row.verb == "cmpxchg":
        return 1
    return 1 << insn.src if row.verb == "xchg" or row.verb.startswith("fetch") else 0


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
