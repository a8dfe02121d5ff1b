"""Maps in a program: `presses[0] += 1`, `counts[key]`, `.get(key)`, `key in counts`, `del counts[key]`.

A hash of numbers reads 0 for a key that isn't there, and `+=` makes it, as in collections.Counter. Values change in
one step where that is possible (`+= -= &= |= ^=` on 4 and 8 bytes), because other programs and slots write them too.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from axiom_hw.bpf import helpers
from axiom_hw.bpf.frontend import statements
from axiom_hw.bpf.frontend.arrays import checked
from axiom_hw.bpf.frontend.mapglobals import map_symbol
from axiom_hw.bpf.frontend.memory import Element, Room, held_number, in_one_step, load
from axiom_hw.bpf.frontend.numbers import Bool, Number, const, of_scalar
from axiom_hw.bpf.frontend.optional import OptionalNumber
from axiom_hw.bpf.frontend.structs import StructLiteral, StructRef, held, layout_class
from axiom_hw.bpf.frontend.values import Nothing, Series, Value
from axiom_hw.bpf.layout import U32, Scalar, scalar_of
from axiom_hw.bpf.maps.view import ArrayView, HashView
from axiom_hw.bpf.spec import MapSpec

if TYPE_CHECKING:
    from axiom_hw.bpf.frontend.lowering import Lowering

_LOOKUP: Final = helpers.BY_NAME["map_lookup_elem"].id
_UPDATE: Final = helpers.BY_NAME["map_update_elem"].id
_DELETE: Final = helpers.BY_NAME["map_delete_elem"].id
_NOEXIST: Final = 1

Content = Scalar | type[Any]
"""What a key or value is: a number, or a class made by `@layout`."""


def map_value(low: Lowering, found: object) -> Value | None:
    """A resolver: the views that `app.array` and `app.hash` give."""
    if isinstance(found, ArrayView):
        spec = found.map.spec
        return ArrayMapValue(map_symbol(low, spec, U32, found.value_type), spec, found.value_type)
    if isinstance(found, HashView):
        spec = found.map.spec
        symbol = map_symbol(low, spec, found.key_type, found.value_type)
        return HashMapValue(symbol, spec, found.key_type, found.value_type)
    return None


def content(low: Lowering, node: ast.AST, found: object, what: str) -> Content:
    """The type of a key or value. Refuses bytes, which no syntax of a program makes."""
    kind = scalar_of(found) or layout_class(found)
    if kind is None:
        raise low.refuse(
            node, f"{what} are bytes, which programs have no use for",
            "declare the type: app.hash(name, hw.u32, hw.u64), or a class with @hw.layout",
        )  # fmt: skip
    return kind


@dataclass(frozen=True, slots=True)
class ArrayMapValue(Value):
    """An array map. `symbol` is its global in the module."""

    symbol: str
    spec: MapSpec
    value_type: object

    def describe(self) -> str:
        return f"the array {self.spec.name}"

    def number(self, low: Lowering, node: ast.AST) -> Number:
        raise low.refuse(node, f"{self.describe()} is used as a number", f"{self.spec.name}[0]")

    def contains(self, low: Lowering, node: ast.AST, item: Value) -> str:
        return low.op(f"icmp ult i64 {item.number(low, node).operand}, {self.length}")

    def attribute(self, low: Lowering, node: ast.AST, name: str) -> Value:
        if name != "get":
            raise low.refuse(
                node, f"{self.describe()} has no `.{name}` in a program",
                f"`{self.spec.name}[index]`, `{self.spec.name}.get(index)`, `len({self.spec.name})`",
            )  # fmt: skip
        return Method(self, name)

    def get(self, low: Lowering, node: ast.Call) -> Value:
        """`.get(index)`, `.get(index, default)`: the same without a proof that the index is in range."""
        kind = content(low, node, self.value_type, f"the values of {self.spec.name}")
        given, default = get_arguments(low, node, self.spec.name, kind)
        index = given.number(low, node.args[0])
        slot, flow = low.alloca("ptr"), low.flow
        low.emit(f"store ptr null, ptr {slot}")
        inside, on = low.label("inside"), low.label("on")
        low.branch(low.op(f"icmp ult i64 {index.operand}, {self.length}"), inside, on)
        low.start(inside, flow)
        low.emit(f"store ptr {lookup(low, self.symbol, number_slot(low, index, U32))}, ptr {slot}")
        low.start(on, flow)
        return found_or(low, node, low.op(f"load ptr, ptr {slot}"), kind, default)

    def series(self, low: Lowering, node: ast.For) -> Series:
        raise low.refuse(
            node.iter, f"`for` can't go through {self.describe()}", f"for i in range(len({low.text(node.iter)})):"
        )

    @property
    def length(self) -> int:
        return self.spec.max_entries

    def item(self, low: Lowering, node: ast.Subscript, index: Value) -> Value:
        kind = content(low, node, self.value_type, f"the values of {self.spec.name}")
        number = index.number(low, node.slice)
        return Entry(self.symbol, self.spec.name, checked(low, node, self.describe(), self.length, number), kind)


@dataclass(frozen=True, slots=True)
class Entry(Value):
    """`presses[index]`: an entry of an array, which is always there."""

    symbol: str
    name: str
    index: Number
    kind: Content

    def describe(self) -> str:
        return f"an entry of {self.name}"

    def read(self, low: Lowering, node: ast.AST) -> Value:
        if isinstance(self.kind, Scalar):
            return value_or(low, self._found(low), self.kind, const(0), of_scalar("0", self.kind).unsigned)
        return StructRef(self.kind, self._address(low, node), Room.SHARED, f"the entry of {self.name}")

    def attribute(self, low: Lowering, node: ast.AST, name: str) -> Value:
        return self.read(low, node).attribute(low, node, name)

    def store(self, low: Lowering, node: ast.AST, value: Value) -> None:
        update(low, self.symbol, number_slot(low, self.index, U32), value_slot(low, node, self.name, value, self.kind))

    def before(self, low: Lowering, node: ast.AugAssign) -> Value | None:
        at_once = not isinstance(self.kind, Scalar) or in_one_step(node.op, self.kind)
        return None if at_once else self.read(low, node.target)

    def update(self, low: Lowering, node: ast.AugAssign, op: ast.operator, value: Value) -> None:
        if not isinstance(self.kind, Scalar):
            raise low.refuse(
                node,
                f"the entries of {self.name} are structs",
                f"{low.text(node.target)}.{self.kind.LAYOUT.fields[0].name} += ...",
            )
        there, on = low.label("there"), low.label("on")
        address, flow = self._found(low), low.flow
        low.branch(low.op(f"icmp eq ptr {address}, null"), on, there)
        low.start(there, flow)
        Element(address, self.kind, Room.SHARED, low.text(node.target)).update(low, node, op, value)
        low.start(on, flow)

    def delete(self, low: Lowering, node: ast.AST) -> None:
        raise low.refuse(node, f"the entries of the array {self.name} are there for good", "set it to 0")

    def _found(self, low: Lowering) -> str:
        """The address of the value; never null, because the index is in range, but the verifier can't see that."""
        return lookup(low, self.symbol, number_slot(low, self.index, U32))

    def _address(self, low: Lowering, node: ast.AST) -> str:
        """The same, surely not null: elsewhere the program ends, which never happens."""
        address, flow = self._found(low), low.flow
        gone, on = low.label("gone"), low.label("there")
        low.branch(low.op(f"icmp eq ptr {address}, null"), gone, on)
        low.start(gone, flow)
        statements.finish(low, node, const(0) if low.result.ir == "i64" else Nothing())
        low.start(on, flow)
        return address


@dataclass(frozen=True, slots=True)
class HashMapValue(Value):
    """A hash map. `symbol` is its global in the module."""

    symbol: str
    spec: MapSpec
    key_type: object
    value_type: object

    def describe(self) -> str:
        return f"the hash {self.spec.name}"

    def number(self, low: Lowering, node: ast.AST) -> Number:
        raise low.refuse(node, f"{self.describe()} is used as a number", f"{self.spec.name}[key]")

    def series(self, low: Lowering, node: ast.For) -> Series:
        raise low.refuse(
            node.iter, f"`for` can't go through {self.describe()}: nobody knows how long that takes",
            "do that in the application, which may",
        )  # fmt: skip

    def item(self, low: Lowering, node: ast.Subscript, index: Value) -> Value:
        return HashEntry(self, self._key(low, node.slice, index), self._value(low, node))

    def contains(self, low: Lowering, node: ast.AST, item: Value) -> str:
        return low.op(f"icmp ne ptr {lookup(low, self.symbol, self._key(low, node, item))}, null")

    def attribute(self, low: Lowering, node: ast.AST, name: str) -> Value:
        if name not in ("get", "set"):
            raise low.refuse(
                node, f"{self.describe()} has no `.{name}` in a program", f"`{self.spec.name}.get(key)`, `key in "
                f"{self.spec.name}`, `{self.spec.name}[key] = value`, `.set(key, value)`, `del {self.spec.name}[key]`",
            )  # fmt: skip
        return Method(self, name)

    def get(self, low: Lowering, node: ast.Call) -> Value:
        """`.get(key)`, `.get(key, default)`."""
        kind = self._value(low, node)
        given, default = get_arguments(low, node, self.spec.name, kind)
        return found_or(low, node, lookup(low, self.symbol, self._key(low, node.args[0], given)), kind, default)

    def set(self, low: Lowering, node: ast.Call) -> Value:
        """`.set(key, value)`: whether there was room."""
        kind = self._value(low, node)
        if len(node.args) != 2 or node.keywords:
            raise low.refuse(node, "set takes a key and a value", f"{self.spec.name}.set(key, value)")
        given, value = low.expression(node.args[0]), low.expression(node.args[1])
        slot = value_slot(low, node.args[1], self.spec.name, value, kind)
        result = update(low, self.symbol, self._key(low, node.args[0], given), slot)
        return Bool(low.op(f"icmp eq i64 {result}, 0"))

    def _key(self, low: Lowering, node: ast.AST, given: Value) -> str:
        kind = content(low, node, self.key_type, f"the keys of {self.spec.name}")
        if isinstance(kind, Scalar):
            if not isinstance(given, Number | Bool | OptionalNumber):
                raise low.refuse(
                    node, f"the keys of {self.spec.name} are numbers ({kind.name}); here it gets {given.describe()}"
                )
            return number_slot(low, given.number(low, node), kind)
        return struct_address(low, node, f"the keys of {self.spec.name}", given, kind)

    def _value(self, low: Lowering, node: ast.AST) -> Content:
        return content(low, node, self.value_type, f"the values of {self.spec.name}")


@dataclass(frozen=True, slots=True)
class Method(Value):
    """`counts.get` and `counts.set`, to be called."""

    of: HashMapValue | ArrayMapValue
    name: str

    def describe(self) -> str:
        return f"`{self.of.spec.name}.{self.name}`"

    def call(self, low: Lowering, node: ast.Call) -> Value:
        if self.name == "set" and isinstance(self.of, HashMapValue):
            return self.of.set(low, node)
        return self.of.get(low, node)


@dataclass(frozen=True, slots=True)
class HashEntry(Value):
    """`counts[key]`: the value of a key, which may not be there. `key` is the address of its bytes."""

    of: HashMapValue
    key: str
    kind: Content

    def describe(self) -> str:
        return f"a value of {self.of.spec.name}"

    def read(self, low: Lowering, node: ast.AST) -> Value:
        name = self.of.spec.name
        if not isinstance(self.kind, Scalar):
            raise low.refuse(
                node, f"`{low.text(node)}` may not be there, for which Python raises KeyError",
                f"`x = {name}.get(key)`, then `if x is None: return 0`",
            )  # fmt: skip
        zero = const(0)
        return value_or(low, lookup(low, self.of.symbol, self.key), self.kind, zero, of_scalar("0", self.kind).unsigned)

    def attribute(self, low: Lowering, node: ast.AST, name: str) -> Value:
        return self.read(low, node).attribute(low, node, name)

    def store(self, low: Lowering, node: ast.AST, value: Value) -> None:
        update(low, self.of.symbol, self.key, value_slot(low, node, self.of.spec.name, value, self.kind))

    def before(self, low: Lowering, node: ast.AugAssign) -> Value | None:
        at_once = not isinstance(self.kind, Scalar) or in_one_step(node.op, self.kind)
        return None if at_once else self.read(low, node.target)

    def update(self, low: Lowering, node: ast.AugAssign, op: ast.operator, value: Value) -> None:
        if not isinstance(self.kind, Scalar):
            raise low.refuse(
                node,
                f"the values of {self.of.spec.name} are structs",
                f"`x = {self.of.spec.name}.get(key)`, and one of its fields",
            )
        address = lookup(low, self.of.symbol, self.key)
        slot = low.alloca("ptr")
        low.emit(f"store ptr {address}, ptr {slot}")
        missing, there, done, flow = low.label("missing"), low.label("there"), low.label("done"), low.flow
        low.branch(low.op(f"icmp eq ptr {address}, null"), missing, there)
        low.start(missing, flow)
        # Only if nobody else made it meanwhile; then their entry is the one to change.
        update(low, self.of.symbol, self.key, number_slot(low, const(0), self.kind), _NOEXIST)
        low.emit(f"store ptr {lookup(low, self.of.symbol, self.key)}, ptr {slot}")
        low.start(there, flow)
        address = low.op(f"load ptr, ptr {slot}")
        change = low.label("change")
        low.branch(low.op(f"icmp eq ptr {address}, null"), done, change)  # null: the map is full, and has counted it
        low.start(change, flow)
        Element(address, self.kind, Room.SHARED, low.text(node.target)).update(low, node, op, value)
        low.start(done, flow)

    def delete(self, low: Lowering, node: ast.AST) -> None:
        low.op(f"call i64 inttoptr (i64 {_DELETE} to ptr)(ptr {self.of.symbol}, ptr {self.key})")


def get_arguments(low: Lowering, node: ast.Call, name: str, kind: Content) -> tuple[Value, Number | None]:
    """The key and the default of a `.get(...)`, in the order in which Python evaluates them."""
    if len(node.args) not in (1, 2) or node.keywords:
        raise low.refuse(node, "get takes a key, and what to give where it isn't there", f"{name}.get(key)")
    if len(node.args) == 2 and not isinstance(kind, Scalar):
        raise low.refuse(node.args[1], "a struct has no default here", "leave it out, and test for None")
    key = low.expression(node.args[0])
    return key, low.number(node.args[1]) if len(node.args) == 2 else None


def found_or(low: Lowering, node: ast.Call, address: str, kind: Content, default: Number | None) -> Value:
    """What `.get()` gives for the address of a value, null where there is none."""
    if not isinstance(kind, Scalar):
        return StructRef(kind, address, Room.SHARED, f"`{low.text(node)}`", optional=True)
    if default is None:
        return OptionalNumber.at(low, address, kind)
    return value_or(low, address, kind, default, low.unsigned(node, of_scalar("0", kind), default))


def lookup(low: Lowering, symbol: str, key: str) -> str:
    """The address of a key's value, or null."""
    return low.op(f"call ptr inttoptr (i64 {_LOOKUP} to ptr)(ptr {symbol}, ptr {key})")


def update(low: Lowering, symbol: str, key: str, value: str, flags: int = 0) -> str:
    """Set a key's value: 0 or -errno."""
    return low.helper(_UPDATE, f"ptr {symbol}", f"ptr {key}", f"ptr {value}", f"i64 {flags}")


def value_or(low: Lowering, address: str, scalar: Scalar, default: Number, unsigned: bool) -> Number:
    """The number at an address, or `default` where the address is null."""
    slot, flow = low.alloca("i64"), low.flow
    low.emit(f"store i64 {default.operand}, ptr {slot}")
    there, done = low.label("there"), low.label("done")
    low.branch(low.op(f"icmp eq ptr {address}, null"), done, there)
    low.start(there, flow)
    found = load(low, address, scalar, Room.SHARED)
    low.emit(f"store i64 {found.operand}, ptr {slot}")
    low.start(done, flow)
    operand = low.op(f"load i64, ptr {slot}")
    return Number(operand, min(found.lo, default.lo), max(found.hi, default.hi), unsigned)


def number_slot(low: Lowering, number: Number, scalar: Scalar) -> str:
    """The address of memory with a number in it, wrapped to the type."""
    return held_number(low, number, scalar)


def struct_address(low: Lowering, node: ast.AST, what: str, value: Value, cls: type[Any]) -> str:
    """The address of a struct's bytes."""
    if isinstance(value, StructLiteral) and value.cls is cls:
        return held(low, node, value).address
    if isinstance(value, StructRef) and value.cls is cls:
        return value.address
    raise low.refuse(node, f"{what} are {cls.__name__}; here it gets {value.describe()}", f"{cls.__name__}(...)")


def value_slot(low: Lowering, node: ast.AST, name: str, value: Value, kind: Content) -> str:
    """The address of a value's bytes."""
    if not isinstance(kind, Scalar):
        return struct_address(low, node, f"the values of {name}", value, kind)
    if not isinstance(value, Number | Bool):
        raise low.refuse(node, f"the values of {name} are numbers ({kind.name}); here it gets {value.describe()}")
    return number_slot(low, value.number(low, node), kind)
