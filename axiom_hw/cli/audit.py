"""`axiom-hw audit`: the guard's last decisions, of the process that runs or of the last one."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Annotated

import typer

from axiom_hw.actuation import Decision, GuardState, guarded_boards, state_directory
from axiom_hw.cli.output import table
from axiom_hw.errors import OutputError


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("audit")(audit)


def audit(
    board: Annotated[str | None, typer.Option(metavar="NAME", help="The board; else the one that is guarded")] = None,
    state: Annotated[str | None, typer.Option(metavar="DIR", help="The directory that the run has as --state")] = None,
    last: Annotated[int, typer.Option(metavar="N", min=1, help="How many decisions")] = 20,
    refused: Annotated[bool, typer.Option("--refused", help="Only orders that weren't carried out as given")] = False,
) -> None:
    """Print who wanted what of which output, and what was written.

    Times are seconds of CLOCK_MONOTONIC.
    """
    directory = Path(state) if state is not None else state_directory()
    name = board if board is not None else _only(directory)
    guard = GuardState.look(directory, name)
    if guard is None:
        raise OutputError(
            str(directory), f"has no decisions about {name}", "run an application on it; on the mock, with --state DIR"
        )
    found = sorted(guard.journal.decisions(), key=lambda decision: decision.number)
    shown = [decision for decision in found if not refused or decision.errno or decision.wanted != decision.written]
    owner = guard.owner
    typer.echo(f"{name}: " + (f"process {owner} runs" if owner is not None else "no process runs"))
    table(("NUMBER", "AT", "WHO", "OUTPUT", "WANTED", "WRITTEN", "VERDICT"), [_row(one) for one in shown[-last:]])
    gone = found[0].number - 1 if found else 0
    if gone:
        typer.echo(f"{gone} older ones are no longer kept")


def _row(decision: Decision) -> tuple[str, ...]:
    code = f" ({errno.errorcode.get(decision.errno, decision.errno)})" if decision.errno else ""
    written = "-" if decision.written is None else str(decision.written)
    at = f"{decision.timestamp_ns / 1e9:.6f}"
    return (str(decision.number), at, decision.source, decision.output, str(decision.wanted), written,
            decision.verdict.value + code)  # fmt: skip


def _only(directory: Path) -> str:
    names = guarded_boards(directory)
    if len(names) == 1:
        return names[0]
    problem = f"has several boards: {', '.join(names)}" if names else "holds nothing of any board"
    raise OutputError(str(directory), problem, "say which: --board NAME; or another directory: --state DIR")
