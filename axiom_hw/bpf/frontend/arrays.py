"""Fixed arrays of integers: local ones, fields of structs, and tables, which are tuples of the enclosing module."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from axiom_hw.bpf.frontend.memory import Element, Room, at, clear, constant, not_returned
from axiom_hw.bpf.frontend.numbers import Number, const
from axiom_hw.bpf.frontend.refusal import Refused
from axiom_hw.bpf.frontend.signatures import meaning
from axiom_hw.bpf.frontend.values import Kind, Series, Value
from axiom_hw.bpf.layout import S8, S16, S32, S64, U8, U16, U32, U64, ArrayOf, Scalar, array_type_of, scalar_of, zeros

if TYPE_CHECKING:
    from axiom_hw.bpf.frontend.lowering import Lowering

MAX_BYTES = 512  # of a local array: what a frame of the stack holds


def array_maker(low: Lowering, found: object) -> Value | None:
    """A resolver: `zeros`, `len`, and tuples of integers."""
    if found is zeros:
        return Zeros()
    if found is len:
        return Len()
    if isinstance(found, tuple) and found and all(isinstance(n, int) for n in found):
        return table(low, tuple(int(n) for n in found))
    return None


def array_kind(found: object) -> Kind | None:
    """What an annotation `array_of(u32, 8)` says: a parameter that is an array."""
    array = array_type_of(found)
    return ArrayKind(array) if array is not None else None


def table(low: Lowering, numbers: tuple[int, ...]) -> Value | None:
    """Constants in read-only memory, as narrow as they go."""
    fits = (
        s for s in (U8, S8, U16, S16, U32, S32, U64, S64) if s.limits[0] <= min(numbers) <= max(numbers) <= s.limits[1]
    )
    scalar = next(fits, None)
    if scalar is None:
        return None
    bits = 8 * scalar.size
    elements = ", ".join(f"i{bits} {number}" for number in numbers)
    name = constant(low, f"[{len(numbers)} x i{bits}] [{elements}]", scalar.size)
    return ArrayRef("the table", name, scalar, len(numbers), Room.CTX, "a tuple doesn't change")


class Zeros(Value):
    """`zeros(u32, 8)`, to be called."""

    def describe(self) -> str:
        return "the function zeros"

    def call(self, low: Lowering, node: ast.Call) -> Value:
        shown = "zeros(u32, 8)"
        if len(node.args) != 2 or node.keywords:
            raise low.refuse(node, "zeros takes the type of its numbers, and how many there are", shown)
        kind, count = node.args
        scalar = scalar_of(meaning(low.source, kind))
        if scalar is None:
            raise low.refuse(
                kind, f"`{low.text(kind)}` is no type with a width", "one of u8 u16 u32 u64 s8 s16 s32 s64"
            )
        number = low.constant(count, "the size of an array")
        if not 1 <= number <= MAX_BYTES // scalar.size:
            most = MAX_BYTES // scalar.size
            raise low.refuse(
                count, f"a local array of {scalar.name} has 1 to {most} elements, because a stack has {MAX_BYTES} "
                f"bytes; here it has {number}", "a map: app.array(...)",
            )  # fmt: skip
        return ArrayLiteral(ArrayOf(scalar, number))


class Len(Value):
    """`len(...)`, to be called."""

    def describe(self) -> str:
        return "the function len"

    def call(self, low: Lowering, node: ast.Call) -> Value:
        if len(node.args) != 1 or node.keywords:
            raise low.refuse(node, "len takes one array", "len(samples)")
        found = low.expression(node.args[0])
        length = getattr(found, "length", None)
        if length is None:
            raise low.refuse(node, f"{found.describe()} has no length that a program knows", "count in an array map")
        return const(length)


@dataclass(frozen=True, slots=True)
class ArrayLiteral(Value):
    """`zeros(u32, 8)`: zeros that nothing holds yet."""

    kind: ArrayOf

    def describe(self) -> str:
        return f"an array of {self.kind.count} {self.kind.scalar.name}"

    @property
    def length(self) -> int:
        return self.kind.count

    def returned(self, low: Lowering, node: ast.AST) -> None:
        raise not_returned(low, node)

    def variable(self, low: Lowering, node: ast.AST, name: str) -> Value:
        bits = 8 * self.kind.scalar.size
        return OwnArray(name, self.kind, low.alloca(f"[{self.kind.count} x i{bits}]", name))


@dataclass(frozen=True, slots=True)
class ArrayRef(Value):
    """An array in memory. `readonly` says why it can't be written; empty where it can."""

    shown: str
    address: str
    scalar: Scalar
    count: int
    room: Room
    readonly: str = ""

    def describe(self) -> str:
        return self.shown if self.shown.startswith("the") else f"the array {self.shown}"

    @property
    def length(self) -> int:
        return self.count

    @property
    def kind(self) -> ArrayOf:
        """Its type."""
        return ArrayOf(self.scalar, self.count)

    def number(self, low: Lowering, node: ast.AST) -> Number:
        raise low.refuse(node, f"{self.describe()} is used as a number", "one of its elements: [0]")

    def truth(self, low: Lowering, node: ast.AST) -> str:
        return "true"  # Python: an array that isn't empty

    def item(self, low: Lowering, node: ast.Subscript, index: Value) -> Value:
        number = index.number(low, node.slice)
        return self._element(low, checked(low, node, self.describe(), self.count, number), low.text(node))

    def series(self, low: Lowering, node: ast.For) -> Series:
        return Series(
            self.count, lambda operand: self._element(low, Number(operand, 0, self.count - 1), low.text(node.iter))
        )

    def store(self, low: Lowering, node: ast.AST, value: Value) -> None:
        if self.readonly:
            raise low.refuse(
                node, f"{self.shown} can't be assigned to: {self.readonly}",
                f"an array of your own: `zeros({self.scalar.name}, {self.count})`",
            )  # fmt: skip
        match value:
            case ArrayLiteral(kind=self.kind):
                clear(low, self.address, self.kind.size, self.scalar.size)
            case ArrayRef():
                raise value.second_name(low, node, self.shown)
            case _:
                raise low.refuse(
                    node, f"{self.shown} holds {self.count} {self.scalar.name}; here it gets {value.describe()}",
                    f"zeros({self.scalar.name}, {self.count})",
                )  # fmt: skip

    def returned(self, low: Lowering, node: ast.AST) -> None:
        if self.room is not Room.SHARED:
            raise not_returned(low, node)

    def variable(self, low: Lowering, node: ast.AST, name: str) -> Value:
        raise self.second_name(low, node, f"`{name}`")

    def second_name(self, low: Lowering, node: ast.AST, name: str) -> Refused:
        """The refusal of an assignment of the whole: in Python it makes no copy."""
        return low.refuse(
            node, f"{name} would be a second name of {self.describe()}, and no copy of it",
            f"zeros({self.scalar.name}, {self.count}), and copy the elements in a loop",
        )  # fmt: skip

    def _element(self, low: Lowering, index: Number, name: str) -> Value:
        if index.constant is not None:
            address = at(low, self.address, index.constant * self.scalar.size)
        else:
            base = self.address
            if self.room in (Room.STACK, Room.SOMEWHERE):
                # Of a frame's address LLVM knows the lowest bits, and would set them by `or`, which is no arithmetic
                # on pointers that a verifier follows. So it isn't told where the address comes from.
                base = low.op(f'call ptr asm "", "=r,0"(ptr {base})')
            address = low.op(f"getelementptr inbounds i{8 * self.scalar.size}, ptr {base}, i64 {index.operand}")
        return Element(address, self.scalar, self.room, name, self.readonly)


def checked(low: Lowering, node: ast.Subscript, what: str, count: int, index: Number) -> Number:
    """The index as a number from 0 to `count - 1`; one that may be another is refused now, or by the verifier.

    A constant may be negative, and counts from the end as in Python. So may no variable.
    """
    known = index.constant
    if known is not None:
        if not -count <= known < count:
            raise low.refuse(
                node.slice, f"{what} has {count} elements, 0 to {count - 1}; here is {known}",
                f"an index from 0 to {count - 1}",
            )  # fmt: skip
        return const(known % count)
    if index.lo < 0 or index.hi >= count:
        low.never(low.op(f"icmp uge i64 {index.operand}, {count}"), "IndexError", node.slice)
    return Number(index.operand, max(index.lo, 0), min(index.hi, count - 1))


@dataclass(frozen=True, slots=True)
class OwnArray(Value):
    """A local variable that holds an array."""

    name: str
    kind: ArrayOf
    address: str

    def describe(self) -> str:
        return f"`{self.name}`"

    def read(self, low: Lowering, node: ast.AST) -> Value:
        return ArrayRef(f"`{self.name}`", self.address, self.kind.scalar, self.kind.count, Room.STACK)

    def store(self, low: Lowering, node: ast.AST, value: Value) -> None:
        if isinstance(value, ArrayRef):
            value.variable(low, node, self.name)  # refuses: it would be a second name
        ArrayRef(f"`{self.name}`", self.address, self.kind.scalar, self.kind.count, Room.STACK).store(low, node, value)


@dataclass(frozen=True, slots=True)
class ArrayKind:
    """A parameter that is an array: passed by reference."""

    kind: ArrayOf
    ir: str = "ptr"

    @property
    def name(self) -> str:
        return str(self.kind)

    def convert(self, low: Lowering, node: ast.AST, value: Value) -> str:
        if isinstance(value, ArrayRef) and value.kind == self.kind:
            return value.address
        raise low.refuse(
            node, f"{value.describe()} is given where {self.name} is declared",
            f"zeros({self.kind.scalar.name}, {self.kind.count})",
        )  # fmt: skip

    def value(self, low: Lowering, operand: str) -> Value:
        return ArrayRef("the array", operand, self.kind.scalar, self.kind.count, Room.SOMEWHERE)

    def variable(self, low: Lowering, node: ast.AST, name: str) -> Value:
        return ArrayVariable(name, self.kind, low.alloca("ptr", name))

    def debug(self, low: Lowering) -> str:
        debug = low.module.debug
        if debug is None:
            return "null"
        return debug.pointer(debug.array(debug.scalar(self.kind.scalar), self.kind.count, self.kind.scalar.size))


@dataclass(frozen=True, slots=True)
class ArrayVariable(Value):
    """A parameter that is an array."""

    name: str
    kind: ArrayOf
    slot: str

    def describe(self) -> str:
        return f"`{self.name}`"

    def read(self, low: Lowering, node: ast.AST) -> Value:
        address = low.op(f"load ptr, ptr {self.slot}")
        return ArrayRef(f"`{self.name}`", address, self.kind.scalar, self.kind.count, Room.SOMEWHERE)

    def store(self, low: Lowering, node: ast.AST, value: Value) -> None:
        if not isinstance(value, ArrayRef) or value.room is not Room.SOMEWHERE:
            raise low.refuse(
                node, f"`{self.name}` is a parameter, and stays what it is", "another name, without a type"
            )
        low.emit(f"store ptr {value.address}, ptr {self.slot}")
