"""A compiled program as inert data, and what it means that one can't be made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from axiom_hw.errors import AxiomError

REPORT: Final = "this is a bug of axiom_hw; --engine interp runs the program meanwhile"
SLOT_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class Code:
    """Code that runs wherever a page begins. Right behind `image` it wants the addresses of what it `needs` from
    outside, in that order, `SLOT_BYTES` each. `exports` are its own functions: name, and offset in the image.
    """

    image: bytes
    needs: tuple[str, ...]
    exports: tuple[tuple[str, int], ...]


class CompileError(AxiomError, RuntimeError):
    """A program that can't be lifted, IR that LLVM refuses, an object that can't be linked, all of them bugs of ours;
    or a system that maps no code.
    """
