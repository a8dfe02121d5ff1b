"""`axiom-hw verify`: whether programs are safe, what they cost at worst, and why where they are refused."""

from __future__ import annotations

import sys
from time import perf_counter_ns
from typing import TYPE_CHECKING, Annotated

import typer

from axiom_hw.bpf.spec import CtxSpec
from axiom_hw.cli.output import table
from axiom_hw.cli.programs import complete_programs, ctx_of, read_programs
from axiom_hw.errors import AxiomError

if TYPE_CHECKING:
    from axiom_hw.bpf.spec import ProgramSpec
    from axiom_hw.bpf.verifier import Rejected

_HEADERS = ("PROGRAM", "SECTION", "VERDICT", "WORST CASE", "STACK", "TIME")


def verify_(
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FILE...", help="Applications (.py), objects (.bpf.o) and assembly (.bpf.s); - is standard input.",
            autocompletion=complete_programs, show_default=False,
        ),
    ] = None,
    batch: Annotated[
        str, typer.Option("--batch", metavar="FILE", help="Requests, a JSON object a line; - is standard input.")
    ] = "",
    ctx: Annotated[
        int | None,
        typer.Option("--ctx", metavar="BYTES", min=0, max=1 << 20,
                     help="The size of the context, whatever the section says: for programs of other hooks."),
    ] = None,
    board: Annotated[str, typer.Option(metavar="NAME", help="The board of an application, instead of its own.")] = "",
) -> None:  # fmt: skip
    """Prove programs safe, or say why not.

    Exits 0 where every program is accepted, else 1. The worst case is the number of instructions on the longest path.
    """
    if bool(files) == bool(batch):
        given = "both FILE and --batch" if batch else "no FILE"
        raise typer.BadParameter(f"{given}: give the files to verify, or --batch FILE")
    if batch:
        from axiom_hw.cli.verify_batch import verify_batch

        verify_batch(batch)
        return
    accepted = [_verify_file(file, ctx, board) for file in files or ()]
    if not all(accepted):
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command("verify")(verify_)


def _verify_file(file: str, ctx_bytes: int | None, board: str) -> bool:
    """Print a row for each program, then the refusals whole. True where all are accepted."""
    try:
        spec = read_programs(file, ctx_of if ctx_bytes is None else lambda _: CtxSpec(ctx_bytes), board)
    except AxiomError as error:
        sys.stdout.flush()
        typer.echo(str(error), err=True)
        return False
    rows, refusals = [], []
    for program in spec.programs:
        row, refusal = _verify_program(program)
        rows.append(row)
        if refusal is not None:
            refusals.append(refusal)
    table(_HEADERS, rows)
    for refusal in refusals:
        typer.echo(f"\n{refusal}")
    return not refusals


def _verify_program(program: ProgramSpec) -> tuple[tuple[str, ...], Rejected | None]:
    from axiom_hw.bpf.verifier import Rejected, verify

    start = perf_counter_ns()
    try:
        verified = verify(program)
    except Rejected as refusal:
        took = f"{(perf_counter_ns() - start) / 1e6:.1f} ms"
        return (program.name, program.section or "-", f"rejected {refusal.code}", "-", "-", took), refusal
    took = f"{(perf_counter_ns() - start) / 1e6:.1f} ms"
    cost = f"{verified.worst_case_insns} insns"
    return (program.name, program.section or "-", "accepted", cost, f"{verified.stack_bytes} bytes", took), None
