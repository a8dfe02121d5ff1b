"""How much of what it could try a test tries: a part of it in `make test`, all of it in `make test-slow`.

A test that asks here is marked `thorough`, so that `make test-slow` finds it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final, TypeVar

WHOLE: Final = os.environ.get("AXIOM_TESTS") == "whole"
T = TypeVar("T")


def tries(part: int, whole: int) -> int:
    """How many examples."""
    return whole if WHOLE else part


def some(cases: Sequence[T], one_in: int, first: int = 0) -> Sequence[T]:
    """One case in so many, from the one numbered `first` on; never none of them."""
    return cases if WHOLE else cases[first % len(cases) :: one_in]
