"""`axiom-hw disasm`: the instructions of an object, of assembly, or of hex, as text."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Final

import typer

from axiom_hw.cli.output import write_bytes
from axiom_hw.cli.programs import STDIN, chosen, complete_programs, no_ctx, read_bytes, read_programs

_HEX: Final = re.compile(rb"[0-9a-fA-F\s]+")


def disasm(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE", help="An application, an object, assembly, or hex; - is hex on standard input.",
            autocompletion=complete_programs,
        ),
    ],
    lines: Annotated[bool, typer.Option("--lines", help="Show the source lines that the object knows.")] = False,
    show_bytes: Annotated[bool, typer.Option("--bytes", help="Show the bytes of each instruction.")] = False,
    program: Annotated[str, typer.Option(metavar="NAME", help="Only this program.")] = "",
    source: Annotated[bool, typer.Option("--source", help="Source, BPF and native code side by side.")] = False,
    board: Annotated[str, typer.Option(metavar="NAME", help="The board of an application, instead of its own.")] = "",
) -> None:  # fmt: skip
    """List the instructions of each program, as llvm-objdump does."""
    from axiom_hw.bpf.insn import decode
    from axiom_hw.cli.batch import parse_hex
    from axiom_hw.cli.listing import listing, listing_of
    from axiom_hw.errors import EncodingError

    if source:
        _side_by_side(file, program, board)
        return
    if file == STDIN or Path(file).suffix in (".hex", ".bin", ".raw"):
        name = "standard input" if file == STDIN else file
        data = read_bytes(file)
        code = (
            parse_hex(data.decode(errors="replace"), name)
            if _HEX.fullmatch(data) or Path(file).suffix == ".hex"
            else data
        )
        try:
            rows = list(listing_of(decode(code), show_bytes=show_bytes))
        except EncodingError as error:
            raise EncodingError(f"{name}, {error.place}", error.problem, "is the end cut off?") from None
    else:
        spec = read_programs(file, no_ctx, board)
        rows = list(listing(chosen(spec, program), show_lines=lines, show_bytes=show_bytes))
    write_bytes("".join(f"{row}\n" for row in rows).encode(errors="backslashreplace"), "-")


def _side_by_side(file: str, name: str, board: str) -> None:
    from axiom_hw.cli.output import table
    from axiom_hw.cli.sides import HEADERS, sides

    for number, one in enumerate(chosen(read_programs(file, board=board), name)):
        if number:
            typer.echo()
        typer.echo(f"{one.name} on {one.section}" if one.section else one.name)
        table(HEADERS, sides(one))


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command("disasm")(disasm)
