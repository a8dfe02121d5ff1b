"""Applications (.py files) as objects, for verbs that look at programs: the file is imported, and nothing in it is run.

Its programs are those of every `App` in it: functions with `@app.on`, and what it loads.
"""

from __future__ import annotations

import runpy
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from axiom_hw.board import Board, load_board
from axiom_hw.bpf.spec import MapSpec, ObjectSpec, ProgramSpec
from axiom_hw.errors import AxiomError, SpecError

if TYPE_CHECKING:
    from axiom_hw.app import App


def read_application(file: str, board: str = "") -> ObjectSpec:
    """The programs and maps of the applications in a file, with the names of their boards, or of another one.

    Raises `AxiomError` for what is wrong with a program, `SpecError` where there is no application.
    """
    apps = applications_in(file)
    instead = load_board(board) if board else None
    programs = [program for app in apps for program in _programs(app, instead)]
    if not programs:
        raise SpecError(file, "its App has no program", 'a function with @app.on("..."), or app.load(...)')
    maps = {spec.name: spec for program in programs for spec in program.maps}
    return ObjectSpec(file, tuple(programs), tuple(maps.values()))


def applications_in(file: str) -> list[App]:
    """The applications that a file makes, at least one. Raises `SpecError` where there is none, or no such file."""
    from axiom_hw.app import App

    apps = list({id(found): found for found in _names(file).values() if isinstance(found, App)}.values())
    if not apps:
        raise SpecError(file, "makes no App, so it has no programs", "`app = hw.App(...)` at the top level of the file")
    return apps


def _programs(app: App, board: Board | None) -> list[ProgramSpec]:
    """Constants and variables of a program belong to it alone: they get its name, as `follow.rodata`."""

    def named(program: ProgramSpec, spec: MapSpec) -> MapSpec:
        return replace(spec, name=f"{program.name}{spec.name}") if spec.name.startswith(".") else spec

    return [replace(program, maps=tuple(named(program, m) for m in program.maps)) for program in app.specs(board)]


def _names(file: str) -> dict[str, object]:
    """What is defined in a file once it was imported; `if __name__ == "__main__"` is false meanwhile."""
    path = Path(file)
    if not path.is_file():
        raise SpecError(file, "there is no such file", "check the path")
    sys.path.insert(0, str(path.parent))  # as Python does for a script
    try:
        return runpy.run_path(file, run_name=path.stem)
    except AxiomError:
        raise
    except SyntaxError as error:
        where = f"{error.filename}:{error.lineno}"
        raise SpecError(where, f"is no Python: {error.msg}", (error.text or "").strip()) from None
    finally:
        sys.path.remove(str(path.parent))
