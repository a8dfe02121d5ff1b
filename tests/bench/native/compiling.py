"""How long it takes from a verified program to one that runs: compiled for the first time, and from the cache.

A program runs as soon as there is quick code of it. What takes longer, optimising it, goes on behind it.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

from axiom_hw.bpf.verifier import verify
from tests.bench.native import engine
from tests.bench.native.generated import INSNS, generated
from tests.bench.native.rounds import Contestant, Sample
from tests.bench.native.setup import Setup
from tests.bench.native.table import Goal, Line

if TYPE_CHECKING:
    from axiom_hw.bpf.engine.llvm.native import Native

FRESH_MS: Final = Goal(20)
CACHED_MS: Final = Goal(0.3)
_PROGRAMS: Final = 32
_FRESH: Final = f"compile {INSNS} instructions, in ms"
_TEXT: Final = "    of which writing LLVM's language, in ms"
_OPTIMISE: Final = "    and optimise them, while they run, in ms"
_CACHED: Final = "load them from the cache, in ms"
_GOALS: Final = {_FRESH: FRESH_MS, _TEXT: None, _OPTIMISE: None, _CACHED: CACHED_MS}


def run(setup: Setup) -> list[Line]:
    """All of it. No program is compiled that was compiled before; its maps are there already."""
    if engine.why_not():
        return [Line(_FRESH, why_not=engine.why_not())]
    proved = [verify(generated(seed)) for seed in range(_PROGRAMS)]
    maps = [engine.maps_of(program) for program in proved]
    cache = engine.cache_in(setup.folder / "cache")
    for program, its in zip(proved, maps, strict=True):
        engine.native(program, its, cache=cache)
    fresh = ((verify(generated(seed)), maps[0]) for seed in itertools.count(_PROGRAMS))
    again = itertools.cycle(zip(proved, maps, strict=True))
    upcoming = [next(fresh)]

    def prepare() -> None:
        upcoming[0] = next(fresh)

    def compile_one(times: int) -> None:
        assert engine.native(*upcoming[0], quick=True).is_quick

    started: list[Native] = []

    def start() -> None:
        prepare()
        started[:] = [engine.native(*upcoming[0], quick=True)]

    def optimise(times: int) -> None:
        started[0].improve()

    def write_one(times: int) -> None:
        engine.text(*upcoming[0])

    loaded: list[object] = []  # kept during a round, for unloading isn't part of loading

    def unload() -> None:
        loaded.clear()
        engine.unload()

    def load(times: int) -> None:
        for _ in range(times):
            program, its = next(again)
            loaded.append(engine.native(program, its, cache=cache))

    contestants = [
        Contestant(_FRESH, compile_one, 1, prepare),
        Contestant(_TEXT, write_one, 1, prepare),
        Contestant(_OPTIMISE, optimise, 1, start),
        Contestant(_CACHED, load, _PROGRAMS, unload),
    ]
    samples = setup.measure(contestants)
    assert cache.stats.damaged == 0
    return [judged(sample) for sample in samples]


def judged(sample: Sample) -> Line:
    """A time in ms, with its goal."""
    ms = sample.ns / 1e6
    return Line(sample.name, f"{ms:.3g} ms", sample.spread, goal=_GOALS[sample.name], number=ms)
