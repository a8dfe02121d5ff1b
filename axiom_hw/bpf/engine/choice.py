"""The names of the engines, as people choose them."""

from __future__ import annotations

from enum import StrEnum


class Engine(StrEnum):
    """Which engine runs a program."""

    AUTO = "auto"  # the interpreter at once, native code when it is ready, where there can be any
    INTERP = "interp"
    LLVM = "llvm"  # native code from the first event on
