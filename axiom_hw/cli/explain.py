"""`axiom-hw explain`: what a code of the verifier, or of the compiler, means, and what usually helps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from axiom_hw.cli.output import table

if TYPE_CHECKING:
    from axiom_hw.bpf.verifier.codes import Code


def _table() -> tuple[Code, ...]:
    from axiom_hw.bpf.frontend import codes
    from axiom_hw.bpf.verifier.codes import TABLE, Code
    from axiom_hw.cli import request_codes

    python = tuple(Code(row.id, row.title, row.why, row.fix) for row in codes.TABLE)
    return (*TABLE, *python, *request_codes.TABLE)


def complete_codes(incomplete: str) -> list[tuple[str, str]]:
    """Codes for the shell, with their titles."""
    return [(row.id, row.title) for row in _table() if row.id.startswith(incomplete.upper())]


def explain(
    code: Annotated[
        str, typer.Argument(metavar="[CODE]", help="As in V103; all codes without it.", autocompletion=complete_codes)
    ] = "",
) -> None:
    """Explain a code of the verifier or of the compiler."""
    rows = _table()
    if not code:
        table(("CODE", "MEANING"), [(row.id, row.title) for row in rows])
        return
    wanted = code.strip("[]").upper()
    found = next((row for row in rows if row.id == wanted), None)
    if found is None:
        raise _unknown(code, rows)
    typer.echo(f"{found.id}  {found.title}\n\nwhy    {found.why}\nfix    {found.fix}")


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command("explain")(explain)


def _unknown(code: str, rows: tuple[Code, ...]) -> Exception:
    from difflib import get_close_matches

    from axiom_hw.errors import SpecError

    near = get_close_matches(code.upper(), [row.id for row in rows], n=3)
    titled = [row.id for row in rows if code.lower() in row.title.lower()]
    meant = ", ".join(titled or near)
    return SpecError(
        f"code {code}", "there is none", f"did you mean {meant}?" if meant else "`axiom-hw explain` lists all codes"
    )
