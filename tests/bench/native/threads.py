"""Two threads without the GIL: what our batches gain by the second one, against what two C threads gain."""

from __future__ import annotations

import threading
import time
from typing import Final

from tests.bench.native import engine
from tests.bench.native.builds import CProgram
from tests.bench.native.compute import OURS
from tests.bench.native.rounds import Contestant, Sample, ratio
from tests.bench.native.setup import Setup, inputs, proved
from tests.bench.native.table import Goal, Line

PROGRAM: Final = "crc"
GOAL: Final = Goal(0.9, at_least=True)
_MOST: Final = 100_000


def run(setup: Setup) -> list[Line]:
    """Both speed-ups, and the one as a part of the other."""
    contestants = []
    contexts = inputs(_MOST)
    if not engine.why_not():
        verified = proved(PROGRAM)
        native = engine.native(verified, engine.maps_of(verified), slots=2)
        view, size = memoryview(contexts), verified.spec.ctx.size

        def ours(times: int, threads: int) -> None:
            workers = [
                threading.Thread(target=native.run_batch, args=(view[: times * size], slot)) for slot in range(threads)
            ]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()

        contestants += [
            Contestant("ours 1", lambda times: ours(times, 1), _MOST),
            Contestant("ours 2", lambda times: ours(times, 2), _MOST),
        ]
    if setup.compilers:
        built = CProgram(setup.compilers[0], PROGRAM, setup.folder)
        contestants += [
            Contestant("C 1", lambda times: built.threads_ns(contexts, times, 1), _MOST),
            Contestant("C 2", lambda times: built.threads_ns(contexts, times, 2), _MOST),
        ]
    longer = Setup(setup.folder, setup.compilers, setup.kernel, setup.rounds // 2 + 1, 50 * setup.round_ns)
    samples = {sample.name: sample for sample in longer.measure(contestants, time.perf_counter_ns)}
    lines = []
    if "C 1" in samples:
        lines.append(Line("two C threads", f"{speed_up(samples['C 1'], samples['C 2']):.2f} x one"))
    else:
        lines.append(Line("two C threads", why_not="no C compiler is installed"))
    if "ours 1" not in samples:
        return [*lines, Line(f"two threads of the {OURS}", why_not=engine.why_not())]
    gained = speed_up(samples["ours 1"], samples["ours 2"])
    line = Line(f"two threads of the {OURS}", f"{gained:.2f} x one")
    if "C 1" in samples:
        part = gained / speed_up(samples["C 1"], samples["C 2"])
        line = Line(line.name, line.value, None, part, "the speed-up of C", GOAL)
    return [line, *lines]


def speed_up(one: Sample, two: Sample) -> float:
    """How many times as much two threads get done as one, from a run of one and a run of each of two."""
    return 2 * ratio(one, two)
