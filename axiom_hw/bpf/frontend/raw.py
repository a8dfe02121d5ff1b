"""The raw dialect: trusted functions on `Mem`s and integers, as LLVM IR for the machine that we run on.

A `Mem` is a pointer, an integer an i64, a primitive of `maps.mem` one instruction. A parameter whose type is a frozen
dataclass (a geometry) is known when the function is compiled: its fields are constants. `int` is s64; where it matters
that a number has no sign, the source says u64. A `Mem` that is the first parameter is aligned to 8 bytes, others
needn't be.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, is_dataclass
from typing import TYPE_CHECKING

from axiom_hw.bpf.frontend.builtins import builtin_value
from axiom_hw.bpf.frontend.constants import constant
from axiom_hw.bpf.frontend.functions import Known, function_value, lower_function
from axiom_hw.bpf.frontend.module import Module
from axiom_hw.bpf.frontend.primitives import MemoryKind, primitive_value
from axiom_hw.bpf.frontend.rawcalls import extern_value
from axiom_hw.bpf.frontend.signatures import basic_kind
from axiom_hw.bpf.frontend.values import Kind, KindOf, Resolver, Value
from axiom_hw.bpf.maps.mem import Mem

if TYPE_CHECKING:
    from axiom_hw.bpf.frontend.lowering import Lowering


def _memory_kind(annotation: object) -> Kind | None:
    return MemoryKind() if annotation is Mem else None


def _known(low: Lowering, found: object) -> Value | None:
    return Known(found) if is_dataclass(found) and not isinstance(found, type) else None


@dataclass(frozen=True, slots=True)
class RawDialect:
    """What the sources of map operations, of guard checks and of pumps are written in."""

    resolvers: tuple[Resolver, ...] = (primitive_value, extern_value, builtin_value, function_value, _known, constant)
    kinds: tuple[KindOf, ...] = (_memory_kind, basic_kind)
    judged: bool = False

    def is_fixed(self, annotation: object) -> bool:
        return isinstance(annotation, type) and is_dataclass(annotation)

    def parameter(self, kind: Kind, position: int) -> str:
        return "ptr align 8" if kind.ir == "ptr" and position == 0 else kind.ir

    def header(self, low: Lowering, symbol: str, result: str, parameters: str, entry: bool) -> str:
        # Short ones belong in their callers; of long ones, such as inserting into a hash map, one copy is enough.
        inline = "alwaysinline" if low.size <= _SHORT else "noinline" if low.size > _LONG else "inlinehint"
        return f"define internal {result} @{symbol}({parameters}) nounwind {inline}"


_SHORT = 150  # lines of unoptimised IR
_LONG = 400


class RawModule:
    """Lowers raw functions, each once for each set of constants. Synchronization: one thread.

    `prefix` begins the name of every function, so that the text of several modules can be put together.
    """

    def __init__(self, prefix: str = "") -> None:
        self._module = Module(prefix=prefix)
        self._dialect = RawDialect()

    def lower(self, function: Callable[..., object], *constants: object) -> str:
        """The name of the IR function: `internal i64/i1/void @name(ptr, i64, ...)`.

        `constants` are the values of its parameters that are dataclasses; they are taken out of the signature, the
        others stay in order. Raises `Refused` for a function that isn't written in this dialect.
        """
        return lower_function(self._module, self._dialect, function, constants).symbol

    def text(self) -> str:
        """Everything lowered so far, as LLVM IR text: functions, and declarations of what is external."""
        return self._module.text()
