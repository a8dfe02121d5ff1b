"""Integers and bools: operands of 64 bits with what is known of their range, and the places that hold them.

A `Number` is computed on 64 bits. It is unsigned if its type is u64, else signed; everything narrower is exact in s64.
`lo` and `hi` bound it: they come from declared widths and constants, decide signs, and are never guessed.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from axiom_hw.bpf.frontend.values import Kind, Value
from axiom_hw.bpf.layout import S64, U64, Scalar

if TYPE_CHECKING:
    from axiom_hw.bpf.frontend.lowering import Lowering

S64_MIN, S64_MAX = S64.limits
U64_MAX: Final = U64.limits[1]


@dataclass(frozen=True, slots=True)
class Number(Value):
    """An operand of type i64. A constant has `lo == hi`, and may be any integer until it meets a variable."""

    operand: str
    lo: int
    hi: int
    unsigned: bool = False

    @property
    def constant(self) -> int | None:
        """Its value, where that is known here."""
        return self.lo if self.lo == self.hi else None

    def describe(self) -> str:
        return "a number"

    def number(self, low: Lowering, node: ast.AST) -> Number:
        return self

    def truth(self, low: Lowering, node: ast.AST) -> str:
        if self.constant is not None:
            return "true" if self.constant else "false"
        return low.op(f"icmp ne i64 {self.operand}, 0")

    def variable(self, low: Lowering, node: ast.AST, name: str) -> Value:
        return IntKind(U64 if self.unsigned else S64, "int").variable(low, node, name)

    def merge(self, low: Lowering, node: ast.AST, other: Value) -> Kind:
        if not isinstance(other, Number | Bool):
            raise low.refuse(node, f"this is a number or {other.describe()}: no type for both", "use if and else")
        beside = _AS_NUMBER if isinstance(other, Bool) else other
        return IntKind(U64 if low.unsigned(node, self, beside) else S64, "int")


def const(value: int) -> Number:
    """A constant; one that doesn't fit s64 is u64."""
    return Number(str(value), value, value, value > S64_MAX)


def signed(operand: str, lo: int = S64_MIN, hi: int = S64_MAX) -> Number:
    """An s64, in a range; a range that s64 can't hold means that the operation wrapped."""
    return Number(operand, lo, hi) if S64_MIN <= lo <= hi <= S64_MAX else Number(operand, S64_MIN, S64_MAX)


def unsigned(operand: str, lo: int = 0, hi: int = U64_MAX) -> Number:
    """A u64, in a range."""
    return Number(operand, lo, hi, True) if 0 <= lo <= hi <= U64_MAX else Number(operand, 0, U64_MAX, True)


@dataclass(frozen=True, slots=True)
class Bool(Value):
    """An operand of type i1."""

    operand: str

    def describe(self) -> str:
        return "a bool"

    def number(self, low: Lowering, node: ast.AST) -> Number:
        if self.operand in ("true", "false"):
            return const(int(self.operand == "true"))
        return signed(low.op(f"zext i1 {self.operand} to i64"), 0, 1)

    def truth(self, low: Lowering, node: ast.AST) -> str:
        return self.operand

    def variable(self, low: Lowering, node: ast.AST, name: str) -> Value:
        return BoolKind().variable(low, node, name)

    def merge(self, low: Lowering, node: ast.AST, other: Value) -> Kind:
        return BoolKind() if isinstance(other, Bool) else _AS_NUMBER.merge(low, node, other)


_AS_NUMBER: Final = Number("", 0, 1)  # what a bool counts as, where only the type matters


@dataclass(frozen=True, slots=True)
class IntKind:
    """`int` and u8 to s64. Passed and kept as 64 bits, wrapped to the width when they are stored."""

    scalar: Scalar
    name: str

    @property
    def ir(self) -> str:
        return "i64"

    def convert(self, low: Lowering, node: ast.AST, value: Value) -> str:
        return wrap(low, value.number(low, node), self.scalar).operand

    def value(self, low: Lowering, operand: str) -> Value:
        return of_scalar(operand, self.scalar)

    def variable(self, low: Lowering, node: ast.AST, name: str) -> Value:
        return IntVariable(name, low.alloca(f"i{8 * self.scalar.size}", name), self)

    def debug(self, low: Lowering) -> str:
        return low.module.debug.scalar(self.scalar) if low.module.debug else "null"


@dataclass(frozen=True, slots=True)
class BoolKind:
    """`bool`."""

    name: str = "bool"
    ir: str = "i1"

    def convert(self, low: Lowering, node: ast.AST, value: Value) -> str:
        if not isinstance(value, Bool):
            raise low.refuse(node, f"{value.describe()} is given where a bool is declared", "bool(...)")
        return value.operand

    def value(self, low: Lowering, operand: str) -> Value:
        return Bool(operand)

    def variable(self, low: Lowering, node: ast.AST, name: str) -> Value:
        return BoolVariable(name, low.alloca("i1", name))

    def debug(self, low: Lowering) -> str:
        return low.module.debug.boolean() if low.module.debug else "null"


@dataclass(frozen=True, slots=True)
class NoKind:
    """`None`, as a result."""

    name: str = "None"
    ir: str = "void"

    def convert(self, low: Lowering, node: ast.AST, value: Value) -> str:
        raise AssertionError("a parameter of no kind is refused")

    def value(self, low: Lowering, operand: str) -> Value:
        raise AssertionError("a call without a result gives no operand")

    def variable(self, low: Lowering, node: ast.AST, name: str) -> Value:
        raise low.refuse(node, "a variable can't be declared as None", "name: int")

    def debug(self, low: Lowering) -> str:
        return "null"


def of_scalar(operand: str, scalar: Scalar) -> Number:
    """An operand of type i64 that holds a number of this type, sign or zero extended."""
    return Number(operand, *scalar.limits, unsigned=scalar is U64 or scalar == U64)


def wrap(low: Lowering, number: Number, scalar: Scalar) -> Number:
    """The number modulo 2**bits, as that type holds it."""
    lo, hi = scalar.limits
    if number.constant is not None:
        value = scalar.wrap(number.constant)
        return Number(str(value), value, value, scalar == U64)
    if scalar.size == 8:
        if lo <= number.lo and number.hi <= hi:
            return Number(number.operand, number.lo, number.hi, scalar == U64)
        return of_scalar(number.operand, scalar)
    if lo <= number.lo and number.hi <= hi:
        return Number(number.operand, number.lo, number.hi)
    narrow = low.op(f"trunc i64 {number.operand} to i{8 * scalar.size}")
    return of_scalar(low.op(f"{'s' if scalar.signed else 'z'}ext i{8 * scalar.size} {narrow} to i64"), scalar)


def load_scalar(low: Lowering, address: str, scalar: Scalar, ordering: str = "") -> Number:
    """The number at an address, which is aligned; `ordering` makes it atomic, such as `monotonic`."""
    bits = 8 * scalar.size
    how = f"load atomic i{bits}, ptr {address} {ordering}" if ordering else f"load i{bits}, ptr {address}"
    found = low.op(f"{how}, align {scalar.size}")
    if bits < 64:
        found = low.op(f"{'s' if scalar.signed else 'z'}ext i{bits} {found} to i64")
    return of_scalar(found, scalar)


def store_scalar(low: Lowering, address: str, scalar: Scalar, number: Number, ordering: str = "") -> None:
    """Store a number, wrapped to the type, at an address that is aligned."""
    bits = 8 * scalar.size
    if number.constant is not None:
        operand = str(scalar.wrap(number.constant))
    else:
        operand = number.operand if bits == 64 else low.op(f"trunc i64 {number.operand} to i{bits}")
    if ordering:
        low.emit(f"store atomic i{bits} {operand}, ptr {address} {ordering}, align {scalar.size}")
    else:
        low.emit(f"store i{bits} {operand}, ptr {address}, align {scalar.size}")


@dataclass(frozen=True, slots=True)
class IntVariable(Value):
    """A local variable of a declared width."""

    name: str
    slot: str
    kind: IntKind

    def describe(self) -> str:
        return f"`{self.name}`"

    def read(self, low: Lowering, node: ast.AST) -> Value:
        return load_scalar(low, self.slot, self.kind.scalar)

    def store(self, low: Lowering, node: ast.AST, value: Value) -> None:
        if not isinstance(value, Number | Bool):
            raise low.refuse(
                node, f"`{self.name}` is a number ({self.kind.scalar.name}); here it gets {value.describe()}",
                "use another name",
            )  # fmt: skip
        store_scalar(low, self.slot, self.kind.scalar, value.number(low, node))


@dataclass(frozen=True, slots=True)
class BoolVariable(Value):
    """A local variable that is True or False."""

    name: str
    slot: str

    def describe(self) -> str:
        return f"`{self.name}`"

    def read(self, low: Lowering, node: ast.AST) -> Value:
        return Bool(low.op(f"load i1, ptr {self.slot}"))

    def store(self, low: Lowering, node: ast.AST, value: Value) -> None:
        if not isinstance(value, Bool):
            raise low.refuse(
                node,
                f"`{self.name}` is a bool; here it gets {value.describe()}",
                f"bool(...), or `{self.name}: int = ...`",
            )
        low.emit(f"store i1 {value.operand}, ptr {self.slot}")
