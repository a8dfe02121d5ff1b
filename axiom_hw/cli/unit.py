"""`axiom-hw unit`: the systemd unit of an application, hardened as far as its board allows, on standard output."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from axiom_hw.cli.boards import complete_boards
from axiom_hw.errors import SpecError

if TYPE_CHECKING:
    from axiom_hw.board import Board


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("unit")(unit)


def unit(
    file: Annotated[str, typer.Argument(metavar="APP", help="A script (.py) that makes an App, a .bpf.o or a .bpf.s")],
    user: Annotated[
        str, typer.Option(metavar="NAME", help="Who it runs as; a user that systemd makes for it, unless given")
    ] = "",
    board: Annotated[
        str,
        typer.Option(metavar="NAME", help="Instead of the app's: a name or a path", autocompletion=complete_boards),
    ] = "",
    name: Annotated[str, typer.Option(metavar="NAME", help="Of the unit; as the file is called, unless given")] = "",
    network: Annotated[bool, typer.Option("--network", help="The application may speak to other machines")] = False,
    mock: Annotated[bool, typer.Option("--mock", help="On the mock bench, in real time: no device is touched")] = False,
) -> None:
    """Print the unit that runs an application from boot on. See docs/service.md.

    For example: axiom-hw unit app.py | sudo tee /etc/systemd/system/app.service
    """
    from axiom_hw.service import Unit, unit_text

    path = Path(file).absolute()
    if not path.is_file():
        raise SpecError(file, "there is no such file", "check the path")
    found = _board(path, board)
    option = str(Path(board).absolute()) if board.endswith(".toml") else board
    if not option and found is not None and path.suffix == ".py":
        option = str(Path(found.source).absolute())  # the unit starts in another directory, and sees no boards/ there
    options = ("--mock", "--real-time") if mock else ()
    reads = (os.path.realpath(sys.executable),)
    made = Unit(str(path), _command(), found, name, option, options, user, network, reads)
    typer.echo(unit_text(made), nl=False)
    closed = _closed((made.app, *made.command, made.board_option, *reads))
    if closed and not user:
        typer.echo(
            f"note: {closed[0]} is closed to the user that systemd makes for this unit; say whose it is, --user NAME, "
            "or install below /opt", err=True,
        )  # fmt: skip


def _board(path: Path, named: str) -> Board | None:
    from axiom_hw.board import load_board
    from axiom_hw.cli.applications import applications_in

    if named:
        return load_board(named)
    if path.suffix != ".py":
        return None
    own = applications_in(str(path))[0].board
    return load_board(own) if isinstance(own, str) else own


def _closed(paths: Sequence[str]) -> list[str]:
    """The directories above these paths that not everybody may enter."""
    above = {parent for path in paths if path for parent in Path(path).absolute().parents}
    return sorted(str(one) for one in above if one.exists() and not one.stat().st_mode & stat.S_IXOTH)


def _command() -> tuple[str, ...]:
    beside = Path(sys.executable).with_name("axiom-hw")
    found = str(beside) if beside.is_file() else shutil.which("axiom-hw")
    return (found,) if found else (sys.executable, "-m", "axiom_hw")
