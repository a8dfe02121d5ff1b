"""The interpreter: the definition of the machine. Slow, plain, and it checks every access whatever was proved."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Final

from axiom_hw.bpf.engine.calls import IMPLEMENTED, Implementation, hardware_call
from axiom_hw.bpf.engine.linkage import Linkage
from axiom_hw.bpf.engine.machine import Env, Machine, NativeHelper, natives_of
from axiom_hw.bpf.engine.program import Program, Unverified
from axiom_hw.bpf.engine.semantics import SEMANTICS
from axiom_hw.bpf.engine.site import Site, Step
from axiom_hw.bpf.engine.traps import Trap
from axiom_hw.bpf.helpers import BY_ID
from axiom_hw.bpf.insn import check
from axiom_hw.bpf.maps.create import Map
from axiom_hw.errors import Fault, SpecError

DEFAULT_BUDGET: Final = 1_000_000  # instructions of one run; more where the verifier found a longer path


class Interpreter:
    """A loaded program: translated, its maps bound, ready to run in `slots` slots.

    `maps` are those that the program declares, in that order. `helpers` are what calls mean besides the hardware of
    `env`. `budget` bounds the instructions of a run; without one, what the verifier proved is enough.
    Raises `SpecError` for a jump, map or helper that doesn't exist, `EncodingError` for what is no instruction.

    Synchronization: each slot belongs to one thread at a time; runs in different slots may overlap.
    """

    __slots__ = ("_budget", "_code", "_length", "_machines", "spec")

    def __init__(
        self,
        program: Program,
        maps: Sequence[Map],
        env: Env,
        *,
        slots: int = 1,
        budget: int | None = None,
        helpers: Mapping[int, Implementation] = IMPLEMENTED,
    ) -> None:
        if budget is not None and budget < 1:
            raise SpecError(program.spec.name, f"got a budget of {budget} instructions; it takes at least 1")
        self.spec = program.spec
        proved = 0 if isinstance(program, Unverified) else program.worst_case_insns
        self._budget = budget or max(DEFAULT_BUDGET, proved)
        self._length = self.spec.ctx.size if self.spec.ctx.length_in_r2 else 0
        link = Linkage(self.spec, maps)
        self._code = _translate(program, link, _callable(env, helpers))
        self._machines = [Machine(self.spec.name, slot, env, self.spec.ctx, link) for slot in range(slots)]

    def run(self, ctx: bytes | bytearray | memoryview = b"", slot: int = 0) -> int:
        """Run once on a context of `spec.ctx.size` bytes. r0, unsigned. Raises `Fault`.

        Where the program may write its context, and `ctx` isn't read-only, what it wrote is there afterwards.
        """
        return self._run(ctx, slot)[0]

    def run_counted(self, ctx: bytes | bytearray | memoryview = b"", slot: int = 0) -> tuple[int, int]:
        """`run`, and how many instructions it took."""
        return self._run(ctx, slot)

    def _run(self, ctx: bytes | bytearray | memoryview, slot: int) -> tuple[int, int]:
        code, machine, pc = self._code, self._machines[slot], 0
        registers = machine.begin(ctx, self._length)
        try:
            for count in range(1, self._budget + 1):
                then = code[pc](registers, machine)
                if then < 0:
                    return registers[0], count
                pc = then
        except Trap as trap:
            raise Fault(self.spec.name, pc, trap.problem, trap.address, trap.region) from None
        finally:
            machine.end(ctx)
        raise Fault(self.spec.name, pc, f"ran {self._budget} instructions, its budget, and isn't done")


def _callable(env: Env, helpers: Mapping[int, Implementation]) -> Mapping[int, Implementation]:
    check_rows(env)
    # Where there are both, the Python function: a native one may be running without the GIL just now, and as plain
    # Python it isn't atomic beside that.
    offered = {id: hardware_call(BY_ID[id], _bound(native)) for id, native in natives_of(env).items()}
    offered |= {id: hardware_call(BY_ID[id], function) for id, function in env.hardware.items()}
    return MappingProxyType({**offered, **helpers})


def check_rows(env: Env) -> None:
    """Raises `SpecError` where the environment offers a helper that the table doesn't have."""
    for id in (*env.hardware, *natives_of(env)):
        if id not in BY_ID:
            raise SpecError("the environment", f"offers helper {id}, which stands in no row of the helper table")


def _bound(native: NativeHelper) -> Callable[..., int]:
    return partial(native.function, native.mem)


def _translate(program: Program, link: Linkage, helpers: Mapping[int, Implementation]) -> tuple[Step, ...]:
    spec = program.spec
    rows = check(spec.insns)
    # What no run comes to may call what doesn't exist: the verifier never judged it.
    alive = range(len(rows)) if isinstance(program, Unverified) or not program.uses else program.uses
    starts = frozenset(pc for pc, row in enumerate(rows) if row is not None)
    code: list[Step] = []
    for pc, row in enumerate(rows):
        if row is None:
            code.append(_off_the_end)  # never reached: no jump may land here
            continue
        if pc not in alive:
            code.append(_excluded)
            continue
        high = spec.insns[pc + 1].imm if row.slots == 2 else 0
        code.append(SEMANTICS[row.name](Site(spec.name, pc, row, spec.insns[pc], high, starts, link, helpers)))
    code.append(_off_the_end)
    return tuple(code)


def _excluded(registers: list[int], machine: Machine) -> int:
    raise Trap("comes to an instruction that the proof excludes")


def _off_the_end(registers: list[int], machine: Machine) -> int:
    raise Trap("the program ends here without an exit")
