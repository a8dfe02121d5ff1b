"""What a register can hold, and the state of a program at one instruction: frames, registers, stack, references."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final

from axiom_hw.bpf.insn import FRAME_POINTER, REGISTERS
from axiom_hw.bpf.verifier import arith
from axiom_hw.bpf.verifier.num import ZERO, Num

STACK_BYTES: Final = 512
FRAMES: Final = 8


class Kind(Enum):
    """What a pointer points into."""

    CTX = "ctx"
    STACK = "stack"
    MEM = "mem"
    MAP = "map"  # the map itself, for helpers; never followed
    VALUE = "map_value"
    RECORD = "record"
    CODE = "code"


class Ptr:
    """A pointer: into what, how far, and whether it may still be NULL. Immutable by agreement.

    `obj` names the object: the frame's depth for STACK, the map's index for MAP and VALUE, the reference for RECORD
    (`ring` is the index of its ring), the pc for CODE. `off` is signed, in bytes from the object's start (for STACK:
    from the frame's end). `id` is shared by copies of one or-NULL pointer, so that testing one tests all.
    """

    __slots__ = ("id", "kind", "name", "null", "obj", "off", "ring", "size")

    def __init__(
        self, kind: Kind, obj: int = 0, off: Num = ZERO, size: int = 0, null: bool = False, id: int = 0, name: str = "",
        ring: int = -1,
    ) -> None:  # fmt: skip
        self.kind = kind
        self.obj = obj
        self.off = off
        self.size = size
        self.null = null
        self.id = id
        self.name = name
        self.ring = ring

    def moved(self, off: Num) -> Ptr:
        return Ptr(self.kind, self.obj, off, self.size, self.null, self.id, self.name, self.ring)

    def checked(self) -> Ptr:
        """The same, known not to be NULL."""
        return Ptr(self.kind, self.obj, self.off, self.size, False, 0, self.name, self.ring)

    def same_object(self, other: Ptr) -> bool:
        """Whether both certainly point into one object: two values of one map may be two entries."""
        same = self.kind is other.kind and self.obj == other.obj and not self.null and not other.null
        return same and self.kind is not Kind.VALUE

    def __repr__(self) -> str:
        what = self.kind.value
        if self.kind is Kind.MAP:
            return f"the map {self.name}"
        if self.kind is Kind.CODE:
            return f"a function at {self.obj}"
        if self.kind is Kind.STACK:
            start = "r10" if not self.obj else f"r10 of frame {self.obj}"
        else:
            start = f"{what}({self.name + ', ' if self.name else ''}{self.size} bytes)"
        off = self.off
        shown = ""
        if not off.is_const:
            shown = f" + ({off!r})"
        elif off.smin:
            shown = f" {'+' if off.smin > 0 else '-'} {abs(off.smin)}"
        return f"{start}{shown}{' or NULL' if self.null else ''}"


Reg = Num | Ptr | None
"""None: nothing wrote it on this path."""

Cell = tuple[int, Num | Ptr]
"""A piece of stack that was written at once: its size in bytes, and what it holds."""


class Frame:
    """One function's registers and stack. `cells`: the offset from the frame's end (negative) -> what lies there."""

    __slots__ = ("cells", "function", "regs", "return_pc")

    def __init__(self, regs: list[Reg], cells: dict[int, Cell], function: int, return_pc: int) -> None:
        self.regs = regs
        self.cells = cells
        self.function = function
        self.return_pc = return_pc

    def copy(self) -> Frame:
        return Frame(self.regs.copy(), self.cells.copy(), self.function, self.return_pc)


def new_frame(function: int, depth: int, return_pc: int) -> Frame:
    regs: list[Reg] = [None] * REGISTERS
    regs[FRAME_POINTER] = Ptr(Kind.STACK, depth)
    return Frame(regs, {}, function, return_pc)


@dataclass(frozen=True, slots=True)
class Trail:
    """The jumps that led here, newest first."""

    pc: int
    before: Trail | None

    def pcs(self) -> list[int]:
        found: list[int] = []
        at: Trail | None = self
        while at is not None:
            found.append(at.pc)
            at = at.before
        return found[::-1]


class State:
    """Everything known at one point of one path. Changed in place while a path is followed; copied at forks."""

    __slots__ = ("frames", "refs", "trail")

    def __init__(self, frames: list[Frame], refs: dict[int, int], trail: Trail | None) -> None:
        self.frames = frames
        self.refs = refs  # live references -> the pc that made each
        self.trail = trail

    @property
    def regs(self) -> list[Reg]:
        return self.frames[-1].regs

    def copy(self) -> State:
        return State([frame.copy() for frame in self.frames], self.refs.copy(), self.trail)

    def held(self) -> Iterator[Num | Ptr]:
        """Everything that any register or stack cell of any frame holds."""
        for frame in self.frames:
            for reg in frame.regs:
                if reg is not None:
                    yield reg
            for _, value in frame.cells.values():
                yield value

    def learn(self, number: Num, compared: tuple[int, ...]) -> bool:
        """Every number linked to this one learns what a comparison taught about it.

        Returns whether it said anything new about a number other than the registers that were `compared`.
        """
        spread = False
        for frame in self.frames:
            for i, reg in enumerate(frame.regs):
                if isinstance(reg, Num) and reg.id == number.id:
                    frame.regs[i] = made = arith.taught(number, reg)
                    spread |= made.key != reg.key and (frame is not self.frames[-1] or i not in compared)
            for off, (size, value) in frame.cells.items():
                if isinstance(value, Num) and value.id == number.id:
                    made = arith.taught(number, value)
                    frame.cells[off] = (size, made)
                    spread |= made.key != value.key
        return spread

    def settle_null(self, id: int, is_null: bool) -> None:
        """All copies of an or-NULL pointer become NULL, or pointers; a NULL record needs no release."""
        for frame in self.frames:
            for i, reg in enumerate(frame.regs):
                if isinstance(reg, Ptr) and reg.null and reg.id == id:
                    frame.regs[i] = ZERO if is_null else reg.checked()
                    if is_null and reg.kind is Kind.RECORD:
                        self.refs.pop(reg.obj, None)
            for off, (size, value) in frame.cells.items():
                if isinstance(value, Ptr) and value.null and value.id == id:
                    frame.cells[off] = (size, ZERO if is_null else value.checked())

    def release(self, ref: int) -> None:
        """A record is gone. Pointers to it stay, and are good for nothing: see `is_released`."""
        self.refs.pop(ref, None)

    def is_released(self, ptr: Ptr) -> bool:
        """Whether it points at a record that was submitted or discarded."""
        return ptr.kind is Kind.RECORD and not ptr.null and ptr.obj not in self.refs
