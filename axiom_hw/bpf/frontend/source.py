"""A function as it was written: its file, its syntax tree, and what its names mean."""

from __future__ import annotations

import ast
import builtins
import linecache
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from inspect import CO_ASYNC_GENERATOR, CO_COROUTINE
from types import FunctionType

from axiom_hw.bpf.frontend.refusal import Span
from axiom_hw.errors import SpecError


@dataclass(frozen=True, slots=True)
class Source:
    """`file` is what errors and debug information call it: relative to the working directory where it lies below."""

    function: FunctionType
    node: ast.FunctionDef
    file: str
    lines: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.function.__name__

    @property
    def text(self) -> str:
        """The whole file."""
        return "\n".join(self.lines) + "\n"

    def span(self, node: ast.AST) -> Span:
        """Where a node stands."""
        return Span.of(node, self.file, self.lines)

    def enclosing(self) -> Iterator[tuple[str, object]]:
        """The variables of enclosing functions that this one uses, as far as they have values."""
        for name, cell in zip(self.function.__code__.co_freevars, self.function.__closure__ or (), strict=True):
            try:
                yield name, cell.cell_contents
            except ValueError:
                continue  # the enclosing function hasn't assigned it yet

    def lookup(self, name: str) -> object:
        """What a name that isn't local means. Raises `KeyError` where nothing has it."""
        for free, value in self.enclosing():
            if free == name:
                return value
        if name in self.function.__globals__:
            return self.function.__globals__[name]
        return builtins.__dict__[name]


def read_source(function: Callable[..., object]) -> Source:
    """Find a function's text. Raises `SpecError` where there is none, as for a lambda or one typed at a prompt."""
    if not isinstance(function, FunctionType):
        raise SpecError(repr(function), "is no function written in Python", "def program(ctx: ...) -> int:")
    path = function.__code__.co_filename
    place = f"{path}:{function.__code__.co_firstlineno}"
    if function.__name__ == "<lambda>":
        raise SpecError(place, "a lambda isn't compiled", "a function of its own, with annotations")
    if function.__code__.co_flags & (CO_COROUTINE | CO_ASYNC_GENERATOR):
        raise SpecError(
            place, f"`{function.__name__}` is async, and a program runs to its end at once", "def, without async"
        )
    text = "".join(linecache.getlines(path, function.__globals__))
    node = _definitions(text, path).get((function.__name__, function.__code__.co_firstlineno)) if text else None
    if node is None:
        raise SpecError(
            place, f"the text of `{function.__name__}` can't be found",
            "programs are functions (`def`) in a file",
        )  # fmt: skip
    return Source(function, node, _shown(path), tuple(text.splitlines()))


@lru_cache(maxsize=64)
def _definitions(text: str, path: str) -> dict[tuple[str, int], ast.FunctionDef]:
    """All functions of a file by name and first line, which is that of a decorator where there is one."""
    found = {}
    for node in ast.walk(ast.parse(text, path)):
        if isinstance(node, ast.FunctionDef):
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            found[node.name, first] = node
    return found


def _shown(path: str) -> str:
    here = os.getcwd() + os.sep
    return path[len(here) :] if path.startswith(here) else path
