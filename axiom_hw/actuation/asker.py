"""Who asks the guard: a name for the audit, an authority, and which outputs that one may drive at all."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from axiom_hw.board.model import Authority


@dataclass(frozen=True, slots=True)
class Asker:
    """A program (unless `authority` says otherwise), the application, or an operator.

    `drives` are the names of the outputs that were granted; None for every one whose authority suffices.
    """

    name: str
    authority: Authority = Authority.PROGRAM
    drives: frozenset[str] | None = None


Source = str | Asker
"""A name alone is a program's."""


def asker_of(source: Source) -> Asker:
    """Who that is."""
    return source if isinstance(source, Asker) else _program(source)


@lru_cache(maxsize=256)
def _program(name: str) -> Asker:
    return Asker(name)
