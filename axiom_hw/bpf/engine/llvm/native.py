"""A loaded program that runs as native code: the interpreter's methods and behaviour, some thousand times as fast."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from axiom_hw.bpf.engine.interp import check_rows
from axiom_hw.bpf.engine.llvm.ahead import rings_ahead
from axiom_hw.bpf.engine.llvm.cache import Cache
from axiom_hw.bpf.engine.llvm.code import REPORT, Code, CompileError
from axiom_hw.bpf.engine.llvm.entry import PROGRAM, RUN_BATCH, lies_inside, with_batch
from axiom_hw.bpf.engine.llvm.identity import program_key
from axiom_hw.bpf.engine.llvm.instance import Buffer, Instance, entries
from axiom_hw.bpf.engine.llvm.jit import compile_ir
from axiom_hw.bpf.engine.llvm.lift import lift
from axiom_hw.bpf.engine.llvm.operations import Operations
from axiom_hw.bpf.engine.llvm.real_atomics import use_real_atomics
from axiom_hw.bpf.engine.llvm.runstate import ABORT_AT
from axiom_hw.bpf.engine.llvm.unit import Offers
from axiom_hw.bpf.engine.machine import Env, is_monotonic, natives_of
from axiom_hw.bpf.engine.program import Program, Unverified
from axiom_hw.bpf.insn import check
from axiom_hw.bpf.isa import Kind
from axiom_hw.bpf.maps.create import Map
from axiom_hw.bpf.spec import ProgramSpec
from axiom_hw.bpf.verified import Verified
from axiom_hw.errors import SpecError

# Quick code keeps in its frame what optimised code keeps in registers, or doesn't compute twice: up to 32 bytes an
# instruction where all are lookups. So this bounds the frame to 0.5 MB, of a stack of 8.
_QUICK_INSNS: Final = 1 << 14


class Native:
    """A verified program as native code, its maps bound, ready to run in `slots` slots.

    `run(ctx, slot=0) -> int` is `Interpreter.run`: r0, unsigned, or what a helper raised. `run_batch(ctxs, slot=0) ->
    int` runs on each of the contexts that a buffer holds back to back, without the GIL, and returns their number; what
    the program writes to a context is lost. Where a helper raises, it ends there, and `begun(slot)` counts the runs.

    With a `cache`, optimised code that was compiled before is read from it. Else it is compiled, or, for `quick`, code
    that is hardly optimised: it takes a third of the time, and `improve` makes up for it at any later moment. Raises
    what `Interpreter` raises, `SpecError` for a program that nobody verified, and `CompileError` for a bug of ours.

    Synchronization: each slot belongs to one thread at a time; runs in different slots may overlap. `improve` by one
    thread at a time, whatever the others do.
    """

    __slots__ = ("_instance", "_recipe", "_run_batch", "run", "spec")

    def __init__(
        self,
        program: Program,
        maps: Sequence[Map],
        env: Env,
        *,
        slots: int = 1,
        cache: Cache | None = None,
        quick: bool = False,
    ) -> None:
        if isinstance(program, Unverified):
            raise SpecError(
                program.spec.name,
                "wasn't verified; native code checks nothing, so it is made of proved programs only",
                "verify it, or run it with --engine interp",
            )
        self.spec = program.spec
        recipe = Recipe.of(program, maps, env, cache)
        code = recipe.kept()
        quick = quick and code is None and len(self.spec.insns) <= _QUICK_INSNS
        if code is None:
            code = recipe.make_quick() if quick else recipe.make()
        self._recipe: Recipe | None = recipe if quick else None
        entries(cache)
        self._instance = Instance(code, self.spec, maps, env, slots)
        self.run: Callable[..., int] = self._instance.builtin("run")
        self._run_batch: Callable[..., int] = self._instance.builtin("run_batch")

    @property
    def run_batch(self) -> Callable[..., int]:
        """See the class."""
        use_real_atomics()  # from now on somebody may write maps beside the threads that have the GIL
        return self._run_batch

    @property
    def is_quick(self) -> bool:
        """Whether the code is to be improved."""
        return self._recipe is not None

    def improve(self) -> None:
        """Compile the optimised code, keep it in the cache, and run it from the next event, or batch, on.

        Nobody waits for it, and nothing changes but the time that runs take, and `program_address` and
        `batch_address`; what they were stays good for as long as this object lives. Where the code is optimised
        already, nothing happens. Raises `CompileError`, and the code stays what it is.
        """
        if self._recipe is not None:
            self._instance.improve(self._recipe.make())
            self._recipe = None

    def begun(self, slot: int = 0) -> int:
        """How many runs of a slot's last batch that was ended by a fault were begun, that one included."""
        return self._instance.begun[slot]

    # For callers that are native themselves.

    @property
    def program_address(self) -> int:
        """Of `i64 (ptr ctx, ptr run)`: r0; 0 where it left `abort` set in the run state."""
        return self._instance.address(PROGRAM)

    @property
    def batch_address(self) -> int:
        """Of `i64 (ptr ctxs, i64 count, ptr run)`: how many runs were begun; fewer than `count` where one aborted."""
        return self._instance.address(RUN_BATCH)

    def state_address(self, slot: int) -> int:
        """Of a slot's `RunState`."""
        return self._instance.state_address(slot)

    @property
    def abort_offset(self) -> int:
        """Of the u32 in a run state that isn't 0 after a run that ended early."""
        return ABORT_AT

    def fault(self, slot: int) -> BaseException:
        """What ended a run early that left `abort` set; the slot is ready for the next one then."""
        return self._instance.fault(slot)


@dataclass(frozen=True, slots=True)
class Recipe:
    """What the code of a program is made of, and where it is kept: with a cache, under `key`."""

    program: Verified
    maps: Sequence[Map]
    offers: Offers
    cache: Cache | None
    key: bytes

    @classmethod
    def of(cls, program: Verified, maps: Sequence[Map], env: Env, cache: Cache | None) -> Recipe:
        """Raises `SpecError` for maps, or helpers, that don't fit."""
        check_maps(program, maps)
        check_rows(env)
        offers = offers_of(env)
        return cls(program, maps, offers, cache, b"" if cache is None else program_key(program.spec, maps, offers))

    def kept(self) -> Code | None:
        """Optimised code that was made before."""
        return None if self.cache is None else self.cache.get(self.key)

    def make(self) -> Code:
        """Optimised code, made now and kept. Raises `CompileError`."""
        spec = self.program.spec
        code = compile_ir(self._text(), spec.name, loops=has_loops(spec))
        if self.cache is not None:
            self.cache.put(self.key, code)
        return code

    def make_quick(self) -> Code:
        """Code for the time until there is optimised one; nobody keeps it. Raises `CompileError`."""
        return compile_ir(self._text(), self.program.spec.name, quick=True)

    def _text(self) -> str:
        return module_text(self.program, self.maps, self.offers)


def has_loops(spec: ProgramSpec) -> bool:
    """Whether any of its jumps goes back."""
    rows = zip(check(spec.insns), spec.insns, strict=True)
    jumps = ((row, insn) for row, insn in rows if row is not None and row.kind in (Kind.JUMP, Kind.JUMP_IF))
    return any((insn.imm if row.verb == "gotol" else insn.off) < 0 for row, insn in jumps)


def module_text(program: Verified, maps: Sequence[Map], offers: Offers) -> str:
    """The IR of a program with its batch loop, as it is compiled."""
    spec = program.spec
    insns = len(spec.insns)
    ahead = rings_ahead(program, maps) if lies_inside(insns) else ()
    try:
        lifted = lift(program, maps, Operations(), offers, ahead=ahead)
    except AssertionError as error:
        raise CompileError(spec.name, f"can't be lifted: {error}", REPORT) from error
    return with_batch(lifted, insns=insns, ctx_bytes=spec.ctx.size, ahead=len(ahead))


def offers_of(env: Env) -> Offers:
    """What native code can rely on in an environment."""
    natives = {id: native.function for id, native in natives_of(env).items()}
    return Offers(frozenset(env.hardware) - natives.keys(), natives, is_monotonic(env))


def check_maps(program: Verified, maps: Sequence[Map]) -> None:
    """Raises `SpecError` unless there is a map for each that the program declares, and each has memory of its own."""
    declared = program.spec.maps
    if len(maps) != len(declared):
        raise SpecError(program.spec.name, f"declares {len(declared)} maps, got {len(maps)}")
    for n, live in enumerate(maps):
        one = next((other.spec.name for other in maps[:n] if other.mem is live.mem), None)
        if one is not None:  # the optimiser takes them for different memory
            raise SpecError(
                program.spec.name, f"got one memory for two maps, {one} and {live.spec.name}",
                "make a map for each, or declare one",
            )  # fmt: skip


__all__ = ["Buffer", "Native", "Recipe", "check_maps", "module_text", "offers_of"]
