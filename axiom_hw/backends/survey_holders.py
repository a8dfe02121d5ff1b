"""Which process holds a GPIO line: the kernel says it in /proc/PID/fdinfo of the descriptor of a request.

Source: `linereq_show_fdinfo` in drivers/gpio/gpiolib-cdev.c, which kernels have since the end of 2022. Requests by the
old interface (v1) are descriptors of other names, and say no lines.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_REQUEST: Final = re.compile(r"anon_inode:\[?gpio-(line|linehandle|event)\]?")
_CHIP: Final = re.compile(r"^gpio-chip:\s*(\S+)$", re.MULTILINE)
_LINE: Final = re.compile(r"^gpio-line:\s*(\d+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Holder:
    """A process with a request. `chip` is as in /dev ("gpiochip0"); empty, without lines, where no kernel says it."""

    pid: int
    command: str
    chip: str = ""
    lines: tuple[int, ...] = ()


def line_holders(root: Path = Path("/")) -> tuple[Holder, ...]:
    """The processes whose descriptors we may see: all for root, else one's own. Raises nothing."""
    processes = [path for path in (root / "proc").glob("[0-9]*") if path.name.isdecimal()]
    return tuple(holder for path in sorted(processes, key=lambda p: int(p.name)) for holder in _requests(path))


def _requests(process: Path) -> Iterator[Holder]:
    try:
        descriptors = sorted(os.listdir(process / "fd"))
    except OSError:  # somebody else's, or it has just ended
        return
    for number in descriptors:
        try:
            if not _REQUEST.fullmatch(os.readlink(process / "fd" / number)):
                continue
            info = (process / "fdinfo" / number).read_text()
        except OSError:
            continue
        chip = _CHIP.search(info)
        lines = tuple(int(line) for line in _LINE.findall(info))
        yield Holder(int(process.name), _command(process), chip[1] if chip else "", lines)


def _command(process: Path) -> str:
    """How it was started, shortened; its short name where it doesn't say."""
    try:
        words = (process / "cmdline").read_text(errors="replace").split("\0")
        text = " ".join(words).strip() or (process / "comm").read_text(errors="replace").strip()
    except OSError:
        return "?"
    return text if len(text) <= 60 else f"{text[:57]}..."
