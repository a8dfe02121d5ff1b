"""The walk: every path of a program, but for those whose state an earlier one already covers.

Depth first, with an explicit stack. Where paths join, the state is kept as a node; a later state that a finished node
covers ends there. A state equal to one that is still being followed, on the same path, is a loop that never ends.
Loops are followed round by round, so a bound is whatever makes the walk end; the budgets bound the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Final

from axiom_hw.bpf.disasm import names_of, text_of
from axiom_hw.bpf.spec import ProgramSpec
from axiom_hw.bpf.verified import SEAL, Verified
from axiom_hw.bpf.verifier.access import Memory
from axiom_hw.bpf.verifier.calls import Calls
from axiom_hw.bpf.verifier.cfg import Shape
from axiom_hw.bpf.verifier.cover import covers, forget_single_ids, signature, widen
from axiom_hw.bpf.verifier.liveness import Needs, jump_bit
from axiom_hw.bpf.verifier.num import const
from axiom_hw.bpf.verifier.rejection import Refusal, Rejected
from axiom_hw.bpf.verifier.step import Step
from axiom_hw.bpf.verifier.uses import Uses
from axiom_hw.bpf.verifier.values import STACK_BYTES, Kind, Ptr, State, Trail, new_frame

_CANDIDATES: Final = 8  # finished nodes compared at a join, newest first
_ALIKE: Final = 8  # so many finished nodes that differ in loose numbers only: stop telling them apart
_CROWDED: Final = 64  # a join with more nodes than this is a long loop: keep fewer of its states,
_SPACING: Final = 24  # ... one every so many instructions
_CLOCK_EVERY: Final = 512


@dataclass(frozen=True, slots=True)
class Limits:
    """What a proof may cost: instructions followed, and time in ns of the clock that `verify` was given.

    A million instructions take some 10 s on a laptop: time is the limit of last resort, so that a slower machine
    gives the same verdict.
    """

    visited_insns: int = 1_000_000
    time_ns: int = 30_000_000_000


class Node:
    """A state at a join, and the longest way from there to the end, once all its branches are done."""

    __slots__ = ("decided", "distance", "done", "finished", "parent", "pending", "state", "worst")

    def __init__(self, state: State, parent: Node | None, distance: int, finished: list[Node]) -> None:
        self.state = state
        self.parent = parent
        self.distance = distance  # instructions from the parent
        self.pending = 1
        self.decided = 0  # the jumps below whose numbers count: they decided it, or taught about linked ones; as bits
        self.worst = 0
        self.done = False
        self.finished = finished  # where to enter it when it is done


_Branch = tuple[int, State, Node, int, int]
"""Where to go on: pc, state, the last node, the instructions since, and the pc that led here."""


class _Join:
    """The nodes at one pc; the finished ones also by loose signature, once there are many."""

    __slots__ = ("alike", "by_signature", "finished", "sorted")

    def __init__(self) -> None:
        self.by_signature: dict[Hashable, Node] = {}
        self.finished: list[Node] = []
        self.alike: dict[Hashable, list[Node]] = {}
        self.sorted = 0  # how many of the finished are in `alike`


class Walk:
    """One proof. `observe` sees each (pc, state) before its instruction: for tests that check what is claimed."""

    def __init__(
        self, spec: ProgramSpec, shape: Shape, needs: Needs, limits: Limits, monotonic_ns: Callable[[], int],
        observe: Callable[[int, State], None] | None,
    ) -> None:  # fmt: skip
        self.spec = spec
        self.shape = shape
        self.needs = needs
        self.limits = limits
        self.monotonic_ns = monotonic_ns
        self.observe = observe
        self.memory = Memory(spec.ctx, spec.maps)
        self.step = Step(spec, shape, self.memory, Calls(self.memory))
        self.joins: dict[int, _Join] = {pc: _Join() for pc in shape.joins}
        self.uses = Uses(shape, needs, spec.ctx.size)
        self.visited = 0
        self.names = names_of(spec)

    def prove(self) -> Verified:
        """Raises `Rejected`."""
        entry = self._entry()
        root = Node(entry.copy(), None, 0, [])
        todo: list[_Branch] = [(0, entry, root, 0, 0)]
        deadline = self.monotonic_ns() + self.limits.time_ns
        while todo:
            self._follow(*todo.pop(), todo, deadline)
        try:
            stack_bytes = self._stack_bytes()
        except Refusal as refusal:
            raise self.reject(refusal, refusal.pc or 0, None) from None
        return Verified(self.spec, root.worst, stack_bytes, self.visited, SEAL, self.uses.found(), self.uses.targets())

    def reject(self, refusal: Refusal, pc: int, state: State | None) -> Rejected:
        pc = refusal.pc if refusal.pc is not None else pc
        path = state.trail.pcs() if state is not None and state.trail is not None else []
        text = text_of(self.shape.insns, pc, self.names) if pc < len(self.shape.insns) else ""
        return Rejected(self.spec, refusal, pc, text, path, self.visited)

    def _entry(self) -> State:
        ctx = self.spec.ctx
        frame = new_frame(0, 0, -1)
        kind = Kind.MEM if ctx.writable else Kind.CTX
        frame.regs[1] = Ptr(kind, size=ctx.size)
        if ctx.length_in_r2:
            frame.regs[2] = const(ctx.size)
            if not ctx.size:
                frame.regs[1] = const(0)  # no memory is NULL there
        return State([frame], {}, None)

    def _follow(
        self, pc: int, state: State, node: Node, steps: int, came_from: int, todo: list[_Branch], deadline: int
    ) -> None:
        """Follow one path until it ends, is covered, or forks (the other branches go to `todo`)."""
        joins, limits, note = self.joins, self.limits, self.uses.note
        while True:
            if pc in joins:
                kept = self._arrive(pc, state, node, steps, came_from)
                if kept is None:
                    return
                if kept is not node:
                    node, steps = kept, 0
            self.visited += 1
            if self.visited > limits.visited_insns:
                raise self.reject(
                    Refusal("V401", f"followed {limits.visited_insns} instructions and was not done"), pc, state
                )
            if self.visited % _CLOCK_EVERY == 0 and self.monotonic_ns() > deadline:
                seconds = limits.time_ns / 1e9
                raise self.reject(Refusal("V403", f"the proof took longer than {seconds:g} s"), pc, state)
            if self.observe is not None:
                self.observe(pc, state)
            note(pc, state)
            try:
                following = self.step.run(state, pc)
            except Refusal as refusal:
                raise self.reject(refusal, pc, state) from None
            steps += 1
            if not following:
                _finish(node, steps, 0)
                return
            came_from = pc
            if len(self.shape.successors[pc]) > 1:
                if len(following) == 1 or self.step.spread:
                    node.decided |= jump_bit(pc)
                for _, other in following:
                    other.trail = Trail(pc, other.trail)
            for target, other in following[:-1]:
                node.pending += 1
                todo.append((target, other, node, steps, came_from))
            pc, state = following[-1]

    def _arrive(self, pc: int, state: State, node: Node, steps: int, came_from: int) -> Node | None:
        """At a join: None where a finished node covers the state, else the node to go on from."""
        join = self.joins[pc]
        forget_single_ids(state)
        signed = signature(self.needs, state, pc)
        same = join.by_signature.get(signed)
        if same is not None and not same.done:
            raise self.reject(
                Refusal("V402", f"the loop comes back to pc {pc} with nothing changed that could end it"),
                came_from, state,
            )  # fmt: skip
        found = same if same is not None else self._covering(join.finished, state, pc)
        if found is None:
            alike = self._alike(join, state, pc)
            found = self._covering(alike, state, pc)
            if found is None and len(alike) >= _ALIKE:
                widen(self.needs, state, pc)
                forget_single_ids(state)
                signed = signature(self.needs, state, pc)
                found = self._covering(alike, state, pc)
        if found is not None:
            _finish(node, steps + found.worst, found.decided)
            return None
        if steps < _SPACING and node.pending == 1 and len(join.by_signature) > _CROWDED:
            return node  # no fork since the last node: that one will do
        made = Node(state.copy(), node, steps, join.finished)
        join.by_signature.setdefault(signed, made)
        return made

    def _alike(self, join: _Join, state: State, pc: int) -> list[Node]:
        """The finished nodes that differ from this state at most in numbers that can be let go of."""
        if len(join.finished) < _ALIKE:
            return []
        for node in join.finished[join.sorted :]:
            join.alike.setdefault(signature(self.needs, node.state, pc, loosely=True), []).append(node)
        join.sorted = len(join.finished)
        return join.alike.get(signature(self.needs, state, pc, loosely=True), [])

    def _covering(self, nodes: list[Node], state: State, pc: int) -> Node | None:
        """One of the last of these nodes that covers the state: what matches was mostly finished just before."""
        for node in nodes[: -_CANDIDATES - 1 : -1]:
            if covers(self.needs, node.state, state, pc, node.decided):
                return node
        return None

    def _stack_bytes(self) -> int:
        """The deepest chain of frames, each rounded up to 16 bytes; refuses more than 512."""
        deepest: dict[int, int] = {}
        for start in self.shape.callees_first:
            own = -(-self.memory.stack_used.get(start, 0) // 16) * 16
            below = [(deepest[callee], pc) for pc, callee in self.shape.functions[start].calls]
            most, pc = max(below, default=(0, start))
            deepest[start] = own + most
            if deepest[start] > STACK_BYTES:
                raise Refusal(
                    "V309", f"this call chain needs {deepest[start]} bytes of stack; {STACK_BYTES} is the limit", pc=pc
                )
        return deepest[0]


def _finish(node: Node | None, cost: int, decided: int) -> None:
    """A path below `node` ended after `cost` instructions; nodes whose last path that was are done as well."""
    while node is not None:
        node.worst = max(node.worst, cost)
        node.decided |= decided
        node.pending -= 1
        if node.pending:
            return
        node.done = True
        node.finished.append(node)
        cost, decided = node.distance + node.worst, node.decided
        node = node.parent
