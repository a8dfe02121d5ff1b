"""How a pump calls a program: by the address of its native code."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Final

_PROGRAM: Final = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_void_p, ctypes.c_void_p)

STAND_INS: Final[dict[int, Callable[[int, int], int]]] = {}
"""Python functions in the place of native code, by the number that tables name them by; for tests."""


def call_program(code: int, ctx: int, run: int) -> int:
    """Run the native code at `code` on the context at `ctx`, with its state at `run`. r0."""
    stand_in = STAND_INS.get(code)
    if stand_in is not None:
        return stand_in(ctx, run)
    return int(_PROGRAM(code)(ctx, run))
