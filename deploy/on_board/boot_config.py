"""What an application writes into config.txt: lines between two marks, which go with it. The laptop uses it, too."""

from __future__ import annotations

from collections.abc import Sequence


def block(name: str, lines: Sequence[str]) -> str:
    """What stands in config.txt of an application. Under [all], whatever filter the file ends with."""
    if not lines:
        return ""
    return "\n".join([f"# BEGIN axiom-hw {name}: made by its deploy", "[all]", *lines, f"# END axiom-hw {name}", ""])


def without_block(text: str, name: str) -> str:
    """A config.txt without what stands in it of an application."""
    begin, end = f"# BEGIN axiom-hw {name}:", f"# END axiom-hw {name}"
    kept, inside = [], False
    for line in text.splitlines(keepends=True):
        if line.startswith(begin):
            inside = True
        if not inside:
            kept.append(line)
        if line.strip() == end:
            inside = False
    return "".join(kept)


def with_block(text: str, name: str, lines: Sequence[str]) -> str:
    """A config.txt with these lines for an application, in the place of others of its own; all else stays as it is."""
    bare = without_block(text, name)
    gap = "\n" if lines and bare and not bare.endswith("\n") else ""
    return bare + gap + block(name, lines)
