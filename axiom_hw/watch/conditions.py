"""Conditions of watchers, as an application writes them: `when=hw.above(30_000_000, hysteresis=1_000_000)`.

Each takes numbers of the field that is watched, and looks at `field & mask` where a mask is given.
"""

from __future__ import annotations

from axiom_hw.board.watch import Comparison, Condition


def equal(limit: int, *, hysteresis: int = 0, mask: int | None = None) -> Condition:
    """The field is `limit`; with a hysteresis, until it is farther away than that."""
    return Condition(Comparison.EQUAL, limit, mask, hysteresis)


def not_equal(limit: int, *, mask: int | None = None) -> Condition:
    """The field isn't `limit`."""
    return Condition(Comparison.NOT_EQUAL, limit, mask)


def above(limit: int, *, hysteresis: int = 0, mask: int | None = None) -> Condition:
    """The field is greater than `limit`; it ends at `limit - hysteresis`."""
    return Condition(Comparison.ABOVE, limit, mask, hysteresis)


def at_least(limit: int, *, hysteresis: int = 0, mask: int | None = None) -> Condition:
    """The field is `limit` or greater; it ends below `limit - hysteresis`."""
    return Condition(Comparison.AT_LEAST, limit, mask, hysteresis)


def below(limit: int, *, hysteresis: int = 0, mask: int | None = None) -> Condition:
    """The field is less than `limit`; it ends at `limit + hysteresis`."""
    return Condition(Comparison.BELOW, limit, mask, hysteresis)


def at_most(limit: int, *, hysteresis: int = 0, mask: int | None = None) -> Condition:
    """The field is `limit` or less; it ends above `limit + hysteresis`."""
    return Condition(Comparison.AT_MOST, limit, mask, hysteresis)


def changed(*, mask: int | None = None) -> Condition:
    """The field isn't what it was; never on the first event."""
    return Condition(Comparison.CHANGED, 0, mask)


def changed_percent(percent: int, *, mask: int | None = None) -> Condition:
    """The field is `percent` or more away from what it was when this fired last, or on the first event.

    So a slow drift is found, too. Exact: |new - old| * 100 >= percent * |old|; from 0, every change counts.
    """
    return Condition(Comparison.CHANGED_PERCENT, percent, mask)
