"""`axiom-hw new`: a project to begin with: a program, a board file, a test that passes.

What it writes lies in `project_template/`, a project that works as it is; only its name and its machine are put in.
"""

from __future__ import annotations

import keyword
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from axiom_hw.cli.boards import complete_boards
from axiom_hw.errors import AxiomError, BoardError, SpecError

if TYPE_CHECKING:
    from axiom_hw.board import Board

TEMPLATE: Final = Path(__file__).with_name("project_template")
FILES: Final = (
    "my_project.py", "boards/my_project.toml", "tests/test_my_project.py", "README.md", "pyproject.toml", ".gitignore",
)  # fmt: skip
# What the template says, and what stands there instead.
_NAME: Final = "my_project"
_MODEL: Final = "Raspberry Pi 5"
_LABEL: Final = "pinctrl-rp1"

_DEFAULT_BOARD: Final = "rpi5-bench"
_PACKAGE: Final = re.compile(r"[A-Za-z](\w*[A-Za-z0-9])?", re.ASCII)
_TAKEN: Final = frozenset({"boards", "tests", "conftest", "setup"})  # names of other things in a project


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("new")(new)


def new(
    project: Annotated[
        str, typer.Argument(metavar="NAME", help="Of the project and its program; with a path: where it is made")
    ],
    board: Annotated[
        str, typer.Option(metavar="NAME", help="For the machine of this board", autocompletion=complete_boards)
    ] = _DEFAULT_BOARD,
) -> None:
    """Make a project: a program, a board file, a test.

    The board file has a button and an LED; all of it works as it is.
    """
    target = Path(project)
    _refuse_name(project, target.name)
    _refuse_full(target)
    texts = dict(_texts(target.name, _board_with_chip(board)))
    _write(target, texts)
    for path in texts:
        typer.echo(target / path)
    typer.echo(f"\nnext:  cd {target}")
    typer.echo(f"       axiom-hw run {target.name}.py --mock   # no hardware")
    typer.echo(f"       pytest{' ' * len(target.name)}                    # pip install pytest brings it")


def _texts(name: str, board: Board) -> Iterator[tuple[Path, str]]:
    """Each file of the project, by its path there."""
    for file in FILES:
        text = (TEMPLATE / file).read_text(encoding="utf-8").replace(_NAME, name)
        if file.startswith("boards/"):
            text = text.replace(_MODEL, board.model).replace(_LABEL, board.chips[0].label)
        yield Path(file.replace(_NAME, name)), text


def _board_with_chip(name: str) -> Board:
    """The board whose machine the project is for. Raises `BoardError` where it has no lines for a button and an LED."""
    from axiom_hw.board import available_boards, load_board

    board = load_board(name)
    if board.chips and board.model:
        return board
    fitting = []
    for other in available_boards():
        try:
            found = load_board(other)
        except AxiomError:
            continue  # `axiom-hw boards` tells of it
        if found.chips and found.model:
            fitting.append(other)
    problem = "names no chip for a button and an LED" if not board.chips else "names no model of machine"
    raise BoardError(f"board `{board.name}`", problem, f"begin with a board that does: --board {' or '.join(fitting)}")


def _refuse_name(project: str, name: str) -> None:
    if not name:
        raise SpecError(f"axiom-hw new {project}", "names no directory to make", "say a name: axiom-hw new my_project")
    if not _PACKAGE.fullmatch(name):
        near = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_")
        near = near if _PACKAGE.fullmatch(near) else f"project_{near}".rstrip("_")
        raise SpecError(
            f"axiom-hw new {project}", f"`{name}` can't be the name of a Python package",
            f"letters of English, digits and _, a letter first: axiom-hw new {near}",
        )  # fmt: skip
    if keyword.iskeyword(name):
        problem = f"`{name}` is a word of Python"
    elif name in sys.stdlib_module_names:
        problem = f"Python has a module `{name}`, which yours would hide"
    elif name in _TAKEN:
        problem = f"`{name}` is the name of something else in a project"
    elif name == "axiom_hw" or name in _installed():
        problem = f"a package `{name}` is installed here, which yours would hide"
    else:
        return
    raise SpecError(f"axiom-hw new {project}", problem, f"name it otherwise: axiom-hw new my_{name}")


def _installed() -> frozenset[str]:
    """The names that something else in this environment is imported by."""
    from importlib.metadata import packages_distributions

    return frozenset(packages_distributions())


def _refuse_full(target: Path) -> None:
    if target.is_dir():
        inside = sorted(path.name for path in target.iterdir())
        if inside:
            held = ", ".join(inside[:3]) + (", ..." if len(inside) > 3 else "")
            raise SpecError(
                str(target), f"is there already, and holds {held}", "choose another name; nothing was written"
            )
    elif target.exists() or target.is_symlink():
        raise SpecError(
            str(target), "is there already, and is no directory", "choose another name; nothing was written"
        )


def _write(target: Path, texts: dict[Path, str]) -> None:
    """All files, or none: they are written beside the target, and then take its name."""
    hidden = f".{target.name}."
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=hidden, dir=target.parent) as beside:
            made = Path(beside) / target.name
            for path, text in texts.items():
                (made / path).parent.mkdir(parents=True, exist_ok=True)
                (made / path).write_text(text, encoding="utf-8")
            made.rename(target)  # over an empty directory, too
    except OSError as error:
        named = str(error.filename or target)
        place = str(target) if hidden in named else named
        raise SpecError(
            place, f"can't be made: {error.strerror}; nothing was written", "name a path where you may write"
        ) from None
