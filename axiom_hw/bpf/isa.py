"""THE opcode table: every instruction of RFC 9669, one row each; everything about opcodes derives from it.

A row says how an instruction is spelled (the syntax of `llvm-objdump -d`), which fields it uses, what the others must
hold, and what it does (`kind` and `verb`, which the engines and the verifier look up). Rows that the standard itself
spells as a cross product (operation x width x source) are written as their factors, and multiplied below.

Operands in `text`:  %d %s registers   %i immediate   %q 64-bit immediate   %o memory offset, signed
                     %j jump by `offset`   %J jump by `imm`   %n second immediate
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final


class Kind(Enum):
    """What family of effects an instruction has."""

    ALU = "alu"  # dst = dst verb (src | imm)
    MOVSX = "movsx"  # dst = sign-extended low `extend` bits of src
    NEG = "neg"
    ENDIAN = "endian"  # dst = byte-swapped low `imm` bits, or truncated to them
    LOAD = "load"
    LOADSX = "loadsx"
    STORE = "store"  # from a register
    STORE_IMM = "store_imm"
    ATOMIC = "atomic"
    JUMP = "jump"
    JUMP_IF = "jump_if"
    CALL = "call"
    EXIT = "exit"
    IMM64 = "imm64"


class Free(Enum):
    """A field that the instruction uses, as against one that must hold a fixed value."""

    USED = "used"


USED: Final = Free.USED
FieldRule = int | Free


@dataclass(frozen=True, slots=True)
class Op:
    """One row. `width` is the operation's in bits: of the ALU or comparison, or of the memory access."""

    name: str
    code: int
    kind: Kind
    verb: str
    width: int
    text: str
    dst: FieldRule
    src: FieldRule
    off: FieldRule
    imm: FieldRule
    group: str  # RFC 9669 section 2.4, conformance groups
    cpu: int  # the first level (clang's -mcpu) whose instruction set has it
    section: str  # of RFC 9669

    @property
    def slots(self) -> int:
        """How many 8-byte slots it takes."""
        return 2 if self.kind is Kind.IMM64 else 1

    @property
    def uses_register(self) -> bool:
        """Whether the second operand is the source register (the X bit)."""
        return self.src is USED

    @property
    def extend(self) -> int:
        """For `MOVSX`, the width in bits that is extended."""
        assert isinstance(self.off, int)
        return self.off

    @property
    def swap_width(self) -> int:
        """For `ENDIAN`, the width in bits that is swapped."""
        assert isinstance(self.imm, int)
        return self.imm


# Instruction classes, RFC 9669 section 3.
LD, LDX, ST, STX, ALU, JMP, JMP32, ALU64 = range(8)
K, X = 0x00, 0x08  # source: the immediate, the register
MEM, MEMSX, ATOMIC = 0x60, 0x80, 0xC0
SIZES: Final = {32: 0x00, 16: 0x08, 8: 0x10, 64: 0x18}

# Source registers of a 64-bit immediate (section 5.4) and of a call (section 4.3).
IMM_VALUE, IMM_MAP, IMM_MAP_VALUE, IMM_VARIABLE, IMM_CODE, IMM_MAP_INDEX, IMM_MAP_INDEX_VALUE = range(7)
CALL_HELPER, CALL_LOCAL, CALL_BTF = range(3)

_WIDTHS: Final = ((64, ALU64, JMP, "r"), (32, ALU, JMP32, "w"))

# Section 4.1, arithmetic:    verb   code  sign       offset  group  cpu
_ARITHMETIC: Final = (
    ("add",  0x00, "+=",   0, "base",   1),
    ("sub",  0x10, "-=",   0, "base",   1),
    ("mul",  0x20, "*=",   0, "divmul", 1),
    ("div",  0x30, "/=",   0, "divmul", 1),
    ("sdiv", 0x30, "s/=",  1, "divmul", 4),
    ("or",   0x40, "|=",   0, "base",   1),
    ("and",  0x50, "&=",   0, "base",   1),
    ("lsh",  0x60, "<<=",  0, "base",   1),
    ("rsh",  0x70, ">>=",  0, "base",   1),
    ("mod",  0x90, "%=",   0, "divmul", 1),
    ("smod", 0x90, "s%=",  1, "divmul", 4),
    ("xor",  0xA0, "^=",   0, "base",   1),
    ("mov",  0xB0, "=",    0, "base",   1),
    ("arsh", 0xC0, "s>>=", 0, "base",   1),
)  # fmt: skip

# Section 4.3, jumps:  verb  code  sign  cpu of the 64-bit one; the 32-bit ones came together, in 3
_COMPARISONS: Final = (
    ("eq",  0x10, "==",  1),
    ("gt",  0x20, ">",   1),
    ("ge",  0x30, ">=",  1),
    ("set", 0x40, "&",   1),
    ("ne",  0x50, "!=",  1),
    ("sgt", 0x60, "s>",  1),
    ("sge", 0x70, "s>=", 1),
    ("lt",  0xA0, "<",   2),
    ("le",  0xB0, "<=",  2),
    ("slt", 0xC0, "s<",  2),
    ("sle", 0xD0, "s<=", 2),
)  # fmt: skip

# Section 5.3, atomics:  verb  imm  text, in which %w is r or w, %t the type, %x the width's suffix
_ATOMICS: Final = (
    ("add",     0x00, "lock *(%t *)(r%d%o) += %w%s"),
    ("or",      0x40, "lock *(%t *)(r%d%o) |= %w%s"),
    ("and",     0x50, "lock *(%t *)(r%d%o) &= %w%s"),
    ("xor",     0xA0, "lock *(%t *)(r%d%o) ^= %w%s"),
    ("fetch_add", 0x01, "%w%s = atomic_fetch_add((%t *)(r%d%o), %w%s)"),
    ("fetch_or",  0x41, "%w%s = atomic_fetch_or((%t *)(r%d%o), %w%s)"),
    ("fetch_and", 0x51, "%w%s = atomic_fetch_and((%t *)(r%d%o), %w%s)"),
    ("fetch_xor", 0xA1, "%w%s = atomic_fetch_xor((%t *)(r%d%o), %w%s)"),
    ("xchg",      0xE1, "%w%s = xchg%x(r%d%o, %w%s)"),
    ("cmpxchg",   0xF1, "%w0 = cmpxchg%x(r%d%o, %w0, %w%s)"),
)  # fmt: skip


def _alu() -> list[Op]:
    rows = []
    for width, cls, _, reg in _WIDTHS:
        for verb, code, sign, off, group, cpu in _ARITHMETIC:
            for source, operand, src, imm in ((K, "%i", 0, USED), (X, f"{reg}%s", USED, 0)):
                rows.append(
                    Op(f"{verb}{width} {'imm' if source == K else 'reg'}", cls | source | code, Kind.ALU, verb, width,
                       f"{reg}%d {sign} {operand}", USED, src, off, imm, f"{group}{width}", cpu, "4.1")
                )  # fmt: skip
        for bits in (8, 16, 32)[: 3 if width == 64 else 2]:
            rows.append(
                Op(f"movsx{width} {bits}", cls | X | 0xB0, Kind.MOVSX, "movsx", width, f"{reg}%d = (s{bits}){reg}%s",
                   USED, USED, bits, 0, f"base{width}", 4, "4.1")
            )  # fmt: skip
        rows.append(
            Op(f"neg{width}", cls | K | 0x80, Kind.NEG, "neg", width, f"{reg}%d = -{reg}%d",
               USED, 0, 0, 0, f"base{width}", 1, "4.1")
        )  # fmt: skip
    # Section 4.2, byte swaps: to little or big endian (class ALU), or unconditionally (class ALU64).
    for bits in (16, 32, 64):
        for verb, code, cpu in (("le", ALU | K | 0xD0, 1), ("be", ALU | X | 0xD0, 1), ("bswap", ALU64 | K | 0xD0, 4)):
            group = "base64" if bits == 64 else "base32"
            rows.append(
                Op(f"{verb}{bits}", code, Kind.ENDIAN, verb, 64, f"r%d = {verb}{bits} r%d",
                   USED, 0, 0, bits, group, cpu, "4.2")
            )  # fmt: skip
    return rows


def _jumps() -> list[Op]:
    rows = [
        Op("goto",       JMP | 0x00,   Kind.JUMP, "goto",  64, "goto %j",  0, 0, USED, 0, "base32", 1, "4.3"),
        Op("gotol",      JMP32 | 0x00, Kind.JUMP, "gotol", 64, "gotol %J", 0, 0, 0, USED, "base32", 4, "4.3"),
        Op("call",       JMP | 0x80,   Kind.CALL, "helper", 64, "call %i", 0, CALL_HELPER, 0, USED, "base32", 1, "4.3"),
        Op("call local", JMP | 0x80,   Kind.CALL, "local", 64, "call pc%J", 0, CALL_LOCAL, 0, USED, "base32", 1, "4.3"),
        Op("call btf",   JMP | 0x80,   Kind.CALL, "btf",  64, "call btf %i", 0, CALL_BTF, 0, USED, "base32", 1, "4.3"),
        Op("callx",      JMP | X | 0x80, Kind.CALL, "callx", 64, "callx r%d", USED, 0, 0, 0, "callx", 1, "4.3"),
        Op("exit",       JMP | 0x90,   Kind.EXIT, "exit",  64, "exit",     0, 0, 0, 0, "base32", 1, "4.3"),
    ]  # fmt: skip
    for width, _, cls, reg in _WIDTHS:
        for verb, code, sign, cpu in _COMPARISONS:
            for source, operand, src, imm in ((K, "%i", 0, USED), (X, f"{reg}%s", USED, 0)):
                rows.append(
                    Op(f"j{verb}{width} {'imm' if source == K else 'reg'}", cls | source | code, Kind.JUMP_IF, verb,
                       width, f"if {reg}%d {sign} {operand} goto %j", USED, src, USED, imm, f"base{width}",
                       cpu if width == 64 else 3, "4.3")
                )  # fmt: skip
    return rows


def _memory() -> list[Op]:
    rows = []
    for bits, size in SIZES.items():
        group = "base64" if bits == 64 else "base32"
        place = f"*(u{bits} *)(r%d%o)"
        rows += [
            Op(f"load{bits}", LDX | MEM | size, Kind.LOAD, "load", bits, f"r%d = *(u{bits} *)(r%s%o)",
               USED, USED, USED, 0, group, 1, "5.1"),
            Op(f"store{bits} reg", STX | MEM | size, Kind.STORE, "store", bits, f"{place} = r%s",
               USED, USED, USED, 0, group, 1, "5.1"),
            Op(f"store{bits} imm", ST | MEM | size, Kind.STORE_IMM, "store", bits, f"{place} = %i",
               USED, 0, USED, USED, group, 1, "5.1"),
        ]  # fmt: skip
        if bits < 64:
            rows.append(
                Op(f"loadsx{bits}", LDX | MEMSX | size, Kind.LOADSX, "load", bits, f"r%d = *(s{bits} *)(r%s%o)",
                   USED, USED, USED, 0, "base64", 4, "5.2")
            )  # fmt: skip
    for bits, reg, suffix in ((64, "r", "_64"), (32, "w", "32_32")):
        for verb, imm, text in _ATOMICS:
            shown = text.replace("%w", reg).replace("%t", f"u{bits}")
            shown = shown.replace("%x", "_64" if bits == 64 else suffix)
            rows.append(
                Op(f"atomic_{verb}{bits}", STX | ATOMIC | SIZES[bits], Kind.ATOMIC, verb, bits, shown,
                   USED, USED, USED, imm, f"atomic{bits}", 1 if verb == "add" else 3, "5.3")
            )  # fmt: skip
    return rows


def _immediates() -> list[Op]:
    # Section 5.4. The variants are told apart by the source register; the second slot carries the upper half.
    forms = (
        (IMM_VALUE,           "imm64",           "value",           "r%d = %q ll"),
        (IMM_MAP,             "imm64 map",       "map",             "r%d = map[%i] ll"),
        (IMM_MAP_VALUE,       "imm64 map value", "map_value",       "r%d = map[%i][0]+%n ll"),
        (IMM_VARIABLE,        "imm64 variable",  "variable",        "r%d = variable[%i] ll"),
        (IMM_CODE,            "imm64 code",      "code",            "r%d = code %J ll"),
        (IMM_MAP_INDEX,       "imm64 map index", "map_index",       "r%d = map_by_idx[%i] ll"),
        (IMM_MAP_INDEX_VALUE, "imm64 map index value", "map_index_value", "r%d = map_by_idx[%i][0]+%n ll"),
    )  # fmt: skip
    return [
        Op(name, LD | SIZES[64], Kind.IMM64, verb, 64, text, USED, src, 0, USED, "base64", 1, "5.4")
        for src, name, verb, text in forms
    ]


TABLE: Final[tuple[Op, ...]] = (*_alu(), *_jumps(), *_memory(), *_immediates())

# Section 5.5: deprecated packet access (conformance group `packet`), which this machine doesn't have.
PACKET_CODES: Final = frozenset(mode | size | LD for mode in (0x20, 0x40) for size in SIZES.values())


def _by_code() -> dict[int, tuple[Op, ...]]:
    index: dict[int, tuple[Op, ...]] = {}
    for op in TABLE:
        index[op.code] = (*index.get(op.code, ()), op)
    return index


BY_CODE: Final = _by_code()
BY_NAME: Final = {op.name: op for op in TABLE}
