"""Interleaved rounds: A B C A B C ..., so that a busy spell of the machine hits all contestants alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import geometric_mean, median, quantiles
from typing import Final

ROUND_NS: Final = 1_000_000  # long enough for any clock, short enough that most rounds aren't disturbed
ROUNDS: Final = 61


@dataclass(frozen=True, slots=True)
class Contestant:
    """Something to be timed: `work` does as many runs as it is told, at most `most`; `before`, untimed, prepares it.

    With `own_clock`, `work` returns how many ns the runs took, by a clock that is nearer to them.
    """

    name: str
    work: Callable[[int], object]
    most: int = 1 << 30
    before: Callable[[], object] = lambda: None
    own_clock: bool = False


@dataclass(frozen=True, slots=True)
class Sample:
    """ns a run of one contestant, one figure a round."""

    name: str
    rounds_ns: tuple[float, ...]

    @property
    def ns(self) -> float:
        """The median."""
        return median(self.rounds_ns)

    @property
    def spread(self) -> float:
        """The middle half of the rounds, from end to end, as a part of the median."""
        if len(self.rounds_ns) < 2:
            return 0.0
        low, _, high = quantiles(self.rounds_ns, n=4, method="inclusive")
        return (high - low) / self.ns if self.ns else 0.0

    def less(self, overhead: Sample) -> Sample:
        """Without what `overhead`'s median says that a run costs besides."""
        return Sample(self.name, tuple(max(0.0, ns - overhead.ns) for ns in self.rounds_ns))

    def each(self, parts: int) -> Sample:
        """The same by one of so many equal parts of a run."""
        return Sample(self.name, tuple(ns / parts for ns in self.rounds_ns))


def measure(
    contestants: Sequence[Contestant],
    *,
    rounds: int = ROUNDS,
    round_ns: int = ROUND_NS,
    clock: Callable[[], int] = time.thread_time_ns,
) -> list[Sample]:
    """Time all of them, in as many rounds of about `round_ns` each. A first round of each warms up and isn't counted.

    The clock is this thread's CPU time, in which a neighbour who takes the core for a while doesn't count.
    """
    runs = [_calibrated(contestant, round_ns, clock) for contestant in contestants]
    found: list[list[float]] = [[] for _ in contestants]
    for _ in range(rounds):
        for contestant, times, cell in zip(contestants, runs, found, strict=True):
            cell.append(_timed(contestant, times, clock) / times)
    return [Sample(c.name, tuple(cell)) for c, cell in zip(contestants, found, strict=True)]


def ratio(a: Sample, b: Sample) -> float:
    """How many times as long as `b` one run of `a` takes. Infinite where `b` takes no time that could be measured."""
    return a.ns / b.ns if b.ns else float("inf")


def best(samples: Sequence[Sample]) -> Sample:
    """The fastest."""
    return min(samples, key=lambda sample: sample.ns)


def mean_ratio(pairs: Sequence[tuple[Sample, Sample]]) -> float:
    """The geometric mean of the ratios of all pairs."""
    return geometric_mean(ratio(a, b) for a, b in pairs)


def _calibrated(contestant: Contestant, round_ns: int, clock: Callable[[], int]) -> int:
    """How many runs make a round. The first run of all isn't judged: it may have to make what the others find."""
    _timed(contestant, 1, clock)
    times = 1
    while True:
        took = _timed(contestant, times, clock)
        if took >= round_ns or times == contestant.most:
            return times
        wanted = 2 * times if took < round_ns // 16 else -(-times * round_ns // max(1, took))
        times = min(contestant.most, wanted if wanted > times else times + 1)


def _timed(contestant: Contestant, times: int, clock: Callable[[], int]) -> int:
    contestant.before()
    start = clock()
    said = contestant.work(times)
    took = clock() - start
    if not contestant.own_clock:
        return took
    assert isinstance(said, int), f"{contestant.name} has a clock of its own, but says {said!r}"
    return said
