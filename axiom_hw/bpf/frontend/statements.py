"""Statements: one function per kind of node."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from axiom_hw.bpf.frontend import arith, expressions, loops, syntax
from axiom_hw.bpf.frontend.flow import Flow, meet
from axiom_hw.bpf.frontend.numbers import NoKind, const
from axiom_hw.bpf.frontend.signatures import kind_of
from axiom_hw.bpf.frontend.values import Nothing, Value

if TYPE_CHECKING:
    from axiom_hw.bpf.frontend.lowering import Lowering


def block(low: Lowering, body: list[ast.stmt]) -> None:
    """Lower statements in order."""
    for node in body:
        with low.at(node):
            mark = len(low.held)
            statement(low, node)
            low.release(mark)


def statement(low: Lowering, node: ast.stmt) -> None:
    """Lower one statement."""
    match node:
        case ast.Expr():
            _expression(low, node)
        case ast.Assign():
            _assign(low, node)
        case ast.AnnAssign():
            _declare(low, node)
        case ast.AugAssign():
            _update(low, node)
        case ast.If():
            _if(low, node)
        case ast.While():
            loops.while_loop(low, node)
        case ast.For():
            loops.for_loop(low, node)
        case ast.Return():
            _return(low, node)
        case ast.Break() | ast.Continue():
            loops.leave(low, node)
        case ast.Match():
            _match(low, node)
        case ast.With():
            _with(low, node)
        case ast.Delete():
            for target in node.targets:
                if not isinstance(target, ast.Subscript):
                    raise syntax.refused(low, node)
                expressions.place(low, target).delete(low, target)
        case ast.Pass():
            pass
        case _:
            raise syntax.refused(low, node)


def _expression(low: Lowering, node: ast.Expr) -> None:
    """A call for what it does; a string in its place is a comment."""
    if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
        return
    low.expression(node.value)


def _assign(low: Lowering, node: ast.Assign) -> None:
    first = node.targets[0]
    if isinstance(first, ast.List):
        raise syntax.refused_target(low, first)
    if isinstance(first, ast.Tuple):
        if len(node.targets) > 1 or not isinstance(node.value, ast.Tuple) or len(first.elts) != len(node.value.elts):
            raise low.refuse(node, "each name on the left needs a value of its own on the right", "a, b = b, a", "P002")
        for target, value in zip(first.elts, [low.expression(v) for v in node.value.elts], strict=True):
            expressions.assign(low, target, value)
        return
    value = low.expression(node.value)
    for target in node.targets:
        expressions.assign(low, target, value)


def _declare(low: Lowering, node: ast.AnnAssign) -> None:
    """`name: u32 = value`."""
    if not isinstance(node.target, ast.Name):
        raise low.refuse(node.target, "only variables are declared", "the assignment without the type", "P002")
    name = node.target.id
    value = low.expression(node.value) if node.value is not None else None
    kind = kind_of(low, node.annotation)
    if name in low.places:
        raise low.refuse(node.target, f"`{name}` has a type already", "another name, or no type here", "P003")
    low.places[name] = kind.variable(low, node.target, name)
    if value is not None:
        expressions.assign(low, node.target, value)


def _update(low: Lowering, node: ast.AugAssign) -> None:
    """`x += 1`. As in Python, what x is comes before the value, and x is found once."""
    place: Value
    if isinstance(node.target, ast.Name):
        before = low.expression(node.target)
        value = low.binary(node, node.op, before, low.expression(node.value))
        expressions.assign(low, node.target, value)
        return
    place = expressions.place(low, node.target)
    known = place.before(low, node)
    value = low.expression(node.value)
    if known is None:
        place.update(low, node, node.op, value)
    else:
        place.store(low, node, low.binary(node, node.op, known, value))


def _if(low: Lowering, node: ast.If) -> None:
    then, other, end = low.label("then"), low.label("else"), low.label("end")
    mark = len(low.held)
    if_true, if_false = expressions.decide(low, node.test, then, other)
    low.start(then, if_true)
    low.release(mark, forget=False)
    block(low, node.body)
    after = low.flow
    if not low.ended:
        low.jump(end)
    low.start(other, if_false)
    low.release(mark)
    block(low, node.orelse)
    low.start(end, meet(after, low.flow))


def _return(low: Lowering, node: ast.Return) -> None:
    value = low.expression(node.value) if node.value is not None else Nothing()
    finish(low, node, value)


def finish(low: Lowering, node: ast.AST, value: Value) -> None:
    """Leave the function. Without a value a number is 0, as at its end."""
    if isinstance(low.result, NoKind):
        if not isinstance(value, Nothing):
            raise low.refuse(node, "this function is declared to give nothing", "-> int")
        result = "ret void"
    elif isinstance(value, Nothing):
        if low.result.ir not in ("i64", "i1"):
            raise low.refuse(node, f"this function gives a {low.result.name}; here it gives nothing", "return ...")
        result = f"ret {low.result.ir} 0"
    else:
        if low.result.ir == "ptr":
            value.returned(low, node)
        result = f"ret {low.result.ir} {low.result.convert(low, node, value)}"
    for opened, at in reversed(low.withs):
        opened.leave(low, at)
    low.end(result)


def _with(low: Lowering, node: ast.With) -> None:
    opened = []
    for item in node.items:
        manager = low.expression(item.context_expr)
        entered = manager.enter(low, item.context_expr)
        if item.optional_vars is not None:
            expressions.assign(low, item.optional_vars, entered)
        low.withs.append((manager, item.context_expr))
        opened.append((manager, item.context_expr))
    block(low, node.body)
    for manager, at in reversed(opened):
        low.withs.pop()
        if not low.ended:
            manager.leave(low, at)


def _match(low: Lowering, node: ast.Match) -> None:
    subject = low.expression(node.subject)
    end = low.label("end")
    flows: list[Flow] = []
    for case in node.cases:
        then, other = low.label("case"), low.label("next")
        test = _pattern(low, node, case.pattern, subject)
        flow = low.flow
        low.branch(test, then, other)
        low.start(then, flow)
        _capture(low, case.pattern, subject)
        passed: Flow = None
        if case.guard is not None:
            inside = low.label("guarded")
            if_true, passed = expressions.decide(low, case.guard, inside, other)
            low.start(inside, if_true)
        block(low, case.body)
        flows.append(low.flow)
        if not low.ended:
            low.jump(end)
        low.start(other, meet(passed, None if test == "true" else flow))
    low.start(end, meet(*flows, low.flow))


def _pattern(low: Lowering, node: ast.Match, pattern: ast.pattern, subject: Value) -> str:
    """Whether a pattern fits: an i1."""
    match pattern:
        case ast.MatchValue():
            number = subject.number(low, node.subject)
            return arith.compare(low, pattern, ast.Eq(), number, low.number(pattern.value))
        case ast.MatchOr():
            found = "false"
            for part in pattern.patterns:
                fits = _pattern(low, node, part, subject)
                found = fits if found == "false" else low.op(f"or i1 {found}, {fits}")
            return found
        case ast.MatchAs(pattern=None):
            return "true"
        case ast.MatchAs(pattern=ast.pattern() as inner):
            return _pattern(low, node, inner, subject)
        case _:
            raise low.refuse(pattern, "patterns are numbers, names of constants, `|` and `_`", "case 1 | 2:", "P002")


def _capture(low: Lowering, pattern: ast.pattern, subject: Value) -> None:
    """Assign the names of a pattern that fits. All of them stand for the whole subject, whichever part fits."""
    for name, part in {p.name: p for p in ast.walk(pattern) if isinstance(p, ast.MatchAs)}.items():
        if name is not None:
            expressions.assign(low, ast.copy_location(ast.Name(name, ast.Store()), part), subject)


def function_body(low: Lowering) -> None:
    """The whole body; falling off its end gives 0."""
    block(low, low.source.node.body)
    if not low.ended:
        with low.at(low.source.node.body[-1]):
            finish(
                low,
                low.source.node,
                Nothing() if isinstance(low.result, NoKind) or low.result.ir in ("i64", "i1") else const(0),
            )
