"""Times as somebody at the bench writes them: "300ms", or whole nanoseconds."""

from __future__ import annotations

from axiom_hw.board.units import parse_duration_ns
from axiom_hw.errors import ClockError

Duration = str | int
"""A text with a unit, "1.5ms", or a whole number of ns."""


def ns_of(duration: Duration) -> int:
    """Nanoseconds. Raises `ClockError` with a sentence that says how to write a duration."""
    if isinstance(duration, int):
        return duration
    try:
        return parse_duration_ns(duration)
    except ValueError as error:
        raise ClockError("duration", str(error)) from None
