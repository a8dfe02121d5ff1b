"""What a watcher may set an output to: in the output's own unit, within what it takes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from axiom_hw.board.model import OutputLine, PwmChannel
from axiom_hw.board.watch import Order, Watch
from axiom_hw.errors import BoardError

_HEADER_CHIP = 0  # what the helper gpio_set means: the first chip of a board


@dataclass(frozen=True, slots=True)
class Setting:
    """A call that carries out an order: the name of the helper, and its arguments."""

    helper: str
    arguments: tuple[int, ...]


def setting(watch: Watch, order: Order, outputs: Iterable[OutputLine | PwmChannel]) -> Setting:
    """How to carry out `order`. Raises `BoardError` where no such output is, or it doesn't take the value."""
    rows = tuple(outputs)
    output = next((row for row in rows if row.name == order.output), None)
    if output is None:
        there = ", ".join(row.name for row in rows) or "none"
        problem = f"drives `{order.output}`, which is no output; there are: {there}"
        others = ", or take one of these" if rows else ""
        raise BoardError(f"watch {watch.name}", problem, f"add [output.{order.output}] to the board file{others}")
    if isinstance(output, OutputLine):
        _within(watch, order, 0, 1, "of a line")
        if output.chip_id != _HEADER_CHIP:
            raise BoardError(f"watch {watch.name}", f"drives `{order.output}`, which isn't on the board's first chip",
                             "wire it to the header")  # fmt: skip
        return Setting("gpio_set", (output.line, order.value))
    at = (output.chip_id, output.channel, order.value)
    if output.servo is not None:
        _within(watch, order, output.servo.min_mdeg, output.servo.max_mdeg, "millidegrees of a servo")
        return Setting("servo_set", at)
    if output.motor is not None:
        _within(watch, order, -1000 if output.motor.lines else 0, 1000, "thousandths of a motor")
        return Setting("motor_set", at)
    _within(watch, order, 0, 100, "percent of a PWM channel")
    return Setting("pwm_write", at)


def check_orders(watch: Watch, outputs: Iterable[OutputLine | PwmChannel]) -> None:
    """Raise `BoardError` for an order that no output of the board can carry out."""
    rows = tuple(outputs)
    for order in (*watch.orders, *watch.end_orders):
        setting(watch, order, rows)


def _within(watch: Watch, order: Order, low: int, high: int, unit: str) -> None:
    if not low <= order.value <= high:
        raise BoardError(
            f"watch {watch.name}", f"sets `{order.output}` to {order.value}; it takes {low} to {high}, {unit}"
        )
