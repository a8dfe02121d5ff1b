"""What a generator believes of the program that it writes: a rough type for each register and piece of stack.

Rough on purpose: the verifier is the judge. The model only keeps enough programs sensible.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

CALLER_SAVED: Final = range(6)
REGISTERS: Final = range(10)


class Target(Enum):
    """What a pointer points into."""

    CTX = "ctx"
    STACK = "stack"
    VALUE = "value"
    RECORD = "record"


@dataclass(frozen=True, slots=True)
class Number:
    """A number; `most` is a limit where the generator made sure of one."""

    most: int | None = None


@dataclass(frozen=True, slots=True)
class Pointer:
    """A pointer to `size` bytes. `slots` are those of this frame that it means, for the stack."""

    target: Target
    size: int
    writable: bool = True
    slots: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Maybe:
    """A pointer that wasn't compared with NULL yet; copies share the number."""

    pointer: Pointer
    number: int


Held = Number | Pointer | Maybe | None
ANY: Final = Number()


@dataclass(slots=True)
class Model:
    """One point of the program. `slots` maps offsets from r10 (-8, -16, ...) to what 8 bytes hold."""

    regs: list[Held] = field(default_factory=lambda: [None] * 10)
    slots: dict[int, Number | Pointer | Maybe] = field(default_factory=dict)
    locked: frozenset[int] = frozenset()  # registers that keep what they hold
    kept: frozenset[int] = frozenset()  # slots that keep what they hold
    records: int = 0  # held now: no way out meanwhile
    depth: int = 0  # of loops and branches

    def copy(self) -> Model:
        return Model(self.regs.copy(), self.slots.copy(), self.locked, self.kept, self.records, self.depth)

    def numbers(self) -> list[int]:
        """Registers that hold numbers."""
        return [r for r in REGISTERS if isinstance(self.regs[r], Number)]

    def pointers(self, *targets: Target) -> list[int]:
        """Registers that hold pointers into one of these."""
        return [r for r in REGISTERS if isinstance(held := self.regs[r], Pointer) and held.target in targets]

    def small(self, most: int) -> list[int]:
        """Registers that hold numbers up to `most`, as far as the generator knows."""
        return [r for r in self.numbers() if (limit := self.limit(r)) is not None and limit <= most]

    def limit(self, register: int) -> int | None:
        """The limit of a number, where the generator knows one."""
        held = self.regs[register]
        return held.most if isinstance(held, Number) else None

    def maybes(self) -> list[int]:
        """Registers that hold what may be NULL."""
        return [r for r in REGISTERS if isinstance(self.regs[r], Maybe)]

    def settle(self, number: int, held: Held) -> None:
        """All copies of a pointer that was compared with NULL."""
        self.regs = [held if isinstance(h, Maybe) and h.number == number else h for h in self.regs]
        settled = {o: held if isinstance(h, Maybe) and h.number == number else h for o, h in self.slots.items()}
        self.slots = {off: h for off, h in settled.items() if h is not None}

    def free(self) -> list[int]:
        """Registers that may be overwritten: those whose loss is least first."""
        open_ = [r for r in REGISTERS if r not in self.locked]
        return sorted(open_, key=lambda r: isinstance(self.regs[r], Pointer | Maybe))

    def clobber(self) -> None:
        """A call."""
        for r in CALLER_SAVED:
            self.regs[r] = None

    def blur(self) -> None:
        """Forget the limits of numbers."""
        self.regs = [ANY if isinstance(held, Number) else held for held in self.regs]
        self.slots = {off: ANY if isinstance(held, Number) else held for off, held in self.slots.items()}

    def meet(self, other: Model) -> None:
        """This path and another lead here."""
        for r in REGISTERS:
            self.regs[r] = _meet(self.regs[r], other.regs[r])
        met = {off: _meet(held, other.slots.get(off)) for off, held in self.slots.items()}
        self.slots = {off: held for off, held in met.items() if held is not None}


def _meet(one: Held, other: Held) -> Held:
    if isinstance(one, Number) and isinstance(other, Number):
        if one.most is None or other.most is None:
            return ANY
        return Number(max(one.most, other.most))
    return one if one == other else None
