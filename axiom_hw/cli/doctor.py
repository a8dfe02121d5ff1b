"""`axiom-hw doctor`: what is missing on this machine for programs to run on a board, and what to do about it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from axiom_hw.cli.boards import complete_boards

if TYPE_CHECKING:
    from axiom_hw.cli.diagnosis import Finding


def doctor(
    board: Annotated[
        str,
        typer.Option(metavar="BOARD", help="A board's name, a .toml file, or auto: the one of this machine.",
                     autocompletion=complete_boards),
    ] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="For programs: a list of findings.")] = False,
    root: Annotated[Path, typer.Option(hidden=True, help="Where /dev, /proc and /sys are.")] = Path("/"),
) -> None:  # fmt: skip
    """Check this machine against a board, and say what to do.

    Looks at Python, the board file, chips, lines, permissions, PWM, buses, sensors.

    Claims no line and changes nothing. Exits 0 where programs can run, else 1.
    """
    from axiom_hw.cli.diagnosis import Status

    name, findings = _examined(board, root)
    problems = sum(finding.status is Status.PROBLEM for finding in findings)
    if as_json:
        _json(findings)
        raise typer.Exit(1 if problems else 0)
    for finding in findings:
        typer.echo(f"{finding.status.value:<5} {finding.text}")
        for detail in finding.details:
            typer.echo(f"      {detail}")
        if finding.fix:
            typer.echo(f"      fix    {finding.fix}")
    typer.echo()
    if problems:
        typer.echo(f"{problems} to mend before a program runs on this board.")
        raise typer.Exit(1)
    typer.echo(f"All fine: axiom-hw run PROGRAM --board {name}")


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command("doctor")(doctor)


def _examined(name: str, root: Path) -> tuple[str, list[Finding]]:
    """The name of the board, `auto` resolved, and what was found."""
    from axiom_hw.backends.survey import survey
    from axiom_hw.board import load_board
    from axiom_hw.board.find import AUTO, fitting_board
    from axiom_hw.cli.checks import BEFORE, examine
    from axiom_hw.cli.diagnosis import Case, Finding, Status, from_error, this_person
    from axiom_hw.cli.output import count
    from axiom_hw.errors import BoardError

    findings = [finding for check in BEFORE for finding in check()]
    machine = survey(root)
    try:
        name = fitting_board(machine.found) if name == AUTO else name
        board = load_board(name)
    except BoardError as error:
        return name, [*findings, from_error(error)]
    sensors = len(board.iio) + len(board.sensors)
    pins = f"{count(len(board.inputs), 'input')}, {count(len(board.outputs), 'output')}"
    if sensors or board.serial_ports:
        pins += f", {count(sensors, 'sensor')}, {count(len(board.serial_ports), 'serial port')}"
    findings.append(Finding(Status.OK, f"board {board.name} ({board.source}): {pins}"))
    return name, [*findings, *examine(Case(board, machine, this_person(), Path.cwd()))]


def _json(findings: list[Finding]) -> None:
    import json

    rows = [{"status": row.status.value, "text": row.text, "details": row.details, "fix": row.fix} for row in findings]
    typer.echo(json.dumps(rows, indent=1))
