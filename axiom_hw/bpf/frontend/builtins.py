"""Built-in functions of both dialects: abs, min, max, int, bool, and u8 to s64."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from axiom_hw.bpf.frontend import arith
from axiom_hw.bpf.frontend.numbers import Bool, wrap
from axiom_hw.bpf.frontend.values import Value
from axiom_hw.bpf.layout import Scalar

if TYPE_CHECKING:
    from axiom_hw.bpf.frontend.lowering import Lowering

_Lower = Callable[["Lowering", ast.Call], Value]


@dataclass(frozen=True, slots=True)
class Builtin(Value):
    """A function that the compiler knows."""

    name: str
    lower: _Lower

    def describe(self) -> str:
        return f"the function {self.name}"

    def call(self, low: Lowering, node: ast.Call) -> Value:
        if node.keywords:
            raise low.refuse(node.keywords[0], f"{self.name}() takes no named arguments here", f"{self.name}(a, b)")
        return self.lower(low, node)


def _one(low: Lowering, node: ast.Call, name: str) -> ast.expr:
    if len(node.args) != 1:
        raise low.refuse(node, f"{name}() takes one argument here, not {len(node.args)}", f"{name}(x)")
    return node.args[0]


def _abs(low: Lowering, node: ast.Call) -> Value:
    return arith.absolute(low, node, low.number(_one(low, node, "abs")))


def _int(low: Lowering, node: ast.Call) -> Value:
    return low.number(_one(low, node, "int"))


def _bool(low: Lowering, node: ast.Call) -> Value:
    return Bool(low.condition(_one(low, node, "bool")))


def _extreme(name: str, op: ast.cmpop) -> _Lower:
    def lower(low: Lowering, node: ast.Call) -> Value:
        if len(node.args) < 2:
            raise low.refuse(node, f"{name}() takes at least two numbers here", f"{name}(a, b)")
        numbers = [low.number(argument) for argument in node.args]
        best = numbers[0]
        for number in numbers[1:]:
            best = arith.extreme(low, node, op, best, number)
        return best

    return lower


def _range(low: Lowering, node: ast.Call) -> Value:
    raise low.refuse(
        node, "range() is for loops, and for nothing else", "`for i in range(...):`, or `a <= x < b`", "P002"
    )


def _cut(scalar: Scalar) -> _Lower:
    def lower(low: Lowering, node: ast.Call) -> Value:
        return wrap(low, low.number(_one(low, node, scalar.name)), scalar)

    return lower


_KNOWN: Final[dict[object, Builtin]] = {
    abs: Builtin("abs", _abs),
    int: Builtin("int", _int),
    bool: Builtin("bool", _bool),
    min: Builtin("min", _extreme("min", ast.Lt())),
    max: Builtin("max", _extreme("max", ast.Gt())),
    range: Builtin("range", _range),
}


def builtin_value(low: Lowering, found: object) -> Value | None:
    """The resolver of built-in functions and integer types."""
    if getattr(found, "__hash__", None) is None:
        return None
    if found in _KNOWN:
        return _KNOWN[found]
    scalar = getattr(found, "scalar", None) if isinstance(found, type) else None
    return Builtin(scalar.name, _cut(scalar)) if isinstance(scalar, Scalar) else None
