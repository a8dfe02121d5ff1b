"""A trusted function in restricted Python as native code that Python calls without the GIL."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from typing import Final

from axiom_hw.bpf.engine.llvm.cache import Cache
from axiom_hw.bpf.engine.llvm.identity import text_key
from axiom_hw.bpf.engine.llvm.jit import compile_ir
from axiom_hw.bpf.engine.llvm.loading import Library, load
from axiom_hw.bpf.engine.llvm.symbols import resolve
from axiom_hw.bpf.frontend.raw import RawModule

_ENTRY: Final = "enter"


class RawCode:
    """`function(m: Mem, at: int) -> int`, compiled: called with an address, it runs with all of this process as `m`.

    `inlined` are definitions, as IR, of functions that `function` declares as external. Raises `CompileError`, and
    `SpecError` for an external function that isn't there.

    Synchronization: any thread; the GIL is given up for as long as the function runs.
    """

    __slots__ = ("_function", "_library")

    def __init__(
        self, function: Callable[..., int], inlined: Mapping[str, str] | None = None, cache: Cache | None = None
    ) -> None:
        place = function.__qualname__
        module = RawModule("raw_")
        name = module.lower(function)
        lines = module.text().splitlines()
        for symbol in inlined or {}:
            lines = [line for line in lines if not (line.startswith("declare ") and f"@{symbol}(" in line)]
        text = "\n".join((*lines, *(inlined or {}).values(), _WRAPPER.format(entry=_ENTRY, name=name)))
        key = text_key(text)
        code = cache.get(key) if cache is not None else None
        if code is None:
            code = compile_ir(text, place)
            if cache is not None:
                cache.put(key, code)
        self._library: Library = load(code, resolve(code.needs, {}, place), place)
        self._function = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_uint64)(self._library.addresses[_ENTRY])

    def __call__(self, at: int) -> int:
        result: int = self._function(at)
        return result


_WRAPPER: Final = """
define i64 @{entry}(i64 %at) nounwind {{
  %r = call i64 @{name}(ptr null, i64 %at)
  ret i64 %r
}}
"""
