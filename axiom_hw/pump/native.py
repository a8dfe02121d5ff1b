"""The pump's loop as native code."""

from __future__ import annotations

from functools import cache
from typing import Final

from axiom_hw.bpf.engine.llvm.cache import Cache
from axiom_hw.bpf.engine.llvm.raw_code import RawCode
from axiom_hw.bpf.engine.llvm.real_atomics import use_real_atomics
from axiom_hw.pump import loop
from axiom_hw.pump.calls import SYMBOL

_CALL: Final = f"""
define internal i64 @{SYMBOL}(i64 %code, i64 %ctx, i64 %run) nounwind alwaysinline {{
  %function = inttoptr i64 %code to ptr
  %ctx_at = inttoptr i64 %ctx to ptr
  %run_at = inttoptr i64 %run to ptr
  %r0 = call i64 %function(ptr %ctx_at, ptr %run_at)
  ret i64 %r0
}}
"""


@cache
def compiled_loop(cache: Cache | None = None) -> RawCode:
    """For `Pump(enter=...)`; compiled once in a process. Raises as `RawCode` does."""
    use_real_atomics()
    return RawCode(loop.pump, {SYMBOL: _CALL}, cache)
