"""What must hold for every program that the verifier accepts, tried on the interpreter with many inputs.

- No run faults, and none takes more instructions than the verifier's worst case.
- At each instruction the machine is in a state that the verifier described (`claims`), and each register that is
  read points where the verifier told the engines (`places`).
- Nothing that a user can see depends on what the program was never given: a second run, with other addresses and
  other noise in registers and stack that nothing initialised, has the same path, result, maps, records and calls.
- A proof in which nothing is pruned as irrelevant comes to the same verdict.
- The verifier raises nothing but `Rejected`, and says the same twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from time import monotonic_ns
from typing import Final

from axiom_hw.bpf import helpers
from axiom_hw.bpf.engine.interp import Interpreter
from axiom_hw.bpf.engine.traps import Trap
from axiom_hw.bpf.helpers import Ret
from axiom_hw.bpf.insn import Insn
from axiom_hw.bpf.isa import Kind
from axiom_hw.bpf.maps import HashMap, Map, Mem, RingBuf, create_map
from axiom_hw.bpf.spec import ProgramSpec
from axiom_hw.bpf.verified import Verified
from axiom_hw.bpf.verifier import Limits, Rejected, verify
from axiom_hw.bpf.verifier.cfg import shape_of
from axiom_hw.bpf.verifier.explore import Walk
from tests.bpf.edge_numbers import interesting, interesting_bytes
from tests.bpf.fuzz.claims import Claims
from tests.bpf.fuzz.places import misplaced

LIMITS: Final = Limits(visited_insns=20_000)
LONGEST_RUN: Final = 20_000  # programs with a longer worst case are judged, but not run
RUNS: Final = 2


class Violation(AssertionError):
    """A property that doesn't hold for a program that the verifier accepted."""


@dataclass
class NoisyEnv:
    """Time and randomness from a seed; what the program asks the hardware for is written down."""

    random: Random
    seen: list[object] = field(default_factory=list)

    @property
    def hardware(self) -> Mapping[int, Callable[..., int]]:
        return {row.id: self._hardware(row.id) for row in helpers.TABLE if row.id >= 1000}

    def _hardware(self, id: int) -> Callable[..., int]:
        def call(*numbers: int) -> int:
            self.seen.append((id, numbers))
            return interesting(self.random)

        return call

    def now_ns(self) -> int:
        return interesting(self.random)

    def random_u32(self) -> int:
        return interesting(self.random) & 0xFFFFFFFF

    def trace(self, text: str) -> None:
        self.seen.append(text)


@dataclass(frozen=True, slots=True)
class Seen:
    """All that a user can see of a run."""

    r0: int
    path: tuple[int, ...]
    maps: tuple[bytes, ...]
    calls: tuple[object, ...]


class TracedInterpreter(Interpreter):
    """The interpreter, with noise wherever a program must not look, and a check in front of each instruction."""

    __slots__ = ()

    def follow(
        self, verified: Verified, maps: list[Map], ctx: bytearray, noise: Random, claims: Claims | None
    ) -> tuple[int, tuple[int, ...]]:
        """r0 and the path. Raises `Violation`."""
        code, machine, insns = self._code, self._machines[0], self.spec.insns
        worst = verified.worst_case_insns
        machine.space._next += noise.randrange(1, 1 << 20)  # other addresses for context, frames and records
        registers = machine.begin(ctx, self._length)
        _scramble(registers, noise, [0, *range(2 + self.spec.ctx.length_in_r2, 10)])
        machine._frames[0].mem.u8[:512] = noise.randbytes(512)
        pc, path = 0, list[int]()
        try:
            while True:
                reason = claims.problem(pc, machine) if claims else ""
                reason = reason or misplaced(verified, maps, pc, machine)
                if reason:
                    raise Violation(reason)
                path.append(pc)
                if len(path) > worst:
                    raise Violation(f"runs more than {worst} instructions, the verifier's worst case")
                then = code[pc](registers, machine)
                if then < 0:
                    return registers[0], tuple(path)
                self._spread_noise(insns[pc], noise)
                pc = then
        except Trap as trap:
            raise Violation(f"faults at pc {pc}: {trap.problem}") from None
        finally:
            machine.end(ctx)

    def _spread_noise(self, insn: Insn, noise: Random) -> None:
        """What a call or a return leaves behind is nothing to rely on."""
        machine, op = self._machines[0], insn.op
        if op.kind is Kind.CALL and op.verb == "local":
            _scramble(machine.registers, noise, [0, 6, 7, 8, 9])
            machine._frames[len(machine._back)].mem.u8[:512] = noise.randbytes(512)
        elif op.kind is Kind.CALL:
            helper = helpers.BY_ID.get(insn.imm) if op.verb == "helper" else None
            void = helper is not None and helper.ret is Ret.VOID
            _scramble(machine.registers, noise, [*([0] if void else []), 1, 2, 3, 4, 5])
        elif op.kind is Kind.EXIT:
            _scramble(machine.registers, noise, [1, 2, 3, 4, 5])


def judge(spec: ProgramSpec, *, limits: Limits = LIMITS) -> Verified | Rejected:
    """The verdict. Anything else that the verifier raises goes through: it is a bug."""
    try:
        return verify(spec, limits=limits)
    except Rejected as rejected:
        return rejected


def run_counted(verified: Verified, ctx: bytes, env: NoisyEnv) -> tuple[int, int]:
    """r0 of a run on fresh maps, and how many instructions it took."""
    return Interpreter(verified, [create_map(m) for m in verified.spec.maps], env).run_counted(ctx)


def examine(verified: Verified, random: Random, *, runs: int = RUNS) -> None:
    """Try all properties on an accepted program. Raises `Violation`."""
    spec = verified.spec
    if verified.worst_case_insns > LONGEST_RUN:
        return
    maps = [create_map(m) for m in spec.maps]
    claims = Claims(spec, maps)
    again = verify(spec, limits=LIMITS, observe=claims.observe)
    if again != verified:
        raise Violation(f"two proofs differ: {verified} and {again}")
    thorough = without_pruning(spec, maps)
    for _ in range(runs):
        data = interesting_bytes(random, spec.ctx.size)
        fill(maps, random)
        seed, start = random.getrandbits(64), [bytes(m.mem.u8) for m in maps]
        seen = []
        for turn, checked in enumerate((claims, thorough)):
            for live, content in zip(maps, start, strict=True):
                live.mem.u8[:] = content
            env = NoisyEnv(Random(seed))
            interpreter = TracedInterpreter(verified, maps, env)
            # A buffer of its own: where the program may write its context, the outcome is seen there.
            buffer = bytearray(data)
            r0, path = interpreter.follow(verified, maps, buffer, Random(seed + 1 + turn), checked)
            seen.append(Seen(r0, path, (*(bytes(m.mem.u8) for m in maps), bytes(buffer)), tuple(env.seen)))
        if seen[0] != seen[1]:
            raise Violation(f"depends on addresses or on what nothing initialised: {_difference(*seen)}")


def without_pruning(spec: ProgramSpec, maps: list[Map]) -> Claims | None:
    """The claims of a walk in which every number matters, those that decide nothing too; None where it is too long."""
    claims = Claims(spec, maps, everything=True)
    shape = shape_of(spec)
    walk = Walk(spec, shape, claims.needs, LIMITS, monotonic_ns, claims.observe)
    try:
        walk.prove()
    except Rejected as rejected:
        if rejected.code not in ("V401", "V403"):
            raise Violation(f"accepted with pruning, but without: {rejected}") from None
        return None
    return claims


def fill(maps: list[Map], random: Random) -> None:
    """New content, but for maps that begin with data of their own."""
    for live in maps:
        if isinstance(live, RingBuf) or live.spec.data is not None:
            continue
        if isinstance(live, HashMap):
            key = _memory(interesting(random).to_bytes(8, "little")[: live.spec.key_size])
            value = _memory(interesting_bytes(random, live.spec.value_size))
            live.update(key, 0, value, 0, 0)
            continue
        window = live.values
        for start in range(window.origin, window.origin + window.stride * window.count, window.stride):
            live.mem.u8[start : start + window.extent] = interesting_bytes(random, window.extent)


def _memory(data: bytes) -> Mem:
    return Mem(bytearray(data.ljust(-(-len(data) // 8) * 8, b"\0")))


def _scramble(registers: list[int], noise: Random, numbers: list[int]) -> None:
    for number in numbers:
        registers[number] = noise.getrandbits(64)


def _difference(one: Seen, other: Seen) -> str:
    if one.r0 != other.r0:
        return f"r0 is {one.r0:#x} or {other.r0:#x}"
    if one.path != other.path:
        split = next((i for i, (a, b) in enumerate(zip(one.path, other.path, strict=False)) if a != b), 0)
        return f"after {split} instructions it goes on at pc {one.path[split]} or {other.path[split]}"
    if one.maps != other.maps:
        index = next(i for i, (a, b) in enumerate(zip(one.maps, other.maps, strict=True)) if a != b)
        return f"the content of map {index} (the context, behind the last)"
    return f"what it asked its environment for: {one.calls} or {other.calls}"
