"""The formats that `trace_printk` understands: Linux's subset of printf (kernel/bpf/helpers.c, bpf_bprintf_prepare).

%d %i %u %x %X, each with l or ll, %p, %c and %%, with the flags `0 + - blank` and a width. Not %s: its argument would
be a pointer, and the helper's arguments are numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from axiom_hw.bpf.arithmetic import MASK, signed

TEXT_LIMIT: Final = 1023  # characters; Linux's buffer less its NUL
_DIRECTIVE: Final = re.compile(r"%(?:(?P<percent>%)|(?P<flags>[0+\- ]*)(?P<width>[1-9][0-9]*)?"
                               r"(?:(?P<long>l{0,2})(?P<verb>[diuxX])|(?P<other>[pc])))")  # fmt: skip
_PRINTABLE: Final = frozenset(range(0x20, 0x7F)) | frozenset(b"\t\n\v\f\r")


def render(template: bytes, arguments: Sequence[int]) -> str | None:
    """The text, cut at `TEXT_LIMIT`; None where Linux says EINVAL.

    That is: no NUL in the format, a character that doesn't print, a directive that isn't known, or more of them
    than there are arguments (unsigned 64-bit numbers).
    """
    text, nul, _ = template.partition(b"\0")
    if not nul or not _PRINTABLE.issuperset(text):
        return None
    pieces: list[str] = []
    left = iter(arguments)
    plain = text.decode("ascii")
    at = 0
    while (percent := plain.find("%", at)) >= 0:
        pieces.append(plain[at:percent])
        found = _DIRECTIVE.match(plain, percent)
        shown = _convert(found, left) if found else None
        if found is None or shown is None:
            return None
        pieces.append(shown)
        at = found.end()
    pieces.append(plain[at:])
    return "".join(pieces)[:TEXT_LIMIT]


def _convert(found: re.Match[str], arguments: Iterator[int]) -> str | None:
    if found["percent"]:
        return "%"
    value = next(arguments, None)
    if value is None:
        return None
    flags = found["flags"]
    # Wider than the whole text is no wider; without a limit, one directive could ask for gigabytes.
    width = min(int(found["width"][:5]), TEXT_LIMIT) if found["width"] else 0
    if found["other"] == "c":
        return _pad(chr(value & 0xFF), "", flags.replace("0", ""), width)
    if found["other"] == "p":
        return _pad(f"{value:016x}", "", flags, width)
    bits = 64 if found["long"] else 32
    verb = found["verb"]
    if verb in "di":
        number = signed(value, bits)
        sign = "-" if number < 0 else "+" if "+" in flags else " " if " " in flags else ""
        return _pad(str(abs(number)), sign, flags, width)
    return _pad(format(value & MASK[bits], "d" if verb == "u" else verb), "", flags, width)


def _pad(digits: str, sign: str, flags: str, width: int) -> str:
    if "-" in flags:
        return (sign + digits).ljust(width)
    if "0" in flags:
        return sign + digits.rjust(width - len(sign), "0")
    return (sign + digits).rjust(width)
