"""Map operations as IR that is ready to be inlined: compiled from restricted Python, simplified once, then kept.

The front end writes plain IR, with each variable in memory and each test in its place. A program that calls an
operation in five places would have LLVM clean that up five times; so it is done here, once for each operation and
geometry, and programs get the few lines that are left.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Final

from llvmlite import binding

from axiom_hw.bpf.engine.llvm.target import LOCK, host
from axiom_hw.bpf.frontend.raw import RawModule

_KEPT: Final = 512  # operations; a program has a few for each of its maps

# Lines of IR. A longer operation, such as inserting into a hash map, is called: one copy of it is enough.
_LONG: Final = 200

_DEFINITION: Final = re.compile(r"^define (?:internal |dso_local )*(.*?@([\w.]+)\(.*?\)).*\{$")
_DECLARATION: Final = re.compile(r"^declare (.*\)).*$")
_GROUP: Final = re.compile(r" #\d+")
_METADATA: Final = re.compile(r", !(?!prof)[\w.]+ ![0-9]+")


@dataclass(frozen=True, slots=True)
class Operation:
    """One function: its name, its text, and the declarations that this relies on."""

    name: str
    text: str
    declarations: frozenset[str]


class Operations:
    """The operations of one module, as `unit.Raw`. Synchronization: one thread."""

    __slots__ = ("_used",)

    def __init__(self) -> None:
        self._used: dict[str, Operation] = {}

    def lower(self, function: Callable[..., object], *constants: object) -> str:
        """The name of its IR function: memories are `ptr`, integers `i64`, constants are gone."""
        made = operation(function, constants)
        self._used[made.name] = made
        return made.name

    def text(self) -> str:
        """All that was lowered, with declarations."""
        used = list(self._used.values())
        declared = frozenset[str]().union(*(made.declarations for made in used))
        return "\n".join([*sorted(declared), *(made.text for made in used)])


@lru_cache(maxsize=_KEPT)
def operation(function: Callable[..., object], constants: tuple[object, ...]) -> Operation:
    """Compile and simplify a function. Raises `Refused` for one that isn't written in restricted Python.

    Synchronization: any thread.
    """
    # The name tells one from all others that a module may hold, in every process the same: it reaches the object cache.
    print_of = sha256(repr((function.__module__, constants)).encode()).hexdigest()[:12]
    raw = RawModule(f"op_{print_of}_")
    name = raw.lower(function, *constants)
    with LOCK:
        made = [_cut_out(_simplified(raw.text(), name, unroll=unroll), name) for unroll in (False, True)]
    return min(made, key=lambda operation: len(operation.text))


def _simplified(text: str, name: str, *, unroll: bool) -> str:
    """The module, cleaned up. Unrolling leaves less of a loop over a known number of bytes, and more of any other."""
    text = re.sub(rf"define internal (.*@{re.escape(name)}\()", r"define \1", text).replace(
        "inlinehint", "alwaysinline"
    )
    module = binding.parse_assembly(host().preamble + text, binding.create_context())
    passes = binding.create_new_module_pass_manager()
    passes.add_always_inliner_pass()
    passes.add_global_dead_code_eliminate_pass()
    passes.add_sroa_pass()
    passes.add_instruction_combine_pass()
    passes.add_simplify_cfg_pass()
    if unroll:
        passes.add_loop_rotate_pass()
        passes.add_loop_unroll_pass()
    passes.add_sccp_pass()
    passes.add_jump_threading_pass()
    passes.add_instruction_combine_pass()
    passes.add_simplify_cfg_pass()
    passes.run(module, binding.create_pass_builder(host().machine, binding.create_pipeline_tuning_options()))
    return str(module)


def _cut_out(module: str, name: str) -> Operation:
    """The functions and declarations of a printed module, without what is numbered for a module as a whole."""
    lines: list[str] = []
    declarations: set[str] = set()
    inside = False
    for line in module.splitlines():
        if found := _DEFINITION.match(line):
            inside = True
            lines.append(f"define internal {found[1]} nounwind INLINE {{" if found[2] == name else _plain(found[1]))
        elif inside:
            lines.append(_METADATA.sub("", _GROUP.sub("", line)))
            inside = line != "}"
        elif found := _DECLARATION.match(line):
            declarations.add(f"declare {found[1]} nounwind")
    inline = "noinline" if len(lines) > _LONG else "alwaysinline"
    return Operation(name, "\n".join(lines).replace("INLINE", inline, 1), frozenset(declarations))


def _plain(signature: str) -> str:
    """The opening of a function that the operation calls: a long one, which wasn't inlined."""
    return f"define internal {signature} nounwind noinline {{"
