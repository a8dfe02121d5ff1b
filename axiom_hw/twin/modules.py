"""Modules of the kernel: where they lie below a kernel's directory, what they need, and the order to load them in."""

from __future__ import annotations

import lzma
from pathlib import Path

from axiom_hw.errors import TwinError


class ModuleTree:
    """The modules of an unpacked kernel, and extra ones by their files.

    Synchronization: one thread at a time.
    """

    def __init__(self, tree: Path, extra: tuple[Path, ...] = ()) -> None:
        self._files = {_name(file): file for file in (*tree.rglob("*.ko"), *tree.rglob("*.ko.xz"), *extra)}
        self._builtin = {_name(Path(row)) for file in tree.rglob("modules.builtin") for row in file.read_text().split()}
        self._read: dict[str, bytes] = {}

    def closure(self, wanted: tuple[str, ...]) -> dict[str, bytes]:
        """The modules and all that they need, as ELF files, in an order in which each finds what it needs.

        Those that are part of the kernel's image are left out. Raises `TwinError` for one that isn't there.
        """
        ordered: dict[str, bytes] = {}

        def take(name: str, by: str) -> None:
            if name in ordered or name in self._builtin:
                return
            content = self._content(name, by)
            for needed in _needs(content):
                take(needed, name)
            ordered[name] = content

        for name in wanted:
            take(name.replace("-", "_"), "the twin")
        return ordered

    def _content(self, name: str, by: str) -> bytes:
        if name not in self._files:
            raise TwinError(f"module {name}", f"isn't among those of this kernel, and {by} needs it")
        if name not in self._read:
            raw = self._files[name].read_bytes()
            self._read[name] = lzma.decompress(raw) if self._files[name].suffix == ".xz" else raw
        return self._read[name]


def _name(file: Path) -> str:
    return file.name.partition(".ko")[0].replace("-", "_")


def _needs(module: bytes) -> list[str]:
    """What `modinfo -F depends` says: strings of the section .modinfo, each between NULs (include/linux/module.h)."""
    _, found, rest = module.partition(b"\0depends=")
    text = rest.partition(b"\0")[0].decode() if found else ""
    return [name.replace("-", "_") for name in text.split(",") if name]
