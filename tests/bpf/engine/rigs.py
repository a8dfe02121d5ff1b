"""What tests of the engines share: an environment whose time, randomness and trace they script.

A program that the verifier accepts runs as native code as well, quick and optimised, on copies of its maps and its
environment: each run of a test with one slot compares them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from axiom_hw.bpf.asm import assemble_insns
from axiom_hw.bpf.engine.interp import Interpreter
from axiom_hw.bpf.engine.program import Unverified
from axiom_hw.bpf.maps import Map, create_map
from axiom_hw.bpf.spec import CtxSpec, MapSpec, ProgramSpec
from axiom_hw.bpf.verifier import Rejected, verify
from tests.bpf.engines import NATIVE, Engine
from tests.bpf.engines import load as load_on


@dataclass
class ScriptedEnv:
    """Time stands at `now`, randomness counts up, the trace is a list."""

    now: int = 1_000
    traced: list[str] = field(default_factory=list)
    hardware: Mapping[int, Callable[..., int]] = field(default_factory=dict)
    drawn: int = 0

    def now_ns(self) -> int:
        return self.now

    def random_u32(self) -> int:
        self.drawn += 1
        return self.drawn

    def trace(self, text: str) -> None:
        self.traced.append(text)


@dataclass
class Twin:
    """The same program as native code. Only what a run sees and leaves is the same: the objects are its own."""

    loaded: Engine
    maps: Sequence[Map]
    env: ScriptedEnv

    def follow(self, rig: Rig, ctx: bytes, slot: int) -> Callable[[int], None]:
        """Get ready for the run that the rig is about to make; what is given compares the two after it."""
        for mine, theirs in zip(self.maps, rig.maps, strict=True):
            mine.mem.u8[:] = theirs.mem.u8
        self.env.now, self.env.drawn, self.env.traced = rig.env.now, rig.env.drawn, list(rig.env.traced)
        r0 = self.loaded.run(bytearray(ctx), slot)

        def compare(theirs: int) -> None:
            assert (self.env.drawn, self.env.traced) == (rig.env.drawn, rig.env.traced)
            assert [bytes(m.mem.u8) for m in self.maps] == [bytes(m.mem.u8) for m in rig.maps]
            assert r0 == theirs

        return compare


@dataclass
class Rig:
    """A loaded program with its maps and environment."""

    interpreter: Interpreter
    maps: Sequence[Map]
    env: ScriptedEnv
    twins: Sequence[Twin] = ()

    def run(self, ctx: bytes | bytearray = b"", slot: int = 0) -> int:
        comparisons = [twin.follow(self, bytes(ctx), slot) for twin in self.twins]
        r0 = self.interpreter.run(ctx, slot)
        for compare in comparisons:
            compare(r0)
        return r0


def load(
    text: str,
    *specs: MapSpec,
    ctx: CtxSpec = CtxSpec(0),  # noqa: B008 - frozen
    env: ScriptedEnv | None = None,
    slots: int = 1,
    budget: int | None = None,
) -> Rig:
    """Assemble and load a program that nobody verified."""
    names = {spec.name: index for index, spec in enumerate(specs)}
    insns = assemble_insns(text, maps=names)
    env = env or ScriptedEnv()
    maps = [create_map(spec) for spec in specs]
    program = Unverified(ProgramSpec("p", insns, specs, ctx))
    interpreter = Interpreter(program, maps, env, slots=slots, budget=budget)
    return Rig(interpreter, maps, env, _twins(program.spec, env) if budget is None and slots == 1 else ())


def _twins(spec: ProgramSpec, env: ScriptedEnv) -> Sequence[Twin]:
    """None where the program can't be proved, asks the hardware, which would be asked twice, or can't be compiled."""
    if not NATIVE or env.hardware:
        return ()
    try:
        verdict = verify(spec)
    except Rejected:
        return ()
    twins = []
    for code in ("llvm", "quick"):
        maps, own = [create_map(declared) for declared in spec.maps], ScriptedEnv()
        twins.append(Twin(load_on(code, verdict, maps, own), maps, own))
    return twins
