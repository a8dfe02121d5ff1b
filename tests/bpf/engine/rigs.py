"""What tests of the engines share: an environment whose time, randomness and trace they script."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from axiom_hw.bpf.asm import assemble_insns
from axiom_hw.bpf.engine.interp import Interpreter
from axiom_hw.bpf.engine.program import Unverified
from axiom_hw.bpf.maps import Map, create_map
from axiom_hw.bpf.spec import CtxSpec, MapSpec, ProgramSpec


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
class Rig:
    """A loaded program with its maps and environment."""

    interpreter: Interpreter
    maps: Sequence[Map]
    env: ScriptedEnv

    def run(self, ctx: bytes | bytearray = b"", slot: int = 0) -> int:
        return self.interpreter.run(ctx, slot)


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
    return Rig(Interpreter(program, maps, env, slots=slots, budget=budget), maps, env)
