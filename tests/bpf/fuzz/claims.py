"""What the verifier claims at each instruction, and whether a machine that stands there is one that it described.

The verifier shows each state that it follows; a run must meet, at each instruction, at least one of those states:
every number inside its limits, every pointer in its object, frames and return addresses alike. Numbers that never
become part of an address or a size are left out, as the verifier's pruning may leave them out; in a walk with
`everything`, where each number counts as one that does, nothing is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from axiom_hw.bpf.engine.linkage import Linkage
from axiom_hw.bpf.engine.machine import FRAME_BYTES, Machine
from axiom_hw.bpf.engine.memory import SHIFT
from axiom_hw.bpf.insn import FRAME_POINTER
from axiom_hw.bpf.maps import Map
from axiom_hw.bpf.spec import ProgramSpec
from axiom_hw.bpf.verifier.cfg import shape_of
from axiom_hw.bpf.verifier.cover import views
from axiom_hw.bpf.verifier.liveness import ADDRESS, Weights, needs_of
from axiom_hw.bpf.verifier.num import Num
from axiom_hw.bpf.verifier.values import Kind, Ptr, Reg, State

_M64: Final = (1 << 64) - 1
_EVERYTHING: Final[Weights] = dict.fromkeys(range(1 << 7), -1)  # registers and slots, by the numbers of `liveness`


class Claims:
    """Every state that the verifier followed, by pc. `observe` is what `verify` calls."""

    def __init__(self, spec: ProgramSpec, maps: Sequence[Map], *, everything: bool = False) -> None:
        needs = needs_of(shape_of(spec))
        self.needs = replace(needs, weights=[_EVERYTHING] * len(spec.insns)) if everything else needs
        self.maps = maps
        self.states: dict[int, list[State]] = {}
        self._last: dict[int, int] = {}

    def observe(self, pc: int, state: State) -> None:
        self.states.setdefault(pc, []).append(state.copy())

    def problem(self, pc: int, machine: Machine) -> str:
        """Why no claimed state at `pc` describes the machine; empty where one does."""
        states = self.states.get(pc, [])
        if not states:
            return f"pc {pc} runs, but the verifier never came there"
        last = self._last.get(pc, 0)
        if not self._differs(states[last], pc, machine):
            return ""
        reasons = []
        for index, state in enumerate(states):
            reason = self._differs(state, pc, machine)
            if not reason:
                self._last[pc] = index
                return ""
            reasons.append(reason)
        shown = "; or ".join(dict.fromkeys(reasons[:8]))
        return f"at pc {pc} the machine is in none of {len(states)} claimed states: {shown}"

    def _differs(self, state: State, pc: int, machine: Machine) -> str:
        back = machine._back
        if len(state.frames) != len(back) + 1:
            return f"{len(back) + 1} frames, claimed {len(state.frames)}"
        if len(state.refs) < len(machine._records):  # a reference that may be NULL need not be a record
            return f"{len(machine._records)} records held, claimed {len(state.refs)}"
        match = _Match(state, machine, self.maps)
        for depth, view in enumerate(views(self.needs, state, pc)):
            if depth < len(back):
                return_pc, *saved = back[depth]
                if return_pc != state.frames[depth + 1].return_pc:
                    return f"returns to {return_pc}, claimed {state.frames[depth + 1].return_pc}"
                registers = [0] * 6 + saved
            else:
                registers = machine.registers
            for number in range(FRAME_POINTER):
                if view.live >> number & 1:
                    claim = view.frame.regs[number]
                    if not match.holds(claim, registers[number], view.decides(number, ADDRESS)):
                        return f"r{number} of frame {depth} is {registers[number]:#x}, claimed {claim!r}"
            memory = machine._frames[depth].mem.u8
            for off, (size, claim) in view.frame.cells.items():
                value = int.from_bytes(memory[FRAME_BYTES + off : FRAME_BYTES + off + size], "little")
                if not match.holds(claim, value, view.slot_decides(off, ADDRESS)):
                    return f"{size} bytes at r10{off} of frame {depth} are {value:#x}, claimed {claim!r}"
        return ""


class _Match:
    """One state against one machine. Which record a reference means shows when the first pointer to it is met."""

    def __init__(self, state: State, machine: Machine, maps: Sequence[Map]) -> None:
        self.state = state
        self.machine = machine
        self.maps = maps
        self.records: dict[int, int] = {}

    def holds(self, claim: Reg, value: int, decisive: bool) -> bool:
        """Whether a register or a piece of stack is what the state says."""
        if claim is None:
            return True
        if isinstance(claim, Num):
            return not decisive or claim.holds(value)
        return (claim.null and value == 0) or self._points(claim, value)

    def _points(self, claim: Ptr, value: int) -> bool:
        match claim.kind:
            case Kind.CTX | Kind.MEM:
                base = self.machine._context.base if claim.size else 0  # nothing lies at address 0
                return claim.off.holds(value - base & _M64)
            case Kind.STACK:
                return claim.off.holds(value - self.machine._frames[claim.obj].base - FRAME_BYTES & _M64)
            case Kind.MAP:
                return value == Linkage.map_address(claim.obj)
            case Kind.VALUE:
                window = self.maps[claim.obj].values
                first = Linkage.map_address(claim.obj) + (1 << SHIFT)
                starts = range(first, first + window.stride * window.count, window.stride)
                return any(claim.off.holds(value - start & _M64) for start in starts)
            case Kind.RECORD:
                return claim.obj not in self.state.refs or self._is_record(claim, value)  # released ones may dangle
            case Kind.CODE:
                return True

    def _is_record(self, claim: Ptr, value: int) -> bool:
        known = self.records.get(claim.obj)
        if known is not None:
            return claim.off.holds(value - known & _M64)
        for address, (_, _, region) in self.machine._records.items():
            free = region.extent == claim.size and address not in self.records.values()
            if free and claim.off.holds(value - address & _M64):
                self.records[claim.obj] = address
                return True
        return False
