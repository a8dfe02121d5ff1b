"""How a pump calls a program: by the address of its native code."""

from __future__ import annotations

import ctypes
from typing import Final

from axiom_hw.bpf.frontend.extern import extern

SYMBOL: Final = "axiom_call_program"
PROGRAM: Final = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_void_p, ctypes.c_void_p)


@extern(SYMBOL)
def call_program(code: int, ctx: int, run: int) -> int:
    """Run the native code at `code` on the context at `ctx`, with its state at `run`. r0."""
    return int(PROGRAM(code)(ctx, run))
