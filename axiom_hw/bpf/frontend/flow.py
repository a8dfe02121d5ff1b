"""What is known of variables at a place: which have a value; and the loops that a statement is in."""

from __future__ import annotations

from dataclasses import dataclass, field

Flow = frozenset[str] | None
"""The variables that have a value on every path to here; None where no path leads."""


def meet(*flows: Flow) -> Flow:
    """What is known where paths join."""
    live = [flow for flow in flows if flow is not None]
    return frozenset.intersection(*live) if live else None


@dataclass
class Loop:
    """A loop that is being lowered: where `break` and `continue` go, and what is known on these ways."""

    next: str
    end: str
    withs: int  # how many `with` blocks were open where it began
    breaks: list[Flow] = field(default_factory=list)
    continues: list[Flow] = field(default_factory=list)
