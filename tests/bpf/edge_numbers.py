"""Numbers that find bugs: edges, small ones, what lies near an edge, and any."""

from __future__ import annotations

from random import Random
from typing import Final

_M64: Final = (1 << 64) - 1
_EDGES: Final = tuple(
    edge & _M64
    for bits in (3, 6, 7, 8, 15, 16, 31, 32, 63)
    for edge in ((1 << bits) - 1, 1 << bits, -(1 << bits), (1 << bits) + 1)
)


def interesting(random: Random) -> int:
    """64 bits: an edge, a small number, something near an edge, or anything."""
    match random.randrange(5):
        case 0:
            return random.choice(_EDGES)
        case 1:
            return random.randrange(16)
        case 2:
            return random.choice(_EDGES) + random.randrange(-3, 4) & _M64
        case 3:
            return random.getrandbits(random.randrange(1, 65))
        case _:
            return random.getrandbits(64)


def interesting_bytes(random: Random, size: int) -> bytes:
    """As many bytes, from such numbers."""
    words = b"".join(interesting(random).to_bytes(8, "little") for _ in range(-(-size // 8)))
    return words[:size]
