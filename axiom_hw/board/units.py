"""Durations as people write them ("5ms", "1.5 us", "2s", "1h") to whole nanoseconds."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

_S: Final = 1_000_000_000
_UNITS_NS: Final = {
    "ns": 1, "us": 1_000, "µs": 1_000, "μs": 1_000, "ms": 1_000_000, "s": _S, "min": 60 * _S, "h": 3600 * _S,
}  # fmt: skip
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([a-zµμ]+)")


def parse_duration_ns(text: str) -> int:
    """Nanoseconds. Raises `ValueError` with a sentence that says how to write a duration."""
    match = _DURATION.fullmatch(text.strip())
    if not match or match[2] not in _UNITS_NS:
        raise ValueError(f'{text!r} is no duration; write a number and one of ns, us, ms, s, min, h, such as "5ms"')
    exact = Decimal(match[1]) * _UNITS_NS[match[2]]
    if exact != int(exact):
        raise ValueError(f"{text!r} is {exact} ns; a duration is a whole number of nanoseconds")
    return int(exact)


def format_duration(ns: int) -> str:
    """The shortest text that `parse_duration_ns` reads back: 5000000 is "5ms"."""
    for unit, size in (("s", _S), ("ms", 1_000_000), ("us", 1_000)):
        if ns and ns % size == 0:
            return f"{ns // size}{unit}"
    return f"{ns}ns"
