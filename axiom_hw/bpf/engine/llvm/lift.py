"""Verified bytecode to LLVM IR, equal in meaning to the interpreter.

The module defines `i64 @program(ptr %ctx, ptr %run)`: the address of a context of `spec.ctx.size` bytes, and that of
the slot's `RunState`. It gives r0, and 0 where it left `run.abort` set. External are

    @map_<i>                    the first byte of the memory of map i, a multiple of 8
    @bell_<i>                   a u32 of ring i: whether a consumer wants `@helper_wake(run, i, ...)` to be called
    @native_<id>                the memory of a helper in restricted Python
    @helper_<name>              callbacks, see `helper_calls`
    @clock_gettime              libc's, where time is the system's

A context lies at a multiple of the largest power of two, up to 8, that divides its size. Nobody else may write it
while the program runs, nor may it overlap a map.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from axiom_hw.bpf import isa
from axiom_hw.bpf.engine.llvm import alu, atomics, calls, helper_calls, jumps, memory
from axiom_hw.bpf.engine.llvm.ahead import closing
from axiom_hw.bpf.engine.llvm.body import ZERO_REGISTERS, Body, Value
from axiom_hw.bpf.engine.llvm.here import Here
from axiom_hw.bpf.engine.llvm.locations import Locations
from axiom_hw.bpf.engine.llvm.places import ctx_pointer, stack_pointer
from axiom_hw.bpf.engine.llvm.prelude import text_of
from axiom_hw.bpf.engine.llvm.runstate import ABORT_AT, PC_AT, Abort
from axiom_hw.bpf.engine.llvm.unit import Offers, Raw, Unit
from axiom_hw.bpf.engine.machine import FRAME_BYTES, FRAMES
from axiom_hw.bpf.helpers import BY_NAME
from axiom_hw.bpf.insn import Insn, check
from axiom_hw.bpf.isa import Kind, Op
from axiom_hw.bpf.maps.array import ArrayMap
from axiom_hw.bpf.maps.create import Map
from axiom_hw.bpf.spec import MapFlag, ProgramSpec
from axiom_hw.bpf.verified import Into, Verified

Lower = Callable[[Body, Here], None]

_BY_KIND: Final[Mapping[Kind, Lower]] = {
    Kind.ALU: alu.alu,
    Kind.MOVSX: alu.movsx,
    Kind.NEG: alu.neg,
    Kind.ENDIAN: alu.endian,
    Kind.LOAD: memory.load,
    Kind.LOADSX: memory.load_signed,
    Kind.STORE: memory.store,
    Kind.STORE_IMM: memory.store_immediate,
    Kind.ATOMIC: atomics.atomic,
    Kind.JUMP: jumps.goto,
    Kind.JUMP_IF: jumps.goto_if,
    Kind.EXIT: calls.exit,
}
_BY_VERB: Final[Mapping[tuple[Kind, str], Lower]] = {
    (Kind.ATOMIC, "cmpxchg"): atomics.compare_exchange,
    (Kind.CALL, "helper"): helper_calls.call_helper,
    (Kind.CALL, "local"): calls.call_local,
    (Kind.CALL, "callx"): helper_calls.call_register,
    (Kind.CALL, "btf"): calls.excluded,
    (Kind.IMM64, "value"): memory.value,
    (Kind.IMM64, "map"): memory.map_itself,
    (Kind.IMM64, "map_value"): memory.map_value,
    (Kind.IMM64, "variable"): calls.excluded,
    (Kind.IMM64, "code"): memory.function,
    (Kind.IMM64, "map_index"): memory.map_itself,
    (Kind.IMM64, "map_index_value"): memory.map_value,
}

# By opcode row: one entry each, or importing this module fails.
LOWER: Final[Mapping[str, Lower]] = {
    row.name: _BY_VERB.get((row.kind, row.verb)) or _BY_KIND[row.kind] for row in isa.TABLE
}

_MOST_CONSTANT_BYTES: Final = 1 << 16
# A subprogram whose name ends so (gcc's word) is called rarely, though it may be at a thousand places: it isn't inlined
# there, and the calls lie out of the way of the rest.
RARE: Final = ".cold"
_ENDS: Final = frozenset((Kind.JUMP, Kind.JUMP_IF, Kind.EXIT))


def lift(
    program: Verified,
    maps: Sequence[Map],
    raw: Raw,
    offers: Offers,
    locations: Locations | None = None,
    ahead: tuple[int, ...] = (),
) -> str:
    """The module's text, without target. `maps` are those that the program declares, in that order.

    With `locations`, each instruction says which pc it is for. With `ahead`, which see, `@program` takes a third
    argument, `ptr %chunks`, and there is `@close`.

    Raises `SpecError` for a helper that nobody offers, `AssertionError` where the proof says too little.
    """
    code = _Code(program)
    unit = Unit(
        program.spec, maps, raw, offers, one_stack=_reaches_callers(program), holds=_may_abort_holding(code, offers),
        targets=program.targets, constants=_constants(maps), locations=locations,
        ahead=ahead,
    )  # fmt: skip
    functions = [*(_function(code, unit, start) for start in code.callees_first()), closing(unit)]
    declared = [_memory(n, live, n in unit.constants) for n, live in enumerate(maps)]
    operations = raw.text()
    ends = [operations, text_of(unit.prelude, operations), locations.metadata() if locations is not None else ""]
    return "\n".join([*declared, *sorted(unit.externals), *functions, *ends])


def _constants(maps: Sequence[Map]) -> frozenset[int]:
    """The maps that nobody ever writes, whose content the proof relied on already: `.rodata`.

    Not pinned ones: what lies in the file may be another program's.
    """
    return frozenset(
        n
        for n, live in enumerate(maps)
        if isinstance(live, ArrayMap) and live.spec.data is not None and live.spec.max_entries == 1
        and live.spec.frozen and live.spec.flags & MapFlag.RDONLY_PROG and not live.spec.pinned
        and live.mem.size <= _MOST_CONSTANT_BYTES
    )  # fmt: skip


def _memory(index: int, live: Map, constant: bool) -> str:
    if not constant:
        return f"@map_{index} = external global [{live.mem.size} x i8], align 8"
    data = live.spec.data or b""
    image = (bytes(live.values.origin) + data).ljust(live.mem.size, b"\0")
    text = "".join(f"\\{byte:02x}" for byte in image)
    return f'@map_{index} = internal constant [{live.mem.size} x i8] c"{text}", align 8'


class _Code:
    """A program's instructions, and its functions: where each starts and what it calls."""

    __slots__ = ("ends", "insns", "program", "rows", "spec", "starts")

    def __init__(self, program: Verified) -> None:
        self.program = program
        self.spec: ProgramSpec = program.spec
        self.insns: tuple[Insn, ...] = program.spec.insns
        self.rows: tuple[Op | None, ...] = check(self.insns)
        starts = {0}
        for pc, row in enumerate(self.rows):
            if row is not None and ((row.kind is Kind.CALL and row.verb == "local") or row.verb == "code"):
                starts.add(pc + 1 + self.insns[pc].imm)
        self.starts = sorted(starts)
        self.ends = dict(zip(self.starts, [*self.starts[1:], len(self.insns)], strict=True))

    def alive(self, pc: int) -> bool:
        """Whether the proof ever came here."""
        return pc in self.program.uses

    def callees_first(self) -> list[int]:
        """The functions that run, each behind those that it calls."""
        order: list[int] = []
        todo = [(0, False)]
        while todo:
            start, done = todo.pop()
            if start in order:
                continue
            if done:
                order.append(start)
                continue
            todo.append((start, True))
            todo += [(callee, False) for callee in self._callees(start) if callee not in order]
        return order

    def _callees(self, start: int) -> list[int]:
        return [
            pc + 1 + self.insns[pc].imm
            for pc in range(start, self.ends[start])
            if (row := self.rows[pc]) is not None and row.kind is Kind.CALL and row.verb == "local" and self.alive(pc)
        ]

    def leaders(self, start: int) -> set[int]:
        """Where blocks begin."""
        found = {start}
        for pc in range(start, self.ends[start]):
            row = self.rows[pc]
            if row is None or row.kind not in (Kind.JUMP, Kind.JUMP_IF):
                continue
            far = row.verb == "gotol"
            found.add(pc + 1 + (self.insns[pc].imm if far else self.insns[pc].off))
            if row.kind is Kind.JUMP_IF:
                found.add(pc + 1)
        return found


def _reaches_callers(program: Verified) -> bool:
    """Whether any function is handed a pointer into a frame that isn't its own."""
    return any(
        place.into is Into.CALLER for used in program.uses.values() for places in used.values() for place in places
    )


def _may_abort_holding(code: _Code, offers: Offers) -> bool:
    """Whether a helper may raise while the program holds a ring record, which must be discarded then.

    Waking a consumer may raise as well. It doesn't matter where the one record that there ever is was just submitted.
    """
    reserves, raises = 0, False
    for pc, row in enumerate(code.rows):
        if row is None or not code.alive(pc) or row.kind is Kind.JUMP_IF or row.kind is Kind.JUMP:
            raises |= row is not None and row.kind is not Kind.CALL and _jumps_back(code, pc, row)
            continue
        if row.kind is not Kind.CALL or row.verb == "local":
            continue
        called = (code.insns[pc].imm,) if row.verb == "helper" else tuple(code.program.targets.get(pc, ()))
        for id in called:
            reserves += id == BY_NAME["ringbuf_reserve"].id
            raises |= id == BY_NAME["ringbuf_output"].id or helper_calls.calls_back(id, offers)
    return bool(reserves) and (raises or reserves > 1)


def _jumps_back(code: _Code, pc: int, row: Op) -> bool:
    return (code.insns[pc].imm if row.verb == "gotol" else code.insns[pc].off) < 0


def _function(code: _Code, unit: Unit, start: int) -> str:
    frame_end: Value = stack_pointer(FRAME_BYTES) if start == 0 or not unit.one_stack else "%frame_end"
    body = Body(frame_end)
    opening, scope = _opening(unit, start), -1
    if unit.locations is not None:
        scope = unit.locations.scope(f"f{start}" if start else "program", start)
        opening = f"{opening[:-1]}!dbg !{scope} {{"
    lines = [opening, "entry:"]
    if start == 0 or not unit.one_stack:
        size = FRAME_BYTES * (FRAMES if unit.one_stack else 1)
        lines.append(f"  %stack = alloca [{size} x i8], align 16")
    lines += ZERO_REGISTERS
    lines += [f"  store i64 {value}, ptr %r{register}" for register, value in _arguments(unit, start)]
    lines.append(f"  br label %b{start}")
    _blocks(code, unit, start, body, scope)
    if body.may_abort:
        unit.may_abort.add(start)
        body.lines += ["abort:", "  ret i64 0"]
    return "\n".join([*lines, *body.lines, "}"])


def _opening(unit: Unit, start: int) -> str:
    size = unit.spec.ctx.size
    readable = f" dereferenceable({size})" if size else ""
    # The first of a batch lies at a multiple of 8, the others as many bytes behind it as a context has.
    alignment = min(8, size & -size) or 8
    ctx = f"ptr noalias align {alignment}{readable}{'' if unit.spec.ctx.writable else ' readonly'} %ctx"
    chunks = ", ptr %chunks" if unit.ahead else ""
    if start == 0:
        return f"define i64 @program({ctx}, ptr %run{chunks}) nounwind {{"
    frame = "ptr %stack, i64 %frame_end, " if unit.one_stack else ""
    arguments = ", ".join(f"i64 %a{n}" for n in range(1, 6))
    rare = " noinline cold" if unit.spec.functions.get(start, "").endswith(RARE) else ""
    return f"define internal i64 @f{start}({ctx}, ptr %run{chunks}, {frame}{arguments}) nounwind{rare} {{"


def _arguments(unit: Unit, start: int) -> list[tuple[int, str]]:
    if start != 0:
        return [(n, f"%a{n}") for n in range(1, 6)]
    ctx = unit.spec.ctx
    given = [(1, str(ctx_pointer()))] if ctx.size else []
    return [*given, (2, str(ctx.size))] if ctx.length_in_r2 else given


def _blocks(code: _Code, unit: Unit, start: int, body: Body, scope: int) -> None:
    leaders, uses = code.leaders(start), code.program.uses
    open_block = False
    for pc in range(start, code.ends[start]):
        row = code.rows[pc]
        if row is None:
            continue
        if pc in leaders:
            if open_block:
                body.flush()
                body.do(f"br label %b{pc}")
            body.begin_block(f"b{pc}")
            open_block = True
            if pc not in uses:
                _never(body, pc)
                open_block = False
        if not open_block:
            continue
        if pc not in uses:
            # The proof follows an instruction wherever it came to the one before, but for calls that don't return.
            _never(body, pc)
            open_block = False
            continue
        high = code.insns[pc + 1].imm if row.slots == 2 else 0
        first = len(body.lines)
        LOWER[row.name](body, Here(pc, row, code.insns[pc], high, uses[pc], unit))
        if unit.locations is not None:
            unit.locations.mark(body.lines, first, scope, pc)
        open_block = row.kind not in _ENDS


def _never(body: Body, pc: int) -> None:
    """The proof never came here. Should a run come here all the same, it ends, and says so."""
    body.may_abort = True
    pc_at = body.op(f"getelementptr i8, ptr %run, i64 {PC_AT}")
    body.do(f"store i64 {pc}, ptr {pc_at}")
    abort_at = body.op(f"getelementptr i8, ptr %run, i64 {ABORT_AT}")
    body.do(f"store i32 {Abort.EXCLUDED.value}, ptr {abort_at}")
    body.do("br label %abort")
