"""Loops: `while`, and `for` over a range or over what a value offers as a series."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from axiom_hw.bpf.frontend import arith, expressions, statements
from axiom_hw.bpf.frontend.flow import Flow, Loop, meet
from axiom_hw.bpf.frontend.numbers import S64_MAX, S64_MIN, U64_MAX, Number, const, signed, unsigned

if TYPE_CHECKING:
    from axiom_hw.bpf.frontend.lowering import Lowering


def while_loop(low: Lowering, node: ast.While) -> None:
    """`while test: ... else: ...`; that it ends is for the verifier to see."""
    top, inside, out, end = low.label("while"), low.label("body"), low.label("otherwise"), low.label("end")
    low.start(top, low.flow)
    if isinstance(node.test, ast.Constant) and node.test.value:
        if_true, if_false = low.flow, None
        low.jump(inside)
    else:
        if_true, if_false = expressions.decide(low, node.test, inside, out)
    loop = Loop(top, end, len(low.withs))
    _body(low, loop, node.body, inside, if_true)
    if not low.ended:
        low.jump(top)
    _else(low, loop, node.orelse, out, if_false)


def _body(low: Lowering, loop: Loop, body: list[ast.stmt], inside: str, flow: Flow) -> None:
    low.loops.append(loop)
    low.start(inside, flow)
    statements.block(low, body)
    low.loops.pop()


def _else(low: Lowering, loop: Loop, orelse: list[ast.stmt], out: str, flow: Flow) -> None:
    low.start(out, flow)
    statements.block(low, orelse)
    low.start(loop.end, meet(low.flow, *loop.breaks))


def leave(low: Lowering, node: ast.Break | ast.Continue) -> None:
    """`break` and `continue`; `with` blocks that they leave are ended."""
    loop = low.loops[-1]
    for opened, at in reversed(low.withs[loop.withs :]):
        opened.leave(low, at)
    if isinstance(node, ast.Break):
        loop.breaks.append(low.flow)
        low.jump(loop.end)
    else:
        loop.continues.append(low.flow)
        low.jump(loop.next)


def for_loop(low: Lowering, node: ast.For) -> None:
    """`for i in range(...)`, and over series."""
    if isinstance(node.target, ast.Tuple | ast.List):
        if isinstance(node.iter, ast.Call) and isinstance(node.iter.func, ast.Attribute):
            low.expression(node.iter.func)  # refused, as there is no `.items()`
        raise low.refuse(node.target, "`for` takes one variable", "one name, and assignments in the body", "P002")
    if isinstance(node.iter, ast.Tuple | ast.List | ast.Set):
        raise low.refuse(
            node.iter, "`for` goes through ranges, arrays and tables, not through what is made on the way",
            "a constant outside: `TABLE = (1, 2, 3)`", "P002",
        )  # fmt: skip
    if isinstance(node.iter, ast.Call) and isinstance(node.iter.func, ast.Name) and _is_range(low, node.iter.func.id):
        _range(low, node, node.iter)
        return
    series = low.expression(node.iter).series(low, node)
    counter = low.alloca("i64", "index")
    low.emit(f"store i64 0, ptr {counter}")
    top, inside, step, out, end = (low.label(x) for x in ("for", "body", "next", "otherwise", "end"))
    low.start(top, low.flow)
    at = low.op(f"load i64, ptr {counter}")
    flow = low.flow
    low.branch(low.op(f"icmp ult i64 {at}, {series.count}"), inside, out)
    loop = Loop(step, end, len(low.withs))
    low.start(inside, flow)
    expressions.assign(low, node.target, series.item(at).read(low, node))
    _body(low, loop, node.body, low.label("inside"), low.flow)
    after = meet(low.flow, *loop.continues)
    low.start(step, after)
    low.emit(f"store i64 {low.op(f'add i64 {at}, 1')}, ptr {counter}")
    low.jump(top)
    _else(low, loop, node.orelse, out, after if series.count > 0 else flow)


def _is_range(low: Lowering, name: str) -> bool:
    if name in low.locals:
        return False
    try:
        return low.source.lookup(name) is range
    except KeyError:
        return False


def _range(low: Lowering, node: ast.For, call: ast.Call) -> None:
    start, stop, by = _bounds(low, call)
    as_unsigned = low.unsigned(call, start, stop)
    counter = low.alloca("i64", "counter")
    low.emit(f"store i64 {start.operand}, ptr {counter}")
    top, inside, step, out, end = (low.label(x) for x in ("for", "body", "next", "otherwise", "end"))
    before = low.flow
    low.start(top, before)
    at = _counter(low.op(f"load i64, ptr {counter}"), start, stop, by, as_unsigned)
    # The counter may go one step beyond the range, so its limits there are wider than in the body.
    free = (unsigned if as_unsigned else signed)(at.operand)
    test = arith.compare(low, node, ast.Lt() if by > 0 else ast.Gt(), free, stop)
    low.branch(test, inside, out)
    low.start(inside, before)
    with low.at(node.target):
        expressions.assign(low, node.target, at)
    loop = Loop(step, end, len(low.withs))
    _body(low, loop, node.body, low.label("inside"), low.flow)
    after = meet(low.flow, *loop.continues)
    low.start(step, after)
    following = low.op(f"add i64 {at.operand}, {by}")
    low.emit(f"store i64 {following}, ptr {counter}")
    _again(low, stop, at, by, as_unsigned, top, out)
    runs = start.constant is not None and stop.constant is not None and bool(range(start.lo, stop.lo, by))
    _else(low, loop, node.orelse, out, after if runs else before)


def _again(low: Lowering, stop: Number, at: Number, by: int, as_unsigned: bool, top: str, out: str) -> None:
    """Back to the test; but where the counter could wrap, the loop ends before it does."""
    least, most = (0, U64_MAX) if as_unsigned else (S64_MIN, S64_MAX)
    if least <= stop.lo + min(by, 0) and stop.hi + max(by, 0) <= most + 1:
        low.jump(top)
        return
    left = low.op(f"sub i64 {stop.operand}, {at.operand}" if by > 0 else f"sub i64 {at.operand}, {stop.operand}")
    low.branch(low.op(f"icmp ugt i64 {left}, {abs(by)}"), top, out)


def _counter(operand: str, start: Number, stop: Number, by: int, as_unsigned: bool) -> Number:
    """The counter in the body, with its limits."""
    lo, hi = (start.lo, stop.hi - 1) if by > 0 else (stop.lo + 1, start.hi)
    if lo > hi:  # never runs
        return (unsigned if as_unsigned else signed)(operand)
    return Number(operand, lo, hi, as_unsigned) if lo < hi else (unsigned if as_unsigned else signed)(operand)


def _bounds(low: Lowering, call: ast.Call) -> tuple[Number, Number, int]:
    if call.keywords or not 1 <= len(call.args) <= 3:
        raise low.refuse(call, "range() takes one to three numbers", "range(8)")
    numbers = [low.number(argument) for argument in call.args]
    start, stop = (const(0), numbers[0]) if len(numbers) == 1 else (numbers[0], numbers[1])
    if len(numbers) < 3:
        return start, stop, 1
    by = numbers[2].constant
    if by is None:
        raise low.refuse(call.args[2], "the step of a range must be known when the program is compiled", "a number")
    if by == 0:
        raise low.refuse(call.args[2], "the step of a range is 0, for which Python raises ValueError", "1, or -1")
    if not S64_MIN <= by <= S64_MAX:
        raise low.refuse(call.args[2], f"the step {by} takes more than 64 bits", "a smaller one")
    return start, stop, by
