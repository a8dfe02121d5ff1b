"""The number that a watcher looks at, and whether its condition can come true of it, and end again."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final, assert_never

from axiom_hw.board.watch import Comparison, Condition, Watch
from axiom_hw.bpf.layout import Layout, Scalar
from axiom_hw.errors import SpecError
from axiom_hw.events import ctx_of

PERCENT_MAX: Final = 1_000_000  # ten thousandfold; keeps the arithmetic of the program in 64 bits
_FIELD: Final = re.compile(r"(\w+)(?:\[(\d+)\])?")


@dataclass(frozen=True, slots=True)
class Number:
    """Where in the context it lies, how it is loaded, and what is kept of it; `low` to `high` is what that can be."""

    offset: int
    scalar: Scalar
    mask: int | None
    low: int
    high: int

    @property
    def signed(self) -> bool:
        """How it compares. A masked number has no sign."""
        return self.low < 0

    def of(self, ctx: bytes) -> int:
        """The number of an event."""
        raw = ctx[self.offset : self.offset + self.scalar.size]
        number = int.from_bytes(raw, "little", signed=self.scalar.signed)
        return number if self.mask is None else number & self.mask


def number_of(watch: Watch) -> Number:
    """The number that `watch` looks at. Raises `HookError` for no hook, `SpecError` for a field that isn't there."""
    layout = ctx_of(watch.on).layout
    assert layout is not None
    match = _FIELD.fullmatch(watch.field)
    field = next((row for row in layout.fields if match and row.name == match[1]), None)
    if match is None or field is None:
        near = get_close_matches(watch.field, [row.name for row in layout.fields], n=1)
        raise _error(watch, f"{layout.name}, the event of {watch.on}, has no field `{watch.field}`",
                     f"did you mean `{near[0]}`?" if near else f"its fields are {_fields(layout)}")  # fmt: skip
    index = int(match[2]) if match[2] is not None else None
    if field.count and index is None:
        raise _error(watch, f"`{field.name}` has {field.count} numbers", f"say which: {field.name}[0]")
    if index is not None and index >= field.count:
        raise _error(
            watch, f"`{watch.field}`: " + (f"{field.name} has {field.count} numbers" if field.count else
                                           f"{field.name} is one number"),
            f"write {field.name}[{field.count - 1}] at most" if field.count else f"write {field.name}",
        )  # fmt: skip
    offset = field.offset + (index or 0) * field.scalar.size
    low, high = field.scalar.limits
    mask = watch.condition.mask
    if mask is None:
        return Number(offset, field.scalar, None, low, high)
    most = (1 << 8 * field.scalar.size) - 1
    if not 1 <= mask <= most:
        raise _error(
            watch, f"the mask is {mask:#x}; `{field.name}` is {field.scalar.name}, so it takes 0x1 to {most:#x}"
        )
    unsigned = Scalar(f"u{8 * field.scalar.size}", field.scalar.size, signed=False)
    return Number(offset, unsigned, mask, 0, mask)


def check_watch(watch: Watch) -> None:
    """Raise `SpecError` or `HookError` for a watcher that could never fire, or only once."""
    number = number_of(watch)
    condition, field = watch.condition, watch.field
    test, limit, hysteresis = condition.test, condition.limit, condition.hysteresis
    if watch.interval_ns < 0:
        raise _error(watch, f"the interval is {watch.interval_ns} ns; it takes 0 or more")
    if not test.is_level:
        if hysteresis:
            raise _error(watch, "a change has no hysteresis", "changed_percent tells of changes that are large enough")
        if watch.ends or watch.end_orders:
            raise _error(watch, "a change is over at once, so it has no end",
                         "leave `otherwise` and `ends` out")  # fmt: skip
        if test is Comparison.CHANGED_PERCENT and not 1 <= limit <= PERCENT_MAX:
            raise _error(watch, f"changed_percent is {limit}; it takes 1 to {PERCENT_MAX}",
                         "for every change: changed" if limit == 0 else "")  # fmt: skip
        return
    if hysteresis < 0:
        raise _error(watch, f"the hysteresis is {hysteresis}; it takes 0 or more")
    if hysteresis and test is Comparison.NOT_EQUAL:
        raise _error(watch, "not_equal ends at one number alone, so it has no hysteresis", "take `equal` with one")
    holds = f"`{field}` holds {number.low} to {number.high}" + (" under its mask" if number.mask is not None else "")
    if not _can_begin(number, condition):
        raise _error(watch, f"{field} can never be {_said(condition)}; {holds}", "compare with a number that it can be")
    if not _can_end(number, condition):
        what = f"once it is {_said(condition)}, {field} can't come back" + (
            f" by the hysteresis of {hysteresis}" if hysteresis else ""
        )
        raise _error(watch, f"{what}; {holds}", "take a smaller hysteresis" if hysteresis else "take another limit")


def _can_begin(number: Number, condition: Condition) -> bool:
    low, high, limit = number.low, number.high, condition.limit
    match condition.test:
        case Comparison.EQUAL:
            return low <= limit <= high
        case Comparison.NOT_EQUAL:
            return low <= limit <= high  # else it holds always, and never ends
        case Comparison.ABOVE:
            return limit < high
        case Comparison.AT_LEAST:
            return limit <= high
        case Comparison.BELOW:
            return limit > low
        case Comparison.AT_MOST:
            return limit >= low
        case Comparison.CHANGED | Comparison.CHANGED_PERCENT:
            return True
        case _:
            assert_never(condition.test)


def _can_end(number: Number, condition: Condition) -> bool:
    low, high, limit, hysteresis = number.low, number.high, condition.limit, condition.hysteresis
    match condition.test:
        case Comparison.ABOVE:
            return limit - hysteresis >= low
        case Comparison.AT_LEAST:
            return limit - hysteresis > low
        case Comparison.BELOW:
            return limit + hysteresis <= high
        case Comparison.AT_MOST:
            return limit + hysteresis < high
        case Comparison.EQUAL:
            return limit - hysteresis > low or limit + hysteresis < high
        case Comparison.NOT_EQUAL | Comparison.CHANGED | Comparison.CHANGED_PERCENT:
            return True
        case _:
            assert_never(condition.test)


def _said(condition: Condition) -> str:
    return f"{condition.test.value.replace('_', ' ')} {condition.limit}"


def _fields(layout: Layout) -> str:
    return ", ".join(f"{row.name}[0]" if row.count else row.name for row in layout.fields)


def _error(watch: Watch, problem: str, fix: str = "") -> SpecError:
    return SpecError(f"watch {watch.name}", problem, fix)
