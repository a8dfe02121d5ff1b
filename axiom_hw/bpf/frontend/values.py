"""What an expression can be, and what syntax can ask of it. The protocol between the compiler and the library.

An expression is lowered to a `Value`. Attribute and subscript give a *place*: a `Value` that can be read, stored to
and updated. Syntax maps to methods one to one; what a kind of value doesn't override is refused with a sentence.

    x.name, x[i]       attribute, item -> a place      x op= y    update        del x[i]   delete
    x                  read                            x = y      store         y in x     contains
    x(...)             call                            if x       truth         x is None  is_none
    with x as y        enter, leave                    for y in x series        y = x      variable -> a place

Every method gets the function that is being lowered, `low`, and the node, for refusals and line information. Numbers
are `Number` and `Bool` (numbers.py). A name that isn't local means a Python object of the function's globals,
closure or builtins, which a *resolver* turns into a value; annotations become a `Kind`. A dialect has a table of each.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from axiom_hw.bpf.frontend.lowering import Lowering
    from axiom_hw.bpf.frontend.numbers import Number


class Value:
    """The base: refuses everything. A subclass overrides what its kind can do."""

    __slots__ = ()

    def describe(self) -> str:
        """What it is, as the object of a sentence: `the map presses`, `a number`."""
        raise NotImplementedError

    # reading

    def read(self, low: Lowering, node: ast.AST) -> Value:
        """What it is worth now; a place loads, everything else is itself."""
        return self

    def number(self, low: Lowering, node: ast.AST) -> Number:
        """As an integer of 64 bits."""
        raise low.refuse(node, f"{self.describe()} is used as a number", "use one of its numbers")

    def truth(self, low: Lowering, node: ast.AST) -> str:
        """Whether it is true: an operand of type i1."""
        return self.number(low, node).truth(low, node)

    def is_none(self, low: Lowering, node: ast.AST) -> str:
        """Whether it is None: an operand of type i1, `false` for what never is."""
        return "false"

    # parts

    def attribute(self, low: Lowering, node: ast.AST, name: str) -> Value:
        """The place `x.name`."""
        raise low.refuse(node, f"{self.describe()} has no attribute `{name}`", "operators, or a function of your own")

    def item(self, low: Lowering, node: ast.Subscript, index: Value) -> Value:
        """The place `x[index]`; nothing is loaded before it is read."""
        raise low.refuse(node, f"{self.describe()} has no elements", "an array: `w = zeros(u32, 8)`")

    def contains(self, low: Lowering, node: ast.AST, item: Value) -> str:
        """`item in x`: an operand of type i1."""
        raise low.refuse(node, f"`in` doesn't work on {self.describe()}", "compare with each: `x == 1 or x == 2`")

    # places

    def store(self, low: Lowering, node: ast.AST, value: Value) -> None:
        """`x = value`, where x is a place."""
        raise low.refuse(node, f"{self.describe()} can't be assigned to", "a variable, an element or a field")

    def before(self, low: Lowering, node: ast.AugAssign) -> Value | None:
        """What `x op= y` computes with, where that is read before y; None where x changes in one step afterwards."""
        return None

    def update(self, low: Lowering, node: ast.AugAssign, op: ast.operator, value: Value) -> None:
        """`x op= value`. A place in shared memory overrides this with an atomic one where there is one."""
        self.store(low, node, low.binary(node, op, self.read(low, node), value))

    def delete(self, low: Lowering, node: ast.AST) -> None:
        """`del x`, where x is a place."""
        raise low.refuse(node, f"`del` doesn't work on {self.describe()}", "`del counts[key]`, of a hash map")

    # whole

    def returned(self, low: Lowering, node: ast.AST) -> None:
        """`return x`: refuses what ends with the function, though Python would keep it."""

    def call(self, low: Lowering, node: ast.Call) -> Value:
        """`x(...)`. Arguments are still nodes: `low.expression(node.args[0])` lowers one."""
        raise low.refuse(node, f"{self.describe()} can't be called", "a function with annotations: `name(x)`")

    def enter(self, low: Lowering, node: ast.AST) -> Value:
        """`with x as y`: what y is."""
        raise low.refuse(
            node, f"`with` doesn't work on {self.describe()}", "`with ring.reserve(T) as record:` is what it is for"
        )

    def leave(self, low: Lowering, node: ast.AST) -> None:
        """The end of the `with` block; called on each way out: the end, `return`, `break`, `continue`."""

    def series(self, low: Lowering, node: ast.For) -> Series:
        """`for y in x`."""
        raise low.refuse(node.iter, f"`for` can't go through {self.describe()}", "for i in range(...):")

    def variable(self, low: Lowering, node: ast.AST, name: str) -> Value:
        """A place that can hold values like this one: a new local variable. It isn't stored yet."""
        raise low.refuse(node, f"{self.describe()} can't be kept in a variable", "use it by its own name")

    def merge(self, low: Lowering, node: ast.AST, other: Value) -> Kind:
        """The kind of `self if c else other`, and of `and` and `or`."""
        raise low.refuse(node, f"{self.describe()} and {other.describe()} have no type in common", "use if and else")


@dataclass(frozen=True, slots=True)
class Series:
    """What `for` goes through: `count` elements, `item(index)` being one; the index is an operand of type i64."""

    count: int
    item: Callable[[str], Value]


class Kind(Protocol):
    """A type that an annotation names: how parameters, results and variables of it are passed and kept."""

    @property
    def name(self) -> str: ...

    @property
    def ir(self) -> str:
        """The LLVM type of an argument or result; `void` for a result of none."""
        ...

    def convert(self, low: Lowering, node: ast.AST, value: Value) -> str:
        """An operand of type `ir` for a value that is passed, returned or kept. Refuses what doesn't fit."""
        ...

    def value(self, low: Lowering, operand: str) -> Value:
        """What an operand of type `ir` is: an argument inside the function, a result outside."""
        ...

    def variable(self, low: Lowering, node: ast.AST, name: str) -> Value:
        """A place for values of this type, not stored to yet."""
        ...

    def debug(self, low: Lowering) -> str:
        """The debug-information type of a parameter, `!12`, or `null`."""
        ...


Resolver = Callable[["Lowering", object], "Value | None"]
"""Turns a Python object (a layout class, a map view, a ring, a helper, a module) into a value; None: not mine."""

KindOf = Callable[[object], "Kind | None"]
"""Turns what an annotation names into a kind; None: not mine."""


@dataclass(frozen=True, slots=True)
class Nothing(Value):
    """None: what a function without a result gives."""

    def describe(self) -> str:
        return "None"

    def truth(self, low: Lowering, node: ast.AST) -> str:
        return "false"

    def is_none(self, low: Lowering, node: ast.AST) -> str:
        return "true"

    def number(self, low: Lowering, node: ast.AST) -> Number:
        raise low.refuse(
            node, "None is used as a number", "a number; a function that gives one is declared with `-> int`"
        )

    def variable(self, low: Lowering, node: ast.AST, name: str) -> Value:
        raise low.refuse(
            node,
            f"`{name}` is None from the start, so its type isn't known",
            "assign None nowhere: use a number, or a second variable",
        )
