"""`axiom-hw doctor`: what is missing on this machine for programs to run on a board, and what to do about it."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from axiom_hw.cli.boards import complete_boards

if TYPE_CHECKING:
    from axiom_hw.cli.diagnosis import Finding

_DEFAULT_BOARD = "rpi5-bench"


def doctor(
    board: Annotated[
        str, typer.Option(metavar="BOARD", help="A board's name, or a .toml file.", autocompletion=complete_boards)
    ] = _DEFAULT_BOARD,
    root: Annotated[Path, typer.Option(hidden=True, help="Where /dev, /proc and /sys are.")] = Path("/"),
) -> None:
    """Check this machine against a board: Python, the board file, chips, permissions, PWM, engines.

    Claims no line and changes nothing. Exits 0 where programs can run, else 1.
    """
    from axiom_hw.cli.diagnosis import Status

    findings = list(_findings(board, root))
    for finding in findings:
        typer.echo(f"{finding.status.value:<5} {finding.text}")
        if finding.fix:
            typer.echo(f"      fix    {finding.fix}")
    problems = sum(finding.status is Status.PROBLEM for finding in findings)
    typer.echo()
    if problems:
        typer.echo(f"{problems} to mend before a program runs on this board.")
        raise typer.Exit(1)
    typer.echo(f"All fine: axiom-hw run PROGRAM --board {board}")


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command("doctor")(doctor)


def _findings(name: str, root: Path) -> Iterator[Finding]:
    from axiom_hw.backends.survey import survey
    from axiom_hw.board import load_board
    from axiom_hw.cli.diagnosis import Finding, Status, examine, from_error, this_person
    from axiom_hw.errors import BoardError

    yield _python()
    yield _gpiod()
    yield _engine()
    try:
        board = load_board(name)
    except BoardError as error:
        yield from_error(error)
        return
    pins = f"{len(board.inputs)} inputs, {len(board.outputs)} outputs"
    yield Finding(Status.OK, f"board {board.name} ({board.source}): {pins}")
    yield from examine(board, survey(root), this_person())


def _python() -> Finding:
    from axiom_hw.cli.diagnosis import Finding, Status

    text = f"Python {platform.python_version()} on {platform.system()} {platform.release()}, {platform.machine()}"
    if sys.platform != "linux":
        return Finding(Status.PROBLEM, f"{text}: GPIO, PWM and I2C need Linux", "run with --mock here")
    return Finding(Status.OK, text)


def _engine() -> Finding:
    from axiom_hw.cli.diagnosis import Finding, Status
    from axiom_hw.engines import open_cache, why_not

    if why := why_not():
        return Finding(Status.NOTE, f"programs run on the interpreter: {why}")
    from axiom_hw.bpf.engine.llvm.target import host, llvm_version

    text = f"native code by LLVM {llvm_version()} for {host().cpu}, or the interpreter"
    cache = open_cache()
    assert cache is not None
    if why := cache.why_not():
        return Finding(Status.NOTE, f"{text}; nothing compiled is kept: {cache.directory} {why}")
    return Finding(Status.OK, f"{text}; compiled programs in {cache.directory}: {_size(cache.size_bytes())}")


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 100_000 else f"{size_bytes / 1e3:.1f} kB"


def _gpiod() -> Finding:
    from axiom_hw.backends.survey import gpiod_version
    from axiom_hw.cli.diagnosis import Finding, Status, from_error
    from axiom_hw.errors import MissingDependency

    try:
        return Finding(Status.OK, f"gpiod {gpiod_version()}")
    except MissingDependency as error:
        return from_error(error)
