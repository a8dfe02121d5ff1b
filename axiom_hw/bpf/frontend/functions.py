"""Functions: each is lowered once for each set of arguments that are known now, and called like any other."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from types import FunctionType
from typing import TYPE_CHECKING

from axiom_hw.bpf.frontend import signatures, statements
from axiom_hw.bpf.frontend.expressions import value_of
from axiom_hw.bpf.frontend.lowering import Lowering
from axiom_hw.bpf.frontend.module import Signature
from axiom_hw.bpf.frontend.numbers import IntKind, NoKind
from axiom_hw.bpf.frontend.source import Source, read_source
from axiom_hw.bpf.frontend.values import Kind, Nothing, Value
from axiom_hw.errors import SpecError

if TYPE_CHECKING:
    from axiom_hw.bpf.frontend.dialect import Dialect
    from axiom_hw.bpf.frontend.module import Module
    from axiom_hw.bpf.frontend.numbers import Number


def lower_function(
    module: Module, dialect: Dialect, function: Callable[..., object], fixed: tuple[object, ...] = (), entry: str = ""
) -> Signature:
    """Lower a function, and what it calls, into the module. Once: the second time gives what the first one did.

    `fixed` are the values of those parameters whose annotation the dialect knows as such, in order. `entry` is the
    symbol of a function that the outside calls.
    """
    key = (function, fixed)
    if key in module.functions:
        return module.functions[key]
    source = read_source(function)
    low = Lowering(module, dialect, source, NoKind())
    low.locals = signatures.assigned_names(source.node)
    signature = _signature(low, fixed, entry or module.symbol(function.__name__))
    module.functions[key] = signature
    module.under_way.append(key)
    low.open_scope(signature, bool(entry))
    rows = []
    names = [argument.arg for argument in signatures.parameters(low)]
    changed = signatures.changed_names(source.node)
    for position, (name, kind) in enumerate(signature.parameters):
        if dialect.judged and isinstance(kind, IntKind) and name not in changed:
            # As the caller cut it to its width: cut again, the verifier wouldn't see that it's the same number.
            low.places[name] = kind.value(low, f"%p{position}")
        else:
            low.places[name] = kind.variable(low, source.node, name)
            low.places[name].store(low, source.node, kind.value(low, f"%p{position}"))
        rows.append(f"{dialect.parameter(kind, names.index(name))} %p{position}")
    low.flow = frozenset(low.places)
    statements.function_body(low)
    module.under_way.pop()
    head = dialect.header(low, signature.symbol, signature.result.ir, ", ".join(rows), bool(entry))
    module.texts[signature.symbol] = f"{head} {low.body()}"
    return signature


def _signature(low: Lowering, fixed: tuple[object, ...], symbol: str) -> Signature:
    """Kinds of parameters and result; parameters that are known now become constants of the function."""
    node = low.source.node
    if node.returns is None:
        raise low.refuse(node, f"`{node.name}` doesn't say what it gives", f"def {node.name}(...) -> int:", "P003")
    low.result = signatures.kind_of(low, node.returns)
    waiting = list(fixed)
    found: list[tuple[str, Kind]] = []
    for argument in signatures.parameters(low):
        if is_fixed(low.source, low.dialect, argument):
            low.fixed[argument.arg] = waiting.pop(0)
            low.locals -= {argument.arg}
        else:
            assert argument.annotation is not None
            found.append((argument.arg, signatures.kind_of(low, argument.annotation)))
    assert not waiting, f"{low.source.name} has no parameter for {waiting}"
    return Signature(symbol, tuple(found), low.result)


def is_fixed(source: Source, dialect: Dialect, argument: ast.arg) -> bool:
    """Whether a parameter is known when the function is compiled."""
    if argument.annotation is None:
        return False
    try:
        found = signatures.meaning(source, argument.annotation)
    except Exception:  # noqa: BLE001 - an annotation is any expression, and may raise anything; told where it's needed
        return False
    return dialect.is_fixed(found)


@dataclass(frozen=True, slots=True)
class Known(Value):
    """A Python object of which programs see the attributes, as constants: a geometry."""

    found: object

    def describe(self) -> str:
        return f"a {type(self.found).__name__}"

    def attribute(self, low: Lowering, node: ast.AST, name: str) -> Value:
        return value_of(low, node, getattr(self.found, name))


@dataclass(frozen=True, slots=True)
class FunctionValue(Value):
    """A function with annotations, to be compiled as well."""

    function: FunctionType

    def describe(self) -> str:
        return f"the function {self.function.__name__}"

    def number(self, low: Lowering, node: ast.AST) -> Number:
        raise low.refuse(node, f"{self.describe()} is used as a number", f"call it: `{self.function.__name__}(...)`")

    def call(self, low: Lowering, node: ast.Call) -> Value:
        name = self.function.__name__
        try:
            source = read_source(self.function)
        except SpecError as error:
            raise low.refuse(node, error.problem, error.fix, "P003") from None
        if source.node.decorator_list:
            raise low.refuse(
                node, f"`{name}` has a decorator, so it isn't what its text says", "a plain function", "P003"
            )
        signatures.check_plain(source)
        nodes = _matched(low, node, source)
        values = {given: low.expression(given) for given in (*node.args, *(k.value for k in node.keywords))}
        fixed: list[object] = []
        operands: list[tuple[ast.expr, Value]] = []
        for argument, given in nodes:
            value = values[given]
            if is_fixed(source, low.dialect, argument):
                assert isinstance(value, Known), f"{name}({argument.arg}=...) must be known when it is compiled"
                fixed.append(value.found)
            else:
                operands.append((given, value))
        if (self.function, tuple(fixed)) in low.module.under_way:
            raise low.refuse(node, f"`{name}` calls itself, and a program's stack is 512 bytes", "a loop", "P002")
        signature = lower_function(low.module, low.dialect, self.function, tuple(fixed))
        return call_signature(low, signature, operands)


def call_signature(low: Lowering, signature: Signature, operands: list[tuple[ast.expr, Value]]) -> Value:
    """Call what was lowered, with values of the kinds that it takes."""
    passed = [
        f"{kind.ir} {kind.convert(low, at, value)}"
        for (_, kind), (at, value) in zip(signature.parameters, operands, strict=True)
    ]
    call = f"call {signature.result.ir} @{signature.symbol}({', '.join(passed)})"
    if isinstance(signature.result, NoKind):
        low.emit(call)
        return Nothing()
    return signature.result.value(low, low.op(call))


def _matched(low: Lowering, node: ast.Call, source: Source) -> list[tuple[ast.arg, ast.expr]]:
    """Arguments by parameter. Refuses too few, too many and unknown ones."""
    parameters = [*source.node.args.posonlyargs, *source.node.args.args]
    shown = f"{source.name}({', '.join(p.arg for p in parameters)})"
    for star in (*node.args, *(k.value for k in node.keywords if k.arg is None)):
        if isinstance(star, ast.Starred) or (star not in node.args):
            raise low.refuse(star, "arguments are passed one by one", "each of them", "P002")
    given = dict(zip((p.arg for p in parameters), node.args, strict=False))
    for keyword in node.keywords:
        if keyword.arg in given:
            raise low.refuse(keyword, f"`{keyword.arg}` is given twice", shown)
        if keyword.arg not in {p.arg for p in parameters}:
            raise low.refuse(keyword, f"`{source.name}` has no parameter `{keyword.arg}`", shown)
        assert keyword.arg is not None
        given[keyword.arg] = keyword.value
    if len(node.args) > len(parameters) or len(given) < len(parameters):
        count = f"{len(parameters)} argument{'s' if len(parameters) != 1 else ''}" if parameters else "no argument"
        here = len(node.args) + len(node.keywords)
        raise low.refuse(node, f"`{source.name}` takes {count}; here {'is' if here == 1 else 'are'} {here}", shown)
    return [(parameter, given[parameter.arg]) for parameter in parameters]


def function_value(low: Lowering, found: object) -> Value | None:
    """The resolver of functions."""
    return FunctionValue(found) if isinstance(found, FunctionType) else None
