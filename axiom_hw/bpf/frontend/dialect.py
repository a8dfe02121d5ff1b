"""What differs between the language of users and the raw one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from axiom_hw.bpf.frontend.values import Kind, KindOf, Resolver

if TYPE_CHECKING:
    from axiom_hw.bpf.frontend.lowering import Lowering


class Dialect(Protocol):
    """One of the two. Frozen."""

    @property
    def resolvers(self) -> tuple[Resolver, ...]:
        """What Python objects mean, asked in order."""
        ...

    @property
    def kinds(self) -> tuple[KindOf, ...]:
        """What annotations mean, asked in order."""
        ...

    @property
    def judged(self) -> bool:
        """Whether the verifier sees it: then paths on which Python would raise end in a marker that it refuses."""
        ...

    def is_fixed(self, annotation: object) -> bool:
        """Whether a parameter of this type is a Python object that is known when the function is compiled."""
        ...

    def parameter(self, kind: Kind, position: int) -> str:
        """The LLVM type of the parameter at a position, from 0, in the source; with its attributes."""
        ...

    def header(self, low: Lowering, symbol: str, result: str, parameters: str, entry: bool) -> str:
        """The `define` line, without the brace; `entry` for the function that was asked for, not called."""
        ...
