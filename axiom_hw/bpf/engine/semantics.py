"""What each instruction does: from a row of the opcode table to a function that carries one instance of it out.

Each slot of a program is translated once, when it is loaded. Registers hold unsigned 64-bit numbers at all times.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from axiom_hw.bpf import isa
from axiom_hw.bpf.engine import control, data
from axiom_hw.bpf.engine.site import Translate
from axiom_hw.bpf.isa import Kind

_BY_KIND: Final[Mapping[Kind, Translate]] = {
    Kind.ALU: data.alu,
    Kind.MOVSX: data.movsx,
    Kind.NEG: data.neg,
    Kind.ENDIAN: data.endian,
    Kind.LOAD: data.load,
    Kind.LOADSX: data.load_signed,
    Kind.STORE: data.store,
    Kind.STORE_IMM: data.store_immediate,
    Kind.ATOMIC: data.atomic,
    Kind.JUMP: control.goto,
    Kind.JUMP_IF: control.goto_if,
    Kind.EXIT: control.exit,
}
_BY_VERB: Final[Mapping[tuple[Kind, str], Translate]] = {
    (Kind.ATOMIC, "cmpxchg"): data.compare_exchange,
    (Kind.CALL, "helper"): control.call_helper,
    (Kind.CALL, "local"): control.call_local,
    (Kind.CALL, "callx"): control.call_register,
    (Kind.CALL, "btf"): control.unsupported,
    (Kind.IMM64, "value"): data.value,
    (Kind.IMM64, "map"): data.map_object,
    (Kind.IMM64, "map_value"): data.map_value,
    (Kind.IMM64, "variable"): control.unsupported,
    (Kind.IMM64, "code"): data.function,
    (Kind.IMM64, "map_index"): data.map_object,
    (Kind.IMM64, "map_index_value"): data.map_value,
}

# By opcode row: one entry each, or importing this module fails.
SEMANTICS: Final[Mapping[str, Translate]] = {
    row.name: _BY_VERB.get((row.kind, row.verb)) or _BY_KIND[row.kind] for row in isa.TABLE
}
