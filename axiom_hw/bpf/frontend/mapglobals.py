"""A map's declaration in the object: the global in `.maps` that clang makes of `__uint` and `__type`, and its types."""

from __future__ import annotations

from typing import TYPE_CHECKING

from axiom_hw.bpf.frontend.structs import debug_struct, layout_class
from axiom_hw.bpf.layout import S32, scalar_of
from axiom_hw.bpf.spec import MapSpec

if TYPE_CHECKING:
    from axiom_hw.bpf.frontend.debug import Debug
    from axiom_hw.bpf.frontend.lowering import Lowering


def map_symbol(low: Lowering, spec: MapSpec, key: object = None, value: object = None) -> str:
    """The name of the map's global, which is made when the first use is lowered.

    `key` and `value` are their types: u8 to s64, a class made by `@layout`; anything else goes by its size.
    """
    safe = "".join(c if c.isascii() and (c.isalnum() or c in "_.") else "_" for c in spec.name)
    symbol = f"@{safe}" if safe == spec.name else f'@"{spec.name}"'
    known = low.module.globals
    if symbol not in known:
        debug = low.module.debug
        assert debug is not None, "programs that have maps have debug information: it declares them"
        members = [_number(debug, "type", spec.type), _number(debug, "max_entries", spec.max_entries)]
        if spec.flags:
            members.append(_number(debug, "map_flags", spec.flags))
        for name, size, kind in (("key", spec.key_size, key), ("value", spec.value_size, value)):
            if size:
                described = _type(debug, kind)
                if described is not None:
                    members.append((name, debug.pointer(described)))
                else:
                    members.append(_number(debug, f"{name}_size", size))
        rows = [(name, kind, 8 * i, 8) for i, (name, kind) in enumerate(members)]
        described = debug.variable(spec.name, debug.struct("", 8 * len(rows), rows))
        fields = ", ".join("ptr" for _ in rows)
        known[symbol] = (
            f'{symbol} = dso_local global {{ {fields} }} zeroinitializer, section ".maps", align 8, !dbg {described}'
        )
    return symbol


def _number(debug: Debug, name: str, number: int) -> tuple[str, str]:
    """`int (*name)[number]`: how BTF spells a number."""
    return name, debug.pointer(debug.array(debug.scalar(S32), number, S32.size))


def _type(debug: Debug, kind: object) -> str | None:
    scalar, cls = scalar_of(kind), layout_class(kind)
    if scalar is not None:
        return debug.scalar(scalar)
    return debug_struct(debug, cls.LAYOUT) if cls is not None else None
