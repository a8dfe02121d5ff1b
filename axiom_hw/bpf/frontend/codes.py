"""The reasons for which Python is refused: stable codes beside the verifier's, which `axiom-hw explain` knows too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Code:
    """One reason: what isn't taken, and what usually helps."""

    id: str
    title: str
    why: str
    fix: str


TABLE: Final[tuple[Code, ...]] = (
    Code("P001", "a value that doesn't fit", "The value has another kind than its place takes, or needs more than 64 "
         "bits, or no type of 64 bits holds both sides of an operator.", "Convert it, as the message says."),
    Code("P002", "not in the language", "Programs are written in a part of Python: integers, structs, fixed arrays, "
         "maps, rings, loops and functions. What is accepted means what it means in Python; the rest is refused.",
         "Write it as the message says."),
    Code("P003", "a name or a type", "A name or a type means nothing to a program, or a variable has no value on some "
         "path.", "Declare it, import it, or give it a value first."),
    Code("P004", "not a program of this hook", "The function's parameter isn't the context of the hook that it is for.",
         "Take the context that the message names."),
)  # fmt: skip
BY_ID: Final = {row.id: row for row in TABLE}
