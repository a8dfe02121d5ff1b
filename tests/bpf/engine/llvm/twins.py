"""One program on the interpreter and as native code, optimised and quick, with what can be seen of each run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from axiom_hw.bpf.asm import assemble_insns
from axiom_hw.bpf.engine.interp import Interpreter
from axiom_hw.bpf.engine.llvm.native import Native
from axiom_hw.bpf.engine.machine import Env
from axiom_hw.bpf.maps import Map, RingBuf, create_map
from axiom_hw.bpf.spec import CtxSpec, MapSpec, ProgramSpec
from axiom_hw.bpf.verified import Verified
from axiom_hw.bpf.verifier import verify
from axiom_hw.errors import AxiomError
from tests.bpf.engine.rigs import ScriptedEnv
from tests.bpf.engines import Engine

Hardware = Mapping[int, Callable[..., int]]


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of some runs: results, or the words of what was raised; contexts and maps as they were left."""

    results: tuple[int | str, ...]
    contexts: tuple[bytes, ...]
    maps: tuple[bytes, ...]
    traced: tuple[str, ...]
    woken: int


def proved(text: str, *specs: MapSpec, ctx: CtxSpec = CtxSpec(0)) -> Verified:  # noqa: B008 (frozen)
    """Assemble and verify a program."""
    names = {spec.name: index for index, spec in enumerate(specs)}
    return verify(ProgramSpec("p", assemble_insns(text, maps=names), specs, ctx))


def on(
    engine: Callable[[Verified, Sequence[Map], Env], Engine],
    program: Verified,
    inputs: Sequence[bytes],
    hardware: Hardware,
) -> Seen:
    """Run on each input in turn."""
    maps = [create_map(spec) for spec in program.spec.maps]
    woken = _listen(maps)
    env = ScriptedEnv(hardware=hardware)
    loaded = engine(program, maps, env)
    results: list[int | str] = []
    contexts = [bytearray(data) for data in inputs]
    for data in contexts:
        try:
            results.append(loaded.run(data))
        except (AxiomError, OSError) as error:
            results.append(repr(error))
    return Seen(
        tuple(results), tuple(map(bytes, contexts)), tuple(bytes(live.mem.u8) for live in maps), tuple(env.traced),
        len(woken),
    )  # fmt: skip


def same(
    text: str,
    *specs: MapSpec,
    ctx: CtxSpec = CtxSpec(0),  # noqa: B008 (frozen)
    inputs: Sequence[bytes] = (b"",),
    hardware: Hardware | None = None,
) -> Seen:
    """Assert that all do the same; what they did."""
    program = proved(text, *specs, ctx=ctx)
    engines = (Interpreter, Native, partial(Native, quick=True))
    plain, native, quick = (on(engine, program, inputs, hardware or {}) for engine in engines)
    assert native == plain
    assert quick == plain
    return plain


def _listen(maps: Sequence[Map]) -> list[None]:
    woken: list[None] = []
    for live in maps:
        if isinstance(live, RingBuf):
            live.on_submit = lambda: woken.append(None)
    return woken
