"""What names of the enclosing module mean in a program: numbers, enums, modules, texts, tables of numbers.

Their values are taken when the program is compiled, and are constants in it.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum
from types import ModuleType
from typing import TYPE_CHECKING

from axiom_hw.bpf.frontend.expressions import value_of
from axiom_hw.bpf.frontend.values import Value

if TYPE_CHECKING:
    from axiom_hw.bpf.frontend.lowering import Lowering
    from axiom_hw.bpf.frontend.numbers import Number


def constant(low: Lowering, found: object) -> Value | None:
    """A text, a module or an enum; None for everything else. A resolver. (Numbers are resolved already.)"""
    match found:
        case str():
            return Text(str(found))
        case ModuleType():
            return Namespace(f"the module {found.__name__}", found)
        case type() if issubclass(found, Enum):
            return Namespace(f"the enum {found.__name__}", found)
    return None


@dataclass(frozen=True, slots=True)
class Text(Value):
    """A string: the name of something, or a part of what is printed."""

    text: str

    def describe(self) -> str:
        return f"the text {self.text!r}"

    def number(self, low: Lowering, node: ast.AST) -> Number:
        raise low.refuse(
            node, f"{self.describe()} is used as a number", "it can be printed, and name what a helper drives"
        )


@dataclass(frozen=True, slots=True)
class Namespace(Value):
    """A module or an enum: its attributes are looked up when the program is compiled."""

    what: str
    found: object

    def describe(self) -> str:
        return self.what

    def attribute(self, low: Lowering, node: ast.AST, name: str) -> Value:
        try:
            found = getattr(self.found, name)
        except AttributeError:
            near = get_close_matches(name, [n for n in dir(self.found) if not n.startswith("_")], n=1)
            raise low.refuse(node, f"{self.what} has no `{name}`", near[0] if near else "") from None
        return value_of(low, node, found)


def text_of(low: Lowering, node: ast.expr) -> str | None:
    """The string that an expression is, or None where it is something else."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.Name | ast.Attribute):
        found = low.expression(node)
        return found.text if isinstance(found, Text) else None
    return None
