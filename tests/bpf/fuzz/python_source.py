"""Functions in restricted Python from a string of bytes: integers, bools, a local array, loops, match, calls.

They are meant to be accepted: divisors aren't 0, counts aren't negative, loops are short, every variable has a value.
Numbers are signed, with parameters of any width below u64; or all of them are u64, because results that leave the type
are what Python and programs differ in, and both at once would leave little to compare.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Final

from tests.bpf.fuzz.choices import Choices

_SIGNED: Final = ("int", "u8", "s8", "u16", "s16", "u32", "s32", "bool")
_WRAPPING: Final = ("+", "-", "*", "&", "|", "^")
_COMPARED: Final = ("==", "!=", "<", "<=", ">", ">=")
_EDGES: Final = (0, 1, 2, 7, 10, 63, 127, 128, 255, 256, 1000, 0x7FFF, 0x8000, 0xFFFFFFFF, 0x7FFFFFFF)
_ELEMENTS: Final = 4
_MOST_STATEMENTS: Final = 10
_DEEPEST: Final = 3  # expressions within expressions


def case_text(data: bytes) -> str:
    """A case file."""
    choices = Choices(data)
    unsigned = choices.once_in(5)
    parts = []
    if choices.once_in(2):
        parts.append(_Function(choices, "helper", unsigned, calls="").text())
    parts.append(_Function(choices, "subject", unsigned, calls=parts[0] if parts else "").text())
    tree = ast.parse("\n".join(parts))  # unparse leaves out what brackets aren't needed: precedence is tested too
    return f"# A generated function.\n-- python\n{ast.unparse(tree)}\n"


class _Function:
    """One function, being written."""

    def __init__(self, choices: Choices, name: str, unsigned: bool, calls: str) -> None:
        self.choices = choices
        self.unsigned = unsigned
        self.left = _MOST_STATEMENTS
        self.rows: list[str] = []
        self.loops = 0
        self.counter = 0
        self.calls = [a.annotation for a in _arguments(calls)] if calls else None
        kinds = [self._kind() for _ in range(choices.below(3) + 1)]
        self.ints = [f"a{at}" for at, kind in enumerate(kinds) if kind != "bool"]
        self.bools = [f"a{at}" for at, kind in enumerate(kinds) if kind == "bool"]
        self.fixed: list[str] = []  # loop variables, and parameters of a narrow width: read, but not assigned to
        shown = ", ".join(f"a{at}: {kind}" for at, kind in enumerate(kinds))
        self.result = "u64" if unsigned else choices.pick(("int", "int", "s32", "bool"))
        self.rows.append(f"def {name}({shown}) -> {self.result}:")
        first = self.ints[0] if self.ints else "7"
        self.rows.append(f"    x = {first}")
        self.rows.append(f"    y = {first} + 3" if self.unsigned else "    y = 0")
        self.rows.append("    p = False")
        self.array = choices.once_in(3)
        if self.array:
            self.rows.append(f"    w = hw.zeros({'u64' if unsigned else 's64'}, {_ELEMENTS})")
        self.fixed += self.ints
        self.ints += ["x", "y"]
        self.bools.append("p")

    def _kind(self) -> str:
        return "u64" if self.unsigned else self.choices.pick(_SIGNED)

    def text(self) -> str:
        """The whole function."""
        self.block(1)
        result = self.truth(_DEEPEST) if self.result == "bool" else self.number(_DEEPEST)
        self.rows.append(f"    return s32({result})" if self.result == "s32" else f"    return {result}")
        return "\n".join(self.rows)

    # statements

    def block(self, indent: int) -> None:
        """One or more statements."""
        for _ in range(self.choices.below(4) + 1):
            if self.left <= 0:
                break
            self.left -= 1
            self.statement(indent)
        self.row(indent, "pass")

    def row(self, indent: int, text: str) -> None:
        self.rows.append("    " * indent + text)

    def statement(self, indent: int) -> None:
        """One statement."""
        simple: list[Callable[[int], None]] = [self.assign, self.assign, self.update, self.flag, self.swap]
        compound: list[Callable[[int], None]] = [self.branch, self.branch, self.match, self.give]
        if self.loops < 2:
            compound += [self.for_loop, self.while_loop]
        if self.array:
            simple += [self.element]
        if self.loops:
            simple += [self.leave]
        self.choices.pick(simple + compound if indent < 4 else simple)(indent)

    def assign(self, indent: int) -> None:
        self.row(indent, f"{self.target()} = {self.number(_DEEPEST)}")

    def update(self, indent: int) -> None:
        self.row(indent, f"{self.target()} {self.choices.pick(_WRAPPING)}= {self.number(2)}")

    def flag(self, indent: int) -> None:
        self.row(indent, f"p = {self.truth(_DEEPEST)}")

    def swap(self, indent: int) -> None:
        self.row(indent, f"x, y = {self.number(1)}, {self.number(2)}")

    def element(self, indent: int) -> None:
        how = self.choices.pick(("=", "+=", "^=", "-="))
        index = self.index() if how == "=" else f"{self.choices.pick(self.ints)} % {_ELEMENTS}"
        self.row(indent, f"w[{index}] {how} {self.number(2)}")

    def leave(self, indent: int) -> None:
        self.row(indent, f"if {self.truth(1)}:")
        self.row(indent + 1, self.choices.pick(("continue", "break")))

    def give(self, indent: int) -> None:
        result = self.truth(1) if self.result == "bool" else self.number(2)
        self.row(indent, f"if {self.truth(2)}:")
        self.row(indent + 1, f"return s32({result})" if self.result == "s32" else f"return {result}")

    def branch(self, indent: int) -> None:
        self.row(indent, f"if {self.truth(2)}:")
        self.block(indent + 1)
        if self.choices.once_in(3):
            self.row(indent, f"elif {self.truth(2)}:")
            self.block(indent + 1)
        if self.choices.once_in(2):
            self.row(indent, "else:")
            self.block(indent + 1)

    def match(self, indent: int) -> None:
        self.row(indent, f"match {self.number(1)} % 5:")
        self.row(indent + 1, f"case {self.choices.below(3)}:")
        self.block(indent + 2)
        if self.choices.once_in(2):
            self.row(indent + 1, f"case 3 | {self.choices.below(3) - (not self.unsigned)}:")
            self.block(indent + 2)
        if self.choices.once_in(2):
            self.row(indent + 1, f"case _ if {self.truth(1)}:")
            self.block(indent + 2)
        if self.choices.once_in(2):
            self.row(indent + 1, "case _:")
            self.block(indent + 2)

    def for_loop(self, indent: int) -> None:
        self.counter += 1
        name = f"i{self.counter}"
        start, stop, step = self.choices.pick(((0, 3, 1), (1, 4, 1), (4, 0, -2), (0, 5, 2), (2, 2, 1)))
        bounds = self.choices.pick((f"{stop}", f"{start}, {stop}", f"{start}, {stop}, {step}"))
        if step < 0:
            bounds = f"{start}, {stop}, {step}"
        self.row(indent, f"for {name} in range({bounds}):")
        self.inside(indent, name)

    def while_loop(self, indent: int) -> None:
        self.counter += 1
        name = f"k{self.counter}"
        self.row(indent, f"{name} = 0")
        self.row(indent, f"while {name} < 3 and {self.truth(1)}:")
        self.row(indent + 1, f"{name} += 1")
        self.inside(indent, name)

    def inside(self, indent: int, name: str) -> None:
        """The body of a loop with its variable, and perhaps an else."""
        self.loops += 1
        self.fixed.append(name)
        self.ints.append(name)
        self.block(indent + 1)
        self.ints.remove(name)
        self.loops -= 1
        if self.choices.once_in(4):
            self.row(indent, "else:")
            self.block(indent + 1)

    def target(self) -> str:
        return self.choices.pick([name for name in self.ints if name not in self.fixed])

    # expressions

    def number(self, depth: int) -> str:
        """An integer."""
        if depth <= 0:
            return self.leaf()
        common = [self.leaf, lambda: self.sum(depth), lambda: self.sum(depth), lambda: self.quotient(depth),
                  lambda: self.shift(depth), lambda: self.either(depth), lambda: self.least(depth),
                  lambda: self.operand(depth), lambda: self.walrus(depth)]  # fmt: skip
        if not self.unsigned:
            common += [lambda: self.unary(depth), lambda: f"({self.truth(depth - 1)})", lambda: self.cut(depth)]
        if self.calls is not None:
            common.append(lambda: self.call(depth))
        if self.array:
            common.append(lambda: f"w[{self.index()}]")
        return self.choices.pick(common)()

    def leaf(self) -> str:
        if self.choices.once_in(3):
            return str(self.choices.pick(_EDGES) * (-1 if not self.unsigned and self.choices.once_in(3) else 1))
        return self.choices.pick(self.ints)

    def sum(self, depth: int) -> str:
        return f"({self.number(depth - 1)} {self.choices.pick(_WRAPPING)} {self.number(depth - 1)})"

    def quotient(self, depth: int) -> str:
        divisor = self.choices.pick((
            lambda: str(self.choices.below(12) + 1),
            lambda: str(-self.choices.below(12) - 1) if not self.unsigned else "3",
            lambda: f"(({self.number(depth - 1)} & 7) + 1)",
            lambda: f"max({self.number(depth - 1)}, 1)",
            lambda: f"({self.number(depth - 1)} or 5)",
            lambda: f"({self.number(depth - 1)} | 1)",
        ))()  # fmt: skip
        return f"({self.number(depth - 1)} {self.choices.pick(('//', '%'))} {divisor})"

    def shift(self, depth: int) -> str:
        count = self.choices.pick((
            lambda: str(self.choices.pick((0, 1, 3, 31, 32, 63, 64, 65))),
            lambda: f"({self.number(depth - 1)} & 63)",
            lambda: f"abs({self.number(depth - 1)})" if not self.unsigned else self.number(depth - 1),
        ))()  # fmt: skip
        if self.choices.once_in(3):
            return f"(({self.number(depth - 1)} & 255) << ({count} & 15))"
        return f"({self.number(depth - 1)} >> {count})"

    def unary(self, depth: int) -> str:
        return f"({self.choices.pick('-~+')}{self.number(depth - 1)})"

    def either(self, depth: int) -> str:
        return f"({self.number(depth - 1)} if {self.truth(depth - 1)} else {self.number(depth - 1)})"

    def least(self, depth: int) -> str:
        if not self.unsigned and self.choices.once_in(3):
            return f"abs({self.number(depth - 1)})"
        more = f", {self.leaf()}" if self.choices.once_in(3) else ""
        return f"{self.choices.pick(('min', 'max'))}({self.number(depth - 1)}, {self.number(depth - 1)}{more})"

    def operand(self, depth: int) -> str:
        return f"({self.number(depth - 1)} {self.choices.pick(('and', 'or'))} {self.number(depth - 1)})"

    def walrus(self, depth: int) -> str:
        return f"({self.choices.pick(('x', 'y'))} := {self.number(depth - 1)})"

    def cut(self, depth: int) -> str:
        return f"{self.choices.pick(('u8', 's8', 'u16', 's16', 'u32', 's32', 'int'))}({self.number(depth - 1)})"

    def call(self, depth: int) -> str:
        assert self.calls is not None
        given = []
        for annotation in self.calls:
            kind = ast.unparse(annotation) if annotation is not None else "int"
            value = self.number(depth - 1)
            given.append(
                f"bool({value})" if kind == "bool" else value if kind in ("int", "u64") else f"{kind}({value})"
            )
        return f"helper({', '.join(given)})"

    def index(self) -> str:
        if self.choices.once_in(2):
            return f"{self.number(1)} % {_ELEMENTS}"
        return str(self.choices.below(2 * _ELEMENTS) - _ELEMENTS)

    def truth(self, depth: int) -> str:
        """A bool."""
        if depth <= 0:
            return self.choices.pick([*self.bools, f"({self.leaf()} > {self.leaf()})"])
        return self.choices.pick((
            lambda: f"({self.number(depth - 1)} {self.choices.pick(_COMPARED)} {self.number(depth - 1)})",
            lambda: f"({self.leaf()} {self.choices.pick(_COMPARED)} {self.number(depth - 1)} "
                    f"{self.choices.pick(_COMPARED)} {self.leaf()})",
            lambda: f"(not {self.truth(depth - 1)})",
            lambda: f"({self.truth(depth - 1)} {self.choices.pick(('and', 'or'))} {self.truth(depth - 1)})",
            lambda: f"({self.truth(depth - 1)} {self.choices.pick('&|^')} {self.truth(depth - 1)})",
            lambda: f"({self.number(depth - 1)} in ({self.leaf()}, {self.number(1)}))",
            lambda: f"bool({self.number(depth - 1)})",
            lambda: self.choices.pick(self.bools),
        ))()  # fmt: skip


def _arguments(text: str) -> list[ast.arg]:
    (function,) = ast.parse(text).body
    assert isinstance(function, ast.FunctionDef)
    return function.args.args
