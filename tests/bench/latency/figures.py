"""What was measured of each contestant, and what that says of the goals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Final

NATIVE: Final = "axiom_hw, native pump"
C_LOOP: Final = "C loop"
PYTHON: Final = "axiom_hw, Python path"
GPIOD: Final = "gpiod's events"
LGPIO: Final = "lgpio's callbacks"
GPIOZERO: Final = "gpiozero's callbacks"


@dataclass(frozen=True, slots=True)
class Figures:
    """One contestant. `rounds_ns` has each round's edges, from the interrupt of a line to the set of another one.

    `missed` edges had no answer. Idle, its threads woke up `wakeups` times a second, and ran for `idle_cpu_ns` of each
    second; None for what is no process.
    """

    name: str
    rounds_ns: tuple[tuple[int, ...], ...]
    missed: int
    wakeups: float | None = None
    idle_cpu_ns: float | None = None

    @property
    def edges(self) -> tuple[int, ...]:
        """Of all rounds, in ns."""
        return tuple(ns for found in self.rounds_ns for ns in found)

    @property
    def p50_ns(self) -> float:
        """The median."""
        return median(self.edges)

    @property
    def p99_ns(self) -> float:
        """One edge of a hundred took longer."""
        return quantiles(self.edges, n=100, method="inclusive")[98]

    @property
    def max_ns(self) -> int:
        """The longest."""
        return max(self.edges)

    @property
    def spread(self) -> float:
        """How far the medians of the middle half of the rounds lie apart, as a part of the median."""
        if len(self.rounds_ns) < 2:
            return 0.0
        low, _, high = quantiles([median(found) for found in self.rounds_ns], n=4, method="inclusive")
        return (high - low) / self.p50_ns


@dataclass(frozen=True, slots=True)
class Goal:
    """The median of `name` is at most `most` times that of `against`."""

    name: str
    against: str
    most: float
    text: str


GOALS: Final = (
    Goal(NATIVE, C_LOOP, 1.3, "the native pump at most 1.3 x the C loop"),
    Goal(NATIVE, GPIOD, 1 / 3, "the native pump 3 times as fast as gpiod's events"),
    Goal(NATIVE, LGPIO, 1 / 5, "the native pump 5 times as fast as lgpio's callbacks"),
    Goal(NATIVE, GPIOZERO, 1 / 5, "the native pump 5 times as fast as gpiozero's callbacks"),
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a goal; `ratio` is None where one of the two wasn't measured."""

    goal: Goal
    ratio: float | None

    @property
    def is_reached(self) -> bool:
        """What wasn't measured isn't reached."""
        return self.ratio is not None and self.ratio <= self.goal.most

    def text(self) -> str:
        """A sentence."""
        if self.ratio is None:
            return f"{self.goal.text}: not measured"
        said = f"{self.ratio:.2f} x" if self.goal.most >= 1 else f"{1 / self.ratio:.1f} times"
        return f"{self.goal.text}: {said}, {'reached' if self.is_reached else 'NOT REACHED'}"


def verdicts(found: Sequence[Figures], goals: Sequence[Goal] = GOALS) -> tuple[Verdict, ...]:
    """One a goal."""
    p50 = {one.name: one.p50_ns for one in found if one.edges}
    return tuple(
        Verdict(goal, p50[goal.name] / p50[goal.against] if {goal.name, goal.against} <= p50.keys() else None)
        for goal in goals
    )


def table(found: Sequence[Figures]) -> str:
    """A row a contestant: us an edge, their ratio to the C loop's median, and what it costs."""
    base = next((one.p50_ns for one in found if one.name == C_LOOP and one.edges), None)
    rows = [("", "p50", "", "", "p99", "max", "missed", "wake-ups/s", "CPU idle")]
    for one in found:
        if not one.edges:
            rows.append((one.name, "-", "", "", "-", "-", str(one.missed), "-", "-"))
            continue
        rows.append((
            one.name, _us(one.p50_ns), f"±{one.spread / 2:.0%}", f"{one.p50_ns / base:.2f} x" if base else "",
            _us(one.p99_ns), _us(one.max_ns), str(one.missed),
            f"{one.wakeups:.1f}" if one.wakeups is not None else "-",
            f"{one.idle_cpu_ns / 1e7:.2f}%" if one.idle_cpu_ns is not None else "-",
        ))  # fmt: skip
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join((row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:]))).rstrip() for row in rows
    )


def _us(ns: float) -> str:
    return f"{ns / 1000:,.1f} us"
