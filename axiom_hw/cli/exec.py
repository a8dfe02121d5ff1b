"""`axiom-hw exec`: run programs without hardware: one, a batch, or those of an object on recorded contexts."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import Annotated, Final

import typer

from axiom_hw.bpf.elf import load_object
from axiom_hw.bpf.engine.choice import Engine
from axiom_hw.bpf.insn import decode
from axiom_hw.bpf.spec import CtxSpec, ObjectSpec, ProgramSpec
from axiom_hw.cli.batch import Answer, Fields, answer_lines, opened, parse_hex, program_spec
from axiom_hw.cli.exec_env import Loader, run_once
from axiom_hw.cli.exec_events import Scenario
from axiom_hw.errors import SpecError

_ELF_MAGIC: Final = b"\x7fELF"
_INPUT_LIMIT_BYTES: Final = 64 << 20
_BATCH_SLOTS: Final = 1 << 17  # loaded, each takes about a kilobyte
_BATCH_MEMORY_BYTES: Final = 16 << 20


def exec_(
    memory: Annotated[
        list[str] | None,
        typer.Argument(metavar="[MEM_HEX]", help="Memory for r1, as hex bytes; r2 is its length.", show_default=False),
    ] = None,
    engine: Annotated[
        Engine, typer.Option(help="interp, the definition, or llvm, native code; auto is interp: runs are short here.")
    ] = Engine.INTERP,
    unverified: Annotated[bool, typer.Option("--unverified", help="Skip the verifier.")] = False,
    elf: Annotated[bool, typer.Option("--elf", help="Standard input is an object, not instructions.")] = False,
    conformance: Annotated[
        bool, typer.Option("--conformance", help="Helper 5 returns its argument, as bpf_conformance expects.")
    ] = False,
    batch: Annotated[
        str, typer.Option("--batch", metavar="FILE", help="Requests, a JSON object a line; - is standard input.")
    ] = "",
    object_file: Annotated[
        str, typer.Option("--object", metavar="FILE", help="The object (.o) or application (.py) for --events.")
    ] = "",
    events: Annotated[
        str, typer.Option("--events", metavar="FILE.jsonl", help="What happens, a JSON object a line.")
    ] = "",
) -> None:
    """Run a program, given as hex on standard input, and print r0.

    Nothing here reaches a device: hardware helpers answer -ENODEV, and time is virtual.
    """
    loader = Loader(engine, conformance=conformance)
    if bool(object_file) != bool(events):
        missing = "--events FILE.jsonl" if object_file else "--object FILE.o"
        raise SpecError("exec", f"needs {missing} as well: an object runs on events")
    if object_file:
        _scenario(object_file, events, loader)
    elif batch:
        _batch(batch, unverified, loader)
    else:
        _single(" ".join(memory or ()), loader, unverified=unverified, elf=elf)


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command("exec")(exec_)


def _single(memory_hex: str, loader: Loader, *, unverified: bool, elf: bool) -> None:
    memory = parse_hex(memory_hex, "the memory")
    ctx = CtxSpec(len(memory), writable=True, length_in_r2=True)
    data = sys.stdin.buffer.read(_INPUT_LIMIT_BYTES + 1)
    if len(data) > _INPUT_LIMIT_BYTES:
        raise SpecError("standard input", f"is longer than {_INPUT_LIMIT_BYTES} bytes")
    if not data.startswith(_ELF_MAGIC):
        data = parse_hex(data.decode("ascii", errors="replace"), "standard input")
    spec = _only_program(data, ctx) if elf else ProgramSpec("program", decode(data), ctx=ctx)
    typer.echo(f"{run_once(spec, memory, unverified=unverified, trace=_to_stderr, loader=loader):x}")


def _only_program(data: bytes, ctx: CtxSpec) -> ProgramSpec:
    programs = load_object(data, "standard input", lambda section: ctx).programs
    if len(programs) != 1:
        names = ", ".join(program.name for program in programs)
        raise SpecError("standard input", f"has {len(programs)} programs ({names}); exec --elf runs an only one",
                        "use --object with --events, which names the program")  # fmt: skip
    return programs[0]


def _batch(file: str, unverified: bool, loader: Loader) -> None:
    def handle(fields: Fields) -> Answer:
        spec, ctx = _request(fields)
        waived = fields.flag("unverified", unverified)
        return {"r0": run_once(spec, ctx, unverified=waived, trace=_nowhere, loader=loader)}

    with ExitStack() as stack:
        answer_lines(opened(file, stack), sys.stdout, handle)


def _request(fields: Fields) -> tuple[ProgramSpec, bytes]:
    if "mem" in fields:
        ctx = fields.data("mem")
        spec = program_spec(fields, CtxSpec(len(ctx), writable=True, length_in_r2=True))
    else:
        ctx = bytes(fields.number("ctx_size", 0, limit=_BATCH_MEMORY_BYTES))
        spec = program_spec(fields)
    sizes = (("slots", len(spec.insns), _BATCH_SLOTS), ("bytes of memory", len(ctx), _BATCH_MEMORY_BYTES))
    for what, size, limit in sizes:
        if size > limit:
            raise SpecError(fields.place, f"has {size} {what}; exec --batch takes at most {limit}")
    return spec, ctx


def _scenario(object_file: str, events: str, loader: Loader) -> None:
    declared: ObjectSpec
    if object_file.endswith(".py"):
        from axiom_hw.cli.applications import read_application

        declared = read_application(object_file)
    else:
        declared = load_object(_read(object_file), object_file, lambda section: CtxSpec(0))
    with ExitStack() as stack:
        Scenario(declared, _to_stderr, loader).play(opened(events, stack), sys.stdout)


def _read(file: str) -> bytes:
    with ExitStack() as stack:
        return opened(file, stack).read()


def _to_stderr(text: str) -> None:
    typer.echo(text, nl=not text.endswith("\n"), err=True)


def _nowhere(text: str) -> None:
    """Drops the trace: whoever drives a batch may not be reading standard error, and the run would block."""
