"""What a sensor measures as time goes by: constants, ramps, sines, noise and traces, and sums of them.

A signal is a function of the time since it began, and of nothing else: whoever reads a sensor, how often and in which
order, it has the same value at the same time in every run.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise

from axiom_hw.bench.times import Duration, ns_of
from axiom_hw.errors import ClockError, SpecError

Quantity = Callable[[int], float]
"""A quantity in its unit, at a time in ns."""


@dataclass(frozen=True, slots=True)
class Signal:
    """A quantity by the time since it began, in ns; `a + b` is their sum."""

    at: Quantity

    def __add__(self, other: Signal) -> Signal:
        return Signal(lambda time_ns: self.at(time_ns) + other.at(time_ns))


def constant(value: float) -> Signal:
    """Always the same."""
    return Signal(lambda time_ns: value)


def ramp(first: float, last: float, over: Duration) -> Signal:
    """From one value to another, in a straight line; afterwards the second. Raises `ClockError` without a duration."""
    length_ns = _positive("over", over)
    return Signal(lambda time_ns: first + (last - first) * min(max(time_ns / length_ns, 0.0), 1.0))


def sine(amplitude: float, period: Duration, offset: float = 0.0) -> Signal:
    """Around `offset`, upwards at first. Raises `ClockError` without a period."""
    period_ns = _positive("period", period)
    return Signal(lambda time_ns: offset + amplitude * math.sin(2 * math.pi * (time_ns % period_ns) / period_ns))


def noise(sigma: float, seed: int) -> Signal:
    """Gaussian around 0; the value at a time depends on `seed` and that time only."""
    return Signal(lambda time_ns: random.Random(seed << 64 ^ time_ns).gauss(0.0, sigma))


def trace(points: Iterable[tuple[Duration, float]]) -> Signal:
    """Through points of time and value, straight between them; before the first and behind the last it stands still.

    Raises `SpecError` for no points, or points that go back in time.
    """
    listed = [(ns_of(time), float(value)) for time, value in points]
    if not listed:
        raise SpecError("trace", "has no points", 'give some: [(0, 20.0), ("2s", 25.0)]')
    for (before, _), (after, _) in pairwise(listed):
        if after <= before:
            raise SpecError("trace", f"goes back from {before} ns to {after} ns", "sort its points by time")
    times = [time for time, _ in listed]

    def at(time_ns: int) -> float:
        behind = bisect_right(times, time_ns)
        if behind == 0 or behind == len(listed):
            return listed[max(behind - 1, 0)][1]
        (begin_ns, begin), (end_ns, end) = listed[behind - 1], listed[behind]
        return begin + (end - begin) * (time_ns - begin_ns) / (end_ns - begin_ns)

    return Signal(at)


def _positive(place: str, duration: Duration) -> int:
    found = ns_of(duration)
    if found <= 0:
        raise ClockError(place, f"{found} ns is no duration", 'give more than 0: "2s"')
    return found
