"""The command line `axiom-hw`: one module per verb, and what all verbs have in common.

verify  asm  disasm     programs, as files
run  exec               programs, running: on a board, or on given contexts
replay  export  import  recorded runs: through programs again, to other programs' formats and back
stop  audit             the guard: the emergency stop, the last decisions
twin                    a Pi 5's twin in QEMU: a real kernel with simulated devices
boards  doctor          the hardware: what is declared, what is there
explain  helpers  header    the tables, printed
demo  new               to begin with: what comes with the package, and a project of one's own
unit                    an application as a service of systemd

Each module has `register(app)`. Only the module of the verb that was asked for is imported: the others would cost a
third of a second at every start.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from keyword import iskeyword
from typing import Annotated, Final, NoReturn

import typer

from axiom_hw.errors import AxiomError

__all__ = ["main"]

PROG: Final = "axiom-hw"

# In the order in which --help shows them.
VERBS: Final = (
    "run", "verify", "exec", "replay", "export", "import", "audit", "asm", "disasm", "boards", "doctor", "explain",
    "helpers", "header", "demo", "new", "unit",
    "stop", "twin",  # the last, because they have verbs of their own: groups come behind
)  # fmt: skip

_INTERRUPTED: Final = 130  # 128 + SIGINT, as shells count


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command and exit: 0 fine, 1 a refusal or an error that is told, 2 a wrong command line, 130 Ctrl-C."""
    args = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that lacks a character shows its number instead
            stream.reconfigure(errors="backslashreplace")
    try:
        code = _run(args)
    except KeyboardInterrupt:
        code = _INTERRUPTED
    except AxiomError as error:
        typer.echo(str(error), err=True)
        code = 1
    sys.exit(_flushed(code))


def app_for(args: Sequence[str]) -> typer.Typer:
    """The application with the verb that `args` asks for, or with all where it asks for none that exists."""
    app = typer.Typer(
        name=PROG,
        help="eBPF for the pins of a Raspberry Pi 5: verify, run and look at programs.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # plain help: it reads the same in a terminal, a pipe and a screen reader
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    asked = next((arg for arg in _typed(args) if not arg.startswith("-")), "")
    for verb in (asked,) if asked in VERBS else VERBS:
        if find_spec(module_of(verb)) is not None:
            import_module(module_of(verb)).register(app)
    return app


def _typed(args: Sequence[str]) -> Sequence[str]:
    """The words of the command line; where a shell asks how they could go on, they are in the environment."""
    if "_AXIOM_HW_COMPLETE" not in os.environ:
        return args
    return (os.environ.get("COMP_WORDS") or os.environ.get("_TYPER_COMPLETE_ARGS", "")).split()[1:]


def module_of(verb: str) -> str:
    """The module of a verb: its name, with an underscore behind it where that is a word of Python."""
    return f"{__name__}.{verb}_" if iskeyword(verb) else f"{__name__}.{verb}"


def _run(args: list[str]) -> int:
    try:
        app_for(args)(args=args, prog_name=PROG)
    except SystemExit as stopped:
        if stopped.code is None or isinstance(stopped.code, int):
            return stopped.code or 0
        typer.echo(str(stopped.code), err=True)  # a script's own last words
        return 1
    return 0


def _flushed(code: int) -> int:
    """Write what is buffered. A reader that went away (`| head`) is no error worth a word."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes once more at its end, and would complain there.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return code or 1
    return code


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"{PROG} {version('axiom-hw')}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    pass
