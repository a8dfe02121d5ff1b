"""A compiled program as inert data, and what it means that one can't be made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from axiom_hw.errors import AxiomError

REPORT: Final = "this is a bug of axiom_hw; --engine interp runs the program meanwhile"


@dataclass(frozen=True, slots=True)
class Code:
    """An object file, and the names that it needs from outside."""

    image: bytes
    needs: tuple[str, ...]


class CompileError(AxiomError, RuntimeError):
    """A program that can't be lifted, IR that LLVM refuses, an object that it can't load: a bug of ours."""
