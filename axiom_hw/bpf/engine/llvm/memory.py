"""Loads, stores and 64-bit immediates (RFC 9669 sections 5.1, 5.2, 5.4), as IR.

Context and stack are the program's own while it runs: plain accesses. Values of maps are read and written by other
threads and processes at the same time: each access is atomic, whole where it is aligned, byte by byte where it isn't.
"""

from __future__ import annotations

from axiom_hw.bpf.arithmetic import M32, M64, MASK
from axiom_hw.bpf.engine.llvm.body import Body, Value
from axiom_hw.bpf.engine.llvm.here import Here
from axiom_hw.bpf.engine.llvm.places import Access, Where, function_object, map_object, map_pointer, resolve


def load(b: Body, here: Here) -> None:
    width, dst = here.row.width, here.insn.dst
    value = read(b, here, resolve(b, here, here.insn.src, here.insn.off), width)
    if width == 32:
        b.set32(dst, value)
    else:
        b.set(dst, value if width == 64 else b.op(f"zext i{width} {value} to i64"))


def load_signed(b: Body, here: Here) -> None:
    width = here.row.width
    value = read(b, here, resolve(b, here, here.insn.src, here.insn.off), width)
    b.set(here.insn.dst, b.op(f"sext i{width} {value} to i64"))


def store(b: Body, here: Here) -> None:
    width, src = here.row.width, here.insn.src
    value: Value
    if width == 64:
        value = b.get(src)
    else:
        value = b.get32(src)
        if width < 32 and isinstance(value, str):
            value = b.op(f"trunc i32 {value} to i{width}")
    write(b, here, resolve(b, here, here.insn.dst, here.insn.off), width, value)


def store_immediate(b: Body, here: Here) -> None:
    width = here.row.width
    write(b, here, resolve(b, here, here.insn.dst, here.insn.off), width, here.insn.imm & MASK[width])


def read(b: Body, here: Here, where: Where, width: int) -> str:
    """Load an integer of `width` bits."""
    pointer = where.pointer(b)
    if where.access is not Access.ATOMIC:
        return b.op(f"load i{width}, ptr {pointer}, align {_alignment(where, width)}")
    if width == 8 or _surely_aligned(where, width):
        return b.op(f"load atomic i{width}, ptr {pointer} monotonic, align {width // 8}")
    here.unit.prelude.add(f"load{width}")
    return b.op(f"call i{width} @load{width}(ptr {pointer})")


def write(b: Body, here: Here, where: Where, width: int, value: Value) -> None:
    """Store an integer of `width` bits."""
    pointer, shown = where.pointer(b), _literal(value, width)
    if where.access is not Access.ATOMIC:
        b.do(f"store i{width} {shown}, ptr {pointer}, align {_alignment(where, width)}")
    elif width == 8 or _surely_aligned(where, width):
        b.do(f"store atomic i{width} {shown}, ptr {pointer} monotonic, align {width // 8}")
    else:
        here.unit.prelude.add(f"store{width}")
        b.do(f"call void @store{width}(ptr {pointer}, i{width} {shown})")


def _alignment(where: Where, width: int) -> int:
    """Contexts and records may be read across words; the proof allows no such thing in the stack."""
    return width // 8 if where.access is Access.ALIGNED else 1


def _surely_aligned(where: Where, width: int) -> bool:
    return where.base.startswith("@map_") and isinstance(where.offset, int) and where.offset % (width // 8) == 0


def _literal(value: Value, width: int) -> str:
    """As an operand of `width` bits; numbers are cut to them."""
    if isinstance(value, str):
        return value
    value &= MASK[width]
    return str(value if value >> width - 1 == 0 else value - (1 << width))


def value(b: Body, here: Here) -> None:
    b.set(here.insn.dst, (here.high & M32) << 32 | here.insn.imm & M32)


def map_itself(b: Body, here: Here) -> None:
    b.set(here.insn.dst, map_object(here.insn.imm))


def map_value(b: Body, here: Here) -> None:
    """An address in the first value of an array."""
    origin = here.unit.maps[here.insn.imm].values.origin
    b.set(here.insn.dst, map_pointer(here.insn.imm, origin + (here.high & M32)) & M64)


def function(b: Body, here: Here) -> None:
    b.set(here.insn.dst, function_object(here.target))
