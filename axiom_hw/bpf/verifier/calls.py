"""Calls of helpers, checked against their rows of THE helper table: arguments, result, references."""

from __future__ import annotations

from axiom_hw.bpf import helpers
from axiom_hw.bpf.helpers import Arg, Effect, Helper, Ret
from axiom_hw.bpf.spec import MapFlag, MapSpec
from axiom_hw.bpf.verifier.access import Memory, called, describe
from axiom_hw.bpf.verifier.codes import RAISED
from axiom_hw.bpf.verifier.num import UNKNOWN, Num
from axiom_hw.bpf.verifier.rejection import Refusal
from axiom_hw.bpf.verifier.values import Kind, Ptr, Reg, State

MAX_BUFFER = 1 << 29


class Calls:
    """Judges helper calls on a state. `fresh` hands out ids for references and or-NULL pointers."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self._last_id = 0

    def fresh(self) -> int:
        self._last_id += 1
        return self._last_id

    def call(self, state: State, number: int, pc: int) -> None:
        """Check the arguments, and leave in the registers what the helper leaves there."""
        helper = _helper(number)
        used: MapSpec | None = None
        for position, arg in enumerate(helper.args, start=1):
            reg = state.regs[position]
            place = f"r{position}, argument {position} of {helper.name},"
            if arg is Arg.MAP:
                used = self._map(helper, reg, place)
            elif arg is Arg.MEM_IN:
                self._buffer(state, helper, position, place)
            else:
                self._argument(state, helper, arg, reg, place, used)
        result = self._result(state, helper, used, pc)
        if helper.effect is Effect.RELEASE:
            record = state.regs[1]
            assert isinstance(record, Ptr)
            state.release(record.obj)
        state.regs[:6] = [result, None, None, None, None, None]

    def _map(self, helper: Helper, reg: Reg, place: str) -> MapSpec:
        if not isinstance(reg, Ptr) or reg.kind is not Kind.MAP:
            raise _unexpected(reg, place, Arg.MAP)
        spec = self.memory.maps[reg.obj]
        if helper.maps and spec.type not in helper.maps:
            takes = ", ".join(t.name.lower() for t in helper.maps)
            raise Refusal("V302", f"{helper.name} works on maps of the types {takes}; {spec.name} is "
                          f"{spec.type.name.lower()}")  # fmt: skip
        writes = helper.effect in (Effect.WRITES_MAP, Effect.ACQUIRE)
        if writes and (spec.frozen or spec.flags & MapFlag.RDONLY_PROG):
            raise Refusal("V205", f"{helper.name} writes the map {spec.name}, which is read-only for programs")
        if helper.ret is Ret.MAP_VALUE_OR_NULL and spec.flags & MapFlag.WRONLY_PROG:
            raise Refusal("V205", f"{helper.name} reads the map {spec.name}, which is write-only for programs")
        return spec

    def _argument(self, state: State, helper: Helper, arg: Arg, reg: Reg, place: str, used: MapSpec | None) -> None:
        match arg:
            case Arg.OPTIONAL if reg is None:
                pass
            case Arg.SCALAR | Arg.OPTIONAL:
                _number(reg, place, arg, leak=True)
            case Arg.RECORD_SIZE:
                number = _number(reg, place, arg)
                if not number.is_const:
                    raise Refusal("V305", f"{place} must be known at load time", [f"here it is {number!r}"])
                if not 0 < number.value < 1 << 30:
                    raise Refusal("V303", f"{place} is {number!r}; a record has 1 to {(1 << 30) - 1} bytes")
            case Arg.SIZE | Arg.SIZE_OR_ZERO:
                pass  # judged together with the buffer before it
            case Arg.MAP_KEY | Arg.MAP_VALUE:
                assert used is not None, f"{helper.name} takes a key or value before its map"
                size = used.key_size if arg is Arg.MAP_KEY else used.value_size
                self._readable(state, reg, place, arg, size)
            case Arg.RECORD:
                self._record(state, reg, place)
            case _:
                raise AssertionError(f"{helper.name}: {arg} has no check")

    def _buffer(self, state: State, helper: Helper, position: int, place: str) -> None:
        """A pointer and, in the next register, how many bytes it is good for."""
        arg, size_arg = helper.args[position - 1], helper.args[position]
        size = _number(
            state.regs[position + 1], f"r{position + 1}, argument {position + 1} of {helper.name},", size_arg
        )
        least = 0 if size_arg is Arg.SIZE_OR_ZERO else 1
        if size.smin < least or size.umax > MAX_BUFFER:
            raise Refusal("V303", f"r{position + 1}, the number of bytes for {helper.name}, may be {size!r}; it must "
                          f"be at least {least} and have a limit", [f"r{position + 1} = {size!r}"])  # fmt: skip
        reg = state.regs[position]
        if size.umax == 0 and isinstance(reg, Num) and reg.is_const and reg.value == 0:
            return  # no bytes of nothing
        self._readable(state, reg, place, arg, size.umax)

    def _readable(self, state: State, reg: Reg, place: str, arg: Arg, size: int) -> None:
        self._pointer(reg, place, arg)
        self.memory.buffer(state, reg, place.split(",")[0], size)

    @staticmethod
    def _pointer(reg: Reg, place: str, arg: Arg) -> None:
        if not isinstance(reg, Ptr) or reg.kind in (Kind.MAP, Kind.CODE):
            raise _unexpected(reg, place, arg)

    @staticmethod
    def _record(state: State, reg: Reg, place: str) -> None:
        if not isinstance(reg, Ptr) or reg.kind is not Kind.RECORD:
            if reg is None:
                raise Refusal("V101", f"{place} isn't initialised on this path")
            raise Refusal("V307", f"{place} must be a ring record", [f"here it is {reg!r}"])
        if reg.null:
            raise Refusal("V103", f"{place} may be NULL here", [f"here it is {reg!r}"], about=called(reg))
        if not (reg.off.is_const and reg.off.value == 0):
            raise Refusal("V207", f"{place} must point at the start of the record", [f"here it is {reg!r}"])
        if state.is_released(reg):
            raise Refusal("V307", f"{place} was submitted or discarded already", [f"here it is {reg!r}"])

    def _result(self, state: State, helper: Helper, used: MapSpec | None, pc: int) -> Reg:
        match helper.ret:
            case Ret.SCALAR:
                return UNKNOWN
            case Ret.VOID:
                return None
            case Ret.MAP_VALUE_OR_NULL:
                handle = state.regs[1]
                assert used is not None
                assert isinstance(handle, Ptr)
                return Ptr(Kind.VALUE, handle.obj, size=used.value_size, null=True, id=self.fresh(), name=used.name)
            case Ret.RECORD_OR_NULL:
                handle, size = state.regs[1], state.regs[2]
                assert used is not None
                assert isinstance(handle, Ptr)
                assert isinstance(size, Num)
                ref = self.fresh()
                state.refs[ref] = pc
                return Ptr(Kind.RECORD, ref, size=size.value, null=True, id=ref, name=used.name, ring=handle.obj)


def _helper(number: int) -> Helper:
    helper = helpers.BY_ID.get(number)
    if helper is not None:
        return helper
    raised = helpers.RAISES_BY_ID.get(number)
    if raised is not None:
        raise Refusal(RAISED[raised.name], raised.problem, fix=raised.fix)
    planned = helpers.PLANNED.get(number)
    if planned is not None:
        raise Refusal("V008", f"the helper {planned} (number {number}) isn't supported yet",
                      fix="`axiom-hw helpers` lists those that are.")  # fmt: skip
    raise Refusal("V007", f"there is no helper with the number {number}")


def _number(reg: Reg, place: str, arg: Arg, *, leak: bool = False) -> Num:
    if isinstance(reg, Num):
        return reg
    if leak and isinstance(reg, Ptr):
        raise Refusal("V106", f"{place} is a pointer, and would be handed out as a number", [f"here it is {reg!r}"])
    raise _unexpected(reg, place, arg)


def _unexpected(reg: Reg, place: str, arg: Arg) -> Refusal:
    if reg is None:
        return Refusal("V101", f"{place} isn't initialised on this path")
    if isinstance(reg, Ptr) and reg.null:
        return Refusal("V103", f"{place} may be NULL here", [f"here it is {reg!r}"], about=called(reg))
    what = f"it is {reg!r}" if isinstance(reg, Num) else f"it points into {describe(reg)}"
    if arg is Arg.MAP and isinstance(reg, Ptr) and reg.kind is Kind.VALUE and reg.name.startswith("."):
        fix = 'declare the map with its section: `struct { ... } name SEC(".maps");`'
        return Refusal("V301", f"{place} must be a map; here it is a variable in {reg.name}", fix=fix)
    return Refusal("V301", f"{place} must be {arg.value}; here {what}")
