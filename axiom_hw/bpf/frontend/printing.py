"""`print(f"edge {ctx.value} after {dt} ns")`: a line of the trace, by the helper trace_printk.

It takes up to three numbers and formats as C does, so what is accepted prints what Python would.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from axiom_hw.bpf import helpers
from axiom_hw.bpf.frontend.constants import Text
from axiom_hw.bpf.frontend.memory import constant_data
from axiom_hw.bpf.frontend.numbers import Bool, Number
from axiom_hw.bpf.frontend.values import Nothing, Value

if TYPE_CHECKING:
    from axiom_hw.bpf.frontend.lowering import Lowering

_PRINTK: Final = helpers.BY_NAME["trace_printk"].id
_MOST: Final = 3
_SPEC: Final = re.compile(r"(?P<align>[<>]?)(?P<plus>\+?)(?P<zero>0?)(?P<width>[1-9][0-9]?)?(?P<type>[dxX]?)")


def print_value(low: Lowering, found: object) -> Value | None:
    """A resolver: the function `print`."""
    return Print() if found is print else None


class Print(Value):
    """`print`, to be called."""

    def describe(self) -> str:
        return "the function print"

    def call(self, low: Lowering, node: ast.Call) -> Value:
        if node.keywords:
            raise low.refuse(
                node.keywords[0].value, f"print takes no `{node.keywords[0].arg}` in a program", 'print(f"...")'
            )
        line = _Line(low, node)
        for at, argument in enumerate(node.args):
            if at:
                line.literal(argument, " ")
            line.part(argument)
        data = line.format.encode() + b"\0"
        text = constant_data(low, data)
        numbers = [f"i64 {operand}" for operand in line.operands]
        low.helper(_PRINTK, f"ptr {text}", f"i64 {len(data)}", *numbers)
        return Nothing()


@dataclass
class _Line:
    """A format on its way."""

    low: Lowering
    node: ast.Call

    def __post_init__(self) -> None:
        self.format = ""
        self.operands: list[str] = []

    def part(self, node: ast.expr) -> None:
        """Append what an argument prints."""
        match node:
            case ast.JoinedStr(values=values):
                for value in values:
                    if isinstance(value, ast.FormattedValue):
                        self.replacement(value)
                    else:
                        self.part(value)
            case ast.Constant(value=str(text)):
                self.literal(node, text)
            case _:
                self.value(node, self.low.expression(node), "")

    def literal(self, node: ast.AST, text: str) -> None:
        """Append text as it is."""
        odd = next((c for c in text if not (" " <= c <= "~" or c in "\t\n")), None)
        if odd is not None:
            raise self.low.refuse(node, f"the trace can't show {odd!r}: it takes ASCII", "write it in plain letters")
        self.format += text.replace("%", "%%")

    def replacement(self, node: ast.FormattedValue) -> None:
        """Append `{x}` or `{x:08x}`."""
        if node.conversion != -1:
            raise self.low.refuse(node, f"`!{chr(node.conversion)}` isn't taken", "{x}")
        spec = ""
        if node.format_spec is not None:
            parts = node.format_spec.values if isinstance(node.format_spec, ast.JoinedStr) else []
            if not all(isinstance(part, ast.Constant) for part in parts):
                raise self.low.refuse(node, "a width must be known when the program is compiled", "{x:8}")
            spec = "".join(str(part.value) for part in parts if isinstance(part, ast.Constant))
        self.value(node.value, self.low.expression(node.value), spec)

    def value(self, node: ast.expr, value: Value, spec: str) -> None:
        """Append one value."""
        low = self.low
        if isinstance(value, Text):
            if spec:
                raise low.refuse(node, f"`:{spec}` on a text isn't taken", "{x}")
            self.literal(node, value.text)
            return
        if isinstance(value, Bool):
            raise low.refuse(node, "a bool would print as a number, not as True or False", f"int({low.text(node)})")
        self.format += self._directive(node, value.number(low, node), spec)
        if len(self.operands) > _MOST:
            raise low.refuse(
                node, f"one print takes up to {_MOST} numbers, because the helper trace_printk does", "print twice"
            )

    def _directive(self, node: ast.expr, number: Number, spec: str) -> str:
        low = self.low
        found = _SPEC.fullmatch(spec)
        if found is None or (found["zero"] and found["align"]) or (found["zero"] and not found["width"]):
            raise low.refuse(
                node,
                f"`:{spec}` isn't taken",
                "{x}, {x:d}, {x:x}, {x:X}, {x:+d}, or with a width: {x:8}, {x:<8}, {x:08x}",
            )
        kind = found["type"] or "d"
        if kind in "xX" and (number.lo < 0 or found["plus"]):
            why = "may be negative" if number.lo < 0 else "has no sign in hex"
            raise low.refuse(
                node, f"`{low.text(node)}` {why}: C and Python print it differently", f"{{u64({low.text(node)}):x}}"
            )
        if number.constant is not None:
            return format(number.constant, spec).replace("%", "%%")
        self.operands.append(number.operand)
        flags = ("-" if found["align"] == "<" else "") + ("+" if found["plus"] else "") + found["zero"]
        if kind == "d":
            kind = "u" if number.unsigned and not found["plus"] else "d"
        return f"%{flags}{found['width'] or ''}ll{kind}"
