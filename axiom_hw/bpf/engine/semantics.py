"""What each instruction does: from a row of the opcode table to a function that carries one instance of it out.

Each slot of a program is translated once, when it is loaded. The function takes the registers and the machine,
changes them, and returns the pc to go on at. Registers hold unsigned 64-bit numbers at all times.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from axiom_hw.bpf import isa
from axiom_hw.bpf.engine.arithmetic import ARITHMETIC, BYTE_ORDER, COMPARISONS, M64, MASK, Binary, signed
from axiom_hw.bpf.engine.calls import Implementation
from axiom_hw.bpf.engine.linkage import Linkage
from axiom_hw.bpf.engine.machine import Machine
from axiom_hw.bpf.engine.traps import Trap
from axiom_hw.bpf.helpers import BY_ID, PLANNED
from axiom_hw.bpf.insn import Insn
from axiom_hw.bpf.isa import Kind, Op
from axiom_hw.bpf.maps import mem
from axiom_hw.bpf.spec import MapType
from axiom_hw.errors import SpecError

Step = Callable[[list[int], Machine], int]


@dataclass(frozen=True, slots=True)
class Site:
    """One instruction in its program, with all that its translation may need."""

    program: str
    pc: int
    row: Op
    insn: Insn
    high: int  # the second slot's imm, of a 64-bit immediate
    starts: frozenset[int]  # the pcs where an instruction begins
    link: Linkage
    helpers: Mapping[int, Implementation]

    @property
    def next(self) -> int:
        """The pc behind this instruction."""
        return self.pc + self.row.slots

    @property
    def operand(self) -> int:
        """The immediate, sign-extended to 64 bits, then cut to the operation's width."""
        return self.insn.imm & MASK[self.row.width]

    def target(self, distance: int) -> int:
        """The pc that lies `distance` slots behind the next one. Raises `SpecError` unless an instruction is there."""
        pc = self.pc + 1 + distance
        if pc not in self.starts:
            raise SpecError(
                f"{self.program} at pc {self.pc}", f"`{self.row.name}` goes to pc {pc}, where no instruction begins"
            )
        return pc


def _alu(site: Site) -> Step:
    compute, mask, then = ARITHMETIC[site.row.width][site.row.verb], MASK[site.row.width], site.next
    d, s, imm = site.insn.dst, site.insn.src, site.operand

    def with_register(r: list[int], m: Machine) -> int:
        r[d] = compute(r[d] & mask, r[s] & mask) & mask
        return then

    def with_immediate(r: list[int], m: Machine) -> int:
        r[d] = compute(r[d] & mask, imm) & mask
        return then

    return with_register if site.row.uses_register else with_immediate


def _movsx(site: Site) -> Step:
    d, s, bits, mask, then = site.insn.dst, site.insn.src, site.row.extend, MASK[site.row.width], site.next

    def step(r: list[int], m: Machine) -> int:
        r[d] = signed(r[s], bits) & mask
        return then

    return step


def _neg(site: Site) -> Step:
    d, mask, then = site.insn.dst, MASK[site.row.width], site.next

    def step(r: list[int], m: Machine) -> int:
        r[d] = -r[d] & mask
        return then

    return step


def _endian(site: Site) -> Step:
    d, bits, convert, then = site.insn.dst, site.row.swap_width, BYTE_ORDER[site.row.verb], site.next

    def step(r: list[int], m: Machine) -> int:
        r[d] = convert(r[d], bits)
        return then

    return step


def _load(site: Site) -> Step:
    d, s, off, size, then = site.insn.dst, site.insn.src, site.insn.off, site.row.width // 8, site.next

    def step(r: list[int], m: Machine) -> int:
        r[d] = m.space.load(r[s] + off & M64, size)
        return then

    return step


def _load_signed(site: Site) -> Step:
    d, s, off, bits, then = site.insn.dst, site.insn.src, site.insn.off, site.row.width, site.next
    size = bits // 8

    def step(r: list[int], m: Machine) -> int:
        r[d] = signed(m.space.load(r[s] + off & M64, size), bits) & M64
        return then

    return step


def _store(site: Site) -> Step:
    d, s, off, size, then = site.insn.dst, site.insn.src, site.insn.off, site.row.width // 8, site.next
    mask = MASK[site.row.width]

    def step(r: list[int], m: Machine) -> int:
        m.space.store(r[d] + off & M64, size, r[s] & mask)
        return then

    return step


def _store_immediate(site: Site) -> Step:
    d, off, size, value, then = site.insn.dst, site.insn.off, site.row.width // 8, site.operand, site.next

    def step(r: list[int], m: Machine) -> int:
        m.space.store(r[d] + off & M64, size, value)
        return then

    return step


_UPDATES: Final[Mapping[str, Binary]] = {
    "add": operator.add, "or": operator.or_, "and": operator.and_, "xor": operator.xor, "xchg": lambda old, new: new,
}  # fmt: skip
_PRIMITIVES: Final = {32: (mem.load_u32, mem.cas_u32), 64: (mem.load_u64, mem.cas_u64)}


def _atomic(site: Site) -> Step:
    d, s, off, size, then = site.insn.dst, site.insn.src, site.insn.off, site.row.width // 8, site.next
    mask, (load, cas) = MASK[site.row.width], _PRIMITIVES[site.row.width]
    update = _UPDATES[site.row.verb.removeprefix("fetch_")]
    fetches = site.row.verb == "xchg" or site.row.verb.startswith("fetch_")

    def step(r: list[int], m: Machine) -> int:
        block, at = m.space.resolve_atomic(r[d] + off & M64, size)
        operand = r[s] & mask
        old = load(block, at)
        while not cas(block, at, old, update(old, operand) & mask):
            old = load(block, at)  # another thread was faster
        if fetches:
            r[s] = old
        return then

    return step


def _compare_exchange(site: Site) -> Step:
    d, s, off, size, then = site.insn.dst, site.insn.src, site.insn.off, site.row.width // 8, site.next
    mask, (load, cas) = MASK[site.row.width], _PRIMITIVES[site.row.width]

    def step(r: list[int], m: Machine) -> int:
        block, at = m.space.resolve_atomic(r[d] + off & M64, size)
        expected, new = r[0] & mask, r[s] & mask
        old = load(block, at)
        while old == expected and not cas(block, at, expected, new):
            old = load(block, at)
        r[0] = old
        return then

    return step


def _goto(site: Site) -> Step:
    goal = site.target(site.insn.off if site.row.verb == "goto" else site.insn.imm)

    def step(r: list[int], m: Machine) -> int:
        return goal

    return step


def _goto_if(site: Site) -> Step:
    holds, mask, then = COMPARISONS[site.row.width][site.row.verb], MASK[site.row.width], site.next
    d, s, imm, goal = site.insn.dst, site.insn.src, site.operand, site.target(site.insn.off)

    def with_register(r: list[int], m: Machine) -> int:
        return goal if holds(r[d] & mask, r[s] & mask) else then

    def with_immediate(r: list[int], m: Machine) -> int:
        return goal if holds(r[d] & mask, imm) else then

    return with_register if site.row.uses_register else with_immediate


def _call_helper(site: Site) -> Step:
    call, then = site.helpers.get(site.insn.imm), site.next
    if call is None:
        raise _unavailable(site)

    def step(r: list[int], m: Machine) -> int:
        r[0] = call(m, r[1], r[2], r[3], r[4], r[5]) & M64
        return then

    return step


def _unavailable(site: Site) -> SpecError:
    id = site.insn.imm
    place = f"{site.program} at pc {site.pc}"
    if id in BY_ID:
        return SpecError(place, f"calls {BY_ID[id].name} (helper {id}), which needs a board, real or mock")
    if id in PLANNED:
        return SpecError(place, f"calls {PLANNED[id]} (helper {id}), which isn't supported yet")
    return SpecError(place, f"calls helper {id}, which doesn't exist", "`axiom-hw helpers` lists those that do")


def _call_local(site: Site) -> Step:
    goal, then = site.target(site.insn.imm), site.next

    def step(r: list[int], m: Machine) -> int:
        m.enter(then)
        return goal

    return step


def _call_register(site: Site) -> Step:
    d, then, helpers, functions = site.insn.dst, site.next, site.helpers, site.link.functions

    def step(r: list[int], m: Machine) -> int:
        meant = r[d]
        if (pc := functions.get(meant)) is not None:
            m.enter(then)
            return pc
        call = helpers.get(meant)
        if call is None:
            raise Trap(f"calls r{d}, which holds {meant:#x}: no function of the program, no available helper")
        r[0] = call(m, r[1], r[2], r[3], r[4], r[5]) & M64
        return then

    return step


def _exit(site: Site) -> Step:
    def step(r: list[int], m: Machine) -> int:
        return m.leave()

    return step


def _constant(site: Site, value: int) -> Step:
    d, then = site.insn.dst, site.next

    def step(r: list[int], m: Machine) -> int:
        r[d] = value
        return then

    return step


def _value(site: Site) -> Step:
    return _constant(site, (site.high & MASK[32]) << 32 | site.insn.imm & MASK[32])


def _map(site: Site) -> Step:
    return _constant(site, site.link.map_address(_map_index(site)))


def _map_value(site: Site) -> Step:
    bound = site.link.tables.get(site.link.map_address(_map_index(site)))
    if bound is None or bound.table.spec.type is not MapType.ARRAY:
        raise SpecError(
            f"{site.program} at pc {site.pc}",
            f"takes the address of a value of map {site.insn.imm}, which isn't an array",
        )
    return _constant(site, bound.values + (site.high & MASK[32]) & M64)


def _function(site: Site) -> Step:
    return _constant(site, site.link.function_address(site.target(site.insn.imm)))


def _map_index(site: Site) -> int:
    if not 0 <= site.insn.imm < site.link.count:
        raise SpecError(
            f"{site.program} at pc {site.pc}", f"means map {site.insn.imm}, but the program has {site.link.count}"
        )
    return site.insn.imm


def _unsupported(site: Site) -> Step:
    name, what = site.row.name, site.insn.imm

    def step(r: list[int], m: Machine) -> int:
        raise Trap(f"`{name}` {what} isn't supported: this machine has no kernel functions and no variables")

    return step


Translate = Callable[[Site], Step]

_BY_KIND: Final[Mapping[Kind, Translate]] = {
    Kind.ALU: _alu,
    Kind.MOVSX: _movsx,
    Kind.NEG: _neg,
    Kind.ENDIAN: _endian,
    Kind.LOAD: _load,
    Kind.LOADSX: _load_signed,
    Kind.STORE: _store,
    Kind.STORE_IMM: _store_immediate,
    Kind.ATOMIC: _atomic,
    Kind.JUMP: _goto,
    Kind.JUMP_IF: _goto_if,
    Kind.EXIT: _exit,
}
_BY_VERB: Final[Mapping[tuple[Kind, str], Translate]] = {
    (Kind.ATOMIC, "cmpxchg"): _compare_exchange,
    (Kind.CALL, "helper"): _call_helper,
    (Kind.CALL, "local"): _call_local,
    (Kind.CALL, "callx"): _call_register,
    (Kind.CALL, "btf"): _unsupported,
    (Kind.IMM64, "value"): _value,
    (Kind.IMM64, "map"): _map,
    (Kind.IMM64, "map_value"): _map_value,
    (Kind.IMM64, "variable"): _unsupported,
    (Kind.IMM64, "code"): _function,
    (Kind.IMM64, "map_index"): _map,
    (Kind.IMM64, "map_index_value"): _map_value,
}

# By opcode row: one entry each, or importing this module fails.
SEMANTICS: Final[Mapping[str, Translate]] = {
    row.name: _BY_VERB.get((row.kind, row.verb)) or _BY_KIND[row.kind] for row in isa.TABLE
}
