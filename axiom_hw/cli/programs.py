"""The program files that verbs are given: read, or refused with a sentence about what the file is instead."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from axiom_hw.bpf.spec import CtxSpec, ObjectSpec, ProgramSpec
from axiom_hw.errors import HookError, ObjectError, SpecError
from axiom_hw.events import ctx_of as hook_ctx
from axiom_hw.source import parse_object, read_file

STDIN: Final = "-"
_STDIN_LIMIT_BYTES: Final = 64 << 20

# What people hand over by mistake, and what to do with it.
_OTHER: Final = {
    ".c": "compile it first: clang -O2 -g -target bpf -c {name} -o {stem}.o",
    ".h": "compile a .bpf.c file that includes it, and give the object",
    ".toml": "look at a board: axiom-hw boards {name}",
    ".ll": "compile it first: llc -march=bpf -filetype=obj {name} -o {stem}.o",
}  # fmt: skip


def ctx_of(section: str) -> CtxSpec:
    """The context of a section's hook; none for assembly that names no section. Raises `HookError`."""
    return hook_ctx(section) if section else CtxSpec(0)


def no_ctx(section: str) -> CtxSpec:
    """For verbs that only look at instructions: whatever the section says."""
    return CtxSpec(0)


def read_programs(file: str, ctx: Callable[[str], CtxSpec] = ctx_of, board: str = "") -> ObjectSpec:
    """The programs of a `.bpf.o`, `.bpf.s` or `.py` file, `-` being standard input. Raises `AxiomError`.

    Those of an application (`.py`) have the contexts of their hooks, whatever `ctx` says, and the names of its board,
    or of another `board`.
    """
    name = "standard input" if file == STDIN else file
    suffix = Path(file).suffix
    if suffix == ".py" and os.path.exists(file):
        from axiom_hw.cli.applications import read_application

        return read_application(file, board)
    if suffix in _OTHER:
        fix = _OTHER[suffix].format(name=file, stem=os.path.splitext(file)[0])
        raise ObjectError(
            name, f"is a {suffix} file; programs are .py, .bpf.o (clang's objects) and .bpf.s (assembly)", fix
        )
    try:
        spec = parse_object(read_bytes(file), name, ctx)
    except HookError as error:  # it knows the section, not the file
        raise HookError(f"{name}, {error.place}", error.problem, error.fix) from None
    if not spec.programs:
        raise ObjectError(name, "holds no program", "write its instructions; the last one is `exit`")
    return spec


def read_bytes(file: str) -> bytes:
    """The content of a file, `-` being standard input. Raises `AxiomError`, with the nearest name where none is."""
    if file == STDIN:
        data = sys.stdin.buffer.read(_STDIN_LIMIT_BYTES + 1)
        if len(data) > _STDIN_LIMIT_BYTES:
            raise SpecError("standard input", f"is longer than {_STDIN_LIMIT_BYTES} bytes")
        return data
    if not os.path.exists(file):
        raise ObjectError(file, "there is no such file", _nearest(file))
    return read_file(file)


def chosen(spec: ObjectSpec, name: str) -> tuple[ProgramSpec, ...]:
    """The program of that name, or all where the name is empty. Raises `SpecError` with the names there are."""
    return (spec.program_named(name),) if name else spec.programs


def complete_programs(incomplete: str) -> list[str]:
    """Files that hold programs, for the shell, and directories on the way to them."""
    folder, _, start = incomplete.rpartition("/")
    base = Path(folder or ("/" if incomplete.startswith("/") else "."))
    prefix = f"{folder}/" if "/" in incomplete else ""
    try:
        entries = sorted(base.iterdir())
    except OSError:
        return []  # nothing to offer
    return [
        f"{prefix}{entry.name}{'/' if entry.is_dir() else ''}"
        for entry in entries
        if entry.name.startswith(start)
        and (entry.is_dir() or entry.suffix in (".o", ".s", ".py"))
        and (start or not entry.name.startswith("."))
    ]


def _nearest(file: str) -> str:
    path = Path(file)
    parent = path.parent
    if not parent.is_dir():
        return f"there is no directory {parent} either; check the path"
    near = get_close_matches(path.name, [entry.name for entry in parent.iterdir()], n=1)
    return f"did you mean {parent / near[0]}?" if near else "check the path; programs end in .py, .bpf.o or .bpf.s"
