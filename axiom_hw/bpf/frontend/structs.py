"""Structs and fixed arrays: on a program's stack, in maps, in ring records, and the context of its hook.

A local struct or array belongs to the name that it was made under; there is no second name for it, because the next
`x = Record(...)` uses the same memory. What `.get()` gives is a reference into the map: it is None or live.
"""

from __future__ import annotations

import ast
import inspect
from dataclasses import dataclass
from difflib import get_close_matches
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin

from axiom_hw.bpf.frontend.arrays import ArrayLiteral, ArrayRef
from axiom_hw.bpf.frontend.helpercalls import bind
from axiom_hw.bpf.frontend.memory import Element, Room, at, clear, not_returned
from axiom_hw.bpf.frontend.numbers import Bool, Number, const, store_scalar
from axiom_hw.bpf.frontend.refusal import Refused
from axiom_hw.bpf.frontend.values import Kind, Nothing, Value
from axiom_hw.bpf.layout import ArrayOf, Field, Layout

if TYPE_CHECKING:
    from axiom_hw.bpf.frontend.debug import Debug
    from axiom_hw.bpf.frontend.lowering import Lowering


def layout_class(found: object) -> type[Any] | None:
    """The class, if it is one that `@layout` made."""
    return found if isinstance(found, type) and isinstance(getattr(found, "LAYOUT", None), Layout) else None


def is_frozen(cls: type[Any]) -> bool:
    """Whether `@layout(frozen=True)` made it."""
    return bool(cls.__dataclass_params__.frozen)


def struct_class(low: Lowering, found: object) -> Value | None:
    """A resolver: the class itself, which makes structs."""
    cls = layout_class(found)
    return StructClass(cls) if cls is not None else None


def struct_kind(found: object) -> Kind | None:
    """What an annotation `Record`, or `Record | None`, says."""
    cls = layout_class(found)
    if cls is not None:
        return StructKind(cls, optional=False)
    if get_origin(found) in (Union, UnionType):
        classes = [layout_class(one) for one in get_args(found) if one is not NoneType]
        if len(classes) == 1 and classes[0] is not None and NoneType in get_args(found):
            return StructKind(classes[0], optional=True)
    return None


@dataclass(frozen=True, slots=True)
class StructClass(Value):
    """A class made by `@layout`, as a program names it."""

    cls: type[Any]

    def describe(self) -> str:
        return f"the class {self.cls.__name__}"

    def call(self, low: Lowering, node: ast.Call) -> Value:
        arguments = []
        signature = inspect.signature(self.cls)
        left_out = {p.name: p.default for p in signature.parameters.values() if p.default is not p.empty}
        given = {*list(signature.parameters)[: len(node.args)], *(k.arg for k in node.keywords)}
        needed = [p for p in signature.parameters.values() if p.name in given or p.name not in left_out]
        found = bind(low, node, self.cls.__name__, signature.replace(parameters=needed))
        nodes = dict(zip([p.name for p in needed], found, strict=True))
        values = {given: low.expression(given) for given in (*node.args, *(k.value for k in node.keywords))}
        for field in self.cls.LAYOUT.fields:
            if field.name in nodes:
                argument = nodes[field.name]
                arguments.append(_field_value(low, argument, field, values[argument]))
            else:
                arguments.append(const(int(left_out[field.name])))
        return StructLiteral(self.cls, tuple(arguments))


def _field_value(low: Lowering, node: ast.expr, field: Field, value: Value) -> Value:
    if field.count:
        if isinstance(value, ArrayRef):
            raise value.second_name(low, node, f"`{field.name}`")
        if not isinstance(value, ArrayLiteral):
            raise low.refuse(
                node, f"`{field.name}` is an array; here it gets {value.describe()}",
                f"zeros({field.scalar.name}, {field.count})",
            )  # fmt: skip
        if value.kind != ArrayOf(field.scalar, field.count):
            raise low.refuse(
                node, f"`{field.name}` holds {field.count} {field.scalar.name}; here it gets {value.describe()}",
                f"zeros({field.scalar.name}, {field.count})",
            )  # fmt: skip
        return value
    if not isinstance(value, Number | Bool):
        raise low.refuse(node, f"`{field.name}` is a number; here it gets {value.describe()}")
    return value.number(low, node)


@dataclass(frozen=True, slots=True)
class StructLiteral(Value):
    """`Record(a=1, b=2)`: the values of all fields, which nothing holds yet."""

    cls: type[Any]
    values: tuple[Value, ...]

    def describe(self) -> str:
        return f"a {self.cls.__name__}"

    def attribute(self, low: Lowering, node: ast.AST, name: str) -> Value:
        return held(low, node, self).attribute(low, node, name)

    def truth(self, low: Lowering, node: ast.AST) -> str:
        return "true"

    def returned(self, low: Lowering, node: ast.AST) -> None:
        raise not_returned(low, node)

    def variable(self, low: Lowering, node: ast.AST, name: str) -> Value:
        return OwnStruct(name, self.cls, low.alloca(f"[{_words(self.cls.LAYOUT)} x i64]", name))

    def fill(self, low: Lowering, node: ast.AST, address: str) -> None:
        """Write all bytes at an address: the fields, and zeros between them."""
        layout: Layout = self.cls.LAYOUT
        if layout.size != sum(f.size for f in layout.fields) or any(f.count for f in layout.fields):
            clear(low, address, layout.size)
        for field, value in zip(layout.fields, self.values, strict=True):
            if field.count:
                ArrayRef(
                    f"`{field.name}`", at(low, address, field.offset), field.scalar, field.count, Room.STACK
                ).store(low, node, value)
            else:
                store_scalar(low, at(low, address, field.offset), field.scalar, value.number(low, node))


def held(low: Lowering, node: ast.AST, literal: StructLiteral) -> StructRef:
    """Put a literal into memory of its own, for as long as the statement lasts that it stands in."""
    address = low.hold(f"[{_words(literal.cls.LAYOUT)} x i64]", literal.cls.__name__)
    literal.fill(low, node, address)
    return StructRef(literal.cls, address, Room.STACK, f"a {literal.cls.__name__}")


@dataclass(frozen=True, slots=True)
class StructRef(Value):
    """A struct in memory; `optional` where the address may be null, which is None."""

    cls: type[Any]
    address: str
    room: Room
    shown: str
    optional: bool = False
    reused: bool = False  # whether it is the memory of a declared variable, which the next assignment fills again

    def describe(self) -> str:
        return self.shown

    def is_none(self, low: Lowering, node: ast.AST) -> str:
        return low.op(f"icmp eq ptr {self.address}, null") if self.optional else "false"

    def truth(self, low: Lowering, node: ast.AST) -> str:
        return low.op(f"icmp ne ptr {self.address}, null") if self.optional else "true"

    def number(self, low: Lowering, node: ast.AST) -> Number:
        names = ", ".join(f.name for f in self.cls.LAYOUT.fields)
        raise low.refuse(node, f"{self.shown} is a struct, and is used as a number", f"one of its fields: {names}")

    def attribute(self, low: Lowering, node: ast.AST, name: str) -> Value:
        layout: Layout = self.cls.LAYOUT
        field = next((f for f in layout.fields if f.name == name), None)
        if field is None:
            near = get_close_matches(name, [f.name for f in layout.fields], n=1)
            names = ", ".join(f.name for f in layout.fields)
            raise low.refuse(
                node, f"{layout.name} has no field `{name}`; it has {names}", near[0] if near else "one of these"
            )
        readonly = f"{layout.name} is read-only" if self.room is Room.CTX or is_frozen(self.cls) else ""
        if field.count:
            return ArrayRef(
                f"`{name}`", at(low, self.address, field.offset), field.scalar, field.count, self.room, readonly
            )
        return Element(at(low, self.address, field.offset), field.scalar, self.room, name, readonly)

    def variable(self, low: Lowering, node: ast.AST, name: str) -> Value:
        if self.room in (Room.STACK, Room.SOMEWHERE):
            raise self.second_name(low, node, name)
        return StructVariable(name, self.cls, low.alloca("ptr", name), self.room)

    def second_name(self, low: Lowering, node: ast.AST, name: str) -> Refused:
        """The refusal of an assignment of the whole: in Python it makes no copy."""
        return low.refuse(
            node, f"`{name}` would be a second name of {self.shown}, and no copy of it",
            f"use the first name, or make a copy: `{name} = {self.cls.__name__}(...)`",
        )  # fmt: skip

    def returned(self, low: Lowering, node: ast.AST) -> None:
        if self.room is not Room.SHARED:
            raise not_returned(low, node)

    def merge(self, low: Lowering, node: ast.AST, other: Value) -> Kind:
        if isinstance(other, StructRef) and other.cls is self.cls and self.room is other.room is Room.SHARED:
            return StructKind(self.cls, optional=True)
        return Value.merge(self, low, node, other)


@dataclass(frozen=True, slots=True)
class OwnStruct(Value):
    """A local variable that holds a struct."""

    name: str
    cls: type[Any]
    address: str

    def describe(self) -> str:
        return f"`{self.name}`"

    def read(self, low: Lowering, node: ast.AST) -> Value:
        return StructRef(self.cls, self.address, Room.STACK, f"`{self.name}`")

    def store(self, low: Lowering, node: ast.AST, value: Value) -> None:
        if not isinstance(value, StructLiteral) or value.cls is not self.cls:
            raise low.refuse(
                node, f"`{self.name}` is a {self.cls.__name__} of its own; here it gets {value.describe()}",
                f"`{self.name} = {self.cls.__name__}(...)`, or use another name",
            )  # fmt: skip
        value.fill(low, node, self.address)


@dataclass(frozen=True, slots=True)
class StructVariable(Value):
    """A local variable that refers to a struct in a map or a record, or to none."""

    name: str
    cls: type[Any]
    slot: str
    room: Room

    def describe(self) -> str:
        return f"`{self.name}`"

    def read(self, low: Lowering, node: ast.AST) -> Value:
        return StructRef(self.cls, low.op(f"load ptr, ptr {self.slot}"), self.room, f"`{self.name}`", optional=True)

    def store(self, low: Lowering, node: ast.AST, value: Value) -> None:
        if not isinstance(value, StructRef) or value.cls is not self.cls or value.room is not self.room:
            raise low.refuse(
                node, f"`{self.name}` is a reference to a {self.cls.__name__} in {self.room.value}; "
                f"here it gets {value.describe()}", "use another name",
            )  # fmt: skip
        low.emit(f"store ptr {value.address}, ptr {self.slot}")


@dataclass(frozen=True, slots=True)
class StructKind:
    """A parameter that is a struct: passed by reference."""

    cls: type[Any]
    optional: bool
    ir: str = "ptr"

    @property
    def room(self) -> Room:
        """Nobody writes what is frozen: the context of a hook, most of all."""
        return Room.CTX if is_frozen(self.cls) else Room.SOMEWHERE

    @property
    def name(self) -> str:
        return f"{self.cls.__name__} | None" if self.optional else self.cls.__name__

    def convert(self, low: Lowering, node: ast.AST, value: Value) -> str:
        if isinstance(value, StructLiteral) and value.cls is self.cls:
            return held(low, node, value).address
        if isinstance(value, StructRef) and value.cls is self.cls:
            return value.address
        raise low.refuse(
            node, f"{value.describe()} is given where a {self.name} is declared", f"{self.cls.__name__}(...)"
        )

    def value(self, low: Lowering, operand: str) -> Value:
        return StructRef(self.cls, operand, self.room, f"the {self.cls.__name__}", optional=self.optional)

    def variable(self, low: Lowering, node: ast.AST, name: str) -> Value:
        own = low.alloca(f"[{_words(self.cls.LAYOUT)} x i64]", name)
        return DeclaredStruct(name, self, low.alloca("ptr", name), own)

    def debug(self, low: Lowering) -> str:
        debug = low.module.debug
        return debug.pointer(debug_struct(debug, self.cls.LAYOUT)) if debug else "null"


@dataclass(frozen=True, slots=True)
class DeclaredStruct(Value):
    """A parameter, or a variable that was declared as a struct: it refers to one, or to memory of its own."""

    name: str
    kind: StructKind
    slot: str
    own: str

    def describe(self) -> str:
        return f"`{self.name}`"

    def read(self, low: Lowering, node: ast.AST) -> Value:
        address = low.op(f"load ptr, ptr {self.slot}")
        return StructRef(
            self.kind.cls, address, self.kind.room, f"`{self.name}`", optional=self.kind.optional, reused=True
        )

    def store(self, low: Lowering, node: ast.AST, value: Value) -> None:
        match value:
            case StructLiteral(cls=self.kind.cls):
                value.fill(low, node, self.own)
                address = self.own
            case StructRef(cls=self.kind.cls) if value.reused:
                raise value.second_name(low, node, self.name)
            case StructRef(cls=self.kind.cls) if value.room is not Room.STACK:
                address = value.address
            case Nothing() if self.kind.optional:
                address = "null"
            case _:
                raise low.refuse(
                    node, f"`{self.name}` is declared as {self.kind.name}; here it gets {value.describe()}",
                    f"{self.kind.cls.__name__}(...)",
                )  # fmt: skip
        low.emit(f"store ptr {address}, ptr {self.slot}")


def debug_struct(debug: Debug, layout: Layout) -> str:
    """The debug-information type of a struct."""
    rows = []
    for field in layout.fields:
        kind = debug.scalar(field.scalar)
        if field.count:
            kind = debug.array(kind, field.count, field.scalar.size)
        rows.append((field.name, kind, field.offset, field.size))
    return debug.struct(layout.name, layout.size, rows)


def _words(layout: Layout) -> int:
    return -(-layout.size // 8)
