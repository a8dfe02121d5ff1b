"""Where board files lie: `boards/` in the working directory first, then the ones that come with the package."""

from __future__ import annotations

import os
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from axiom_hw.errors import BoardError

# In a checkout `axiom_hw/boards` links to the top-level `boards/`; in a wheel it is a directory of the package.
SHIPPED: Final = Path(__file__).resolve().parents[1] / "boards"


def available_boards(search: tuple[Path, ...] | None = None) -> tuple[str, ...]:
    """The names that `load_board` takes, sorted. `search` replaces the directories to look in."""
    return tuple(sorted(_files(search)))


def find_board(name_or_path: str | os.PathLike[str], search: tuple[Path, ...] | None = None) -> Path:
    """The file of a board: a path if it looks like one, else a name. Raises `BoardError` with the nearest names."""
    text = os.fspath(name_or_path)
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


def shown(path: Path) -> str:
    """A path as errors show it: relative to the working directory where it lies below it."""
    full = path.resolve()
    here = Path.cwd()
    return str(full.relative_to(here)) if full.is_relative_to(here) else str(full)


def _files(search: tuple[Path, ...] | None) -> dict[str, Path]:
    places = (Path.cwd() / "boards", SHIPPED) if search is None else search
    return {path.stem: path for place in reversed(places) for path in place.glob("*.toml")}
