"""Instructions as values: the 8-byte slots of RFC 9669 section 3.1, decoded, checked against the table, encoded.

A program is a tuple of slots. A 64-bit immediate takes two: the second one has opcode 0 and carries the upper half,
so that an index into the tuple is the pc that jumps, messages and `llvm-objdump` count in.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass

from axiom_hw.bpf import isa
from axiom_hw.bpf.isa import Op
from axiom_hw.errors import EncodingError

SLOT_BYTES = 8
REGISTERS = 11
FRAME_POINTER = 10
_SLOT = struct.Struct("<BBhi")


@dataclass(frozen=True, slots=True)
class Insn:
    """One slot: opcode byte, two register numbers, a signed 16-bit offset and a signed 32-bit immediate."""

    code: int
    dst: int = 0
    src: int = 0
    off: int = 0
    imm: int = 0

    @property
    def op(self) -> Op:
        """Its row of the table. Raises `EncodingError` where no row fits, and says which field is off."""
        return lookup(self)

    def encode(self) -> bytes:
        """The 8 bytes."""
        return _SLOT.pack(self.code, self.src << 4 | self.dst, self.off, self.imm)


def imm64(low: Insn, high: Insn) -> int:
    """The unsigned 64-bit value of a two-slot immediate."""
    return (high.imm & 0xFFFFFFFF) << 32 | low.imm & 0xFFFFFFFF


def encode(insns: Iterable[Insn]) -> bytes:
    """The bytes of a program."""
    pack = _SLOT.pack
    return b"".join([pack(insn.code, insn.src << 4 | insn.dst, insn.off, insn.imm) for insn in insns])


def decode(code: bytes) -> tuple[Insn, ...]:
    """Cut bytes into slots. Says nothing yet about whether each is an instruction: `check` does."""
    if len(code) % SLOT_BYTES:
        raise EncodingError(
            f"byte {len(code) // SLOT_BYTES * SLOT_BYTES}",
            f"the program has {len(code)} bytes, not a multiple of {SLOT_BYTES}",
        )
    return tuple(Insn(op, regs & 15, regs >> 4, off, imm) for op, regs, off, imm in _SLOT.iter_unpack(code))


def second_slots(insns: tuple[Insn, ...]) -> frozenset[int]:
    """The pcs that are the second half of a 64-bit immediate: no jump may land there."""
    found, pc = set(), 0
    while pc < len(insns):
        if insns[pc].code == isa.LD | isa.SIZES[64]:
            found.add(pc + 1)
            pc += 1
        pc += 1
    return frozenset(found)


def lookup(insn: Insn) -> Op:
    """The row of THE table that `insn` is an instance of; see `Insn.op`."""
    rows = isa.BY_CODE.get(insn.code)
    if rows is None:
        if insn.code in isa.PACKET_CODES:
            raise EncodingError(
                "", f"opcode {insn.code:#04x} is legacy packet access (RFC 9669 section 5.5), which isn't supported"
            )
        raise EncodingError("", f"opcode {insn.code:#04x} is no instruction of RFC 9669")
    for row in rows:
        if _fits(row, insn):
            _check_registers(row, insn)
            return row
    raise _unfit(rows, insn)


def check(insns: tuple[Insn, ...]) -> tuple[Op | None, ...]:
    """The rows of all slots, None for second slots. Raises `EncodingError` with the pc for the first bad one."""
    rows: list[Op | None] = []
    pc = 0
    while pc < len(insns):
        try:
            row = lookup(insns[pc])
        except EncodingError as error:
            raise EncodingError(f"pc {pc}", error.problem, error.fix) from None
        rows.append(row)
        if row.slots == 2:
            _check_second_slot(insns, pc, row)
            rows.append(None)
        pc += row.slots
    return tuple(rows)


def _fits(row: Op, insn: Insn) -> bool:
    rules = ((row.dst, insn.dst), (row.src, insn.src), (row.off, insn.off), (row.imm, insn.imm))
    return all(rule is isa.USED or rule == value for rule, value in rules)


def _check_registers(row: Op, insn: Insn) -> None:
    for name, rule, value in (("dst", row.dst, insn.dst), ("src", row.src, insn.src)):
        if rule is isa.USED and value >= REGISTERS:
            raise EncodingError("", f"`{row.name}` has {name} register {value}; the registers are r0 to r10")


def _unfit(rows: tuple[Op, ...], insn: Insn) -> EncodingError:
    """Which field keeps every row from fitting: the one that the nearest row objects to."""

    def misses(row: Op) -> list[tuple[str, int, isa.FieldRule]]:
        rules = (("dst", insn.dst, row.dst), ("src", insn.src, row.src),
                 ("offset", insn.off, row.off), ("imm", insn.imm, row.imm))  # fmt: skip
        return [(name, value, rule) for name, value, rule in rules if rule is not isa.USED and rule != value]

    nearest = min(rows, key=lambda row: len(misses(row)))
    name, value, _ = misses(nearest)[0]
    allowed = sorted({rule for row in rows for n, _, rule in misses(row) if n == name and isinstance(rule, int)})
    shown = allowed[0] if len(allowed) == 1 else f"one of {', '.join(map(str, allowed))}"
    return EncodingError("", f"opcode {insn.code:#04x} (`{nearest.name}`) has {name} {value}; it must be {shown}")


def _check_second_slot(insns: tuple[Insn, ...], pc: int, row: Op) -> None:
    if pc + 1 >= len(insns):
        raise EncodingError(f"pc {pc}", f"`{row.name}` needs a second slot, but the program ends")
    high = insns[pc + 1]
    if high.code or high.dst or high.src or high.off:
        raise EncodingError(f"pc {pc + 1}", f"the second slot of `{row.name}` must be zero except for its imm")
    takes_high = row.verb in ("value", "map_value", "map_index_value")
    if high.imm and not takes_high:
        raise EncodingError(f"pc {pc + 1}", f"the second slot of `{row.name}` has imm {high.imm}; it must be 0")
