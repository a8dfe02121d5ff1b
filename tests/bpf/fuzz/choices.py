"""Decisions from a string of bytes: hypothesis makes and shrinks the bytes, generators ask here.

Each decision takes a byte or two; when none are left every decision is 0, so that 0 must always be the simplest one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeVar

T = TypeVar("T")

_EDGES: Final = (
    0, 1, 2, 7, 8, 63, 64, 127, 128, 255, 256, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF,
    -1, -2, -8, -128, -0x8000, -0x80000000,
)  # fmt: skip


class Choices:
    """A reader of decisions."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        """How many bytes are left."""
        return max(0, len(self._data) - self._at)

    def below(self, limit: int) -> int:
        """0 to limit - 1."""
        value, width = 0, 1 if limit <= 256 else 2 if limit <= 65536 else 4
        for _ in range(width):
            value = value << 8 | (self._data[self._at] if self._at < len(self._data) else 0)
            self._at += 1
        return value % limit

    def pick(self, options: Sequence[T]) -> T:
        """One of several, the first being the simplest."""
        return options[self.below(len(options))]

    def once_in(self, n: int) -> bool:
        """True in one of n cases, and never where no bytes are left."""
        return self.below(n) == n - 1 if n > 1 else True

    def imm(self) -> int:
        """A signed 32-bit number: small, an edge, or anything."""
        match self.below(4):
            case 0:
                return self.below(10)
            case 1:
                return self.pick(_EDGES)
            case 2:
                return self.below(256) - 128
            case _:
                return self.below(1 << 32) - (1 << 31)
