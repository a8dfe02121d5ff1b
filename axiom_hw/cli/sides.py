"""Source line, BPF and native code side by side: `axiom-hw disasm --source`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest

from axiom_hw.bpf.disasm import disassemble, names_of
from axiom_hw.bpf.engine.llvm.available import why_not
from axiom_hw.bpf.maps import create_map
from axiom_hw.bpf.spec import ProgramSpec
from axiom_hw.bpf.verifier import verify
from axiom_hw.cli.exec_env import BenchEnv
from axiom_hw.errors import MissingDependency

HEADERS = ("source", "BPF", "native")


def sides(program: ProgramSpec) -> Sequence[Sequence[str]]:
    """The rows of one program. Raises `Rejected` for one that isn't safe, `MissingDependency` without LLVM."""
    if why := why_not():
        raise MissingDependency("--source", f"shows native code, which can't be had: {why}", "leave it out, or --lines")
    from axiom_hw.bpf.engine.llvm.listing import AROUND, native_lines

    verified = verify(program)
    native = native_lines(verified, [create_map(spec) for spec in program.maps], BenchEnv(lambda text: None))
    return [*((("", "", code)) for code in native.get(AROUND, ())), *_rows(program, native)]


def _rows(program: ProgramSpec, native: Mapping[int, tuple[str, ...]]) -> Iterator[tuple[str, str, str]]:
    last: tuple[str, int] | None = None
    for row in disassemble(program.insns, names_of(program)):
        text = row.strip().replace("\t", " ")
        number, colon, _ = text.partition(":")
        if not colon or not number.isdecimal():
            yield ("", text, "")  # a label
            continue
        source = program.lines.get(int(number))
        said = ""
        if source is not None and (source.file, source.line) != last:
            last = source.file, source.line
            said = f"{source.line}: {source.text.rstrip().expandtabs(4)}"
        codes = native.get(int(number), ())
        yield from zip_longest((said,), (text,), codes or ("",), fillvalue="")
