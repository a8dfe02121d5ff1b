"""`axiom-hw header`: the C header for programs, printed from the tables."""

from __future__ import annotations

from typing import Annotated

import typer

from axiom_hw.cli.output import write_bytes


def header(
    out: Annotated[str, typer.Option("--out", "-o", metavar="OUT", help="Where to write; - is standard output.")] = "-",
) -> None:
    """Print axiom_hw.bpf.h: what a C program needs, and all of it."""
    from axiom_hw import events
    from axiom_hw.bpf import cheader
    from axiom_hw.bpf import helpers as table

    write_bytes(cheader.render(table.TABLE, events.CONTEXTS, [events.Edge]).encode(), out)


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command("header")(header)
