"""The maps that a program declares: can each be made, and is its type one that the verifier can judge?"""

from __future__ import annotations

from typing import Final

from axiom_hw.bpf import isa
from axiom_hw.bpf.maps.create import MEMORY_LIMIT_BYTES, map_bytes
from axiom_hw.bpf.spec import MapSpec, MapType, ProgramSpec
from axiom_hw.bpf.verifier.rejection import Refusal
from axiom_hw.errors import MapError

SUPPORTED: Final = (MapType.ARRAY, MapType.HASH, MapType.RINGBUF)


def check_maps(spec: ProgramSpec) -> None:
    """Raises `Refusal` V008 or V009 at the first instruction that names the map, or at 0 where none does."""
    for index, declared in enumerate(spec.maps):
        pc = next(
            (pc for pc, insn in enumerate(spec.insns) if _names_map(insn.code, insn.src) and insn.imm == index), 0
        )
        _check(declared, pc)


def _names_map(code: int, src: int) -> bool:
    return code == isa.LD | isa.SIZES[64] and src in (isa.IMM_MAP, isa.IMM_MAP_VALUE)


def _check(spec: MapSpec, pc: int) -> None:
    if spec.type not in SUPPORTED:
        kinds = ", ".join(kind.name.lower() for kind in SUPPORTED)
        raise Refusal("V008", f"maps of the type {spec.type.name.lower()} ({spec.name}) aren't supported yet", pc=pc,
                      fix=f"Use one of {kinds}.")  # fmt: skip
    if spec.fields:
        field = spec.fields[0]
        raise Refusal("V008", f"the map {spec.name} has a {field.kind.name.lower()} at offset {field.offset} of its "
                      "value; that isn't supported yet", fix="Leave it out of the value.", pc=pc)  # fmt: skip
    try:
        needed = map_bytes(spec)
    except MapError as error:
        raise Refusal("V009", f"the {error.place} {error.problem}", fix=error.fix, pc=pc) from None
    if needed > MEMORY_LIMIT_BYTES:
        problem = f"the map {spec.name} takes {needed} bytes for max_entries {spec.max_entries}"
        raise Refusal("V009", f"{problem}; the limit is {MEMORY_LIMIT_BYTES} bytes a map", pc=pc,
                      fix="Declare fewer or smaller entries.")  # fmt: skip
