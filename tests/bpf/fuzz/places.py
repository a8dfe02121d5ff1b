"""Whether a machine at an instruction holds in its registers what `Verified.uses` says of them."""

from __future__ import annotations

from collections.abc import Sequence

from axiom_hw.bpf.engine.linkage import Linkage
from axiom_hw.bpf.engine.machine import Machine
from axiom_hw.bpf.engine.memory import CODE, FIRST_BRIEF, SHIFT, Region
from axiom_hw.bpf.insn import Insn
from axiom_hw.bpf.isa import Kind
from axiom_hw.bpf.maps import Map
from axiom_hw.bpf.verified import Into, Place, Verified

_HALF = 1 << SHIFT - 1  # a pointer may stray from its object by less than this, either way


def misplaced(verified: Verified, maps: Sequence[Map], pc: int, machine: Machine) -> str:
    """Why the machine at `pc` isn't as told; empty where it is."""
    used = verified.uses.get(pc)
    if used is None:
        return f"pc {pc} runs, but has no entry in `uses`"
    near = _near(verified.spec.insns[pc])
    for register, places in used.items():
        if register not in near:
            continue
        value = machine.registers[register]
        if not any(_holds(place, value, maps, machine) for place in places):
            return f"r{register} at pc {pc} is {value:#x}, told are {sorted(map(str, places))}"
    wanted = verified.targets.get(pc)
    if wanted is not None and machine.registers[verified.spec.insns[pc].dst] not in wanted:
        return f"the call at pc {pc} goes elsewhere than told"
    return ""


def _near(insn: Insn) -> tuple[int, ...]:
    """The registers that the instruction follows or compares. Others may have strayed anywhere."""
    match insn.op.kind:
        case Kind.LOAD | Kind.LOADSX:
            return (insn.src,)
        case Kind.STORE | Kind.STORE_IMM | Kind.ATOMIC:
            return (insn.dst,)
        case Kind.JUMP_IF:
            return insn.dst, insn.src
        case Kind.CALL if insn.op.verb != "local":
            return tuple(range(1, 6))
        case _:
            return ()


def _holds(place: Place, value: int, maps: Sequence[Map], machine: Machine) -> bool:
    depth = len(machine._back)
    match place.into:
        case Into.NUMBER:
            return True
        case Into.CTX:
            return _in(machine._context, value)
        case Into.STACK:
            return _in(machine._frames[depth], value)
        case Into.CALLER:
            return any(_in(frame, value) for frame in machine._frames[:depth])
        case Into.VALUE:
            return value + _HALF >> SHIFT == (Linkage.map_address(place.map) >> SHIFT) + 1
        case Into.RECORD:
            held = [ring for ring, _, region in machine._records.values() if _in(region, value)]
            # A record that was given away may still be copied.
            return held[0] is maps[place.map] if held else value >> SHIFT >= FIRST_BRIEF
        case Into.MAP:
            return value == Linkage.map_address(place.map)
        case Into.CODE:
            return value >> SHIFT == CODE


def _in(region: Region, value: int) -> bool:
    return value + _HALF >> SHIFT == region.base >> SHIFT
