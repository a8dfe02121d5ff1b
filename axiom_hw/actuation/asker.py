"""Who asks the guard: a name for the audit, an authority, and which outputs that one may drive at all."""

from __future__ import annotations

from dataclasses import dataclass

from axiom_hw.board.model import Authority


@dataclass(frozen=True, slots=True)
class Asker:
    """A program (unless `authority` says otherwise), the application, or an operator.

    `drives` are the names of the outputs that were granted; None for every one whose authority suffices.
    """

    name: str
    authority: Authority = Authority.PROGRAM
    drives: frozenset[str] | None = None

    def may_drive(self, output: str, least: Authority) -> bool:
        """Whether an output that demands `least` takes its orders."""
        return self.authority >= least and (self.drives is None or output in self.drives)


Source = str | Asker
"""A name alone is a program's."""


def asker_of(source: Source) -> Asker:
    """Who that is."""
    return Asker(source) if isinstance(source, str) else source
