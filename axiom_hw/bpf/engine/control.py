"""Instructions that go elsewhere: jumps, calls, exit."""

from __future__ import annotations

from axiom_hw.bpf.arithmetic import COMPARISONS, M64, MASK
from axiom_hw.bpf.engine.machine import Machine
from axiom_hw.bpf.engine.site import Site, Step
from axiom_hw.bpf.engine.traps import Trap
from axiom_hw.bpf.helpers import BY_ID, PLANNED, RAISES_BY_ID, Raise
from axiom_hw.errors import SpecError


def goto(site: Site) -> Step:
    goal = site.target(site.insn.off if site.row.verb == "goto" else site.insn.imm)

    def step(r: list[int], m: Machine) -> int:
        return goal

    return step


def goto_if(site: Site) -> Step:
    holds, mask, then = COMPARISONS[site.row.width][site.row.verb], MASK[site.row.width], site.next
    d, s, imm, goal = site.insn.dst, site.insn.src, site.operand, site.target(site.insn.off)

    def with_register(r: list[int], m: Machine) -> int:
        return goal if holds(r[d] & mask, r[s] & mask) else then

    def with_immediate(r: list[int], m: Machine) -> int:
        return goal if holds(r[d] & mask, imm) else then

    return with_register if site.row.uses_register else with_immediate


def call_helper(site: Site) -> Step:
    call, then = site.helpers.get(site.insn.imm), site.next
    raised = RAISES_BY_ID.get(site.insn.imm)
    if raised is not None:
        return _raises(raised)
    if call is None:
        raise unavailable(f"{site.program} at pc {site.pc}", site.insn.imm)

    def step(r: list[int], m: Machine) -> int:
        r[0] = call(m, r[1], r[2], r[3], r[4], r[5]) & M64
        return then

    return step


def _raises(row: Raise) -> Step:
    """Where Python would raise: the verifier has shown that no run gets there."""

    def step(r: list[int], m: Machine) -> int:
        raise Trap(f"comes to where Python raises {row.name}")

    return step


def unavailable(place: str, id: int) -> SpecError:
    """Why a helper can't be called, when the program is loaded."""
    if id in BY_ID:
        return SpecError(place, f"calls {BY_ID[id].name} (helper {id}), which needs a board, real or mock")
    if id in PLANNED:
        return SpecError(place, f"calls {PLANNED[id]} (helper {id}), which isn't supported yet")
    return SpecError(place, f"calls helper {id}, which doesn't exist", "`axiom-hw helpers` lists those that do")


def call_local(site: Site) -> Step:
    goal, then = site.target(site.insn.imm), site.next

    def step(r: list[int], m: Machine) -> int:
        m.enter(then)
        return goal

    return step


def call_register(site: Site) -> Step:
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


def exit(site: Site) -> Step:
    def step(r: list[int], m: Machine) -> int:
        return m.leave()

    return step


def unsupported(site: Site) -> Step:
    name, what = site.row.name, site.insn.imm

    def step(r: list[int], m: Machine) -> int:
        raise Trap(f"`{name}` {what} isn't supported: this machine has no kernel functions and no variables")

    return step
