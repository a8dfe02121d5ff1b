"""What the benchmark prints: one figure a line, its ratio to another figure of the same run, and the goal."""

from __future__ import annotations

from dataclasses import dataclass

from tests.bench.native.rounds import Sample


@dataclass(frozen=True, slots=True)
class Goal:
    """What a ratio or a time should be: at most `limit`, or at least."""

    limit: float
    at_least: bool = False

    def met_by(self, value: float) -> bool:
        """Whether the value is on the right side."""
        return value >= self.limit if self.at_least else value <= self.limit

    def said_of(self, value: float) -> str:
        """The goal, and how far off the value is, as the end of a line."""
        bound = f"goal: at {'least' if self.at_least else 'most'} {self.limit:g}"
        if self.met_by(value):
            return f"{bound}, reached"
        off = abs(value / self.limit - 1) if self.limit else float("inf")
        return f"{bound}, missed by {off:.0%}"


@dataclass(frozen=True, slots=True)
class Line:
    """One line. `value` is text with its unit; a ratio says to what; `goal` is for the ratio, or else for `number`."""

    name: str
    value: str = ""
    spread: float | None = None
    ratio: float | None = None
    against: str = ""
    goal: Goal | None = None
    number: float | None = None
    why_not: str = ""  # not measured, and why

    def text(self) -> str:
        """The line, without its end."""
        if self.why_not:
            return f"  {self.name:<46}not measured: {self.why_not}"
        spread = f"±{self.spread / 2:.0%}" if self.spread is not None else ""
        compared = f"{self.ratio:.3g} x {self.against}" if self.ratio is not None else ""
        judged = self.ratio if self.ratio is not None else self.number
        goal = self.goal.said_of(judged) if self.goal is not None and judged is not None else ""
        return f"  {self.name:<46}{self.value:>16} {spread:<5} {compared:<34}{goal}".rstrip()


def ns_line(sample: Sample, name: str = "") -> Line:
    """A sample alone."""
    return Line(name or sample.name, ns_text(sample.ns), sample.spread)


def ns_text(ns: float) -> str:
    """A time with three digits or more, in ns."""
    return f"{ns:,.0f} ns" if ns >= 100 else f"{ns:.3g} ns"
