"""Places in memory that hold one number: fields, elements, values of maps; and what kind of memory it is."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from axiom_hw.bpf.frontend.numbers import Bool, Number, load_scalar, of_scalar, store_scalar
from axiom_hw.bpf.frontend.refusal import Refused
from axiom_hw.bpf.frontend.values import Value
from axiom_hw.bpf.layout import Scalar

if TYPE_CHECKING:
    from axiom_hw.bpf.frontend.lowering import Lowering


class Room(Enum):
    """Whose memory it is."""

    CTX = "the context"  # read-only
    STACK = "the program's stack"
    RECORD = "a ring record"  # the program's own until it is submitted
    SHARED = "a map"  # others read and write it at any moment
    SOMEWHERE = "memory of the caller"  # a parameter, or a variable of declared type: any of these

    @property
    def shared(self) -> bool:
        """Whether somebody else may be writing it."""
        return self in (Room.SHARED, Room.SOMEWHERE)


# What one instruction does to memory at once (`lock ...`), on 4 or 8 bytes.
ATOMIC: Final = {ast.Add: "add", ast.Sub: "sub", ast.BitAnd: "and", ast.BitOr: "or", ast.BitXor: "xor"}


_AT_ONCE: Final = 64  # stores that are written out one by one; LLVM's BPF back end takes up to 128


def in_one_step(op: ast.operator, scalar: Scalar) -> bool:
    """Whether there is an instruction that changes a number in shared memory so."""
    return type(op) in ATOMIC and scalar.size >= 4


@dataclass(frozen=True, slots=True)
class Element(Value):
    """One number in memory. `readonly` says why it can't be assigned to; empty where it can."""

    address: str
    scalar: Scalar
    room: Room
    name: str
    readonly: str = ""

    def describe(self) -> str:
        return f"`{self.name}`"

    def read(self, low: Lowering, node: ast.AST) -> Value:
        return load(low, self.address, self.scalar, self.room)

    def store(self, low: Lowering, node: ast.AST, value: Value) -> None:
        self._writable(low, node)
        store(low, self.address, self.scalar, self.room, self._number(low, node, value))

    def before(self, low: Lowering, node: ast.AugAssign) -> Value | None:
        return None if self._in_one_step(node.op) else self.read(low, node.target)

    def update(self, low: Lowering, node: ast.AugAssign, op: ast.operator, value: Value) -> None:
        self._writable(low, node)
        if not self._in_one_step(op):
            self.store(low, node, low.binary(node, op, self.read(low, node), value))
            return
        fetch_op(low, self.address, self.scalar, op, self._number(low, node.value, value))

    def _in_one_step(self, op: ast.operator) -> bool:
        return self.room.shared and in_one_step(op, self.scalar)

    def _writable(self, low: Lowering, node: ast.AST) -> None:
        if self.readonly:
            raise low.refuse(node, f"`{self.name}` can't be assigned to: {self.readonly}", "keep it in a variable")

    def _number(self, low: Lowering, node: ast.AST, value: Value) -> Number:
        if not isinstance(value, Number | Bool):
            raise low.refuse(
                node, f"`{self.name}` is a number ({self.scalar.name}); here it gets {value.describe()}", "a number"
            )
        return value.number(low, node)


def not_returned(low: Lowering, node: ast.AST) -> Refused:
    """The refusal of a struct or array as a result, unless it is in a map."""
    return low.refuse(
        node, "a function gives numbers: its structs and arrays end with it",
        "the struct or array as a parameter, which the function fills",
    )  # fmt: skip


def load(low: Lowering, address: str, scalar: Scalar, room: Room) -> Number:
    """The number at an address. Of shared memory each read that is written is one load: volatile.

    (Atomic loads are no choice: LLVM's BPF back end has none of 32 bits before cpu v4.)
    """
    if not room.shared:
        return load_scalar(low, address, scalar)
    bits = 8 * scalar.size
    found = low.op(f"load volatile i{bits}, ptr {address}, align {scalar.size}")
    if bits < 64:
        found = low.op(f"{'s' if scalar.signed else 'z'}ext i{bits} {found} to i64")
    return of_scalar(found, scalar)


def store(low: Lowering, address: str, scalar: Scalar, room: Room, number: Number) -> None:
    """Store a number, wrapped to the type; as `load`."""
    if not room.shared:
        store_scalar(low, address, scalar, number)
        return
    low.emit(f"store volatile i{8 * scalar.size} {narrow(low, number, scalar)}, ptr {address}, align {scalar.size}")


def narrow(low: Lowering, number: Number, scalar: Scalar) -> str:
    """The number as an operand of the type's own width."""
    if number.constant is not None:
        return str(scalar.wrap(number.constant))
    return number.operand if scalar.size == 8 else low.op(f"trunc i64 {number.operand} to i{8 * scalar.size}")


def at(low: Lowering, address: str, offset: int) -> str:
    """The address `offset` bytes on."""
    return low.op(f"getelementptr inbounds i8, ptr {address}, i64 {offset}") if offset else address


def clear(low: Lowering, address: str, size: int, align: int = 8) -> None:
    """Zero `size` bytes. Many are zeroed in a loop: LLVM would call memset, which programs don't have, and ends."""
    many, rest = divmod(size, align)
    if many > _AT_ONCE:
        _clear_in_a_loop(low, address, many, align)
        if rest:
            clear(low, at(low, address, many * align), rest, 1)
        return
    low.module.declarations["@llvm.memset.p0.i64"] = "declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)"
    low.emit(f"call void @llvm.memset.p0.i64(ptr align {align} {address}, i8 0, i64 {size}, i1 false)")


def _clear_in_a_loop(low: Lowering, address: str, count: int, width: int) -> None:
    flow, slot, again, done = low.flow, low.alloca("i64", "cleared"), low.label("clear"), low.label("cleared")
    low.emit(f"store i64 0, ptr {slot}")
    low.start(again, flow)
    index = low.op(f"load i64, ptr {slot}")
    there = low.op(f"getelementptr inbounds i{8 * width}, ptr {address}, i64 {index}")
    low.emit(f"store i{8 * width} 0, ptr {there}, align {width}")
    following = low.op(f"add nuw nsw i64 {index}, 1")
    low.emit(f"store i64 {following}, ptr {slot}")
    low.branch(low.op(f"icmp ult i64 {following}, {count}"), again, done)
    low.start(done, flow)


def fetch_op(low: Lowering, address: str, scalar: Scalar, op: ast.operator, number: Number) -> None:
    """Change a number of 4 or 8 bytes in shared memory in one step, which no other thread can come between."""
    operand = narrow(low, number, scalar)
    low.op(f"atomicrmw {ATOMIC[type(op)]} ptr {address}, i{8 * scalar.size} {operand} monotonic, align {scalar.size}")


def held_number(low: Lowering, number: Number, scalar: Scalar) -> str:
    """The address of memory with a number in it, wrapped to the type: what helpers take for a key or a value."""
    slot = low.hold(f"i{8 * scalar.size}", "held")
    low.emit(f"store i{8 * scalar.size} {narrow(low, number, scalar)}, ptr {slot}, align {scalar.size}")
    return slot


def constant_data(low: Lowering, data: bytes) -> str:
    """The address of read-only bytes."""
    text = "".join(chr(b) if 0x20 <= b < 0x7F and b not in b'"\\' else f"\\{b:02X}" for b in data)
    return constant(low, f'[{len(data)} x i8] c"{text}"', 1)


def constant(low: Lowering, value: str, align: int) -> str:
    """The address of a read-only constant, `[3 x i8] [i8 1, i8 2, i8 3]`; the same one for the same value."""
    definition = f"internal constant {value}, align {align}"
    known = low.module.globals
    for name, there in known.items():
        if there == f"{name} = {definition}":
            return name
    name = f"@constant.{len(known)}"
    known[name] = f"{name} = {definition}"
    return name
