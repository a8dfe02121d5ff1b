"""Programs that compute: our engine against gcc and clang on the same C, and against the kernel's JIT."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from tests.bench.native import engine
from tests.bench.native.builds import CProgram
from tests.bench.native.kernel import KernelProgram
from tests.bench.native.rounds import Contestant, Sample, best, mean_ratio, ratio
from tests.bench.native.setup import SEED, Setup, inputs, program, proved
from tests.bench.native.table import Goal, Line, ns_line, ns_text

NAMES: Final = ("alu", "crc", "fir", "pid")
OURS, KERNEL = "llvm engine", "kernel"
QUICK: Final = "quick code"  # ours, until the optimised one is there
AGAINST_C: Final = Goal(1.05)
AGAINST_KERNEL: Final = Goal(1.0)
_MOST: Final = 20_000  # contexts in the array that a round goes through


@dataclass(frozen=True, slots=True)
class Ways:
    """One program, each way to run it, and what each run of each must return."""

    name: str
    contestants: tuple[Contestant, ...]
    results: tuple[int, ...]


def ways(setup: Setup, name: str, most: int = _MOST) -> Ways:
    """Build the program every way there is. What can't be built isn't among them."""
    contexts = inputs(most)
    view, size = memoryview(contexts), len(contexts) // most
    contestants, results = [], []

    def add(label: str, work: Callable[[int], object], result: int) -> None:
        contestants.append(Contestant(label, work, most))
        results.append(result & 0xFFFFFFFF)

    for label in () if engine.why_not() else (OURS, QUICK):
        verified = proved(name)
        ours = engine.native(verified, engine.maps_of(verified), quick=label == QUICK)
        add(label, lambda times, ours=ours: ours.run_batch(view[: times * size]), ours.run(bytes(view[:size])))  # type: ignore[misc]
    for compiler in setup.compilers:
        built = CProgram(compiler, name, setup.folder)
        add(compiler.name, lambda times, built=built: built.run(contexts, times), built.run(contexts, 1))  # type: ignore[misc]
    if not setup.kernel:
        there = KernelProgram(program(name))
        contestants.append(Contestant(KERNEL, lambda times: there.run_ns(SEED, times), most, own_clock=True))
        results.append(there.run(SEED, 1)[0])
    return Ways(name, tuple(contestants), tuple(results))


def run(setup: Setup) -> list[Line]:
    """All programs, and the geometric mean against the kernel."""
    lines: list[Line] = []
    pairs: list[tuple[Sample, Sample]] = []
    idle = _by_name(setup.measure(list(ways(setup, "empty").contestants)))
    if KERNEL in idle:
        lines.append(ns_line(idle[KERNEL], "kernel: a run of an empty program"))
    for name in NAMES:
        there = ways(setup, name)
        if len(set(there.results)) > 1:
            shown = ", ".join(f"{c.name} {r}" for c, r in zip(there.contestants, there.results, strict=True))
            raise AssertionError(f"{name} gives different results: {shown}")
        lines += judged(name, setup.measure(list(there.contestants)), idle.get(KERNEL), pairs)
    if pairs:
        mean = mean_ratio(pairs)
        lines.append(Line("geometric mean of llvm engine / kernel", ratio=mean, against="kernel", goal=AGAINST_KERNEL))
    lines += missing(setup)
    return lines


def judged(
    name: str, samples: Sequence[Sample], kernel_idle: Sample | None, pairs: list[tuple[Sample, Sample]]
) -> list[Line]:
    """The lines of one program. What a run of an empty program takes is taken off the kernel's, in its favour."""
    found = _by_name(samples)
    if KERNEL in found and kernel_idle is not None:
        found[KERNEL] = found[KERNEL].less(kernel_idle)
    lines = [ns_line(sample, f"{name}: {label}") for label, sample in found.items() if label not in (OURS, QUICK)]
    ours, quick = found.get(OURS), found.get(QUICK)
    if ours is None:
        return lines
    if quick is not None:
        lines.append(Line(f"{name}: {QUICK}", ns_text(quick.ns), quick.spread, ratio(quick, ours), OURS))
    native = [sample for label, sample in found.items() if label not in (OURS, QUICK, KERNEL)]
    if KERNEL in found:
        pairs.append((ours, found[KERNEL]))
    if native:
        first = best(native)
        compared = (ratio(ours, first), f"{first.name} -O2, the better one" if len(native) > 1 else f"{first.name} -O2")
        line = Line(f"{name}: {OURS}", ns_text(ours.ns), ours.spread, *compared, AGAINST_C)
    else:
        line = ns_line(ours, f"{name}: {OURS}")
    return [line, *lines]


def missing(setup: Setup) -> list[Line]:
    """What isn't compared with on this machine, and why."""
    there = {compiler.name for compiler in setup.compilers}
    lines = [Line(name, why_not=f"no {name} is installed") for name in ("gcc", "clang") if name not in there]
    if setup.kernel:
        lines.append(Line(KERNEL, why_not=setup.kernel))
    if engine.why_not():
        lines.append(Line(OURS, why_not=engine.why_not()))
    return lines


def _by_name(samples: Sequence[Sample]) -> dict[str, Sample]:
    return {sample.name: sample for sample in samples}
