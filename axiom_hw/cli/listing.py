"""Programs as text that the assembler reads back, with the lines of their source between the instructions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from axiom_hw.bpf.disasm import NUMBERS, Names, disassemble, names_of
from axiom_hw.bpf.insn import Insn
from axiom_hw.bpf.spec import ProgramSpec, SourceLine

_NO_LINES: Final[Mapping[int, SourceLine]] = {}


def listing(programs: Sequence[ProgramSpec], *, show_lines: bool = False, show_bytes: bool = False) -> Iterator[str]:
    """Each program below the heading of its section. With `show_lines`, source lines stand above what they became."""
    for n, program in enumerate(programs):
        if n:
            yield ""
        if program.section:
            yield f"Disassembly of section {program.section}:"
            yield ""
        lines = program.lines if show_lines else _NO_LINES
        yield from listing_of(program.insns, names_of(program), lines, show_bytes=show_bytes)


def listing_of(
    insns: tuple[Insn, ...],
    names: Names = NUMBERS,
    lines: Mapping[int, SourceLine] = _NO_LINES,
    *,
    show_bytes: bool = False,
) -> Iterator[str]:
    """The lines of one program. `;` begins a comment in assembly, so source lines don't disturb the assembler."""
    last: tuple[str, int] | None = None
    for row in disassemble(insns, names, show_bytes=show_bytes):
        pc, colon, _ = row.strip().partition(":")
        source = lines.get(int(pc)) if colon and pc.isdecimal() else None
        if source is not None and (source.file, source.line) != last:
            last = source.file, source.line
            text = source.text.strip()
            yield f"; {source.file}:{source.line}{f': {text}' if text else ''}"
        yield row
