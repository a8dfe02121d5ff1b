"""Generated programs on both engines, and on the kernel where it lets them in: each must leave the same behind.

    python -m tests.bpf.fuzz.equal          100,000 accepted programs, on all processors
    PROGRAMS=1000 ...                       that many
    FUZZ_SECONDS=60 ...                     as many as there is time for
    FUZZ_SEED=7 ...                         where to begin; printed by each run

A program counts where the verifier accepts it and a run of it ends in time. It runs on several inputs: contexts, map
contents, times, random numbers and answers of the hardware from its seed, once with a helper that raises, and at last
as a batch.
r0, the context, the memory of the maps, what it asked for, in which order, and what was raised must be equal. One
program in `FULL_EVERY` is optimised as in production, and one is the quick code of production; the others go to the
code generator as they are lifted.
"""

from __future__ import annotations

import mmap
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field, replace
from functools import cache
from random import Random
from typing import Final

from axiom_hw.bpf.spec import MapType, ProgramSpec
from axiom_hw.bpf.verified import Verified
from axiom_hw.bpf.verifier import Limits
from tests.bpf import linux
from tests.bpf.case_format import load, paths
from tests.bpf.edge_numbers import interesting_bytes
from tests.bpf.engines import NATIVE, Bench, fresh
from tests.bpf.fuzz import kernel
from tests.bpf.fuzz.choices import Choices
from tests.bpf.fuzz.mutate import mutate
from tests.bpf.fuzz.oracle import LONGEST_RUN, fill, judge
from tests.bpf.fuzz.report import as_case
from tests.bpf.fuzz.telling import generate_telling

FULL_EVERY: Final = 8
RUNS: Final = 3
_LEAST_BYTES, _SMALL_BYTES, _MOST_BYTES = 40, 120, 360  # of decisions for a program
_CHUNK: Final = 100  # programs that a worker tries between two reports
_PROGRAMS: Final = 100_000
_LIMITS: Final = Limits(visited_insns=2_000)  # a proof that takes longer is time lost for other programs


class Different(AssertionError):
    """Two engines that don't agree on a run."""


@dataclass
class Tally:
    """What a worker, or all of them, tried."""

    generated: int = 0
    equal: int = 0
    optimised: int = 0
    quick: int = 0
    raised: int = 0  # runs that a helper ended
    kernel: int = 0
    runs: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        for name in ("generated", "equal", "optimised", "quick", "raised", "kernel", "runs"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.refused += other.refused
        self.findings += other.findings


def decisions(number: int) -> bytes:
    """What the program of a number is made from. Most of those that are optimised are small: it takes 50 ms else."""
    random = Random(number)
    small = number % FULL_EVERY == 0 and number % (8 * FULL_EVERY)
    return random.randbytes(random.randrange(_LEAST_BYTES, _SMALL_BYTES if small else _MOST_BYTES))


def program(number: int, data: bytes) -> ProgramSpec:
    """A program from its decisions: a new one, or in one of five a case of the corpus with changes.

    Three in four have rings as large as the kernel's must be.
    """
    turn = number // FULL_EVERY  # those that are optimised are of all kinds
    if turn % 5 == 0:
        choices = Choices(data)
        spec = mutate(choices, choices.pick(_corpus()))
    else:
        spec = generate_telling(data)
    if turn % 4 == 0:
        return spec
    least = mmap.PAGESIZE
    maps = (replace(m, max_entries=max(m.max_entries, least)) if m.type is MapType.RINGBUF else m for m in spec.maps)
    return replace(spec, maps=tuple(maps))


@cache
def _corpus() -> tuple[ProgramSpec, ...]:
    return tuple(case.spec for case in map(load, paths()) if case.reject is None)


def compare(verified: Verified, seed: int, *, engine: str, on_kernel: bool, tally: Tally) -> None:
    """Run a program on the interpreter and on `engine`. Raises `Different`, also where one of them can't load it."""
    spec, random = verified.spec, Random(seed)
    try:
        benches = Bench("interp", verified), Bench(engine, verified)
    except Exception as error:
        raise Different(f"interp and {engine} can't both load it: {type(error).__name__}: {error}") from error
    on_kernel = on_kernel and kernel.answers_alike(spec)
    blank = fresh(spec)
    for turn in range(RUNS):
        ctx = interesting_bytes(random, spec.ctx.size)
        content = _filled(benches[0], blank, random) if turn else blank
        question = random.getrandbits(64)
        before = benches[0].entries(content)
        first, second = (bench.run(ctx, content, question) for bench in benches)
        tally.runs += 1
        _agree(f"interp and {engine}", first.differs(second))
        if on_kernel:
            try:
                _agree("interp and the kernel", kernel.difference(spec, before, ctx, first, benches[0].entries()))
            except linux.Refused:
                on_kernel = False
        if first.seen and turn == 0:
            asked = random.randrange(len(first.seen))
            first, second = (bench.run(ctx, content, question, asked) for bench in benches)
            _agree(f"interp and {engine}", first.differs(second))
            tally.raised += bool(first.raised)
    tally.kernel += on_kernel
    if spec.ctx.size:
        ctxs = [interesting_bytes(random, spec.ctx.size) for _ in range(RUNS)]
        first, second = (bench.run_all(ctxs, blank, seed) for bench in benches)
        tally.runs += RUNS
        _agree(f"interp and a batch on {engine}", first.differs(second))


def _filled(bench: Bench, blank: Sequence[bytes], random: Random) -> tuple[bytes, ...]:
    bench.set(blank)
    fill(bench.maps, random)
    return bench.content()


def _agree(who: str, difference: str) -> None:
    if difference:
        raise Different(f"{who} differ: {difference}")


def attempt(number: int, tally: Tally) -> None:
    """Generate one program and compare; what differs goes to `tally.findings`."""
    data = decisions(number)
    spec = program(number, data)
    tally.generated += 1
    verdict = judge(spec, limits=_LIMITS)
    if not isinstance(verdict, Verified):
        tally.refused[verdict.code] += 1
        return
    if verdict.worst_case_insns > LONGEST_RUN:
        tally.refused["too long to run"] += 1
        return
    engine = {0: "llvm", 1: "quick"}.get(number % FULL_EVERY, "bare")
    try:
        compare(verdict, number, engine=engine, on_kernel=True, tally=tally)
    except Different as difference:
        tally.findings.append(f"program {number} on {engine}: {difference}\n\n{smallest(data, number, engine)}")
        return
    tally.equal += 1
    tally.optimised += engine == "llvm"
    tally.quick += engine == "quick"


def smallest(data: bytes, number: int, engine: str) -> str:
    """A case file of a program that is as small as a few hundred attempts make it, and still differs."""
    deadline = time.monotonic() + 30
    best, problem = data, _differs(data, number, engine)
    step = len(best) // 2
    while step and time.monotonic() < deadline:
        for at in range(0, len(best), step):
            for shorter in (best[:at] + best[at + step :], best[:at] + bytes(step) + best[at + step :]):
                found = _differs(shorter, number, engine) if shorter != best else ""
                if found and (len(shorter), shorter) < (len(best), best):
                    best, problem = shorter, found
                    break
        step //= 2
    return as_case(program(number, best), problem or "the difference is gone when it is tried again.")


def _differs(data: bytes, number: int, engine: str) -> str:
    verdict = judge(program(number, data), limits=_LIMITS)
    if not isinstance(verdict, Verified) or verdict.worst_case_insns > LONGEST_RUN:
        return ""
    try:
        compare(verdict, number, engine=engine, on_kernel=True, tally=Tally())
    except Different as difference:
        return str(difference)
    return ""


def chunk(first: int, programs: int) -> Tally:
    """What a worker does at a time."""
    tally = Tally()
    for number in range(first, first + programs):
        attempt(number, tally)
    return tally


def search(seed: int, programs: int, seconds: float, workers: int) -> Tally:
    """Until so many programs were equal, the time is up, or two engines differ."""
    total, deadline = Tally(), time.monotonic() + seconds
    starts: Iterator[int] = iter(range(seed << 32, (seed + 1) << 32, _CHUNK))
    shown = time.monotonic()
    with ProcessPoolExecutor(workers) as pool:
        pending: set[Future[Tally]] = {pool.submit(chunk, next(starts), _CHUNK) for _ in range(2 * workers)}
        while pending:
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            for future in done:
                total.add(future.result())
            if total.equal < programs and time.monotonic() < deadline and not total.findings:
                pending |= {pool.submit(chunk, next(starts), _CHUNK) for _ in done}
            else:
                pending = {future for future in pending if not future.cancel()}
            if time.monotonic() - shown > 60:
                shown = time.monotonic()
                print(f"    {total.equal} programs equal", flush=True)
    return total


def main() -> int:
    if not NATIVE:
        print("no native code here: nothing to compare")
        return 0
    seed = int(os.environ.get("FUZZ_SEED") or Random().getrandbits(32))
    limit = os.environ.get("FUZZ_SECONDS")
    programs = int(os.environ.get("PROGRAMS") or (_PROGRAMS if limit is None else 1 << 62))
    workers = len(os.sched_getaffinity(0))
    print(f"both engines on generated programs, FUZZ_SEED={seed}, {workers} processes", flush=True)
    start = time.monotonic()
    total = search(seed, programs, float(limit) if limit else float("inf"), workers)
    seconds = time.monotonic() - start
    print(
        f"{total.generated} generated, {total.equal} accepted and equal on both engines ({total.optimised} of them "
        f"optimised as in production, {total.quick} quick), {total.kernel} on the kernel as well, in {seconds:.0f} s\n"
        f"    {total.runs} runs, and {total.raised} that a helper ended\n"
        f"    not compared: {'  '.join(f'{code} {n}' for code, n in sorted(total.refused.items())) or 'none'}"
    )
    for finding in total.findings:
        print(f"\n{finding}")
    return 1 if total.findings else 0


if __name__ == "__main__":
    sys.exit(main())
