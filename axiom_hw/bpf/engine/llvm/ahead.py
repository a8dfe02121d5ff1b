"""Batches that reserve room in rings ahead, a chunk of records at a time: for which programs, and how a batch ends.

The lifted functions get a pointer to the chunks of the batch then, one for each ring; NULL for a run on its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from axiom_hw.bpf.engine.llvm.unit import Unit
from axiom_hw.bpf.helpers import BY_NAME
from axiom_hw.bpf.insn import check
from axiom_hw.bpf.isa import Kind
from axiom_hw.bpf.maps.create import Map
from axiom_hw.bpf.maps.ring import CHUNK_BYTES, ring_close
from axiom_hw.bpf.maps.ringbuf import RingBuf
from axiom_hw.bpf.verified import Verified

CLOSE: Final = "close"
_RESERVING: Final = frozenset(BY_NAME[name].id for name in ("ringbuf_output", "ringbuf_reserve"))
_ASKING: Final = BY_NAME["ringbuf_query"].id


def rings_ahead(program: Verified, maps: Sequence[Map]) -> tuple[int, ...]:
    """The rings, by map index, in which batches of a program reserve ahead.

    None where the program asks for positions: it would see what is reserved ahead.
    """
    called: set[int] = set()
    for pc, row in enumerate(check(program.spec.insns)):
        if row is not None and row.kind is Kind.CALL and pc in program.uses and row.verb != "local":
            called |= {program.spec.insns[pc].imm} if row.verb == "helper" else program.targets.get(pc, frozenset())
    if _ASKING in called or not called & _RESERVING:
        return ()
    return tuple(n for n, live in enumerate(maps) if isinstance(live, RingBuf))


def closing(unit: Unit) -> str:
    """`void @close(ptr run, ptr chunks)`: ends the chunks of a batch, and wakes whom it kept waiting."""
    if not unit.ahead:
        return ""
    unit.prelude.add("wake")
    lines = [f"define internal void @{CLOSE}(ptr %run, ptr %chunks) nounwind {{"]
    for place, index in enumerate(unit.ahead):
        ring = unit.maps[index]
        assert isinstance(ring, RingBuf)
        unit.externals.add(f"@bell_{index} = external global i32, align 4")
        name = unit.raw.lower(ring_close, ring.g)
        lines += [
            f"  %owing{index} = call i1 @{name}(ptr @map_{index}, ptr %chunks, i64 {CHUNK_BYTES * place})",
            f"  br i1 %owing{index}, label %wake{index}, label %on{index}, !prof !1",
            f"wake{index}:",
            f"  %aborted{index} = call i1 @wake(ptr %run, ptr @bell_{index}, i64 {index}, i64 0)",
            f"  br label %on{index}",
            f"on{index}:",
        ]
    return "\n".join([*lines, "  ret void", "}"])
