"""Run in a process of its own: read an application, prove its programs, and note which of its files that took.

`python -P -B reading.py OUT FILE BOARD` writes a pickled `Read` to OUT. An application's file is a script: importing it
may do anything, so it isn't done in the process that talks to boards.
"""

from __future__ import annotations

import os
import pickle
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from axiom_hw.board import Board

_SKIPPED = ("/__pycache__/", "/.git/", "/.venv/", "/.ruff_cache/", "/.mypy_cache/")


@dataclass(frozen=True, slots=True)
class Read:
    """What was found. `refusals` are whole texts; `files` are those below the application's directory that it read."""

    programs: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    board: Board | None = None


def main(out: str, file: str, board: str) -> None:
    """Write what was found."""
    folder = os.path.realpath(os.path.dirname(os.path.abspath(file)))
    opened: dict[str, None] = {os.path.realpath(file): None}

    def hear(event: str, given: tuple[object, ...]) -> None:
        if event == "open" and isinstance(given[0], str) and (given[1] is None or str(given[1]).startswith("r")):
            path = os.path.realpath(given[0])
            if path.startswith(folder + os.sep) and not any(part in path for part in _SKIPPED):
                opened[path] = None

    sys.addaudithook(hear)
    found = _read(file, board)
    files = tuple(path for path in opened if os.path.isfile(path))
    Path(out).write_bytes(pickle.dumps((found.programs, found.refusals, files, found.board)))


def _read(file: str, board: str) -> Read:
    from axiom_hw.bpf.verifier import Rejected, verify
    from axiom_hw.cli.programs import read_programs
    from axiom_hw.errors import AxiomError

    programs, refusals = [], []
    try:
        for spec in read_programs(file, board=board).programs:
            try:
                proved = verify(spec)
            except Rejected as refusal:
                refusals.append(str(refusal))
                continue
            programs.append(f"{spec.name} on {spec.section}: at most {proved.worst_case_insns} instructions a run")
        return Read(tuple(programs), tuple(refusals), (), _board(file, board))
    except AxiomError as error:
        return Read((), (str(error),))


def _board(file: str, named: str) -> Board | None:
    from axiom_hw.board import load_board
    from axiom_hw.cli.applications import applications_in

    if named:
        return load_board(named)
    own = applications_in(file)[0].board if file.endswith(".py") else None
    return load_board(own) if isinstance(own, str) else own


if __name__ == "__main__":
    main(*sys.argv[1:4])
