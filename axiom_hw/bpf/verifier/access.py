"""Loads, stores and buffers: is every byte that may be touched inside its object, and written before it is read?"""

from __future__ import annotations

from collections.abc import Sequence

from axiom_hw.bpf.spec import CtxSpec, FieldKind, MapFlag, MapSpec
from axiom_hw.bpf.verifier import arith, stack
from axiom_hw.bpf.verifier.num import BYTES, S64_MAX, S64_MIN, Num, const
from axiom_hw.bpf.verifier.rejection import Refusal
from axiom_hw.bpf.verifier.values import STACK_BYTES, Frame, Kind, Ptr, Reg, State

_FIELD_BYTES = {FieldKind.SPIN_LOCK: 4, FieldKind.TIMER: 16, FieldKind.WORK: 16}  # uapi/linux/bpf.h
_FAR = 1 << 29  # an offset that may be farther than this was never compared with anything


class Memory:
    """The objects that pointers of one program may mean. Keeps, per function, the deepest stack byte touched."""

    def __init__(self, ctx: CtxSpec, maps: Sequence[MapSpec]) -> None:
        self.ctx = ctx
        self.maps = maps
        self.stack_used: dict[int, int] = {}

    def load(self, state: State, base: Reg, name: str, off: int, size: int) -> Num | Ptr:
        """What `size` bytes at `base + off` hold, zero-extended."""
        ptr, at = self.place(state, base, name, off, size, write=False)
        if ptr.kind is Kind.STACK:
            frame = state.frames[ptr.obj]
            if at.is_const:
                return stack.read(frame.cells, at.smin, size)
            stack.readable(frame.cells, at.smin, at.smax + size - at.smin)
            return BYTES[size]
        if ptr.kind is Kind.VALUE and at.is_const:
            spec = self.maps[ptr.obj]
            if spec.frozen and spec.flags & MapFlag.RDONLY_PROG and spec.data is not None and spec.max_entries == 1:
                return const(int.from_bytes(spec.data[at.smin : at.smin + size], "little"))
        return BYTES[size]

    def store(self, state: State, base: Reg, name: str, off: int, size: int, value: Num | Ptr) -> None:
        ptr, at = self.place(state, base, name, off, size, write=True)
        if isinstance(value, Ptr):
            self._check_pointer_store(state, ptr, at, size, value)
        if ptr.kind is Kind.STACK:
            frame = state.frames[ptr.obj]
            if at.is_const:
                stack.write(frame.cells, at.smin, size, value)
            else:
                stack.write_somewhere(frame.cells, at.smin, at.smax + size)

    def modify(self, state: State, base: Reg, name: str, off: int, size: int, value: Reg) -> Num:
        """An atomic read-modify-write; gives what may have been there before."""
        if isinstance(base, Ptr) and base.kind is Kind.CTX:
            raise Refusal("V208", "an atomic operation on the context", [f"{name} = {base!r}"])
        ptr, at = self.place(state, base, name, off, size, write=True)
        if isinstance(value, Ptr):
            raise Refusal("V106", "an atomic operation would make a number of a pointer", [f"the operand is {value!r}"])
        if (at.value | at.mask) & size - 1:
            raise Refusal("V203", f"an atomic operation on {size} bytes at offset {at!r}, which may not be a multiple "
                          f"of {size}", [f"{name} = {ptr!r}"])  # fmt: skip
        if ptr.kind is not Kind.STACK:
            return BYTES[size]
        frame = state.frames[ptr.obj]
        if not at.is_const:
            stack.readable(frame.cells, at.smin, at.smax + size - at.smin)
            stack.write_somewhere(frame.cells, at.smin, at.smax + size)
            return BYTES[size]
        old = stack.read(frame.cells, at.smin, size)
        if isinstance(old, Ptr):
            raise Refusal("V106", "an atomic operation would make a number of a pointer", [f"r10{at.smin} = {old!r}"])
        stack.write(frame.cells, at.smin, size, BYTES[size])
        return old

    def buffer(self, state: State, base: Reg, name: str, most: int) -> None:
        """Check that a helper may read `most` bytes from `base` on."""
        ptr, at = self.place(state, base, name, 0, most, write=False, aligned=False)
        if ptr.kind is Kind.STACK:
            stack.readable(state.frames[ptr.obj].cells, at.smin, at.smax + most - at.smin)

    def place(
        self, state: State, base: Reg, name: str, off: int, size: int, *, write: bool, aligned: bool = True
    ) -> tuple[Ptr, Num]:
        """The pointer and the offset of an access; refuses what may lie outside its object."""
        ptr = followed(base, name)
        if state.is_released(ptr):
            raise Refusal("V307", f"{name} points at a record that was submitted or discarded", [f"{name} = {ptr!r}"])
        at = arith.add(ptr.off, const(off)) if off else ptr.off
        knows = [f"{name} = {ptr!r}"]
        refuse_far(at, knows)
        verb = "writes" if write else "reads"
        if ptr.kind is Kind.STACK:
            self._check_stack(state.frames[ptr.obj], at, size, verb, knows, aligned=aligned)
            return ptr, at
        if at.smin < 0 or at.smax + size > ptr.size:
            where = f"{at.smin}" if at.is_const else f"{at.smin} to {at.smax}"
            raise Refusal(
                "V201",
                f"{verb} {_bytes(size)} at offset {where} of {describe(ptr)}",
                knows,
                _fitting(at, size, 0, ptr.size),
            )
        self._check_rights(ptr, at, size, write, knows)
        return ptr, at

    def _check_stack(self, frame: Frame, at: Num, size: int, verb: str, knows: list[str], *, aligned: bool) -> None:
        if at.smin < -STACK_BYTES or at.smax + size > 0:
            where = f"{at.smin}" if at.is_const else f"{at.smin} to {at.smax}"
            raise Refusal(
                "V201",
                f"{verb} {_bytes(size)} at offset {where} of the stack, which spans -{STACK_BYTES} to -1",
                knows,
                _fitting(at, size, -STACK_BYTES, 0),
            )
        if aligned and size in (2, 4, 8) and (at.value | at.mask) & size - 1:
            where = f"at offset {at!r}, which may not be a multiple of {size}"
            raise Refusal("V203", f"{verb} {_bytes(size)} of stack {where}", knows)
        used = self.stack_used.get(frame.function, 0)
        self.stack_used[frame.function] = max(used, -at.smin)

    def _check_rights(self, ptr: Ptr, at: Num, size: int, write: bool, knows: list[str]) -> None:
        if ptr.kind is Kind.CTX and write and not self.ctx.writable:
            raise Refusal("V205", "writes the context, which is read-only", knows)
        if ptr.kind is not Kind.VALUE:
            return
        spec = self.maps[ptr.obj]
        if write and (spec.frozen or spec.flags & MapFlag.RDONLY_PROG):
            raise Refusal("V205", f"writes the map {spec.name}, which is read-only for programs", knows)
        if not write and spec.flags & MapFlag.WRONLY_PROG:
            raise Refusal("V205", f"reads the map {spec.name}, which is write-only for programs", knows)
        for field in spec.fields:
            if at.smin < field.offset + _FIELD_BYTES[field.kind] and at.smax + size > field.offset:
                raise Refusal("V205", f"touches the {field.kind.name.lower()} at offset {field.offset} of the value of "
                              f"{spec.name}, which only its helpers may", knows)  # fmt: skip

    def _check_pointer_store(self, state: State, ptr: Ptr, at: Num, size: int, value: Ptr) -> None:
        knows = [f"the value is {value!r}"]
        if ptr.kind is not Kind.STACK or size != 8 or not at.is_const:
            where = "part of a pointer" if size != 8 else f"a pointer into {describe(ptr)}"
            raise Refusal("V106", f"would store {where}", knows)
        if value.kind is Kind.STACK and value.obj > ptr.obj:
            raise Refusal("V106", "would store a pointer to this function's stack in its caller's", knows)


def _bytes(size: int) -> str:
    return "1 byte" if size == 1 else f"{size} bytes"


def _fitting(at: Num, size: int, start: int, end: int) -> str:
    """The way out of an access that leaves its object."""
    if start + size > end:
        return f"It has no room for {_bytes(size)}."
    fits = f"{_bytes(size)} fit{'s' if size == 1 else ''} at offsets {start} to {end - size}"
    return f"{fits}." if at.is_const else f"{fits}: compare the index with its limit first, or mask it."


def refuse_far(off: Num, knows: Sequence[str]) -> None:
    """Refuse an offset that may have wrapped around the address space."""
    if off.smin <= -_FAR or off.smax >= _FAR:
        limits = "no known limits" if off.smin == S64_MIN and off.smax == S64_MAX else f"the limits {off!r}"
        raise Refusal("V202", f"the offset of the pointer has {limits}", knows)


def describe(ptr: Ptr) -> str:
    """The object, as messages name it."""
    match ptr.kind:
        case Kind.VALUE:
            return f"a value of {ptr.name}, which has {ptr.size} bytes"
        case Kind.RECORD:
            return f"a record of {ptr.name} of {ptr.size} bytes"
        case Kind.CTX:
            return f"the context, which has {ptr.size} bytes"
        case Kind.MEM:
            return f"the memory, which has {ptr.size} bytes"
        case Kind.STACK:
            return "the stack"
        case Kind.MAP:
            return f"the map {ptr.name}"
        case Kind.CODE:
            return "the program's code"


def called(ptr: Ptr) -> str:
    """The object, as a program in Python calls it."""
    match ptr.kind:
        case Kind.VALUE:
            return f"the value of `{ptr.name}`"
        case Kind.RECORD:
            return f"the record of `{ptr.name}`"
        case _:
            return describe(ptr)


def followed(base: Reg, name: str) -> Ptr:
    """The pointer in a register that is to be followed."""
    if base is None:
        raise Refusal("V101", f"{name} isn't initialised on this path")
    if isinstance(base, Num):
        nothing = "None" if base.umax == 0 else ""  # in Python the only number that is followed by mistake
        raise Refusal("V104", f"{name} is a number here, not a pointer", [f"{name} = {base!r}"], about=nothing)
    if base.null:
        raise Refusal("V103", f"{name} may be NULL here", [f"{name} = {base!r}"], about=called(base))
    if base.kind in (Kind.MAP, Kind.CODE):
        raise Refusal("V104", f"{name} is {base!r}, which can't be read or written directly", [f"{name} = {base!r}"])
    return base
