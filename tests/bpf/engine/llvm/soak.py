"""Programs replaced while threads fire events: by a hundred known ones, or by ones never seen before, some of which
are optimised before they are replaced in turn.

`python -m tests.bpf.engine.llvm.soak` is the whole of it (`make soak`), a slice of it is among the tests. Each program
counts its events in a map that all share, so that at the end every event must have been counted once.
"""

from __future__ import annotations

import argparse
import gc
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

from axiom_hw.bpf.engine.choice import Engine
from axiom_hw.bpf.engine.llvm.cache import Cache
from axiom_hw.bpf.engine.llvm.native import Native
from axiom_hw.bpf.maps import ArrayMap, create_map
from axiom_hw.bpf.maps.mem import load_u64
from axiom_hw.bpf.verified import Verified
from axiom_hw.bpf.verifier import verify
from axiom_hw.clock import VirtualClock
from axiom_hw.engines import Loaded
from axiom_hw.keys import TimerKey
from axiom_hw.runtime import Runtime
from tests.programs import spec_of

KNOWN: Final = 100
GROWTH_LIMIT_KB: Final = 64 << 10
_THREADS: Final = 2
_BURST: Final = 200
_KEY: Final = TimerKey(1_000_000_000, 9_000)
_CTX: Final = bytes(16)
# Counts, and computes something that no other program computes.
_PROGRAM: Final = """
.map seen type=array key=4 value=16 entries=1
.section "{section}"
{name}:
    r6 = *(u64 *)(r1 + 0)
    r1 = map[seen][0]+0 ll
    r2 = 1
    lock *(u64 *)(r1 + 0) += r2
    r0 = r6
    r0 *= K
    r0 ^= L
    if r0 == 77 goto out
    *(u64 *)(r1 + 8) = r0
out:
    exit
"""


@dataclass(frozen=True, slots=True)
class Soaked:
    """What a soak came to. `growth_kb` is that of resident memory, after the first tenth."""

    replacements: int
    fired: int
    runs: int
    counted: int
    faults: int
    growth_kb: int
    seconds: float

    def problem(self) -> str:
        """What is wrong, or nothing."""
        if not self.fired == self.runs == self.counted:
            return f"{self.fired} events fired, {self.runs} runs, {self.counted} counted"
        if self.faults:
            return f"{self.faults} faults"
        if self.growth_kb >= GROWTH_LIMIT_KB:
            return f"memory grew by {self.growth_kb} KB; {GROWTH_LIMIT_KB} is the limit"
        return ""


def among_known(replacements: int) -> Soaked:
    """Each replacement is by one of a hundred programs, loaded anew: from the cache, but for the first time."""
    known = [proved(n) for n in range(KNOWN)]
    numbers = count()
    return _soak(replacements, lambda: known[next(numbers) * 37 % KNOWN], lambda number: number < KNOWN)


def by_unseen(replacements: int) -> Soaked:
    """Each replacement is by a program that nobody compiled before. One in eight stays until it is optimised."""
    numbers = count(KNOWN)
    return _soak(replacements, lambda: proved(next(numbers)), lambda number: number % 8 == 0)


def proved(number: int) -> Verified:
    """A program that differs from all others."""
    source = _PROGRAM.replace("K", str(2 * number + 3)).replace("L", str(number ^ 0x5A5A))
    return verify(spec_of(source, "timer/1s", f"p{number}"))


def _soak(replacements: int, following: Callable[[], Verified], settles: Callable[[int], bool]) -> Soaked:
    first = following()
    seen = create_map(first.spec.maps[0])
    assert isinstance(seen, ArrayMap)
    with tempfile.TemporaryDirectory() as directory:
        cache = Cache(Path(directory) / "axiom_hw")
        with Runtime(None, VirtualClock(), None, slots=_THREADS + 1, engine=Engine.LLVM, cache=cache) as run:
            link = run.registry.attach(run.load(first, (seen,)), _KEY)
            began, base_kb = time.monotonic(), 0
            with _firing(run) as fired:
                for number in range(replacements):
                    loaded = run.load(following(), (seen,))
                    assert isinstance(loaded, Loaded)
                    assert isinstance(loaded.native, Native)
                    link.replace(loaded)
                    if settles(number):
                        assert run.loader.settle(60)
                        assert not loaded.native.is_quick
                    if number == replacements // 10:
                        base_kb = _resident_kb()
            growth_kb = _resident_kb() - base_kb
            return Soaked(
                replacements, sum(fired), link.runs, load_u64(seen.mem, seen.values.origin), link.faults, growth_kb,
                time.monotonic() - began,
            )  # fmt: skip


@contextmanager
def _firing(run: Runtime) -> Iterator[list[int]]:
    """Threads that fire events for as long as the block runs, and how many each of them fired."""
    stop, fired = threading.Event(), [0] * _THREADS

    def fire(which: int) -> None:
        while not stop.is_set():
            for _ in range(_BURST):
                run.executor.fire(_KEY, _CTX)
            fired[which] += _BURST
            time.sleep(0.0001)  # else the thread that replaces spends its time waiting for the GIL

    threads = [threading.Thread(target=fire, args=(which,)) for which in range(_THREADS)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(0.0002)  # else each replacement waits some 10 ms for the others to give the GIL up
    try:
        for thread in threads:
            thread.start()
        yield fired
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        sys.setswitchinterval(interval)


def _resident_kb() -> int:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4


def main() -> None:
    """All of it, with a line for each part. Exits with 1 where something is wrong."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--known", type=int, default=20_000)
    parser.add_argument("--unseen", type=int, default=2_000)
    wanted = parser.parse_args()
    bad = False
    for title, soak, number in (
        ("among 100 programs", among_known, wanted.known),
        ("by programs never seen", by_unseen, wanted.unseen),
    ):
        done = soak(number)
        print(
            f"{done.replacements} replacements {title}: {done.fired} events, all counted: "
            f"{done.fired == done.counted}; memory {done.growth_kb / 1024:+.1f} MB; {done.seconds:.0f} s",
            flush=True,
        )
        if done.problem():
            print(f"    {done.problem()}", flush=True)
            bad = True
    sys.exit(bad)


if __name__ == "__main__":
    main()
