"""Admission: the worst case of all programs on one hook must fit its budget of instructions, or the last is refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from axiom_hw.errors import HookError
from axiom_hw.keys import HookKey


class Bounded(Protocol):
    """A program whose longest path may be known."""

    @property
    def name(self) -> str: ...

    @property
    def worst_case_insns(self) -> int | None: ...


def admit(key: HookKey, programs: Sequence[Bounded], budget_insns: int | None) -> None:
    """Raise `HookError` unless one event can run all of `programs`, the newcomer last, within the budget.

    A budget of None admits anything; with one, a program without a known worst case is refused.
    """
    if budget_insns is None:
        return
    unknown = next((p for p in programs if p.worst_case_insns is None), None)
    if unknown is not None:
        raise HookError(
            f"{key}",
            f"has a budget of {budget_insns} instructions an event; {unknown.name} has no known worst case",
            "verify the program, which bounds it, or run without a budget",
        )
    total = sum(p.worst_case_insns or 0 for p in programs)
    if total > budget_insns:
        shown = " + ".join(f"{p.name} {p.worst_case_insns}" for p in programs)
        raise HookError(
            f"{key}",
            f"would need {total} instructions an event in the worst case ({shown}); the budget is {budget_insns}",
            f"detach a program, make {programs[-1].name} shorter, or raise the budget",
        )
