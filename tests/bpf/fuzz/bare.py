"""Native code made as fast as can be rather than fast code: for a fuzzer, which compiles thousands of programs.

What the lifter writes goes to the instruction selector as it is: no passes. Map operations are compiled once for each
shape of map in the process's life, and called at their address. Programs that are to be compiled as in production, for
quick code or optimised, go through `Native` itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from itertools import count
from typing import Final

from llvmlite import binding

from axiom_hw.bpf.engine.llvm.entry import with_batch
from axiom_hw.bpf.engine.llvm.instance import Instance
from axiom_hw.bpf.engine.llvm.jit import compile_ir
from axiom_hw.bpf.engine.llvm.lift import lift
from axiom_hw.bpf.engine.llvm.link import link
from axiom_hw.bpf.engine.llvm.loading import Library, load
from axiom_hw.bpf.engine.llvm.native import offers_of
from axiom_hw.bpf.engine.llvm.symbols import resolve
from axiom_hw.bpf.engine.llvm.target import LOCK, host
from axiom_hw.bpf.engine.machine import Env
from axiom_hw.bpf.frontend.raw import RawModule
from axiom_hw.bpf.maps import Map
from axiom_hw.bpf.verified import Verified

_OUT_OF_LINE: Final = 1 << 20  # so many instructions: the batch loop gets no copy of the program
_numbers: Final = count()
_kept: Final[list[Library]] = []


def bare(program: Verified, maps: Sequence[Map], env: Env) -> Instance:
    """As `Native`, without any pass."""
    spec = program.spec
    text = with_batch(lift(program, maps, _Shared(), offers_of(env)), insns=_OUT_OF_LINE, ctx_bytes=spec.ctx.size)
    with LOCK:
        module = binding.parse_assembly(host().preamble + text, binding.create_context())
        module.verify()
        image = host().quick.emit_object(module)
    return Instance(link(image, spec.name), spec, maps, env, 1)


class _Shared:
    """Compiles each raw function once for all programs; a program's text calls those that it asked for."""

    def __init__(self) -> None:
        self._calls: dict[str, str] = {}  # by symbol

    def lower(self, function: Callable[..., object], *constants: object) -> str:
        symbol, call = _compiled(function, constants)
        self._calls[symbol] = call
        return symbol

    def text(self) -> str:
        return "".join(self._calls.values())


@cache
def _compiled(function: Callable[..., object], constants: tuple[object, ...]) -> tuple[str, str]:
    """The name of a raw function, and the text of one of that name that goes on at its address."""
    module = RawModule(prefix=f"raw{next(_numbers)}_")
    symbol = module.lower(function, *constants)
    text = module.text()
    head = re.search(rf"^define internal (\S+) @{symbol}\((.*)\) nounwind", text, re.M)
    assert head, f"{symbol} isn't defined as expected"
    result, parameters = head.groups()
    code = compile_ir(text.replace(head[0], f"define {result} @{symbol}({parameters}) nounwind"), symbol)
    library = load(code, resolve(code.needs, {}, symbol), symbol)
    _kept.append(library)
    assign = "" if result == "void" else "%result = "
    answer = "ret void" if result == "void" else f"ret {result} %result"
    return symbol, (
        f"define internal {result} @{symbol}({parameters}) nounwind {{\n"
        f"  %there = inttoptr i64 {library.addresses[symbol]} to ptr\n"
        f"  {assign}call {result} %there({parameters})\n  {answer}\n}}\n"
    )
