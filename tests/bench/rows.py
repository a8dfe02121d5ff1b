"""What a bench reports: one figure a row; and ways to take it that noise on a shared machine disturbs least."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. `ratio` compares it with what `against` names, measured in the same run."""

    name: str
    value: float
    unit: str
    ratio: float | None = None
    against: str = ""


def median_ns(works: Sequence[Callable[[int], object]], calls: int, rounds: int = 9) -> list[float]:
    """ns a call of each of `works`, which take how many calls to make: medians of interleaved rounds.

    Interleaved, so that a busy spell of the machine hits all of them alike and the ratios hold.
    """
    times: list[list[float]] = [[] for _ in works]
    for _ in range(rounds):
        for work, cell in zip(works, times, strict=True):
            start_ns = time.perf_counter_ns()
            work(calls)
            cell.append((time.perf_counter_ns() - start_ns) / calls)
    return [median(cell) for cell in times]
