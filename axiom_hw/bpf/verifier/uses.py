"""What the walk saw in each register that an instruction reads: the objects that it may point into, for the engines.

A path that is cut short, because an earlier one covers it, adds nothing: `cover` matches pointers by the object that
they point into, so the earlier path has met the same objects at each later instruction.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from axiom_hw.bpf import helpers
from axiom_hw.bpf.insn import FRAME_POINTER, Insn
from axiom_hw.bpf.isa import Kind as Op_
from axiom_hw.bpf.isa import Op
from axiom_hw.bpf.verified import Into, Place
from axiom_hw.bpf.verifier.cfg import Shape, target_of
from axiom_hw.bpf.verifier.liveness import Needs
from axiom_hw.bpf.verifier.num import Num
from axiom_hw.bpf.verifier.values import Kind, Ptr, State

_ARGUMENTS: Final = range(1, 6)
_INTO: Final = {
    Kind.CTX: Into.CTX, Kind.MEM: Into.CTX, Kind.STACK: Into.STACK, Kind.VALUE: Into.VALUE, Kind.RECORD: Into.RECORD,
    Kind.MAP: Into.MAP, Kind.CODE: Into.CODE,
}  # fmt: skip
_OF_MAPS: Final = (Kind.VALUE, Kind.RECORD, Kind.MAP)


class _Seen:
    """What one register pointed into. `which` is a map's index, or 1 for a caller's frame, else 0."""

    __slots__ = ("kind", "null", "register", "which")

    def __init__(self, register: int, kind: Kind, which: int, null: bool) -> None:
        self.register = register
        self.kind = kind
        self.which = which
        self.null = null


class Uses:
    """One walk's notes. `note` comes before each instruction that the walk follows, so it does little."""

    def __init__(self, shape: Shape, needs: Needs, ctx_bytes: int) -> None:
        self.ctx_bytes = ctx_bytes
        self.shape = shape
        self.needs = needs
        self._reads: list[tuple[int, ...] | None] = [None] * len(shape.insns)  # None: never followed
        self._pointers: list[list[_Seen]] = [[]] * len(shape.insns)
        self._numbers: list[set[int]] = [set()] * len(shape.insns)  # registers that held one
        self._of_frame: set[int] = set()  # pcs that read r10
        self._targets: dict[int, set[int]] = {}

    def note(self, pc: int, state: State) -> None:
        """Write down what the registers hold that the instruction at `pc` reads."""
        reads = self._reads[pc]
        if reads is None:
            reads = self._begin(pc)
        regs = state.frames[-1].regs
        for number in reads:
            value = regs[number]
            if value is None or value.__class__ is Num:  # where it isn't set, any number may be left in it
                numbers = self._numbers[pc]
                if number not in numbers:
                    numbers.add(number)
            else:
                assert isinstance(value, Ptr)
                kind, null = value.kind, value.null
                if kind is Kind.STACK:
                    which = 0 if value.obj == len(state.frames) - 1 else 1
                else:
                    which = value.ring if kind is Kind.RECORD else value.obj
                pointers = self._pointers[pc]
                for seen in pointers:  # nearly always one: hashing takes longer
                    if seen.register == number and seen.kind is kind and seen.which == which and seen.null is null:
                        break
                else:
                    pointers.append(_Seen(number, kind, which, null))
        if self._targets and pc in self._targets:
            target = regs[self.shape.insns[pc].dst]
            if isinstance(target, Num) and target.is_const:
                self._targets[pc].add(target.value)

    def found(self) -> Mapping[int, Mapping[int, frozenset[Place]]]:
        """As `Verified.uses`."""
        none: Mapping[int, frozenset[Place]] = MappingProxyType({})
        frame = frozenset((Place(Into.STACK),))
        found: dict[int, Mapping[int, frozenset[Place]]] = {}
        for pc, reads in enumerate(self._reads):
            if reads is None:
                continue
            places: dict[int, set[Place]] = {}
            for seen in self._pointers[pc]:
                here = places.setdefault(seen.register, set())
                here.add(_place(seen))
                # Where the context is empty, engines may give NULL for it.
                absent = _INTO[seen.kind] is Into.CTX and not self.ctx_bytes
                if seen.null or absent or seen.register in self._numbers[pc]:
                    here.add(Place(Into.NUMBER))
            made = {number: frozenset(here) for number, here in places.items()}
            if pc in self._of_frame:
                made[FRAME_POINTER] = frame
            found[pc] = MappingProxyType(made) if made else none
        return MappingProxyType(found)

    def targets(self) -> Mapping[int, frozenset[int]]:
        """As `Verified.targets`."""
        return MappingProxyType({pc: frozenset(found) for pc, found in self._targets.items()})

    def _begin(self, pc: int) -> tuple[int, ...]:
        """The registers that the instruction reads; r10 is always the same, and needs no notes."""
        reads = self._read(pc)
        if FRAME_POINTER in reads:
            reads = tuple(number for number in reads if number != FRAME_POINTER)
            self._of_frame.add(pc)
        self._reads[pc] = reads
        self._pointers[pc], self._numbers[pc] = [], set()
        row = self.shape.rows[pc]
        if row is not None and row.verb == "callx":
            self._targets[pc] = set()
        return reads

    def _read(self, pc: int) -> tuple[int, ...]:
        row, insn = self.shape.rows[pc], self.shape.insns[pc]
        assert row is not None
        match row.kind:
            case Op_.ALU:
                source = (insn.src,) if row.uses_register else ()
                return source if row.verb == "mov" else (insn.dst, *source)
            case Op_.MOVSX | Op_.LOAD | Op_.LOADSX:
                return (insn.src,)
            case Op_.NEG | Op_.ENDIAN | Op_.STORE_IMM:
                return (insn.dst,)
            case Op_.STORE:
                return insn.dst, insn.src
            case Op_.JUMP_IF:
                return (insn.dst, insn.src) if row.uses_register else (insn.dst,)
            case Op_.ATOMIC:
                return (insn.dst, insn.src, 0) if row.verb == "cmpxchg" else (insn.dst, insn.src)
            case Op_.CALL:
                return self._read_by_call(pc, row, insn)
            case Op_.EXIT:
                return (0,)
            case Op_.IMM64 | Op_.JUMP:
                return ()

    def _read_by_call(self, pc: int, row: Op, insn: Insn) -> tuple[int, ...]:
        match row.verb:
            case "local":
                # What the callee doesn't read isn't compared where paths meet, so it would be listed in part.
                live = self.needs.live[target_of(self.shape.insns, pc, row)]
                return tuple(number for number in _ARGUMENTS if live >> number & 1)
            case "callx":
                return (insn.dst, *_ARGUMENTS)
            case _:
                helper = helpers.BY_ID.get(insn.imm)
                return tuple(range(1, 1 + len(helper.args))) if helper else ()


def _place(seen: _Seen) -> Place:
    if seen.kind is Kind.STACK:
        return Place(Into.CALLER if seen.which else Into.STACK)
    return Place(_INTO[seen.kind], seen.which if seen.kind in _OF_MAPS else -1)
