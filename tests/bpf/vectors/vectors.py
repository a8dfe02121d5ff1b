"""Reads the vectors of this folder: for each row of the opcode table, small programs and what they must give."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from axiom_hw.bpf import isa
from axiom_hw.bpf.asm import assemble_insns
from axiom_hw.bpf.insn import Insn

FOLDER: Final = Path(__file__).parent
M64: Final = (1 << 64) - 1
M32: Final = (1 << 32) - 1
EXIT: Final = Insn(isa.BY_NAME["exit"].code)


@dataclass(frozen=True, slots=True)
class Vector:
    """One program. `row` names what it is about; `r0` is None where an error with the words `error` must come."""

    name: str
    row: str
    insns: tuple[Insn, ...]
    mem: bytes | None
    r0: int | None
    error: str = ""


def load() -> tuple[Vector, ...]:
    """All of them, in the order of the files."""
    return (*_arithmetic(), *_comparisons(), *_programs())


def _table(name: str) -> Iterator[list[str]]:
    for line in (FOLDER / name).read_text().splitlines():
        if line and not line.startswith("#"):
            yield line.split()


def _signed(value: int, bits: int) -> int:
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def _wide(register: int, value: int) -> tuple[Insn, ...]:
    code = isa.BY_NAME["imm64"].code
    return Insn(code, register, imm=_signed(value, 32)), Insn(0, imm=_signed(value >> 32, 32))


def _forms(verb: str, width: int, dst: int, src: int, off: int) -> Iterator[tuple[isa.Op, tuple[Insn, ...]]]:
    """`r1 verb r2` and, where the operand fits one, `r1 verb immediate`."""
    register = isa.BY_NAME[f"{verb}{width} reg"]
    offset = register.off if isinstance(register.off, int) else off
    yield register, (*_wide(1, dst), *_wide(2, src), Insn(register.code, 1, 2, offset))
    immediate = isa.BY_NAME[f"{verb}{width} imm"]
    if width == 32 or _signed(src, 32) & M64 == src:
        yield immediate, (*_wide(1, dst), Insn(immediate.code, 1, 0, offset, _signed(src, 32)))


def _arithmetic() -> Iterator[Vector]:
    for verb, *numbers in _table("arithmetic.txt"):
        dst, src, r64, r32 = (int(n, 0) for n in numbers)
        for width, expected in ((64, r64), (32, r32)):
            for row, insns in _forms(verb, width, dst, src, 0):
                move = Insn(isa.BY_NAME["mov64 reg"].code, 0, 1)
                yield Vector(f"{row.name}: {dst:#x}, {src:#x}", row.name, (*insns, move, EXIT), None, expected)


def _comparisons() -> Iterator[Vector]:
    mov = isa.BY_NAME["mov64 imm"].code
    for verb, *numbers, yes64, yes32 in _table("comparisons.txt"):
        dst, src = (int(n, 0) for n in numbers)
        for width, taken in ((64, yes64), (32, yes32)):
            assert taken in ("yes", "no")
            for row, insns in _forms(f"j{verb}", width, dst, src, 1):
                program = (Insn(mov, 0, imm=1), *insns, Insn(mov, 0, imm=0), EXIT)
                yield Vector(f"{row.name}: {dst:#x}, {src:#x}", row.name, program, None, int(taken == "yes"))


def _programs() -> Iterator[Vector]:
    text = (FOLDER / "programs.txt").read_text()
    for chunk in text.split("\n== ")[1:]:
        title, _, rest = chunk.partition("\n")
        body, _, result = rest.partition("\n=> ")
        expected = result.splitlines()[0]
        row = title.partition(":")[0]
        mem = None
        if body.startswith("@"):
            first, _, body = body.partition("\n")
            mem = bytes.fromhex(first[1:])
        insns = assemble_insns(f"{body}\nexit\n", place=title)
        error = expected.removeprefix("error ") if expected.startswith("error ") else ""
        yield Vector(title, row, insns, mem, None if error else int(expected, 0), error)
