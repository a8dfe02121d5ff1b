"""From IR to code that can be loaded, or to assembly.

Synchronization: any thread. LLVM is used under one lock.
"""

from __future__ import annotations

from typing import Any

from llvmlite import binding

from axiom_hw.bpf.engine.llvm.code import REPORT, Code, CompileError
from axiom_hw.bpf.engine.llvm.index_stores import kept_apart
from axiom_hw.bpf.engine.llvm.link import link
from axiom_hw.bpf.engine.llvm.passes import optimise, simplify
from axiom_hw.bpf.engine.llvm.target import LOCK, host


def compile_ir(text: str, place: str, *, loops: bool = True, quick: bool = False) -> Code:
    """Optimise a module and make code of it. `place` is the program, for errors. Raises `CompileError`.

    Where it has no `loops` of its own, that takes half the time. `quick` takes a third of that, and hardly optimises.
    """
    with LOCK:
        if quick:
            module = _parsed(host().preamble + text, place)
            simplify(module)
            image = host().quick.emit_object(module)
        else:
            image = host().machine.emit_object(_optimised(text, place, loops))
    return link(image, place)


def assembly(text: str, place: str, *, loops: bool = True) -> str:
    """Optimise a module and make assembly of it, with `.loc` for what has debug locations. Raises `CompileError`."""
    with LOCK:
        listing: str = host().machine.emit_assembly(_optimised(text, place, loops))
    return listing


def _optimised(text: str, place: str, loops: bool) -> Any:
    module = _parsed(host().preamble + text, place)
    optimise(module, loops=loops)
    apart = kept_apart(str(module)) if host().triple.startswith("x86_64") else None
    return module if apart is None else _parsed(apart, place)


def _parsed(text: str, place: str) -> Any:
    # A context of its own: in the global one, every constant and type that was ever used stays.
    context = binding.create_context()
    try:
        module = binding.parse_assembly(text, context)
        module.verify()
    except RuntimeError as error:
        raise CompileError(place, f"LLVM refuses its code: {error}", REPORT) from None
    return module
