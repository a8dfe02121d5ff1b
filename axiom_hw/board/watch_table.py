"""The table [watch.NAME] of a board file, to its declaration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from axiom_hw.board.model import OutputLine, PwmChannel
from axiom_hw.board.table import Table
from axiom_hw.board.watch import Comparison, Condition, Order, Watch
from axiom_hw.board.watch_field import check_watch
from axiom_hw.board.watch_orders import check_orders
from axiom_hw.errors import BoardError, HookError, SpecError

TESTS: Final = tuple(test.value for test in Comparison)
WATCH_KEYS: Final = (
    "on", "field", *TESTS, "mask", "hysteresis", "interval", "ends", "drive", "otherwise", "stop"
)  # fmt: skip
_S64: Final = (-(1 << 63), (1 << 63) - 1)  # what TOML promises to carry
_REASON_MAX: Final = (1 << 31) - 1


def watch_row(name: str, table: Table, outputs: tuple[OutputLine | PwmChannel, ...]) -> Watch:
    """[watch.NAME]: `on`, `field`, one condition, and what to do."""
    for key, fix in (
        ("on", 'say which events: on = "iio/imu/accel_x", on = "gpio/button"'),
        ("field", 'say which of their numbers: field = "micro"; docs/watchers.md has them all'),
    ):
        if key not in table:
            raise table.missing(key, fix)
    made = Watch(
        name, table.text("on"), table.text("field"), _condition(table), table.duration_ns("interval"),
        table.flag("ends"), _orders(table, "drive"), _orders(table, "otherwise"),
        table.integer("stop", 0, _REASON_MAX, 0, "a number for the audit") if "stop" in table else None,
    )  # fmt: skip
    try:
        check_watch(made)
        check_orders(made, outputs)
    except (BoardError, SpecError, HookError) as error:
        raise table.error(error.problem, error.fix) from None
    return made


def _condition(table: Table) -> Condition:
    said = [test for test in Comparison if test.value in table]
    if not said:
        raise table.error("has no condition", f"say one of {', '.join(TESTS)}: above = 30_000_000")
    if len(said) > 1:
        raise table.error(
            f"has {len(said)} conditions: {', '.join(test.value for test in said)}",
            "a watcher has one; declare another [watch.NAME]", said[1].value,
        )  # fmt: skip
    (test,) = said
    limit = 0
    if test is not Comparison.CHANGED:
        limit = table.integer(test.value, *_S64)
    elif not table.flag("changed"):
        raise table.error("`changed` is false, which is no condition", "changed = true", "changed")
    mask = table.integer("mask", 1, _S64[1]) if "mask" in table else None
    return Condition(test, limit, mask, table.integer("hysteresis", 0, _S64[1]))


def _orders(table: Table, key: str) -> tuple[Order, ...]:
    said = table.data.get(key, {})
    if not isinstance(said, Mapping):
        raise table.error(f"`{key}` isn't a table of outputs", f"{key} = {{ led = 1 }}", key)
    for output, value in said.items():
        if not isinstance(value, int) or isinstance(value, bool):
            raise table.error(
                f"`{key}` sets {output} to {value!r}; it takes a whole number, in the output's unit",
                f"{key} = {{ {output} = 1 }}", key,
            )  # fmt: skip
    return tuple(Order(output, value) for output, value in said.items())
