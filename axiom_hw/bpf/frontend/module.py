"""What one compilation makes: functions, each lowered once, the globals and declarations that they need."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from axiom_hw.bpf.frontend.debug import Debug
from axiom_hw.bpf.frontend.values import Kind


@dataclass(frozen=True, slots=True)
class Signature:
    """How a lowered function is called."""

    symbol: str
    parameters: tuple[tuple[str, Kind], ...]
    result: Kind


@dataclass
class Module:
    """Grows while functions are lowered. Synchronization: one thread."""

    debug: Debug | None = None
    prefix: str = ""
    globals: dict[str, str] = field(default_factory=dict)  # name -> the line that defines it
    declarations: dict[str, str] = field(default_factory=dict)  # name -> the line that declares it
    functions: dict[object, Signature] = field(default_factory=dict)  # by function and what was known of its arguments
    texts: dict[str, str] = field(default_factory=dict)  # symbol -> the function
    under_way: list[object] = field(default_factory=list)  # keys of functions that are being lowered, outermost first

    def symbol(self, name: str) -> str:
        """A name that no function of the module has yet."""
        safe = self.prefix + "".join(c if c.isascii() and c.isalnum() else "_" for c in name)
        taken = {signature.symbol for signature in self.functions.values()}
        return next(s for s in _numbered(safe) if s not in taken)

    def text(self) -> str:
        """Everything, as LLVM IR. The same input gives the same text."""
        parts = [*self.globals.values(), *self.declarations.values(), *self.texts.values()]
        if self.debug is not None:
            parts += self.debug.lines()
        return "\n".join(parts) + "\n"


def _numbered(name: str) -> Iterable[str]:
    yield name
    number = 2
    while True:
        yield f"{name}_{number}"
        number += 1
