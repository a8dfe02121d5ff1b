"""The shape of a program: functions, successors, joins; refuses jumps to nowhere, dead code and recursion."""

from __future__ import annotations

from dataclasses import dataclass

from axiom_hw.bpf.insn import Insn, check, second_slots
from axiom_hw.bpf.isa import Kind, Op
from axiom_hw.bpf.spec import ProgramSpec
from axiom_hw.bpf.verifier.rejection import Refusal
from axiom_hw.bpf.verifier.values import FRAMES
from axiom_hw.errors import EncodingError

MAX_SLOTS = 1_000_000


@dataclass(frozen=True, slots=True)
class Function:
    """One function: its slots are start..end-1. `calls` maps the pc of each local call to the callee's start."""

    start: int
    end: int
    calls: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """A program whose control flow is sound. `rows` holds None for second slots."""

    insns: tuple[Insn, ...]
    rows: tuple[Op | None, ...]
    successors: tuple[tuple[int, ...], ...]
    joins: frozenset[int]  # where two paths meet: pruning happens here
    functions: dict[int, Function]
    function_of: tuple[int, ...]  # pc -> start of its function
    callees_first: tuple[int, ...]


def target_of(insns: tuple[Insn, ...], pc: int, row: Op) -> int:
    """Where a jump, a local call or a code address goes."""
    distance = insns[pc].off if row.kind in (Kind.JUMP_IF,) or row.verb == "goto" else insns[pc].imm
    return pc + 1 + distance


def shape_of(spec: ProgramSpec) -> Shape:
    """Raises `Refusal` V001 to V005, V308."""
    insns = spec.insns
    if not insns:
        raise Refusal("V002", "the program has no instructions", pc=0)
    if len(insns) > MAX_SLOTS:
        raise Refusal("V002", f"the program has {len(insns)} slots; {MAX_SLOTS} is the limit", pc=MAX_SLOTS)
    try:
        rows = check(insns)
    except EncodingError as error:
        where = error.place.removeprefix("pc ")
        raise Refusal("V001", error.problem, fix=error.fix, pc=int(where)) from None
    seconds = second_slots(insns)
    starts = _function_starts(insns, rows, seconds)
    bounds = [*starts[1:], len(insns)]
    function_of = [0] * len(insns)
    for start, end in zip(starts, bounds, strict=True):
        function_of[start:end] = [start] * (end - start)
    successors = _successors(insns, rows, seconds, function_of)
    functions = {
        start: Function(start, end, _calls(insns, rows, start, end)) for start, end in zip(starts, bounds, strict=True)
    }
    _refuse_dead_code(rows, successors, starts)
    return Shape(
        insns,
        rows,
        tuple(successors),
        _joins(successors, starts),
        functions,
        tuple(function_of),
        _callees_first(functions),
    )


def _function_starts(insns: tuple[Insn, ...], rows: tuple[Op | None, ...], seconds: frozenset[int]) -> list[int]:
    starts = {0}
    for pc, row in enumerate(rows):
        if row is None:
            continue
        if (row.kind is Kind.CALL and row.verb == "local") or (row.kind is Kind.IMM64 and row.verb == "code"):
            target = target_of(insns, pc, row)
            if not 0 <= target < len(insns) or target in seconds:
                raise Refusal("V003", f"this calls pc {target}, where no function starts", pc=pc)
            starts.add(target)
    return sorted(starts)


def _successors(
    insns: tuple[Insn, ...], rows: tuple[Op | None, ...], seconds: frozenset[int], function_of: list[int]
) -> list[tuple[int, ...]]:
    found: list[tuple[int, ...]] = []
    for pc, row in enumerate(rows):
        if row is None or row.kind is Kind.EXIT:
            found.append(())
            continue
        following = pc + row.slots
        targets = []
        if row.kind is not Kind.JUMP:
            if following >= len(insns) or function_of[following] != function_of[pc]:
                raise Refusal("V004", "the function ends here without exit", pc=pc)
            targets.append(following)
        if row.kind in (Kind.JUMP, Kind.JUMP_IF):
            target = target_of(insns, pc, row)
            if not 0 <= target < len(insns):
                raise Refusal("V003", f"this jumps to pc {target}; the program has 0 to {len(insns) - 1}", pc=pc)
            if target in seconds:
                raise Refusal("V003", f"this jumps to pc {target}, into the middle of a 64-bit immediate", pc=pc)
            if function_of[target] != function_of[pc]:
                raise Refusal("V003", f"this jumps to pc {target}, into another function", pc=pc)
            targets.append(target)
        found.append(tuple(targets))
    return found


def _calls(insns: tuple[Insn, ...], rows: tuple[Op | None, ...], start: int, end: int) -> tuple[tuple[int, int], ...]:
    return tuple(
        (pc, target_of(insns, pc, row))
        for pc in range(start, end)
        if (row := rows[pc]) is not None and row.kind is Kind.CALL and row.verb == "local"
    )


def _refuse_dead_code(rows: tuple[Op | None, ...], successors: list[tuple[int, ...]], starts: list[int]) -> None:
    reached = bytearray(len(rows))
    todo = list(starts)
    while todo:
        pc = todo.pop()
        if not reached[pc]:
            reached[pc] = 1
            todo.extend(successors[pc])
    for pc, row in enumerate(rows):
        if row is not None and not reached[pc]:
            raise Refusal("V005", "no path leads to this instruction", pc=pc)


def _joins(successors: list[tuple[int, ...]], starts: list[int]) -> frozenset[int]:
    once: set[int] = set(starts)  # whoever enters the function comes this way, too
    twice: set[int] = set()
    for targets in successors:
        for target in targets:
            (twice if target in once else once).add(target)
    return frozenset(twice)


def _callees_first(functions: dict[int, Function]) -> tuple[int, ...]:
    """The functions in an order in which each comes behind those it calls; refuses recursion and deep chains."""
    order: list[int] = []
    depth: dict[int, int] = {}
    for root in functions:
        # An explicit stack: a program may have thousands of functions.
        path: list[tuple[int, int]] = [(root, 0)]
        on_path = {root}
        while path:
            start, at = path.pop()
            calls = functions[start].calls
            if start in depth or at == len(calls):
                if start not in depth:
                    depth[start] = 1 + max((depth[callee] for _, callee in calls), default=0)
                    order.append(start)
                on_path.discard(start)
                continue
            path.append((start, at + 1))
            pc, callee = calls[at]
            if callee in on_path:
                raise Refusal("V308", f"the function at {callee} calls itself, here or further down", pc=pc)
            if callee not in depth:
                path.append((callee, 0))
                on_path.add(callee)
    if depth[0] > FRAMES:
        pc = functions[0].calls[0][0]
        raise Refusal("V308", f"the calls nest {depth[0]} functions deep; {FRAMES} is the limit", pc=pc)
    return tuple(order)
