"""Watchers, as values: a condition on a field of an event, and what follows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final


class Comparison(Enum):
    """What a watcher asks of its field. The values are the keys of a board file."""

    EQUAL = "equal"
    NOT_EQUAL = "not_equal"
    ABOVE = "above"  # >
    AT_LEAST = "at_least"  # >=
    BELOW = "below"  # <
    AT_MOST = "at_most"  # <=
    CHANGED = "changed"
    CHANGED_PERCENT = "changed_percent"

    @property
    def is_level(self) -> bool:
        """Whether it holds for a while; a change is over at once."""
        return self not in (Comparison.CHANGED, Comparison.CHANGED_PERCENT)


_SIGNS: Final = {
    Comparison.EQUAL: "=",
    Comparison.NOT_EQUAL: "!=",
    Comparison.ABOVE: ">",
    Comparison.AT_LEAST: ">=",
    Comparison.BELOW: "<",
    Comparison.AT_MOST: "<=",
    Comparison.CHANGED: "changed",
    Comparison.CHANGED_PERCENT: "changed",
}


@dataclass(frozen=True, slots=True)
class Condition:
    """A test of a number against `limit` (percent for CHANGED_PERCENT, nothing for CHANGED).

    Where there is a `mask`, the number is `field & mask`, unsigned. Once it holds, a level holds until the number is
    beyond the limit by more than nothing, or by `hysteresis`: above 30 with 2 ends at 28, below 30 with 2 at 32.
    """

    test: Comparison
    limit: int = 0
    mask: int | None = None
    hysteresis: int = 0

    def __str__(self) -> str:
        """`> 30000000, hysteresis 1000000`."""
        mask = "" if self.mask is None else f"& {self.mask:#x} "
        limit = {Comparison.CHANGED: "", Comparison.CHANGED_PERCENT: f" by {self.limit} %"}
        hysteresis = f", hysteresis {self.hysteresis}" if self.hysteresis else ""
        return f"{mask}{_SIGNS[self.test]}{limit.get(self.test, f' {self.limit}')}{hysteresis}"


@dataclass(frozen=True, slots=True)
class Order:
    """An output, and what it is set to, in its own unit: 0 or 1, percent, millidegrees, thousandths of a motor."""

    output: str
    value: int

    def __str__(self) -> str:
        """`led = 1`."""
        return f"{self.output} = {self.value}"


@dataclass(frozen=True, slots=True)
class Watch:
    """A watcher. It fires when `condition` becomes true on an event of the hook `on`; with `ends`, when it ends, too.

    `orders` go out when it becomes true, `end_orders` when it ends; the first event settles which of them hold.
    `stop` is the reason of an emergency stop. At most one firing in `interval_ns` is told, the rest are counted;
    orders and stops don't wait.
    """

    name: str
    on: str
    field: str  # micro, or micro[2] of an array
    condition: Condition
    interval_ns: int = 0
    ends: bool = False
    orders: tuple[Order, ...] = ()
    end_orders: tuple[Order, ...] = ()
    stop: int | None = None

    @property
    def then(self) -> str:
        """What it does when it becomes true: `stop 3, led = 1`."""
        stop = (f"stop {self.stop}",) if self.stop is not None else ()
        return ", ".join((*stop, *map(str, self.orders)))

    @property
    def otherwise(self) -> str:
        """What it does when it ends."""
        return ", ".join(map(str, self.end_orders))

    @property
    def acts(self) -> bool:
        """Whether it does something of its own."""
        return bool(self.orders or self.end_orders) or self.stop is not None
