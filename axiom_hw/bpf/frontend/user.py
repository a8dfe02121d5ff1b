"""The language of users: a function in restricted Python becomes a BPF object, and from there goes everybody's way.

A function that it calls is compiled as well: a short one into its caller, a longer one as a subprogram.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from axiom_hw.bpf.elf import load_object
from axiom_hw.bpf.frontend import library
from axiom_hw.bpf.frontend.builtins import builtin_value
from axiom_hw.bpf.frontend.debug import Debug
from axiom_hw.bpf.frontend.functions import function_value, lower_function
from axiom_hw.bpf.frontend.helpercalls import Names
from axiom_hw.bpf.frontend.llvm import emit_object
from axiom_hw.bpf.frontend.module import Module
from axiom_hw.bpf.frontend.names import named
from axiom_hw.bpf.frontend.signatures import basic_kind
from axiom_hw.bpf.frontend.source import read_source
from axiom_hw.bpf.frontend.values import Kind, KindOf, Resolver
from axiom_hw.bpf.spec import CtxSpec, ProgramSpec
from axiom_hw.errors import BoardError

if TYPE_CHECKING:
    from axiom_hw.bpf.frontend.lowering import Lowering

_SHORT: Final = 120  # lines of unoptimised IR: up to here a function is part of its caller
_MOST_PASSED: Final = 5  # parameters: in registers. A function with more is part of its caller, too
# Without jump tables, which are newer than RFC 9669. And with minsize a remainder stays one: where LLVM makes it a
# product and a shift, the verifier can't see that `i % 100` is below 100.
_ATTRIBUTES: Final = 'nounwind minsize optsize "no-jump-tables"="true"'


def no_board(kind: str, name: str) -> Sequence[int]:
    """What names on the board mean where there is none: each is refused."""
    raise BoardError(f'"{name}"', f"is a name on a board ({kind}), but no board was chosen", "choose one: --board NAME")


@dataclass(frozen=True, slots=True)
class UserDialect:
    """What programs are written in. `section` is that of the function that the hook calls."""

    section: str
    resolvers: tuple[Resolver, ...]
    kinds: tuple[KindOf, ...] = (*library.KINDS, basic_kind)
    judged: bool = True

    def is_fixed(self, annotation: object) -> bool:
        return False

    def parameter(self, kind: Kind, position: int) -> str:
        return kind.ir

    def header(self, low: Lowering, symbol: str, result: str, parameters: str, entry: bool) -> str:
        if entry and result == "i1":
            result = "zeroext i1"  # the hook reads all 64 bits of r0; LLVM would leave what it likes above the first
        head = f"{result} @{symbol}({parameters}) {_ATTRIBUTES}"
        if entry:
            return f'define dso_local {head} section "{self.section}" !dbg {low.scope}'
        inline = low.size <= _SHORT or parameters.count(",") >= _MOST_PASSED
        return f"define internal {head} {'alwaysinline' if inline else 'noinline'} !dbg {low.scope}"


@dataclass(frozen=True, slots=True)
class Compiled:
    """A program before it is an object: LLVM IR, and the source files that it came from, by name."""

    ir: str
    texts: Mapping[str, str]

    def object(self) -> bytes:
        """The ELF file."""
        return emit_object(self.ir)


def lower_program(
    function: Callable[..., object], section: str, *, board: Names = no_board, resolvers: Sequence[Resolver] = (),
    license: str = "Apache-2.0",
) -> Compiled:  # fmt: skip
    """A program as LLVM IR. Raises `Refused` for what isn't in the language."""
    source = read_source(function)
    debug = Debug(source.file, source.text)
    module = Module(debug=debug)
    data = license.encode() + b"\0"
    shown = "".join(f"\\{byte:02X}" for byte in data)
    module.globals["_license"] = (
        f'@_license = dso_local global [{len(data)} x i8] c"{shown}", section "license", align 1'
    )
    known = (*resolvers, *library.resolvers(board), builtin_value, function_value)
    lower_function(module, UserDialect(section, known), function, entry=function.__name__)
    return Compiled(module.text(), MappingProxyType(debug.texts))


def compile_object(
    function: Callable[..., object], section: str, *, board: Names = no_board, resolvers: Sequence[Resolver] = (),
    license: str = "Apache-2.0",
) -> bytes:  # fmt: skip
    """A program as a BPF object, an ELF file: its code in `section`, its maps, and the lines that it came from.

    `board` says what names on the board mean; `resolvers` are asked first what other names do. The same source gives
    the same bytes. Raises `Refused` with the line for what isn't in the language, `MissingDependency` without llvmlite.
    """
    return lower_program(function, section, board=board, resolvers=resolvers, license=license).object()


def compile_program(
    function: Callable[..., object], section: str, ctx_of: Callable[[str], CtxSpec], *, board: Names = no_board,
    resolvers: Sequence[Resolver] = (), license: str = "Apache-2.0",
) -> ProgramSpec:  # fmt: skip
    """A program as a spec, loaded from its object. `ctx_of` gives the context of the section's hook."""
    lowered = lower_program(function, section, board=board, resolvers=resolvers, license=license)
    loaded = load_object(lowered.object(), read_source(function).file, ctx_of)
    return named(loaded.program_named(function.__name__), lowered.texts)
