"""`axiom-hw run`: a script that makes an App, or a program file on its own.

Of a program file, records are printed as they come, and on the mock bench every change of an output.
"""

from __future__ import annotations

import runpy
import sys
from contextlib import contextmanager, nullcontext
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from axiom_hw.bpf.engine.choice import Engine
from axiom_hw.errors import AxiomError, SpecError
from axiom_hw.levels import show_outputs
from axiom_hw.service.exits import exit_of
from axiom_hw.service.journal import Priority, install, say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from axiom_hw.app import App


_VIRTUAL_RUN = "10s"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("run", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(run)


def _boards(incomplete: str) -> list[str]:
    from axiom_hw.board import available_boards

    return [name for name in (*available_boards(), "auto") if name.startswith(incomplete)]


def run(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="A script (.py) that makes an App, a .bpf.o or a .bpf.s")],
    mock: Annotated[bool, typer.Option("--mock", help="No hardware: mock devices, in virtual time")] = False,
    real_time: Annotated[
        bool, typer.Option("--real-time", help="With --mock or --replay: let time pass as it does")
    ] = False,
    board: Annotated[
        str | None, typer.Option(metavar="NAME", help="A board of boards/, a path, or auto", autocompletion=_boards)
    ] = None,
    duration: Annotated[str | None, typer.Option("--for", metavar="TIME", help="End after 10s, 500ms, ...")] = None,
    trace: Annotated[bool, typer.Option("--trace", help="Show what the programs print")] = False,
    engine: Annotated[
        Engine, typer.Option(help="interp, llvm (native code), or auto: the first until the second is ready")
    ] = Engine.AUTO,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Compile anew, and keep nothing on disk")] = False,
    gpio: Annotated[
        str | None, typer.Option(metavar="gpiod|lgpio|gpiozero", help="What real lines are reached by: gpiod")
    ] = None,
    record: Annotated[str | None, typer.Option(metavar="FILE", help="Record every event, for replay")] = None,
    replay: Annotated[
        str | None, typer.Option(metavar="FILE", help="No hardware: the events of a recording, in virtual time")
    ] = None,
    state: Annotated[
        str | None, typer.Option(metavar="DIR", help="Where the emergency stop is kept, and what the guard decided")
    ] = None,
    no_supervisor: Annotated[
        bool, typer.Option("--no-supervisor", help="No process that makes outputs safe when this one is killed")
    ] = False,
    systemd: Annotated[
        bool, typer.Option("--systemd", help="As a service of systemd: ready, watchdog, journal; see `axiom-hw unit`")
    ] = False,
) -> None:
    """Run an application until it ends, or Ctrl-C. Outputs are in their safe states before and after.

    A script may take options of its own: they are handed on to it.
    """
    options = [
        *(["--mock"] if mock else []), *(["--real-time"] if real_time else []), *(["--trace"] if trace else []),
        *(["--board", board] if board is not None else []), *(["--for", duration] if duration is not None else []),
        *(["--engine", engine] if engine is not Engine.AUTO else []), *(["--no-cache"] if no_cache else []),
        *(["--gpio", gpio] if gpio is not None else []),
        *(["--record", record] if record is not None else []), *(["--replay", replay] if replay is not None else []),
        *(["--state", state] if state is not None else []), *(["--no-supervisor"] if no_supervisor else []),
        *(["--systemd"] if systemd else []),
    ]  # fmt: skip
    with _as_service() if systemd else nullcontext():
        _run(context, file, board, options, in_virtual_time=mock and not real_time and duration is None)


def _run(context: typer.Context, file: str, board: str | None, options: list[str], *, in_virtual_time: bool) -> None:
    path = _existing(file)
    if path.suffix == ".py":
        run_script(path, [*options, *context.args])
        return
    if context.args:
        raise SpecError("axiom-hw run", f"has no option {context.args[0]}", "`axiom-hw run --help` lists them")
    app, body = _program(path, board)
    if in_virtual_time:
        # Nothing slows virtual time down: a timer would print for ever.
        print(f"{_VIRTUAL_RUN} of virtual time; --for TIME sets another end", file=sys.stderr)
        options += ["--for", _VIRTUAL_RUN]
    app.main(body, options)


def run_script(path: Path, options: list[str]) -> None:
    """Run a file as Python runs a script, with `options` as its command line. A mistake in it ends in a sentence."""
    from axiom_hw.console import tell_uncaught

    sys.argv = [str(path), *options]
    sys.path.insert(0, str(path.parent))  # as Python does for a script
    sys.excepthook = tell_uncaught  # a traceback begins in the script, not in this command
    try:
        runpy.run_path(str(path), run_name="__main__")
    except AxiomError as error:  # first: a refused program is a SyntaxError too
        tell_uncaught(type(error), error, error.__traceback__)
        raise SystemExit(exit_of(error) if "--systemd" in options else 1) from None
    except SyntaxError as error:
        where = f"{error.filename}:{error.lineno}"
        raise SpecError(where, f"is no Python: {error.msg}", (error.text or "").strip()) from None


@contextmanager
def _as_service() -> Iterator[None]:
    """What goes wrong before there is an application goes to the journal too, and has an exit code of its own."""
    install()
    try:
        yield
    except AxiomError as error:
        say(str(error), Priority.ERROR)
        raise SystemExit(exit_of(error)) from None


def _program(path: Path, board: str | None) -> tuple[App, Callable[[], None]]:
    from axiom_hw.app import App
    from axiom_hw.bpf.maps import RingBuf

    app = App(path.name, board)
    app.scenario(partial(show_outputs, app))
    for verified in app.load(path):
        spec = verified.spec
        say(f"{spec.name} on {spec.section}: at most {verified.worst_case_insns} instructions a run", Priority.INFO)
    for name, found in app.maps.items():
        if isinstance(found, RingBuf):
            app.ringbuf(name)

    def show() -> None:
        for ring, record in app.records():
            print(f"{app.now_ns() / 1e9:12.6f}  {ring.name}: {bytes(record).hex(' ', 4)}", flush=True)

    return app, show


def _existing(file: str) -> Path:
    path = Path(file)
    if path.is_file():
        return path
    if path.is_dir():
        near = sorted(p.name for p in path.iterdir() if p.suffix in (".py", ".o", ".s"))
        raise SpecError(file, "is a directory", f"name a file in it: {', '.join(near) or 'it holds none to run'}")
    names = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
    near = get_close_matches(path.name, names, n=1)
    raise SpecError(
        file, "there is no such file", f"did you mean {path.parent / near[0]}?" if near else "check the path"
    )
