"""Helpers as Python functions: a declaration that says which row of THE helper table it means, and the call of it.

    @helper("gpio_set", names="output line")
    def gpio_set(line: int | str, value: int) -> int:
        "Drive an output ..."

The name of something on the board stands for the numbers that the row takes in its place, `names` says of what kind.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import update_wrapper
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar, cast, get_type_hints

from axiom_hw.bpf.frontend.constants import text_of
from axiom_hw.bpf.frontend.numbers import of_scalar
from axiom_hw.bpf.frontend.values import Value
from axiom_hw.bpf.helpers import BY_NAME, Helper
from axiom_hw.bpf.layout import S64, Scalar, scalar_of
from axiom_hw.errors import AxiomError, SpecError

if TYPE_CHECKING:
    from axiom_hw.bpf.frontend.lowering import Lowering

_MEANT: Final = re.compile(r"did you mean `(.*)`\?")

P = ParamSpec("P")
R = TypeVar("R")

Names = Callable[[str, str], Sequence[int]]
"""What a name on the board means, given what kind of thing is wanted: the numbers. Raises `AxiomError`."""


class HelperFunction:
    """A helper under its Python name. Called outside of a program it raises `SpecError`."""

    def __init__(self, row: Helper, function: Callable[..., object], names: str) -> None:
        self.row = row
        self.name = function.__name__
        self.names = names
        self.signature = inspect.signature(function)
        self.result: Scalar = scalar_of(get_type_hints(function, include_extras=True)["return"]) or S64
        update_wrapper(self, function)

    def __call__(self, *arguments: object, **named: object) -> object:
        raise SpecError(
            f"{self.name}()", "is called outside of a program: only what runs on a hook has helpers",
            'call it in a function with @app.on("...")',
        )  # fmt: skip

    def __repr__(self) -> str:
        return f"<helper {self.name}{self.signature}>"


def helper(row: str, *, names: str = "") -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Declare the Python name of the helper `row`. With `names`, its first argument may be a name on the board."""

    def declare(function: Callable[P, R]) -> Callable[P, R]:
        return cast("Callable[P, R]", HelperFunction(BY_NAME[row], function, names))

    return declare


@dataclass(frozen=True, slots=True)
class HelperCall(Value):
    """A helper in a program; `board` says what its names mean."""

    function: HelperFunction
    board: Names

    def describe(self) -> str:
        return f"the helper {self.function.name}"

    def call(self, low: Lowering, node: ast.Call) -> Value:
        function, operands = self.function, []
        arguments = bind(low, node, function.name, function.signature)
        named = self._named(low, arguments[0]) if function.names else []
        values = evaluated(low, node, arguments[:1] if named else [])
        for at, argument in enumerate(arguments):
            operands += named if named and at == 0 else [values[argument].number(low, argument).operand]
        wanted = len(function.row.args)
        if len(operands) != wanted:
            raise low.refuse(
                node, f"{function.name} takes the {function.names} by its name on the board",
                f'{function.name}("...", ...)',
            )  # fmt: skip
        found = low.helper(function.row.id, *(f"i64 {operand}" for operand in operands))
        if function.result.size < 8:
            narrow = low.op(f"trunc i64 {found} to i{8 * function.result.size}")
            how = "sext" if function.result.signed else "zext"
            found = low.op(f"{how} i{8 * function.result.size} {narrow} to i64")
        return of_scalar(found, function.result)

    def _named(self, low: Lowering, node: ast.expr) -> list[str]:
        """The numbers that a name on the board means; none where the argument is no text."""
        name = text_of(low, node)
        if name is None:
            return []
        try:
            return [str(number) for number in self.board(self.function.names, name)]
        except AxiomError as error:
            meant = _MEANT.fullmatch(error.fix)
            fix = f'"{meant[1]}"' if meant else error.fix
            raise low.refuse(node, f"{error.place}: {error.problem}", fix) from None


def evaluated(low: Lowering, node: ast.Call, known: Sequence[ast.expr] = ()) -> dict[ast.expr, Value]:
    """The arguments of a call, lowered in the order in which they are written; not those that are `known`."""
    written = (*node.args, *(keyword.value for keyword in node.keywords))
    return {one: low.expression(one) for one in written if one not in known}


def bind(low: Lowering, node: ast.Call, name: str, signature: inspect.Signature) -> list[ast.expr]:
    """The arguments of a call in the order of the parameters. Refuses too few, too many and unknown ones."""
    parameters = list(signature.parameters)
    shown = f"{name}({', '.join(parameters)})"
    for argument in node.args:
        if isinstance(argument, ast.Starred):
            raise low.refuse(argument, "`*` in a call isn't taken", f"give the arguments one by one: {shown}")
    if len(node.args) > len(parameters):
        count = f"{len(parameters)} argument{'s' if len(parameters) != 1 else ''}" if parameters else "no argument"
        raise low.refuse(node.args[len(parameters)], f"{name} takes {count}; here are {len(node.args)}", shown)
    given = dict(zip(parameters, node.args, strict=False))
    for keyword in node.keywords:
        if keyword.arg is None or keyword.arg not in parameters:
            raise low.refuse(keyword.value, f"{name} has no parameter `{keyword.arg or '**'}`", shown)
        if keyword.arg in given:
            raise low.refuse(keyword.value, f"`{keyword.arg}` is given twice", shown)
        given[keyword.arg] = keyword.value
    missing = [p for p in parameters if p not in given]
    if missing:
        raise low.refuse(node, f"{name} needs `{missing[0]}` as well", shown)
    return [given[p] for p in parameters]
