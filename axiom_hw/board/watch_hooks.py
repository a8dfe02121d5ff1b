"""Watchers of a board file listen to hooks of its own board: what isn't there could never fire."""

from __future__ import annotations

from axiom_hw.board.model import Board
from axiom_hw.board.table import Places
from axiom_hw.errors import BoardError, HookError


def refuse_unknown_hooks(places: Places, board: Board) -> None:
    """Raise `BoardError`, with the line, for the first watcher whose `on` names no hook of the board."""
    if not board.watches:
        return
    from axiom_hw.keys import TimerKey
    from axiom_hw.sections import keys_of  # here: it knows what a board is

    for watch in board.watches:
        try:
            keys_of(watch.on, board, lambda period_ns: TimerKey(period_ns, 0))
        except HookError as error:
            who = "the board " if error.problem.startswith("has no ") else ""
            problem = f"`on` is {watch.on!r}: {who}{error.problem}"
            raise BoardError(places.of(("watch", watch.name), "on"), problem, error.fix) from None
