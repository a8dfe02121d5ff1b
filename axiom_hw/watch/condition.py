"""The test of one watcher as instructions: r1 is the number, r2 what a change is compared with; r3 to r5 are spare."""

from __future__ import annotations

from typing import Final, assert_never

from axiom_hw.board.watch import Comparison, Condition
from axiom_hw.board.watch_field import Number
from axiom_hw.watch.code import Code

_X, _OLD, _AWAY, _PART, _REST = 1, 2, 3, 4, 5
_SPARE: Final = 3
_U64_MAX: Final = (1 << 64) - 1


def load_number(code: Code, number: Number, ctx: int, into: int = _X) -> None:
    """r1, or another, = the number of this event. `ctx` is the register of the context."""
    bits = 8 * number.scalar.size
    code.op(f"loadsx{bits}" if number.scalar.signed and bits < 64 else f"load{bits}", into, ctx, number.offset)
    if number.mask is not None:
        code.with_number("and", into, number.mask, _SPARE)


def if_begun(code: Code, number: Number, condition: Condition, label: int) -> None:
    """Jump where the condition of a level is true of r1."""
    match condition.test:
        case Comparison.EQUAL:
            verb = "eq"
        case Comparison.NOT_EQUAL:
            verb = "ne"
        case Comparison.ABOVE:
            verb = _ordered("gt", number)
        case Comparison.AT_LEAST:
            verb = _ordered("ge", number)
        case Comparison.BELOW:
            verb = _ordered("lt", number)
        case Comparison.AT_MOST:
            verb = _ordered("le", number)
        case Comparison.CHANGED | Comparison.CHANGED_PERCENT:
            raise AssertionError("a change is no level")
        case _:
            assert_never(condition.test)
    code.jump_if(verb, _X, condition.limit, label, _SPARE)


def unless_ended(code: Code, number: Number, condition: Condition, label: int) -> None:
    """Jump where a level that held still holds: r1 isn't back beyond the hysteresis."""
    low, high = condition.limit - condition.hysteresis, condition.limit + condition.hysteresis
    match condition.test:
        case Comparison.EQUAL if condition.hysteresis == 0:
            code.jump_if("eq", _X, condition.limit, label, _SPARE)
        case Comparison.EQUAL:
            ended = code.label()
            if low > number.low:
                code.jump_if(_ordered("lt", number), _X, low, ended, _SPARE)
            if high < number.high:
                code.jump_if(_ordered("le", number), _X, high, label, _SPARE)
            else:
                code.jump(label)
            code.place(ended)
        case Comparison.NOT_EQUAL:
            code.jump_if("ne", _X, condition.limit, label, _SPARE)
        case Comparison.ABOVE:
            code.jump_if(_ordered("gt", number), _X, low, label, _SPARE)
        case Comparison.AT_LEAST:
            code.jump_if(_ordered("ge", number), _X, low, label, _SPARE)
        case Comparison.BELOW:
            code.jump_if(_ordered("lt", number), _X, high, label, _SPARE)
        case Comparison.AT_MOST:
            code.jump_if(_ordered("le", number), _X, high, label, _SPARE)
        case Comparison.CHANGED | Comparison.CHANGED_PERCENT:
            raise AssertionError("a change is no level")
        case _:
            assert_never(condition.test)


def unless_far(code: Code, number: Number, condition: Condition, label: int) -> None:
    """Jump where r1 isn't far enough from r2, which it isn't equal to: |r1 - r2| * 100 < percent * |r2|, exactly.

    Neither product fits in 64 bits where the numbers have as many. With |old| = 100 q + r, the same is
    |new - old| < percent * q + ceil(percent * r / 100); where that doesn't fit in 64 bits, no
    change is as large.
    """
    if condition.test is Comparison.CHANGED:
        return
    percent = condition.limit
    bigger, away = code.label(), code.label()
    code.jump_if_reg(_ordered("ge", number), _X, _OLD, bigger)
    code.move(_AWAY, _OLD)
    code.op("sub64 reg", _AWAY, _X)
    code.jump(away)
    code.place(bigger)
    code.move(_AWAY, _X)
    code.op("sub64 reg", _AWAY, _OLD)
    code.place(away)
    code.move(_PART, _OLD)
    if number.signed:
        positive = code.label()
        code.jump_if("sge", _PART, 0, positive, _REST)
        code.op("neg64", _PART)
        code.place(positive)
    if not max(number.high, -number.low) >> 32:  # both products fit
        code.op("mul64 imm", _AWAY, imm=100)
        code.op("mul64 imm", _PART, imm=percent)
        code.jump_if_reg("lt", _AWAY, _PART, label)
        return
    code.move(_REST, _PART)
    code.op("div64 imm", _PART, imm=100)
    code.op("mod64 imm", _REST, imm=100)
    code.number(0, _U64_MAX // percent)
    code.jump_if_reg("gt", _PART, 0, label)
    code.op("mul64 imm", _PART, imm=percent)
    code.op("mul64 imm", _REST, imm=percent)
    code.op("add64 imm", _REST, imm=99)
    code.op("div64 imm", _REST, imm=100)
    code.op("add64 reg", _PART, _REST)
    code.jump_if_reg("lt", _PART, _REST, label)  # the sum ran over
    code.jump_if_reg("lt", _AWAY, _PART, label)


def _ordered(verb: str, number: Number) -> str:
    return f"s{verb}" if number.signed else verb
