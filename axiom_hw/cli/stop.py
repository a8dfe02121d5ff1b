"""`axiom-hw stop`: whether the emergency stop is latched and why; release it, as a person; latch it, as anybody may.

A running process hears of both at once: the latch lies in memory that it shares.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated

import typer

from axiom_hw.actuation import GuardState, Stop, forget_stop, guarded_boards, keep_stop, read_stop, state_directory
from axiom_hw.backends.limits import GpioChoice, open_gpio
from axiom_hw.errors import OutputError
from axiom_hw.service.journal import Priority, install, say

_BOARD = Annotated[
    str | None, typer.Option(metavar="NAME", help="The board; needn't be said where only one is guarded")
]
_STATE = Annotated[str | None, typer.Option(metavar="DIR", help="The directory that the run has as --state")]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    about = "The emergency stop: see it, release it, latch it."
    verbs = typer.Typer(help=about, no_args_is_help=True, rich_markup_mode=None)
    verbs.command("status")(status)
    verbs.command("release")(release)
    verbs.command("now")(now)
    verbs.command("safe")(safe)
    app.add_typer(verbs, name="stop")


def status(board: _BOARD = None, state: _STATE = None) -> None:
    """Say whether the stop is latched, and by whom. Exits with 3 where it is."""
    directory = _directory(state)
    names = (board,) if board is not None else guarded_boards(directory)
    if not names:
        typer.echo(f"no board was guarded yet: {directory} holds nothing of any")
    latched = False
    for name in names:
        found = _latched(directory, name)
        latched = latched or found is not None
        typer.echo(f"{name}: {_told(found)}; {_runs(directory, name)}")
    if latched:
        raise typer.Exit(3)


def release(
    operator: Annotated[str, typer.Option(metavar="NAME", help="The person who releases it, for the audit")],
    board: _BOARD = None,
    state: _STATE = None,
) -> None:
    """Release the stop. Outputs stay in their safe states until a program drives them again."""
    if not operator.strip():
        raise OutputError("--operator", "is empty; a person releases the stop", "give a name: --operator Ada")
    directory = _directory(state)
    name = board if board is not None else _only(directory, latched=True)
    found = _latched(directory, name)
    if found is None:
        typer.echo(f"{name}: nothing to release, {_told(None)}")
        return
    guard = GuardState.look(directory, name)
    if guard is not None:
        guard.release(operator)
    else:
        forget_stop(directory / f"{name}.stop")
    typer.echo(f"{name}: released by {operator}; what latched it was {found.source}: {found.reason}")


def now(
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why, for whoever releases it")],
    board: _BOARD = None,
    state: _STATE = None,
) -> None:
    """Latch the stop.

    A running process makes its outputs safe, one that starts drives nothing.
    """
    directory = _directory(state)
    name = board if board is not None else _only(directory, latched=False)
    known = guarded_boards(directory)
    guard = GuardState.look(directory, name)
    stop = Stop(reason, "axiom-hw stop", time.monotonic_ns())
    if guard is not None:
        guard.latch(stop)
    else:
        keep_stop(directory / f"{name}.stop", stop)
    typer.echo(f"{name}: {_told(_latched(directory, name))}; {_runs(directory, name)}")
    if name not in known:  # a stop is never refused, but a slip in the name would stop nothing
        typer.echo(f"note: {directory} knows no {name} yet; it knows {', '.join(known) or 'no board'}", err=True)


def safe(
    board: Annotated[str, typer.Option(metavar="NAME", help="The board: a name or a path")],
    state: _STATE = None,
    gpio: Annotated[GpioChoice, typer.Option(help="What lines are reached by")] = GpioChoice.GPIOD,
) -> None:
    """Make the outputs of a board safe that no process drives.

    For ExecStopPost= of a systemd unit.
    """
    from axiom_hw.backends.machine_pwm import open_pwm
    from axiom_hw.board import load_board
    from axiom_hw.supervisor import Plan
    from axiom_hw.supervisor_process import make_safe

    install()  # behind a service, what is told goes to the journal
    loaded = load_board(board)
    plan = Plan(os.getpid(), loaded, _directory(state), gpio)
    lines = open_gpio(gpio)
    failures = make_safe(plan, lines, open_pwm(lines))
    for failure in failures:
        say(f"not safe: {failure}", Priority.ERROR)
    if failures:
        raise typer.Exit(1)
    typer.echo(f"{loaded.name}: its outputs are safe")


def _directory(state: str | None) -> Path:
    return Path(state) if state is not None else state_directory()


def _latched(directory: Path, board: str) -> Stop | None:
    guard, path = GuardState.look(directory, board), directory / f"{board}.stop"
    if path.exists() or (guard is not None and guard.is_latched):
        return read_stop(path)
    return None


def _told(stop: Stop | None) -> str:
    if stop is None:
        return "the emergency stop isn't latched"
    since = f" since {stop.time}" if stop.time else ""
    return f"the emergency stop is latched{since}, by {stop.source}: {stop.reason}"


def _runs(directory: Path, board: str) -> str:
    guard = GuardState.look(directory, board)
    owner = guard.owner if guard is not None else None
    return f"process {owner} drives its outputs" if owner is not None else "no process drives its outputs"


def _only(directory: Path, *, latched: bool) -> str:
    names = [name for name in guarded_boards(directory) if not latched or _latched(directory, name) is not None]
    if len(names) == 1:
        return names[0]
    which = "with a latched stop" if latched else "that was guarded"
    problem = f"has several boards {which}: {', '.join(names)}" if names else f"has no board {which}"
    raise OutputError(str(directory), problem, "say which: --board NAME; or another directory: --state DIR")
