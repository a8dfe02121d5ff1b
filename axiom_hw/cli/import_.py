"""`axiom-hw import`: a logic analyser's capture as a recording."""

from __future__ import annotations

from typing import Annotated

import typer

from axiom_hw.errors import SpecError


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("import")(import_)


def import_(
    file: Annotated[str, typer.Argument(metavar="FILE.vcd", help="What a logic analyser or simulator wrote")],
    to: Annotated[str, typer.Argument(metavar="RECORDING", help="The recording to make (.axr)")],
    board: Annotated[str, typer.Option(metavar="NAME", help="The board whose inputs the wires are, or a path")],
    maps: Annotated[
        list[str] | None, typer.Option("--map", metavar="WIRE=INPUT", help="Which wire is which input, once for each")
    ] = None,
) -> None:
    """Make a recording of the wires in a VCD file.

    `axiom-hw replay` takes it. Edges obey the board's debounce, edges and active_low.
    """
    from axiom_hw.board import load_board
    from axiom_hw.recorder.vcd_import import import_capture, read_vcd

    wanted = {}
    for told in maps or ():
        wire, equals, line = told.partition("=")
        if not (wire and equals and line):
            raise SpecError(f"--map {told}", "doesn't say which wire is which input", "write --map D0=button")
        wanted[wire] = line
    try:
        with open(file, "rb") as stream:
            capture = read_vcd(stream, file)
    except OSError as error:
        raise SpecError(file, f"can't be read: {error.strerror}", "check the path") from None
    count = import_capture(capture, load_board(board), wanted, file, to)
    typer.echo(f"{to}: {count} edges in {capture.end_ns / 1e9:g} s", err=True)
