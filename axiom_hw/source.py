"""Program files to specs: clang's objects and assembly, with the context that each section's hook gives."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from axiom_hw.bpf.spec import CtxSpec, ObjectSpec
from axiom_hw.errors import HookError, ObjectError
from axiom_hw.events import ctx_of

ELF_MAGIC = b"\x7fELF"
MAX_BYTES = 64 << 20  # an object of a million instructions with debug information is far smaller


def read_object(path: str | os.PathLike[str], ctx_of: Callable[[str], CtxSpec] = ctx_of) -> ObjectSpec:
    """The programs and maps of a `.bpf.o` (clang's) or `.bpf.s` (assembly) file; the content decides which.

    `ctx_of` gives the context of each section, by its name.

    Raises `ObjectError` or `AsmError`, with the place and the way out; `HookError` for a section that is no hook.
    """
    name = os.fspath(path)
    try:
        return parse_object(read_file(name), name, ctx_of)
    except HookError as error:
        raise HookError(f"{name}, {error.place}", error.problem, error.fix) from None


def parse_object(data: bytes, name: str, ctx_of: Callable[[str], CtxSpec] = ctx_of) -> ObjectSpec:
    """The same from the content of a file; `name` is what errors call it. Raises what `read_object` raises."""
    # One reader or the other, not both: each takes a twentieth of a second to import.
    if data.startswith(ELF_MAGIC) or name.endswith(".o"):
        from axiom_hw.bpf.elf import load_object

        return load_object(data, name, ctx_of)
    from axiom_hw.bpf.asm import assemble

    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise ObjectError(
            name, f"is neither an ELF object nor text: byte {error.start} is no UTF-8",
            "give a .bpf.o made by `clang -target bpf`, or assembly",
        ) from None  # fmt: skip
    return assemble(text, name, ctx_of=ctx_of)


def read_file(name: str) -> bytes:
    """The content of a program file. Raises `ObjectError`."""
    try:
        with Path(name).open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ObjectError(name, "there is no such file", "check the path; programs end in .bpf.o or .bpf.s") from None
    except IsADirectoryError:
        raise ObjectError(name, "is a directory", "name the file in it, such as heartbeat.bpf.o") from None
    except OSError as error:
        raise ObjectError(name, f"can't be read: {error.strerror}") from None
    if len(data) > MAX_BYTES:
        raise ObjectError(name, f"has more than {MAX_BYTES} bytes, the limit for a program")
    return data
