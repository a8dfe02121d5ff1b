"""Instructions that compute, and that move data between registers and memory."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Final

from axiom_hw.bpf.arithmetic import ARITHMETIC, BYTE_ORDER, M64, MASK, Binary, signed
from axiom_hw.bpf.engine.machine import Machine
from axiom_hw.bpf.engine.site import Site, Step
from axiom_hw.bpf.maps import mem
from axiom_hw.bpf.spec import MapType
from axiom_hw.errors import SpecError


def alu(site: Site) -> Step:
    compute, mask, then = ARITHMETIC[site.row.width][site.row.verb], MASK[site.row.width], site.next
    d, s, imm = site.insn.dst, site.insn.src, site.operand

    def with_register(r: list[int], m: Machine) -> int:
        r[d] = compute(r[d] & mask, r[s] & mask) & mask
        return then

    def with_immediate(r: list[int], m: Machine) -> int:
        r[d] = compute(r[d] & mask, imm) & mask
        return then

    return with_register if site.row.uses_register else with_immediate


def movsx(site: Site) -> Step:
    d, s, bits, mask, then = site.insn.dst, site.insn.src, site.row.extend, MASK[site.row.width], site.next

    def step(r: list[int], m: Machine) -> int:
        r[d] = signed(r[s], bits) & mask
        return then

    return step


def neg(site: Site) -> Step:
    d, mask, then = site.insn.dst, MASK[site.row.width], site.next

    def step(r: list[int], m: Machine) -> int:
        r[d] = -r[d] & mask
        return then

    return step


def endian(site: Site) -> Step:
    d, bits, convert, then = site.insn.dst, site.row.swap_width, BYTE_ORDER[site.row.verb], site.next

    def step(r: list[int], m: Machine) -> int:
        r[d] = convert(r[d], bits)
        return then

    return step


def load(site: Site) -> Step:
    d, s, off, size, then = site.insn.dst, site.insn.src, site.insn.off, site.row.width // 8, site.next

    def step(r: list[int], m: Machine) -> int:
        r[d] = m.space.load(r[s] + off & M64, size)
        return then

    return step


def load_signed(site: Site) -> Step:
    d, s, off, bits, then = site.insn.dst, site.insn.src, site.insn.off, site.row.width, site.next
    size = bits // 8

    def step(r: list[int], m: Machine) -> int:
        r[d] = signed(m.space.load(r[s] + off & M64, size), bits) & M64
        return then

    return step


def store(site: Site) -> Step:
    d, s, off, size, then = site.insn.dst, site.insn.src, site.insn.off, site.row.width // 8, site.next
    mask = MASK[site.row.width]

    def step(r: list[int], m: Machine) -> int:
        m.space.store(r[d] + off & M64, size, r[s] & mask)
        return then

    return step


def store_immediate(site: Site) -> Step:
    d, off, size, value, then = site.insn.dst, site.insn.off, site.row.width // 8, site.operand, site.next

    def step(r: list[int], m: Machine) -> int:
        m.space.store(r[d] + off & M64, size, value)
        return then

    return step


_UPDATES: Final[Mapping[str, Binary]] = {
    "add": operator.add, "or": operator.or_, "and": operator.and_, "xor": operator.xor, "xchg": lambda old, new: new,
}  # fmt: skip
_PRIMITIVES: Final = {32: (mem.load_u32, mem.cas_u32), 64: (mem.load_u64, mem.cas_u64)}


def atomic(site: Site) -> Step:
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


def compare_exchange(site: Site) -> Step:
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


def _constant(site: Site, value: int) -> Step:
    d, then = site.insn.dst, site.next

    def step(r: list[int], m: Machine) -> int:
        r[d] = value
        return then

    return step


def value(site: Site) -> Step:
    return _constant(site, (site.high & MASK[32]) << 32 | site.insn.imm & MASK[32])


def map_object(site: Site) -> Step:
    return _constant(site, site.link.map_address(_map_index(site)))


def map_value(site: Site) -> Step:
    bound = site.link.tables.get(site.link.map_address(_map_index(site)))
    if bound is None or bound.table.spec.type is not MapType.ARRAY:
        raise SpecError(
            f"{site.program} at pc {site.pc}",
            f"takes the address of a value of map {site.insn.imm}, which isn't an array",
        )
    return _constant(site, bound.values + (site.high & MASK[32]) & M64)


def function(site: Site) -> Step:
    return _constant(site, site.link.function_address(site.target(site.insn.imm)))


def _map_index(site: Site) -> int:
    if not 0 <= site.insn.imm < site.link.count:
        raise SpecError(
            f"{site.program} at pc {site.pc}", f"means map {site.insn.imm}, but the program has {site.link.count}"
        )
    return site.insn.imm
