"""Annotations: what they name, and the signature that those of a function make."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

from axiom_hw.bpf.frontend.numbers import BoolKind, IntKind, NoKind
from axiom_hw.bpf.frontend.refusal import Refused
from axiom_hw.bpf.frontend.source import Source
from axiom_hw.bpf.frontend.values import Kind
from axiom_hw.bpf.layout import S64, Scalar

if TYPE_CHECKING:
    from axiom_hw.bpf.frontend.lowering import Lowering

_KINDS: Final = "int, bool, u8 to s64, or a class with @layout"


def basic_kind(annotation: object) -> Kind | None:
    """The kinds that both dialects have: `int`, `bool`, `None`, and u8 to s64."""
    if annotation is int:
        return IntKind(S64, "int")
    if annotation is bool:
        return BoolKind()
    if annotation is None:
        return NoKind()
    scalar = next((m for m in getattr(annotation, "__metadata__", ()) if isinstance(m, Scalar)), None)
    return IntKind(scalar, scalar.name) if scalar is not None else None


def meaning(source: Source, node: ast.expr) -> object:
    """What an annotation names. Raises what evaluating it raises."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        node = ast.parse(node.value, mode="eval").body
    code = compile(ast.Expression(node), source.file, "eval")
    return eval(code, source.function.__globals__, dict(source.enclosing()))


def kind_of(low: Lowering, node: ast.expr) -> Kind:
    """The kind that an annotation names; refuses what is none."""
    try:
        found = meaning(low.source, node)
    except Exception as error:  # noqa: BLE001 - an annotation is any expression, and may raise anything
        raise low.refuse(node, f"this type can't be looked up: {error}", _KINDS, "P003") from None
    kind = low.kind(found)
    if kind is None:
        if found is float:
            raise low.refuse(node, "programs have integers only", "int, or fixed point: thousandths, say", "P002")
        raise low.refuse(node, f"`{ast.unparse(node)}` is no type of a program", _KINDS, "P003")
    return kind


def check_plain(source: Source) -> None:
    """Refuse stars, keyword-only parameters and defaults."""
    arguments = source.node.args
    for special in (arguments.vararg, arguments.kwarg, *arguments.kwonlyargs):
        if special is not None:
            problem = "parameters are plain ones: no stars, no keyword-only ones"
            raise Refused("P002", source.span(special), problem, "each by its name")
    for default in arguments.defaults:
        raise Refused("P002", source.span(default), "parameters have no defaults", "the value, at each call")


def parameters(low: Lowering) -> list[ast.arg]:
    """The parameters of the function; refuses those that aren't plain ones with a type."""
    check_plain(low.source)
    arguments = low.source.node.args
    found = [*arguments.posonlyargs, *arguments.args]
    for argument in found:
        if argument.annotation is None:
            raise low.refuse(argument, f"`{argument.arg}` has no type", f"{argument.arg}: int", "P003")
    return found


def assigned_names(node: ast.FunctionDef) -> frozenset[str]:
    """Every name that is local: parameters, and what is assigned anywhere in the function."""
    return frozenset(a.arg for a in [*node.args.posonlyargs, *node.args.args]) | changed_names(node)


def changed_names(node: ast.FunctionDef) -> frozenset[str]:
    """The names that something in the function is assigned to."""
    names = set()
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store | ast.Del):
            names.add(inner.id)
        elif isinstance(inner, ast.MatchAs) and inner.name is not None:
            names.add(inner.name)
    return frozenset(names)
