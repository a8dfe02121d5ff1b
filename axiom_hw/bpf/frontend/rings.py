"""Rings in a program: `edges.output(x)`, and `with edges.reserve(Record) as r:`, which submits at the end of the block.

Both tell whether there was room: `output` is False, and `r` is None, where the ring is full (it counts that).
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from axiom_hw.bpf import helpers
from axiom_hw.bpf.frontend.arrays import ArrayRef
from axiom_hw.bpf.frontend.mapglobals import map_symbol
from axiom_hw.bpf.frontend.memory import Room, clear, held_number
from axiom_hw.bpf.frontend.numbers import Bool, Number
from axiom_hw.bpf.frontend.structs import StructClass, StructLiteral, StructRef, held, layout_class
from axiom_hw.bpf.frontend.values import Nothing, Value
from axiom_hw.bpf.layout import scalar_of
from axiom_hw.bpf.maps.ring import RECORD_HEADER
from axiom_hw.bpf.maps.ring_reader import RingReader

if TYPE_CHECKING:
    from axiom_hw.bpf.frontend.lowering import Lowering

_OUTPUT: Final = helpers.BY_NAME["ringbuf_output"].id
_RESERVE: Final = helpers.BY_NAME["ringbuf_reserve"].id
_SUBMIT: Final = helpers.BY_NAME["ringbuf_submit"].id
_DISCARD: Final = helpers.BY_NAME["ringbuf_discard"].id


def ring_value(low: Lowering, found: object) -> Value | None:
    """A resolver: the readers that `app.ringbuf` gives."""
    if not isinstance(found, RingReader):
        return None
    spec = found.map.spec
    return Ring(map_symbol(low, spec), found.name, found.record_type, spec.max_entries)


@dataclass(frozen=True, slots=True)
class Ring(Value):
    """A ring. `symbol` is its global in the module; `record_type` what its consumer reads, None for bytes.

    `size` is its room in bytes.
    """

    symbol: str
    name: str
    record_type: object
    size: int

    def describe(self) -> str:
        return f"the ring {self.name}"

    def attribute(self, low: Lowering, node: ast.AST, name: str) -> Value:
        if name not in ("output", "reserve", "discard"):
            raise low.refuse(
                node, f"{self.describe()} has no `.{name}` in a program",
                f"`{self.name}.output(x)`, or `with {self.name}.reserve(Record) as record:`",
            )  # fmt: skip
        return RingMethod(self, name)

    def output(self, low: Lowering, node: ast.Call) -> Value:
        """`.output(x)`: whether it fitted."""
        if len(node.args) != 1 or node.keywords:
            raise low.refuse(node, "output takes one record", f"{self.name}.output(record)")
        value = low.expression(node.args[0])
        self._check(low, node.args[0], value)
        address, size = self._bytes(low, node.args[0], value)
        result = low.helper(_OUTPUT, f"ptr {self.symbol}", f"ptr {address}", f"i64 {size}", "i64 0")
        return Bool(low.op(f"icmp eq i64 {result}, 0"))

    def reserve(self, low: Lowering, node: ast.Call) -> Value:
        """`.reserve(Record)`, for `with`."""
        found = low.expression(node.args[0]) if len(node.args) == 1 and not node.keywords else None
        if not isinstance(found, StructClass):
            raise low.refuse(
                node, "reserve takes the class of the record", f"with {self.name}.reserve(Record) as record:"
            )
        self._check(low, node.args[0], found)
        return Reservation(self, found.cls, low.alloca("ptr", "record"))

    def discard(self, low: Lowering, node: ast.Call) -> Value:
        """`.discard(record)`: give a reserved record up."""
        value = low.expression(node.args[0]) if len(node.args) == 1 and not node.keywords else None
        if not isinstance(value, StructRef) or value.room is not Room.RECORD:
            raise low.refuse(node, "discard takes a record that is reserved", f"{self.name}.discard(record)")
        low.emit(f"call void inttoptr (i64 {_DISCARD} to ptr)(ptr {value.address}, i64 0)")
        for reserved, _ in low.withs:  # the end of its block must not submit it
            if isinstance(reserved, Reservation):
                reserved.forget(low, value.address)
        return Nothing()

    def _check(self, low: Lowering, node: ast.AST, value: Value) -> None:
        """Refuse a record that the consumer would take for another."""
        wanted = layout_class(self.record_type)
        cls = getattr(value, "cls", None)
        if cls is not None and cls.LAYOUT.size + RECORD_HEADER > self.size:
            enough = 1 << (cls.LAYOUT.size + RECORD_HEADER).bit_length()
            raise low.refuse(
                node, f"a {cls.__name__} of {cls.LAYOUT.size} bytes never fits into the ring {self.name} of "
                f"{self.size} bytes", f'app.ringbuf("{self.name}", {cls.__name__}, size={enough})',
            )  # fmt: skip
        if self.record_type is None or (wanted is not None and wanted is cls):
            return
        scalar = scalar_of(self.record_type)
        if scalar is not None and isinstance(value, Number | Bool):
            return
        shown = wanted.__name__ if wanted is not None else getattr(scalar, "name", "bytes")
        here = cls.__name__ if cls is not None else value.describe()
        raise low.refuse(
            node, f"the ring {self.name} holds records of {shown}; here it gets {here}",
            f"declare it so where the ring is made: app.ringbuf(\"{self.name}\", {cls.__name__ if cls else 'hw.u64'})",
        )  # fmt: skip

    def _bytes(self, low: Lowering, node: ast.expr, value: Value) -> tuple[str, int]:
        match value:
            case StructLiteral():
                return held(low, node, value).address, value.cls.LAYOUT.size
            case StructRef():
                return value.address, value.cls.LAYOUT.size
            case ArrayRef():
                return value.address, value.count * value.scalar.size
            case Number() | Bool():
                scalar = scalar_of(self.record_type)
                if scalar is None:
                    raise low.refuse(
                        node, f"the ring {self.name} doesn't say how wide its numbers are",
                        f'app.ringbuf("{self.name}", hw.u64)',
                    )  # fmt: skip
                return held_number(low, value.number(low, node), scalar), scalar.size
        raise low.refuse(node, f"{value.describe()} is no record", "a struct, an array or a number")


@dataclass(frozen=True, slots=True)
class RingMethod(Value):
    """`edges.output` and the others, to be called."""

    of: Ring
    name: str

    def describe(self) -> str:
        return f"`{self.of.name}.{self.name}`"

    def call(self, low: Lowering, node: ast.Call) -> Value:
        match self.name:
            case "output":
                return self.of.output(low, node)
            case "reserve":
                return self.of.reserve(low, node)
            case _:
                return self.of.discard(low, node)


@dataclass(frozen=True, slots=True)
class Reservation(Value):
    """`edges.reserve(Record)`. `slot` holds the record's address for as long as it must still be submitted."""

    of: Ring
    cls: type[Any]
    slot: str

    def describe(self) -> str:
        return f"a reservation in {self.of.name}"

    def variable(self, low: Lowering, node: ast.AST, name: str) -> Value:
        raise low.refuse(
            node, "a record is reserved by `with`, which submits it at the end of the block",
            f"with {self.of.name}.reserve({self.cls.__name__}) as {name}:",
        )  # fmt: skip

    def enter(self, low: Lowering, node: ast.AST) -> Value:
        size = self.cls.LAYOUT.size
        address = low.op(f"call ptr inttoptr (i64 {_RESERVE} to ptr)(ptr {self.of.symbol}, i64 {size}, i64 0)")
        low.emit(f"store ptr {address}, ptr {self.slot}")
        got, on, flow = low.label("got"), low.label("on"), low.flow
        low.branch(low.op(f"icmp eq ptr {address}, null"), on, got)
        low.start(got, flow)
        clear(low, address, size)  # as Python would: a record begins with zeros
        low.start(on, flow)
        return StructRef(self.cls, address, Room.RECORD, f"the record of {self.of.name}", optional=True)

    def leave(self, low: Lowering, node: ast.AST) -> None:
        address = low.op(f"load ptr, ptr {self.slot}")
        submit, on, flow = low.label("submit"), low.label("on"), low.flow
        low.branch(low.op(f"icmp eq ptr {address}, null"), on, submit)
        low.start(submit, flow)
        low.emit(f"call void inttoptr (i64 {_SUBMIT} to ptr)(ptr {address}, i64 0)")
        low.start(on, flow)

    def forget(self, low: Lowering, address: str) -> None:
        """It was discarded, if its address is this one."""
        mine = low.op(f"load ptr, ptr {self.slot}")
        same = low.op(f"icmp eq ptr {mine}, {address}")
        left = low.op(f"select i1 {same}, ptr null, ptr {mine}")
        low.emit(f"store ptr {left}, ptr {self.slot}")
