"""A number that may be None: what `counts.get(key)` gives where the values are numbers."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from axiom_hw.bpf.frontend.memory import Room, load
from axiom_hw.bpf.frontend.numbers import Bool, Number, of_scalar
from axiom_hw.bpf.frontend.values import Nothing, Value
from axiom_hw.bpf.layout import Scalar

if TYPE_CHECKING:
    from axiom_hw.bpf.frontend.lowering import Lowering


@dataclass(frozen=True, slots=True)
class OptionalNumber(Value):
    """`operand` is the number, where `none`, an i1, is false."""

    none: str
    operand: str
    scalar: Scalar

    @classmethod
    def at(cls, low: Lowering, address: str, scalar: Scalar) -> OptionalNumber:
        """The number at an address as it is now; None where the address is null."""
        slot, flow = low.alloca("i64"), low.flow
        low.emit(f"store i64 0, ptr {slot}")
        there, done = low.label("there"), low.label("done")
        none = low.op(f"icmp eq ptr {address}, null")
        low.branch(none, done, there)
        low.start(there, flow)
        found = load(low, address, scalar, Room.SHARED)
        low.emit(f"store i64 {found.operand}, ptr {slot}")
        low.start(done, flow)
        return cls(none, low.op(f"load i64, ptr {slot}"), scalar)

    def describe(self) -> str:
        return "a number or None"

    def is_none(self, low: Lowering, node: ast.AST) -> str:
        return self.none

    def truth(self, low: Lowering, node: ast.AST) -> str:
        return low.op(f"icmp ne i64 {self.operand}, 0")  # it is 0 where it is None

    def number(self, low: Lowering, node: ast.AST) -> Number:
        low.never(self.none, "TypeError", node)
        return of_scalar(self.operand, self.scalar)

    def variable(self, low: Lowering, node: ast.AST, name: str) -> Value:
        return OptionalVariable(name, low.alloca("i1", name), low.alloca("i64", name), self.scalar)


@dataclass(frozen=True, slots=True)
class OptionalVariable(Value):
    """A local variable that holds a number or None."""

    name: str
    none: str
    slot: str
    scalar: Scalar

    def describe(self) -> str:
        return f"`{self.name}`"

    def read(self, low: Lowering, node: ast.AST) -> Value:
        return OptionalNumber(low.op(f"load i1, ptr {self.none}"), low.op(f"load i64, ptr {self.slot}"), self.scalar)

    def store(self, low: Lowering, node: ast.AST, value: Value) -> None:
        match value:
            case OptionalNumber():
                none, operand = value.none, value.operand
            case Nothing():
                none, operand = "true", "0"
            case Number() | Bool():
                none, operand = "false", value.number(low, node).operand
            case _:
                raise low.refuse(node, f"`{self.name}` is a number or None; here it gets {value.describe()}")
        low.emit(f"store i1 {none}, ptr {self.none}")
        low.emit(f"store i64 {operand}, ptr {self.slot}")
