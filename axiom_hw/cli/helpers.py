"""`axiom-hw helpers`: the functions that programs can call, printed from THE helper table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from axiom_hw.cli.output import table

if TYPE_CHECKING:
    from axiom_hw.bpf.helpers import Helper


def complete_helpers(incomplete: str) -> list[str]:
    """Names for the shell."""
    from axiom_hw.bpf.helpers import BY_NAME

    return [name for name in BY_NAME if name.startswith(incomplete)]


def helpers(
    name: Annotated[
        str,
        typer.Argument(metavar="[NAME]", help="A helper's name or number; all without it.",
                       autocompletion=complete_helpers),
    ] = "",
) -> None:  # fmt: skip
    """List the helpers, or show one: arguments, result, maps."""
    from axiom_hw.bpf.helpers import TABLE

    if name:
        _show(_find(name))
        return
    table(("ID", "NAME", "ARGUMENTS", "WHAT IT DOES"), [
        (str(row.id), row.name, ", ".join(arg.name.lower() for arg in row.args) or "-", row.doc) for row in TABLE
    ])  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command("helpers")(helpers)


def _find(name: str) -> Helper:
    from difflib import get_close_matches

    from axiom_hw.bpf.helpers import BY_ID, BY_NAME, PLANNED
    from axiom_hw.errors import SpecError

    bare = name.removeprefix("bpf_")
    found = BY_ID.get(int(name)) if name.isdecimal() else BY_NAME.get(bare)
    if found is not None:
        return found
    planned = PLANNED.get(int(name)) if name.isdecimal() else bare if bare in PLANNED.values() else None
    if planned:
        raise SpecError(f"helper {planned}", "isn't supported yet", "`axiom-hw helpers` lists those that are")
    near = get_close_matches(bare, BY_NAME, n=1)
    fix = f"did you mean {near[0]}?" if near else "`axiom-hw helpers` lists them"
    raise SpecError(f"helper {name}", "there is none", fix)


def _show(row: Helper) -> None:
    typer.echo(f"{row.name}  (call {row.id})\n{row.doc}\n")
    for number, arg in enumerate(row.args, start=1):
        typer.echo(f"r{number}  {arg.value}")
    typer.echo(f"r0  {row.ret.value}")
    if row.maps:
        typer.echo(f"\nmaps    {', '.join(kind.name.lower() for kind in row.maps)}")
    if row.effect.value != "none":
        typer.echo(f"effect  {row.effect.value}")
