"""Both engines through one window: a run, and all that it leaves behind, so that the two can be compared.

`ENGINES` are those that people choose, `CODES` the ways in which `load` runs a program, both for
`pytest.mark.parametrize`: where native code can't be had, its tests are skipped, and say why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Final, Protocol

import pytest

from axiom_hw.bpf import helpers
from axiom_hw.bpf.engine.interp import Interpreter
from axiom_hw.bpf.engine.llvm.available import why_not
from axiom_hw.bpf.engine.machine import Env
from axiom_hw.bpf.maps import Map, RingBuf, create_map
from axiom_hw.bpf.spec import ProgramSpec
from axiom_hw.bpf.verified import Verified
from tests.bpf.edge_numbers import interesting

NATIVE: Final = not why_not()
_WHERE_NATIVE: Final = pytest.mark.skipif(not NATIVE, reason=f"no native code here: {why_not()}")
ENGINES: Final = ("interp", pytest.param("llvm", marks=_WHERE_NATIVE))
CODES: Final = (*ENGINES, pytest.param("quick", marks=_WHERE_NATIVE))


class Engine(Protocol):
    """A loaded program."""

    @property
    def run(self) -> Callable[..., int]: ...


class Batches(Engine, Protocol):
    """One that runs many contexts in one call."""

    @property
    def run_batch(self) -> Callable[..., int]: ...


Entries = Mapping[bytes, bytes]


def load(engine: str, program: Verified, maps: Sequence[Map], env: Env, *, slots: int = 1) -> Interpreter | Batches:
    """A program on the interpreter, or as native code: llvm optimised, quick as it is first, bare for the fuzzer."""
    match engine:
        case "interp":
            return Interpreter(program, maps, env, slots=slots)
        case "llvm" | "quick":
            from axiom_hw.bpf.engine.llvm.native import Native

            return Native(program, maps, env, slots=slots, quick=engine == "quick")
        case "bare":
            from tests.bpf.fuzz.bare import bare

            return bare(program, maps, env)
        case _:
            raise ValueError(engine)


class Broken(RuntimeError):
    """What a helper of `Witness` raises."""


@dataclass
class Witness:
    """Time, randomness and answers of the hardware from a seed; all that a program asks for is written down, in order.

    `raises_at` is the number of the question, from 0, that is answered by an exception.
    """

    random: Random
    raises_at: int = -1
    seen: list[object] = field(default_factory=list)

    @property
    def hardware(self) -> Mapping[int, Callable[..., int]]:
        return {row.id: partial(self._ask, row.name) for row in helpers.TABLE if row.id >= 1000}

    def now_ns(self) -> int:
        return self._ask("now")

    def random_u32(self) -> int:
        return self._ask("random") & 0xFFFFFFFF

    def trace(self, text: str) -> None:
        self._ask("trace", text)

    def woken(self, ring: str) -> None:
        """A ring would wake its consumer."""
        self.seen.append(("wake", ring))

    def _ask(self, what: str, *details: object) -> int:
        if len(self.seen) == self.raises_at:
            self.raises_at = -1
            raise Broken(what)
        self.seen.append((what, *details))
        return interesting(self.random)


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that anyone can see of a run. `r0` is None where it raised; `maps` are their whole memories."""

    r0: int | None
    raised: str
    ctx: bytes
    maps: tuple[bytes, ...]
    seen: tuple[object, ...]

    def differs(self, other: Outcome) -> str:
        """What is different, as a sentence; empty where nothing is."""
        if self.raised != other.raised:
            return f"one raises {self.raised or 'nothing'}, the other {other.raised or 'nothing'}"
        if self.r0 != other.r0:
            return f"r0 is {self.r0:#x} or {other.r0:#x}"
        if self.seen != other.seen:
            return f"it asks its environment for {self.seen} or {other.seen}"
        if self.ctx != other.ctx:
            return f"the context is {self.ctx.hex()} or {other.ctx.hex()} afterwards"
        for index, (one, two) in enumerate(zip(self.maps, other.maps, strict=True)):
            if one != two:
                at = next(at for at, (a, b) in enumerate(zip(one, two, strict=True)) if a != b)
                return f"byte {at} of map {index} is {one[at]:#x} or {two[at]:#x}"
        return ""


class Bench:
    """A program on one engine, with maps of its own that can be set to any content."""

    def __init__(self, engine: str, program: Verified) -> None:
        self.engine = engine
        self.witness = Witness(Random(0))
        self.maps = [create_map(spec) for spec in program.spec.maps]
        for live in self.maps:
            if isinstance(live, RingBuf):
                live.on_submit = partial(self._woken, live.spec.name)
        self.loaded = load(engine, program, self.maps, self.witness)
        # Native code goes another way for each kind of buffer; `bytes` is the one that events take.
        self.bytes_are_enough = not program.spec.ctx.writable

    def run(self, ctx: bytes, content: Sequence[bytes], seed: int, raises_at: int = -1) -> Outcome:
        """A run on maps with this content, and time, randomness and answers from the seed."""
        self._begin(content, seed, raises_at)
        buffer: bytes | bytearray = ctx if self.bytes_are_enough else bytearray(ctx)
        r0, raised = None, ""
        try:
            r0 = self.loaded.run(buffer)
        except Exception as error:  # noqa: BLE001 (whatever it is, the other engine must raise the same)
            raised = f"{type(error).__name__}: {error}"
        return Outcome(r0, raised, bytes(buffer), self.content(), tuple(self.witness.seen))

    def run_all(self, ctxs: Sequence[bytes], content: Sequence[bytes], seed: int) -> Outcome:
        """A batch, one run after the other on the same maps; `r0` is how many there were. Contexts are as they were."""
        self._begin(content, seed, -1)
        r0, raised = None, ""
        try:
            if isinstance(self.loaded, Interpreter):
                for ctx in ctxs:
                    self.loaded.run(bytearray(ctx))
                r0 = len(ctxs)
            else:
                r0 = self.loaded.run_batch(b"".join(ctxs))
        except Exception as error:  # noqa: BLE001 (as in `run`)
            raised = f"{type(error).__name__}: {error}"
        return Outcome(r0, raised, b"", self.content(), tuple(self.witness.seen))

    def _begin(self, content: Sequence[bytes], seed: int, raises_at: int) -> None:
        self.set(content)
        self.witness.random, self.witness.raises_at = Random(seed), raises_at
        self.witness.seen.clear()

    def set(self, content: Sequence[bytes]) -> None:
        """Put the memory of each map back to what it was."""
        for live, data in zip(self.maps, content, strict=True):
            live.mem.u8[:] = data

    def content(self) -> tuple[bytes, ...]:
        """The memory of each map."""
        return tuple(bytes(live.mem.u8) for live in self.maps)

    def entries(self, content: Sequence[bytes] | None = None) -> tuple[Entries, ...]:
        """The keys and values of each map, or of one with that content; none for rings."""
        if content is not None:
            self.set(content)
        return tuple({} if isinstance(live, RingBuf) else dict(live.entries()) for live in self.maps)

    def _woken(self, ring: str) -> None:
        self.witness.woken(ring)


def fresh(spec: ProgramSpec) -> tuple[bytes, ...]:
    """The content of the program's maps before anything ran."""
    return tuple(bytes(create_map(declared).mem.u8) for declared in spec.maps)


def outcome(engine: str, program: Verified, ctx: bytes) -> Outcome:
    """One run on fresh maps."""
    return Bench(engine, program).run(ctx, fresh(program.spec), 0)
