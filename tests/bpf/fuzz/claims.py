"""What the verifier claims at each instruction, and whether a machine that stands there is one that it described.

The verifier shows each state that it follows; a run must meet, at each instruction, at least one of those states:
every number inside its limits, every pointer in its object, frames and return addresses alike. What no later
instruction can turn into an address, a size or a comparison is left out, as the verifier's pruning leaves it out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from axiom_hw.bpf.engine.linkage import Linkage
from axiom_hw.bpf.engine.machine import FRAME_BYTES, Machine
from axiom_hw.bpf.engine.memory import SHIFT
from axiom_hw.bpf.insn import FRAME_POINTER
from axiom_hw.bpf.maps import Map
from axiom_hw.bpf.spec import ProgramSpec
from axiom_hw.bpf.verifier.cfg import shape_of
from axiom_hw.bpf.verifier.cover import View, views
from axiom_hw.bpf.verifier.liveness import ADDRESS, needs_of
from axiom_hw.bpf.verifier.num import Num
from axiom_hw.bpf.verifier.values import Kind, Ptr, Reg, State

_M64: Final = (1 << 64) - 1


class Claims:
    """Every state that the verifier followed, by pc. `observe` is what `verify` calls."""

    def __init__(self, spec: ProgramSpec, maps: Sequence[Map]) -> None:
        self.needs = needs_of(shape_of(spec))
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
        records: dict[int, int] = {}
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
                    if not self._holds(claim, registers[number], view.decides(number, ADDRESS), machine, records):
                        return f"r{number} of frame {depth} is {registers[number]:#x}, claimed {claim!r}"
            reason = self._cells(view, depth, machine, records)
            if reason:
                return reason
        return ""

    def _cells(self, view: View, depth: int, machine: Machine, records: dict[int, int]) -> str:
        memory = machine._frames[depth].mem.u8
        for off, (size, claim) in view.frame.cells.items():
            at = FRAME_BYTES + off
            value = int.from_bytes(memory[at : at + size], "little")
            if not self._holds(claim, value, view.slot_decides(off, ADDRESS), machine, records):
                return f"{size} bytes at r10{off} of frame {depth} are {value:#x}, claimed {claim!r}"
        return ""

    def _holds(self, claim: Reg, value: int, decisive: bool, machine: Machine, records: dict[int, int]) -> bool:
        if claim is None:
            return True
        if isinstance(claim, Num):
            return not decisive or claim.holds(value)
        if claim.null and value == 0:
            return True
        return self._points(claim, value, machine, records)

    def _points(self, claim: Ptr, value: int, machine: Machine, records: dict[int, int]) -> bool:
        match claim.kind:
            case Kind.CTX | Kind.MEM:
                return claim.off.holds(value - machine._context.base & _M64)
            case Kind.STACK:
                return claim.off.holds(value - machine._frames[claim.obj].base - FRAME_BYTES & _M64)
            case Kind.MAP:
                return value == Linkage.map_address(claim.obj)
            case Kind.VALUE:
                window = self.maps[claim.obj].values
                first = Linkage.map_address(claim.obj) + (1 << SHIFT)
                starts = range(first, first + window.stride * window.count, window.stride)
                return any(claim.off.holds(value - start & _M64) for start in starts)
            case Kind.RECORD:
                known = records.get(claim.obj)
                if known is not None:
                    return claim.off.holds(value - known & _M64)
                for address, (_, _, region) in machine._records.items():
                    free = region.extent == claim.size and address not in records.values()
                    if free and claim.off.holds(value - address & _M64):
                        records[claim.obj] = address
                        return True
                return False
            case Kind.CODE:
                return True
