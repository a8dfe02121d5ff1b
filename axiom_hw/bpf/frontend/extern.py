"""Functions of the C library, for raw functions: `read` by name, with a plain Python body for the interpreter.

    @extern("read", errno=True)
    def sys_read(fd: s32, buf: Mem, buf_off: int, count: u64) -> s64:
        ...

To a compiled caller this is a call of C's `read`. A parameter is passed at its width. A `Mem` and the parameter named
`<mem>_off` behind it are one pointer; a `Mem` without one is a pointer to its first byte. With `errno`, a result below
0 becomes -errno, as a system call gives it: the Python body returns that as well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

F = TypeVar("F", bound=Callable[..., object])

ATTRIBUTE: Final = "__axiom_extern__"


@dataclass(frozen=True, slots=True)
class Extern:
    """What a declaration says: the symbol, and whether a failure is in `errno`."""

    symbol: str
    errno: bool


def extern(symbol: str, *, errno: bool = False) -> Callable[[F], F]:
    """Declares that the decorated function is C's `symbol`."""

    def mark(function: F) -> F:
        setattr(function, ATTRIBUTE, Extern(symbol, errno))
        return function

    return mark
