"""The commands in the console blocks of a page, and what the page says that they print."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Session:
    """A command, and what is shown below it."""

    command: str
    shown: str


def sessions(text: str) -> list[Session]:
    """Those of a page, in their order."""
    found = []
    for block in re.findall(r"^```console\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL):
        for piece in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, shown = piece.partition("\n")
            found.append(Session(command, shown))
    return found
