"""One program while it is lifted: what it declares, and what its text needs besides its own functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from axiom_hw.bpf.engine.llvm.locations import Locations
from axiom_hw.bpf.maps.create import Map
from axiom_hw.bpf.spec import ProgramSpec


class Raw(Protocol):
    """Compiles functions that are written in restricted Python on raw memory; see `frontend.raw.RawModule`."""

    def lower(self, function: Callable[..., object], *constants: object) -> str:
        """The name, without `@`, of its IR function: memories are `ptr`, integers `i64`, constants are gone."""
        ...

    def text(self) -> str:
        """All that was lowered."""
        ...


@dataclass(frozen=True, slots=True)
class Offers:
    """What the environment offers to native code, so far as the text depends on it.

    `hardware`: ids of helpers that are Python. `natives`: functions in restricted Python by helper id, each on a
    memory of its own. `monotonic`: whether time is the system's CLOCK_MONOTONIC, no callback needed.
    """

    hardware: frozenset[int] = frozenset()
    natives: Mapping[int, Callable[..., int]] = field(default_factory=dict)
    monotonic: bool = False


@dataclass(slots=True)
class Unit:
    """What lowerings of one program share. `prelude` names the pieces of `prelude.TEXT` that they need, `externals`
    the declarations of what is resolved at load. `one_stack`: functions reach into their callers' frames, so all
    frames lie in one block. `holds`: records must be remembered while they are held, for a helper may raise.
    """

    spec: ProgramSpec
    maps: Sequence[Map]
    raw: Raw
    offers: Offers
    one_stack: bool
    holds: bool
    targets: Mapping[int, frozenset[int]]
    constants: frozenset[int]  # maps by index: those whose values the module holds itself
    ahead: tuple[int, ...] = ()  # rings by map index: those in which a batch reserves room ahead
    prelude: set[str] = field(default_factory=set)
    externals: set[str] = field(default_factory=set)
    locations: Locations | None = None
    may_abort: set[int] = field(default_factory=set)  # functions by pc
