"""`axiom-hw demo`: the demos that come with the package, listed, run on a bench, or copied to be changed.

What a demo shows and how it is wired stands in its first lines, and nowhere else.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Final

import typer

from axiom_hw.cli.boards import complete_boards
from axiom_hw.cli.run import run_script
from axiom_hw.errors import SpecError

# In a checkout `axiom_hw/demos` links to the top-level `demos/`; in a wheel it is a directory of the package.
SHIPPED: Final = Path(__file__).resolve().parents[1] / "demos"
_ELSEWHERE: Final = ("--gpio", "--replay")  # options that mean another bench than the mock's
_SOURCES: Final = frozenset({".py", ".s", ".c", ".h", ".o"})
_WIRING: Final = re.compile(r"Wiring(?: \([^)]*\))?: (.*?)(?=;|\n\n|\Z)", re.DOTALL)  # behind the `;`: config.txt


@dataclass(frozen=True, slots=True)
class Demo:
    """A demo, as its first lines describe it; `board` is the name of the bench that it is wired to, or nothing."""

    name: str
    path: Path
    shows: str
    wiring: str
    board: str

    @property
    def files(self) -> tuple[Path, ...]:
        """What it consists of: one file, or the folder of its own that it is in."""
        if self.path.parent == SHIPPED:
            return (self.path,)
        return tuple(sorted(path for path in self.path.parent.iterdir() if path.suffix in _SOURCES))


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("demo", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(demo)


def demos() -> tuple[Demo, ...]:
    """Every demo there is: its file without `.py` is its name."""
    found = [_read(path) for path in SHIPPED.rglob("*.py") if not path.name.startswith("_")]
    return tuple(sorted(found, key=lambda one: one.name))


def complete_demos(incomplete: str) -> list[str]:
    """Names for the shell."""
    return [one.name for one in demos() if one.name.startswith(incomplete)]


def demo(
    context: typer.Context,
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Which; without it, all are listed", autocompletion=complete_demos)
    ] = "",
    mock: Annotated[bool, typer.Option("--mock", help="No hardware: so it is without --board, too")] = False,
    board: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The hardware of a board, or auto", autocompletion=complete_boards),
    ] = None,
    copy: Annotated[
        bool, typer.Option("--copy", help="Don't run it: put its files into a directory, --copy [DIR], to change them")
    ] = False,
) -> None:
    """List the demos, run one, or copy it.

    It runs on the mock bench in virtual time, or with --board on the hardware. Further options are those of `axiom-hw
    run`: --real-time, --for 2s, --trace, --record FILE.
    """
    if not name:
        if copy or mock or board or context.args:
            raise SpecError("axiom-hw demo", "is given options and no demo", "`axiom-hw demo` lists their names")
        _list()
        return
    found = demo_named(name)
    if copy:
        _copy(found, context.args)
        return
    if not mock and board is None and not any(one.partition("=")[0] in _ELSEWHERE for one in context.args):
        mock = True
        where = f"; on a Pi that is wired to it: axiom-hw demo {name} --board {found.board}" if found.board else ""
        print(f"{name} on the mock bench{where}", file=sys.stderr)
    options = [*(["--mock"] if mock else []), *(["--board", board] if board is not None else [])]
    run_script(found.path, [*options, *context.args])


def demo_named(name: str) -> Demo:
    """The demo of a name. Raises `SpecError` with the nearest names."""
    known = {one.name: one for one in demos()}
    if name in known:
        return known[name]
    near = get_close_matches(name, known, n=2)
    fix = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(known)}"
    raise SpecError(f"demo `{name}`", "isn't among those that come with axiom-hw", fix)


def _read(path: Path) -> Demo:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    text = ast.get_docstring(tree) or ""
    wiring = _WIRING.search(text)
    return Demo(
        path.relative_to(SHIPPED).with_suffix("").as_posix(),
        path,
        text.partition("\n")[0].partition(" Wiring: ")[0],
        " ".join(wiring[1].split()) if wiring else "none",
        _board_in(tree),
    )


def _board_in(tree: ast.Module) -> str:
    """The name in `hw.App(..., board="rpi5-bench")`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "hw.App":
            for word in node.keywords:
                if word.arg == "board" and isinstance(word.value, ast.Constant):
                    return str(word.value.value)
    return ""


def _list() -> None:
    for one in demos():
        typer.echo(one.name)
        typer.echo(f"    {one.shows}")
        board = f" (board {one.board})" if one.board else ""
        typer.echo(f"    wiring  {one.wiring.rstrip('.')}{board}")
    typer.echo()
    typer.echo(
        inspect.cleandoc("""
        axiom-hw demo NAME                 runs it on the mock bench: no hardware, in virtual time
        axiom-hw demo NAME --board BOARD   runs it on the hardware, until Ctrl-C
        axiom-hw demo NAME --copy [DIR]    gives you its files, to change them
        """)
    )


def _copy(found: Demo, rest: list[str]) -> None:
    """Write a demo and the board file that it needs; what is there already is never overwritten."""
    if len(rest) > 1 or any(one.startswith("-") for one in rest):
        raise SpecError(
            "axiom-hw demo --copy", f"can't take {' '.join(rest)}", "name one directory, or none for this one"
        )
    target = Path(rest[0] if rest else ".")
    copies = {target / path.name: path for path in found.files}
    if found.board:
        from axiom_hw.board.find import SHIPPED as BOARDS

        copies[target / "boards" / f"{found.board}.toml"] = BOARDS / f"{found.board}.toml"
    taken = [path for path, source in copies.items() if path.exists() and not _same(path, source)]
    if taken:
        fix = f"name another directory: axiom-hw demo {found.name} --copy DIR"
        raise SpecError(str(taken[0]), "is there already, and isn't the demo's; nothing was written", fix)
    for path, source in copies.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(source.read_bytes())
        except OSError as error:
            raise SpecError(str(path), f"can't be written: {error.strerror}", "name a directory of your own") from None
        typer.echo(path)
    typer.echo(f"\nrun it:  {f'cd {target} && ' if rest else ''}axiom-hw run {found.path.name} --mock")


def _same(path: Path, source: Path) -> bool:
    return path.is_file() and path.read_bytes() == source.read_bytes()
