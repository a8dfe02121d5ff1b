"""Where board files lie, and which of them is for this machine.

`boards/` in the working directory comes first, then, for an application, the one beside it, then the ones that come
with the package.
"""

from __future__ import annotations

import os
import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from axiom_hw.board.machine import Found, detect
from axiom_hw.board.model import Board
from axiom_hw.board.models import MODELS, model_named
from axiom_hw.errors import BoardError

AUTO: Final = "auto"  # the name that stands for the board of this machine

# How the boards of this package begin: rpi5-bench, rpi5-rover. In a checkout they lie beside one's own.
_PREFIXES: Final = frozenset(model.bench.partition("-")[0] for model in MODELS)

# In a checkout `axiom_hw/boards` links to the top-level `boards/`; in a wheel it is a directory of the package.
SHIPPED: Final = Path(__file__).resolve().parents[1] / "boards"


def available_boards(search: tuple[Path, ...] | None = None) -> tuple[str, ...]:
    """The names that `load_board` takes, sorted. `search` replaces the directories to look in."""
    return tuple(sorted(_files(search)))


def find_board(
    name_or_path: str | os.PathLike[str], search: tuple[Path, ...] | None = None, root: Path = Path("/")
) -> Path:
    """The file of a board: a path if it looks like one, else a name; "auto" is the one of the machine below `root`.

    Raises `BoardError` with the nearest names.
    """
    text = os.fspath(name_or_path)
    if text == AUTO:
        text = fitting_board(detect(root), search)
    if text.endswith(".toml") or os.sep in text:
        if not os.path.isfile(text):
            raise BoardError(text, "there is no such board file", "`axiom-hw boards` lists the boards there are")
        return Path(text)
    files = _files(search)
    if text in files:
        return files[text]
    near = get_close_matches(text, files, n=1)
    fix = f"did you mean `{near[0]}`?" if near else f"write boards/{text}.toml, or give the path of a file"
    raise BoardError(f"board `{text}`", f"isn't known; there are {', '.join(sorted(files)) or 'none'}", fix)


def own_board(name: str, script: str) -> str:
    """The path of a board in `boards/` beside a script; its name where that has none, or the working directory has one.

    So an application finds its board wherever it is started from.
    """
    file = Path(script).resolve().parent / "boards" / f"{name}.toml"
    return str(file) if file.is_file() and not (Path.cwd() / "boards" / file.name).is_file() else name


def fits(model: str, found: Found) -> bool:
    """Whether a board that says `model = "..."` is for the machine that was found; one that says nothing is for any.

    A machine with the same header is as good: the board of a Raspberry Pi 5 is wired alike on a CM5, and in QEMU on a
    stand-in for its chip.
    """
    if not model or found.text.startswith(model):
        return True
    named, here = model_named(model), found.model
    return bool(named and here and named.chip and named.chip == here.chip and here.pwm in ("", named.pwm))


def fitting_board(found: Found, search: tuple[Path, ...] | None = None) -> str:
    """The name of the board for a machine: one's own before the ones that come with the package.

    Raises `BoardError` where none fits, or several do.
    """
    files = _files(search)
    own = [name for name, path in files.items() if not _comes_with_the_package(name, path)]
    says = {name: _model_of(files[name]) for name in own}
    exact = [name for name in own if says[name] and found.text.startswith(says[name])]
    chosen = exact or [name for name in own if says[name] and fits(says[name], found)]
    if not chosen and found.model is not None and found.model.bench in files:
        chosen = [found.model.bench]
    if len(chosen) == 1:
        return chosen[0]
    if chosen:
        names = " and ".join(sorted(chosen))
        raise BoardError("board auto", f"{names} are both for this {found.text}", f"say which: --board {chosen[0]}")
    raise BoardError(
        "board auto", f"there is none for this {found.text}",
        f'write boards/NAME.toml with model = "{found.text}" in it, or run with --mock and --board rpi5-bench',
    )  # fmt: skip


def other_machine(board: Board, found: Found, search: tuple[Path, ...] | None = None) -> BoardError | None:
    """What to tell somebody whose board file is for another machine than the one that was found; None where it fits."""
    if fits(board.model, found):
        return None
    try:
        name = fitting_board(found, search)
    except BoardError as error:
        fix = error.fix
    else:
        has_header = found.model is not None and found.model.header is not None
        fix = f"--board {name} is for this machine" if has_header else "run with --mock for a bench in memory"
    return BoardError(board.source, f"is for a {board.model}, and this is a {found.text}", fix)


def _comes_with_the_package(name: str, path: Path) -> bool:
    return path.resolve().parent == SHIPPED.resolve() and name.partition("-")[0] in _PREFIXES


def _model_of(path: Path) -> str:
    """What a file says in `model`; nothing where it can't be read, of which `axiom-hw boards` tells."""
    try:
        model = tomllib.loads(path.read_text(encoding="utf-8")).get("model", "")
    except (OSError, ValueError):
        return ""
    return model if isinstance(model, str) else ""


def shown(path: Path) -> str:
    """A path as errors show it: relative to the working directory where it lies below it."""
    full = path.resolve()
    here = Path.cwd()
    return str(full.relative_to(here)) if full.is_relative_to(here) else str(full)


def _files(search: tuple[Path, ...] | None) -> dict[str, Path]:
    places = (Path.cwd() / "boards", SHIPPED) if search is None else search
    return {path.stem: path for place in reversed(places) for path in place.glob("*.toml")}
