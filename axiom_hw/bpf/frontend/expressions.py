"""Expressions: one function per kind of node, all named in one `match`; the rest is in the table of what is refused."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import TYPE_CHECKING

from axiom_hw.bpf.frontend import arith, syntax
from axiom_hw.bpf.frontend.flow import Flow, meet
from axiom_hw.bpf.frontend.numbers import Bool, const
from axiom_hw.bpf.frontend.values import Nothing, Value

if TYPE_CHECKING:
    from axiom_hw.bpf.frontend.lowering import Lowering


def expression(low: Lowering, node: ast.expr) -> Value:
    """Lower an expression; what is a place is read."""
    match node:
        case ast.Constant():
            return _constant(low, node)
        case ast.Name():
            return _name(low, node).read(low, node)
        case ast.Attribute() | ast.Subscript():
            return place(low, node).read(low, node)
        case ast.BinOp():
            left = low.expression(node.left)
            return low.binary(node, node.op, left, low.expression(node.right))
        case ast.UnaryOp():
            return _unary(low, node)
        case ast.Compare():
            return Bool(condition(low, node))
        case ast.BoolOp():
            return _bool_value(low, node, node.values)
        case ast.IfExp():
            return _ternary(low, node)
        case ast.Call():
            return low.expression(node.func).call(low, node)
        case ast.NamedExpr():
            value = low.expression(node.value)
            assign(low, node.target, value)
            return value
        case _:
            raise syntax.refused(low, node)


def place(low: Lowering, node: ast.expr) -> Value:
    """What an attribute or subscript names, before anything is read."""
    match node:
        case ast.Attribute():
            found = low.expression(node.value)
            with low.at(node.value):
                return found.attribute(low, node, node.attr)
        case ast.Subscript(slice=ast.Slice() as cut):
            raise syntax.refused(low, cut)
        case ast.Subscript():
            found = low.expression(node.value)
            index = low.expression(node.slice)
            return found.item(low, node, index)
        case _:
            raise syntax.refused(low, node)


def assign(low: Lowering, target: ast.expr, value: Value) -> None:
    """`target = value`."""
    match target:
        case ast.Name(id=name):
            if name in low.fixed:
                raise low.refuse(
                    target, f"`{name}` is known when the program is compiled, and can't be assigned to", "another name"
                )
            if name not in low.places:
                low.places[name] = value.variable(low, target, name)
            with low.at(target):
                low.places[name].store(low, target, value)
            if low.flow is not None:
                low.flow |= {name}
        case ast.Attribute() | ast.Subscript():
            found = place(low, target)
            with low.at(target):
                found.store(low, target, value)
        case _:
            raise syntax.refused_target(low, target)


def _constant(low: Lowering, node: ast.Constant) -> Value:
    match node.value:
        case bool():
            return Bool("true" if node.value else "false")
        case int():
            return const(node.value)
        case None:
            return Nothing()
        case _:
            raise syntax.refused_constant(low, node)


def _name(low: Lowering, node: ast.Name) -> Value:
    name = node.id
    if name in low.locals:
        if low.flow is not None and name not in low.flow:
            outside = name in low.source.function.__globals__
            raise low.refuse(
                node, f"`{name}` has no value on some path to here, for which Python raises UnboundLocalError",
                f'a map, to keep it from run to run: `{name} = app.array("{name}", u64)`; or another name here'
                if outside else f"give it one first: `{name} = 0`", "P003",
            )  # fmt: skip
        if name in low.places:
            return low.places[name]
        if low.flow is None:
            return const(0)  # behind a return: nothing runs it
    if name in low.fixed:
        found = low.fixed[name]
    else:
        try:
            found = low.source.lookup(name)
        except KeyError:
            raise low.refuse(node, f"there is no name `{name}`", "define it above, or import it", "P003") from None
    return value_of(low, node, found)


def value_of(low: Lowering, node: ast.AST, found: object) -> Value:
    """What a Python object, known when the program is compiled, is in an expression."""
    if isinstance(found, bool):
        return Bool("true" if found else "false")
    if isinstance(found, int):
        return const(int(found))
    value = low.resolve(found)
    if value is None:
        raise syntax.refused_object(low, node, found)
    return value


def _unary(low: Lowering, node: ast.UnaryOp) -> Value:
    match node.op:
        case ast.Not():
            return Bool(condition(low, node))
        case ast.USub():
            return arith.negate(low, node, low.number(node.operand))
        case ast.UAdd():
            return low.number(node.operand)
        case ast.Invert():
            return arith.invert(low, node, low.number(node.operand))
        case _:
            raise syntax.refused(low, node)


def condition(low: Lowering, node: ast.expr) -> str:
    """Lower an expression for its truth: an i1."""
    match node:
        case ast.UnaryOp(op=ast.Not()):
            return _not(low, low.condition(node.operand))
        case ast.BoolOp():
            return _bool_test(low, node)
        case ast.Compare():
            return _compare(low, node)
        case _:
            return expression(low, node).truth(low, node)


def decide(low: Lowering, node: ast.expr, yes: str, no: str) -> tuple[Flow, Flow]:
    """End the block: to `yes` if the expression is true, else to `no`; what is known on either way."""
    match node:
        case ast.UnaryOp(op=ast.Not()):
            if_false, if_true = decide(low, node.operand, no, yes)
            return if_true, if_false
        case ast.BoolOp():
            decided: list[Flow] = []  # on the ways that end early
            for operand in node.values[:-1]:
                more = low.label("more")
                if isinstance(node.op, ast.And):
                    going_on, out = decide(low, operand, more, no)
                else:
                    out, going_on = decide(low, operand, yes, more)
                decided.append(out)
                low.start(more, going_on)
            if_true, if_false = decide(low, node.values[-1], yes, no)
            if isinstance(node.op, ast.And):
                return if_true, meet(*decided, if_false)
            return meet(*decided, if_true), if_false
        case _:
            test = low.condition(node)
            flow = low.flow
            with low.at(node):
                low.branch(test, yes, no)
            return flow, flow


def _bool_test(low: Lowering, node: ast.BoolOp) -> str:
    """`a and b` where only the truth counts."""
    yes, no, end = low.label("yes"), low.label("no"), low.label("end")
    slot = low.alloca("i1")
    if_true, if_false = decide(low, node, yes, no)
    for label, flow, operand in ((yes, if_true, "true"), (no, if_false, "false")):
        low.start(label, flow)
        low.emit(f"store i1 {operand}, ptr {slot}")
        low.jump(end)
    low.start(end, meet(if_true, if_false))
    return low.op(f"load i1, ptr {slot}")


def _bool_value(low: Lowering, node: ast.BoolOp, operands: list[ast.expr]) -> Value:
    """`a and b` with Python's result: the operand that decided."""
    first = low.expression(operands[0])
    if len(operands) == 1:
        return first
    test = first.truth(low, operands[0])
    rest = (low.label("more"), lambda: _bool_value(low, node, operands[1:]))
    known = (low.label("decided"), lambda: first)
    return _choose(low, node, test, *((rest, known) if isinstance(node.op, ast.And) else (known, rest)))


def _ternary(low: Lowering, node: ast.IfExp) -> Value:
    test = low.condition(node.test)
    yes = (low.label("then"), lambda: low.expression(node.body))
    no = (low.label("else"), lambda: low.expression(node.orelse))
    return _choose(low, node, test, yes, no)


_Way = tuple[str, Callable[[], Value]]


def _choose(low: Lowering, node: ast.expr, test: str, yes: _Way, no: _Way) -> Value:
    """One of two values. Their common type is known only when both are lowered, so each is finished afterwards."""
    flow, end = low.flow, low.label("end")
    low.branch(test, yes[0], no[0])
    parts, values, flows = [], [], []
    for label, lower in (yes, no):
        before = low.detach()
        low.start(label, flow)
        values.append(lower())
        flows.append(low.flow)
        parts.append(low.attach(before))
    kind = values[0].merge(low, node, values[1])
    slot = kind.variable(low, node, "either")
    for part, value in zip(parts, values, strict=True):
        low.append(part)
        slot.store(low, node, value)
        low.jump(end)
    low.start(end, meet(*flows))
    return slot.read(low, node)


def _compare(low: Lowering, node: ast.Compare) -> str:
    left = low.expression(node.left)
    if len(node.ops) == 1:
        return _pair(low, node, node.ops[0], (node.left, left), node.comparators[0])[0]
    slot, end = low.alloca("i1"), low.label("end")
    flow: Flow = None
    before = node.left
    for last, (op, right) in enumerate(zip(node.ops, node.comparators, strict=True), 1):
        test, left = _pair(low, node, op, (before, left), right)
        flow = low.flow if flow is None else flow
        low.emit(f"store i1 {test}, ptr {slot}")
        if last < len(node.ops):
            more, known = low.label("more"), low.flow
            low.branch(test, more, end)
            low.start(more, known)
        before = right
    low.start(end, flow)
    return low.op(f"load i1, ptr {slot}")


def _pair(
    low: Lowering, node: ast.Compare, op: ast.cmpop, left: tuple[ast.expr, Value], right: ast.expr
) -> tuple[str, Value]:
    """One comparison of a chain, and the value on its right."""
    match op:
        case ast.Is() | ast.IsNot():
            if not (isinstance(right, ast.Constant) and right.value is None):
                raise low.refuse(node, "`is` compares identities, and numbers have none", "`==`")
            found = left[1].is_none(low, left[0])
            return (found if isinstance(op, ast.Is) else _not(low, found)), Nothing()
        case ast.In() | ast.NotIn():
            found, value = _contains(low, left, right)
            return (found if isinstance(op, ast.In) else _not(low, found)), value
    if isinstance(left[0], ast.Tuple | ast.Set | ast.List):  # of `x in (1, 2)`, earlier in the chain
        raise syntax.refused(low, left[0])
    value = low.expression(right)
    if isinstance(value, Nothing) or isinstance(left[1], Nothing):
        raise low.refuse(node, "None is no number to compare with", "`is None`, or `is not None`")
    a, b = left[1].number(low, left[0]), value.number(low, right)
    return arith.compare(low, node, op, a, b), value


def _contains(low: Lowering, left: tuple[ast.expr, Value], right: ast.expr) -> tuple[str, Value]:
    if not isinstance(right, ast.Tuple | ast.Set | ast.List):
        value = low.expression(right)
        return value.contains(low, right, left[1]), value
    found = "false"
    number = left[1].number(low, left[0])
    for element in [low.number(e) for e in right.elts]:
        same = arith.compare(low, right, ast.Eq(), number, element)
        found = same if found == "false" else low.op(f"or i1 {found}, {same}")
    return found, Nothing()


def _not(low: Lowering, test: str) -> str:
    return {"true": "false", "false": "true"}.get(test) or low.op(f"xor i1 {test}, true")
