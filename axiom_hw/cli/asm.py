"""`axiom-hw asm`: assembly to instructions, as hex, raw bytes or a listing."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from axiom_hw.cli.output import write_bytes
from axiom_hw.cli.programs import chosen, complete_programs, no_ctx, read_programs
from axiom_hw.errors import SpecError


class Form(StrEnum):
    """What to print."""

    HEX = "hex"
    RAW = "raw"
    LISTING = "listing"


_BY_SUFFIX: Final = {".bin": Form.RAW, ".raw": Form.RAW, ".lst": Form.LISTING}


def asm(
    file: Annotated[
        str, typer.Argument(metavar="FILE.s", help="Assembly; - is standard input.", autocompletion=complete_programs)
    ],
    out: Annotated[str, typer.Option("--out", "-o", metavar="OUT", help="Where to write; - is standard output.")] = "-",
    form: Annotated[
        Form | None,
        typer.Option("--form", help="What to write; without it, OUT's suffix (.hex .bin .lst) decides, or hex."),
    ] = None,
    program: Annotated[str, typer.Option(metavar="NAME", help="Only this program.")] = "",
) -> None:
    """Assemble a file: one line of hex, ready for `axiom-hw exec`."""
    from axiom_hw.bpf.insn import encode
    from axiom_hw.cli.listing import listing

    form = form or _BY_SUFFIX.get(Path(out).suffix, Form.HEX)
    spec = read_programs(file, no_ctx)
    programs = chosen(spec, program)
    if form is Form.LISTING:
        write_bytes("".join(f"{line}\n" for line in listing(programs)).encode(), out)
        return
    if len(programs) != 1:
        names = ", ".join(p.name for p in programs)
        raise SpecError(file, f"holds {len(programs)} programs ({names}), and {form.value} is one program's",
                        f"choose one, as in --program {programs[0].name}, or use --form listing")  # fmt: skip
    code = encode(programs[0].insns)
    write_bytes(code if form is Form.RAW else f"{code.hex()}\n".encode(), out)


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command("asm")(asm)
