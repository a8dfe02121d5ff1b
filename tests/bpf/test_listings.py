"""Agreement with real LLVM: its listings say in their bytes what an instruction is, in their text how it is spelled."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from axiom_hw.bpf import isa
from axiom_hw.bpf.asm import assemble_insns
from axiom_hw.bpf.disasm import Names, disassemble
from axiom_hw.bpf.insn import SLOT_BYTES, Insn, check, decode
from axiom_hw.bpf.isa import Kind

LISTINGS = sorted((Path(__file__).parent / "listings").glob("*.txt"))
ROW = re.compile(r" +\d+:\t(?P<bytes>[0-9a-f ]+)\t(?P<text>.*)")
HEADING = re.compile(r"([0-9a-f]{16}) <(\w+)>:")
BEFORE_THE_START = re.compile(r" <\w+\+0xf{8}[0-9a-f]{8}>")  # a target that no program has
NARROW = re.compile(r"(w(?=\d+ = \*\(u)|(?<=\) = )w)")  # the register of a narrow load or store


def sections(path: Path) -> list[tuple[str, list[str]]]:
    """The sections of a listing: name, and lines, those with symbols (`0000000000000010 <LBB1_2>:`) among them."""
    found: list[tuple[str, list[str]]] = []
    for line in path.read_text().splitlines():
        if line.startswith("Disassembly of section "):
            found.append((line.split()[-1].strip(":"), []))
        elif HEADING.fullmatch(line) or ROW.fullmatch(line):
            found[-1][1].append(line)
    return found


def rows(lines: list[str]) -> list[re.Match[str]]:
    return [found for found in map(ROW.fullmatch, lines) if found]


def symbols(lines: list[str]) -> dict[int, str]:
    return {int(found[1], 16) // SLOT_BYTES: found[2] for found in map(HEADING.fullmatch, lines) if found}


def code(lines: list[str]) -> tuple[Insn, ...]:
    return decode(b"".join(bytes.fromhex(row["bytes"]) for row in rows(lines)))


CASES = [pytest.param(lines, id=f"{path.stem}-{name}") for path in LISTINGS for name, lines in sections(path)]


@pytest.mark.parametrize("lines", CASES)
def test_a_listing_assembles_to_its_own_bytes(lines: list[str]) -> None:
    assert assemble_insns("\n".join(lines)) == code(lines)


@pytest.mark.parametrize("lines", CASES)
def test_the_text_alone_assembles_to_the_same_bytes(lines: list[str]) -> None:
    # objdump prints a local call as `call -3`, which is only told from a helper's by the bytes; we print `call pc-3`.
    text = [re.sub(r"call (?=-)", "call pc", row["text"]) for row in rows(lines)]
    assert assemble_insns("\n".join(text)) == code(lines)


@pytest.mark.parametrize("lines", CASES)
def test_the_disassembler_prints_what_objdump_prints(lines: list[str]) -> None:
    ours = disassemble(code(lines), Names(functions=symbols(lines)), show_bytes=True)
    theirs = [HEADING.sub(r"\2:", BEFORE_THE_START.sub("", NARROW.sub("r", line))) for line in lines]
    assert [re.sub(r"call pc(\S+) <.*>", r"call \1", line) for line in ours] == theirs


def test_the_listings_have_every_row_that_objdump_tells_apart() -> None:
    seen: set[str] = set()
    for path in LISTINGS:
        for _, lines in sections(path):
            seen |= {row.name for row in check(code(lines)) if row}
    hidden = {op.name for op in isa.TABLE if op.kind is Kind.IMM64 and op.verb != "value"} | {"call btf"}
    assert seen == {op.name for op in isa.TABLE} - hidden
