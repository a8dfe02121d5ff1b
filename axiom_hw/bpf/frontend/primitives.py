"""The primitives of `maps.mem` as instructions: what compiled raw functions do where plain Python indexes a view.

Loads acquire, stores release, read-modify-writes do both. `copy`, `equal` and `zero` of a known size are unrolled into
atomic words where both sides are aligned, which is decided at run time unless LLVM can tell; else they go byte by byte.
`equal` and `copy` end with an acquire fence: what is loaded behind them is loaded afterwards.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from axiom_hw.bpf.frontend.numbers import Bool, Number, load_scalar, of_scalar, store_scalar
from axiom_hw.bpf.frontend.values import Nothing, Value
from axiom_hw.bpf.layout import U8, U16, U32, U64, Scalar
from axiom_hw.bpf.maps import mem

if TYPE_CHECKING:
    from axiom_hw.bpf.frontend.lowering import Lowering

_UNROLLED: Final = 64  # bytes; longer ones are copied in a loop of words


@dataclass(frozen=True, slots=True)
class Memory(Value):
    """A `Mem`: the address of its first byte."""

    pointer: str

    def describe(self) -> str:
        return "a Mem"

    def is_none(self, low: Lowering, node: ast.AST) -> str:
        return low.op(f"icmp eq ptr {self.pointer}, null")


@dataclass(frozen=True, slots=True)
class MemoryVariable(Value):
    """A parameter or variable that holds a `Mem`."""

    name: str
    slot: str

    def describe(self) -> str:
        return f"`{self.name}`"

    def read(self, low: Lowering, node: ast.AST) -> Value:
        return Memory(low.op(f"load ptr, ptr {self.slot}"))

    def store(self, low: Lowering, node: ast.AST, value: Value) -> None:
        low.emit(f"store ptr {MemoryKind().convert(low, node, value)}, ptr {self.slot}")


@dataclass(frozen=True, slots=True)
class MemoryKind:
    """`Mem`."""

    name: str = "Mem"
    ir: str = "ptr"

    def convert(self, low: Lowering, node: ast.AST, value: Value) -> str:
        if not isinstance(value, Memory):
            raise low.refuse(node, f"{value.describe()} is given where a Mem is declared")
        return value.pointer

    def value(self, low: Lowering, operand: str) -> Value:
        return Memory(operand)

    def variable(self, low: Lowering, node: ast.AST, name: str) -> Value:
        return MemoryVariable(name, low.alloca("ptr", name))

    def debug(self, low: Lowering) -> str:
        return "null"


@dataclass(frozen=True, slots=True)
class Primitive(Value):
    """One of them, by name."""

    name: str
    lower: Callable[[Lowering, list[str], list[Number]], Value]

    def describe(self) -> str:
        return f"the primitive {self.name}"

    def call(self, low: Lowering, node: ast.Call) -> Value:
        """Its arguments: `Mem`s each with an offset, which make an address, and then numbers."""
        addresses: list[str] = []
        numbers: list[Number] = []
        values = [(argument, low.expression(argument)) for argument in node.args]
        while values:
            at, value = values.pop(0)
            if isinstance(value, Memory):
                at, offset = values.pop(0)
                addresses.append(address(low, value, offset.number(low, at)))
            else:
                numbers.append(value.number(low, at))
        return self.lower(low, addresses, numbers)


def address(low: Lowering, memory: Memory, offset: Number) -> str:
    """The address of the byte at an offset."""
    return low.op(f"getelementptr i8, ptr {memory.pointer}, i64 {offset.operand}")


def _load(scalar: Scalar) -> Callable[[Lowering, list[str], list[Number]], Value]:
    def lower(low: Lowering, addresses: list[str], numbers: list[Number]) -> Value:
        return load_scalar(low, addresses[0], scalar, "acquire")

    return lower


def _store(scalar: Scalar) -> Callable[[Lowering, list[str], list[Number]], Value]:
    def lower(low: Lowering, addresses: list[str], numbers: list[Number]) -> Value:
        store_scalar(low, addresses[0], scalar, numbers[0], "release")
        return Nothing()

    return lower


def _get(scalar: Scalar) -> Callable[[Lowering, list[str], list[Number]], Value]:
    """A load from wherever: one word where it is aligned, else byte by byte."""

    def lower(low: Lowering, addresses: list[str], numbers: list[Number]) -> Value:
        bits = 8 * scalar.size
        slot, aligned, apart, end = low.alloca(f"i{bits}"), *(low.label(x) for x in ("aligned", "bytes", "end"))
        flow = low.flow
        low.branch(_is_aligned(low, addresses, scalar.size), aligned, apart)
        low.start(aligned, flow)
        word = low.op(f"load atomic i{bits}, ptr {addresses[0]} monotonic, align {scalar.size}")
        low.emit(f"store i{bits} {word}, ptr {slot}")
        low.jump(end)
        low.start(apart, flow)
        total = ""
        for index in range(scalar.size):
            at = low.op(f"getelementptr i8, ptr {addresses[0]}, i64 {index}")
            byte = low.op(f"zext i8 {low.op(f'load atomic i8, ptr {at} monotonic, align 1')} to i{bits}")
            moved = low.op(f"shl i{bits} {byte}, {8 * index}")
            total = low.op(f"or i{bits} {total}, {moved}") if total else moved
        low.emit(f"store i{bits} {total}, ptr {slot}")
        low.start(end, flow)
        found = low.op(f"load i{bits}, ptr {slot}")
        return of_scalar(found if bits == 64 else low.op(f"zext i{bits} {found} to i64"), scalar)

    return lower


def _is_aligned(low: Lowering, addresses: list[str], size: int) -> str:
    bits = ""
    for one in addresses:
        number = low.op(f"ptrtoint ptr {one} to i64")
        bits = low.op(f"or i64 {bits}, {number}") if bits else number
    return low.op(f"icmp eq i64 {low.op(f'and i64 {bits}, {size - 1}')}, 0")


def _cas(scalar: Scalar) -> Callable[[Lowering, list[str], list[Number]], Value]:
    def lower(low: Lowering, addresses: list[str], numbers: list[Number]) -> Value:
        old, new = (_narrow(low, number, scalar) for number in numbers)
        kind = f"i{8 * scalar.size}"
        pair = low.op(f"cmpxchg ptr {addresses[0]}, {kind} {old}, {kind} {new} acq_rel acquire, align {scalar.size}")
        return Bool(low.op(f"extractvalue {{ {kind}, i1 }} {pair}, 1"))

    return lower


def _modify(scalar: Scalar, verb: str) -> Callable[[Lowering, list[str], list[Number]], Value]:
    def lower(low: Lowering, addresses: list[str], numbers: list[Number]) -> Value:
        kind, operand = f"i{8 * scalar.size}", _narrow(low, numbers[0], scalar)
        was = low.op(f"atomicrmw {verb} ptr {addresses[0]}, {kind} {operand} acq_rel, align {scalar.size}")
        return of_scalar(was if scalar.size == 8 else low.op(f"zext {kind} {was} to i64"), scalar)

    return lower


def _narrow(low: Lowering, number: Number, scalar: Scalar) -> str:
    if number.constant is not None:
        return str(scalar.wrap(number.constant))
    return number.operand if scalar.size == 8 else low.op(f"trunc i64 {number.operand} to i{8 * scalar.size}")


def _words(size: int) -> list[tuple[object, int]]:
    """A size cut into aligned words: offset and size of each."""
    found: list[tuple[object, int]] = []
    at = 0
    for width in (8, 4, 2, 1):
        while size - at >= width:
            found.append((at, width))
            at += width
    return found


def _split(low: Lowering, addresses: list[str], size: Number, one: Callable[[list[tuple[object, int]]], None]) -> None:
    """Do `one` on every part (offset and width) of a range: words where the addresses are aligned, else bytes."""
    if size.constant == 0:
        return
    words = _words(size.constant) if size.constant is not None and size.constant <= _UNROLLED else None
    widest = max(width for _, width in words) if words else 8
    if widest == 1:
        assert words
        one([*words])
        return
    aligned, apart, end = (low.label(x) for x in ("aligned", "bytes", "end"))
    flow = low.flow
    low.branch(_is_aligned(low, addresses, widest), aligned, apart)
    low.start(aligned, flow)
    if words:
        one([*words])
    else:
        whole = low.op(f"and i64 {size.operand}, -8")
        _loop(low, "0", whole, 8, lambda at: one([(at, 8)]))
        _loop(low, whole, size.operand, 1, lambda at: one([(at, 1)]))
    low.jump(end)
    low.start(apart, flow)
    _loop(low, "0", size.operand, 1, lambda at: one([(at, 1)]))
    low.start(end, flow)


def _loop(low: Lowering, start: str, stop: str, by: int, one: Callable[[str], None]) -> None:
    """`one` for each offset from `start`, below `stop`."""
    flow, counter = low.flow, low.alloca("i64", "at")
    low.emit(f"store i64 {start}, ptr {counter}")
    top, body, done = (low.label(x) for x in ("each", "part", "done"))
    low.start(top, flow)
    at = low.op(f"load i64, ptr {counter}")
    low.branch(low.op(f"icmp ult i64 {at}, {stop}"), body, done)
    low.start(body, flow)
    one(at)
    low.emit(f"store i64 {low.op(f'add i64 {at}, {by}')}, ptr {counter}")
    low.jump(top)
    low.start(done, flow)


def _at(low: Lowering, base: str, offset: object) -> str:
    return low.op(f"getelementptr i8, ptr {base}, i64 {offset}")


def _get_word(low: Lowering, base: str, offset: object, width: int, order: str = "monotonic") -> str:
    return low.op(f"load atomic i{8 * width}, ptr {_at(low, base, offset)} {order}, align {width}")


def _put_word(low: Lowering, base: str, offset: object, width: int, word: str) -> None:
    low.emit(f"store atomic i{8 * width} {word}, ptr {_at(low, base, offset)} monotonic, align {width}")


def _copy(low: Lowering, addresses: list[str], numbers: list[Number]) -> Value:
    """Of ranges that overlap, only up to 64 bytes, aligned, are copied as if through a buffer."""
    to, of = addresses

    def one(parts: list[tuple[object, int]]) -> None:
        loaded = [(at, width, _get_word(low, of, at, width)) for at, width in parts]
        for at, width, word in loaded:
            _put_word(low, to, at, width, word)

    _split(low, addresses, numbers[0], one)
    low.emit("fence acquire")
    return Nothing()


def _zero(low: Lowering, addresses: list[str], numbers: list[Number]) -> Value:
    def one(parts: list[tuple[object, int]]) -> None:
        for at, width in parts:
            _put_word(low, addresses[0], at, width, "0")

    _split(low, addresses, numbers[0], one)
    return Nothing()


def _equal(low: Lowering, addresses: list[str], numbers: list[Number]) -> Value:
    first, second = addresses
    slot = low.alloca("i64", "differ")
    low.emit(f"store i64 0, ptr {slot}")

    def one(parts: list[tuple[object, int]]) -> None:
        for at, width in parts:
            kind = f"i{8 * width}"
            bits = low.op(f"xor {kind} {_get_word(low, first, at, width)}, {_get_word(low, second, at, width)}")
            wide = bits if width == 8 else low.op(f"zext {kind} {bits} to i64")
            before = low.op(f"load i64, ptr {slot}")
            low.emit(f"store i64 {low.op(f'or i64 {before}, {wide}')}, ptr {slot}")

    _split(low, addresses, numbers[0], one)
    low.emit("fence acquire")
    return Bool(low.op(f"icmp eq i64 {low.op(f'load i64, ptr {slot}')}, 0"))


_TABLE: Final[dict[object, Primitive]] = {
    function: Primitive(getattr(function, "__name__", ""), lower)
    for function, lower in (
        (mem.load_u8, _load(U8)),
        (mem.load_u16, _load(U16)),
        (mem.load_u32, _load(U32)),
        (mem.load_u64, _load(U64)),
        (mem.get_u16, _get(U16)),
        (mem.get_u32, _get(U32)),
        (mem.get_u64, _get(U64)),
        (mem.store_u8, _store(U8)),
        (mem.store_u16, _store(U16)),
        (mem.store_u32, _store(U32)),
        (mem.store_u64, _store(U64)),
        (mem.cas_u32, _cas(U32)),
        (mem.cas_u64, _cas(U64)),
        (mem.fetch_add_u32, _modify(U32, "add")),
        (mem.fetch_add_u64, _modify(U64, "add")),
        (mem.exchange_u32, _modify(U32, "xchg")),
        (mem.exchange_u64, _modify(U64, "xchg")),
        (mem.copy, _copy),
        (mem.zero, _zero),
        (mem.equal, _equal),
    )
}


def primitive_value(low: Lowering, found: object) -> Value | None:
    """The resolver of primitives."""
    return _TABLE.get(found) if callable(found) else None
