"""What programs can use beyond numbers and functions: the resolvers and kinds of the library, in one place."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from axiom_hw.bpf.frontend.arrays import array_kind, array_maker
from axiom_hw.bpf.frontend.constants import constant
from axiom_hw.bpf.frontend.helpercalls import HelperCall, HelperFunction, Names
from axiom_hw.bpf.frontend.mapvalues import map_value
from axiom_hw.bpf.frontend.printing import print_value
from axiom_hw.bpf.frontend.rings import ring_value
from axiom_hw.bpf.frontend.structs import struct_class, struct_kind
from axiom_hw.bpf.frontend.values import KindOf, Resolver, Value

if TYPE_CHECKING:
    from axiom_hw.bpf.frontend.lowering import Lowering

KINDS: Final[tuple[KindOf, ...]] = (struct_kind, array_kind)


def resolvers(board: Names) -> tuple[Resolver, ...]:
    """What the names of a program may mean; `board` tells what a name on the board stands for."""
    return (_helpers(board), map_value, ring_value, struct_class, print_value, array_maker, constant)


def _helpers(board: Names) -> Callable[[Lowering, object], Value | None]:
    def helper_value(low: Lowering, found: object) -> Value | None:
        return HelperCall(found, board) if isinstance(found, HelperFunction) else None

    return helper_value
