"""What maps and programs hold, in 16 hex digits: to tell whether two are the same without keeping both."""

from __future__ import annotations

import hashlib

from axiom_hw.bpf.insn import encode
from axiom_hw.bpf.maps import Map, RingBuf
from axiom_hw.bpf.spec import ProgramSpec

_DIGITS = 16


def map_digest(found: Map) -> str:
    """Of keys and values, whatever their order; "" for a ring, whose records come and go."""
    if isinstance(found, RingBuf):
        return ""
    told = hashlib.sha256()
    for key, value in sorted(found.entries()):
        told.update(len(key).to_bytes(4, "little") + key + len(value).to_bytes(4, "little") + value)
    return told.hexdigest()[:_DIGITS]


def program_digest(spec: ProgramSpec) -> str:
    """Of instructions and declared maps: the same source, compiled alike, has the same."""
    told = hashlib.sha256(encode(spec.insns))
    for one in spec.maps:
        told.update(repr((one.name, int(one.type), one.key_size, one.value_size, one.max_entries, one.data)).encode())
    return told.hexdigest()[:_DIGITS]


def map_name(program: str, name: str) -> str:
    """Global variables belong to their program: `follow.data`."""
    return f"{program}{name}" if name.startswith(".") else name
