"""Strategies for hypothesis: instructions drawn from THE table, with every field anywhere in its range."""

from __future__ import annotations

from hypothesis import strategies as st

from axiom_hw.bpf import isa
from axiom_hw.bpf.insn import Insn
from axiom_hw.bpf.isa import FieldRule, Op

REGISTER = st.integers(0, 10)
S16 = st.integers(-(1 << 15), (1 << 15) - 1)
S32 = st.integers(-(1 << 31), (1 << 31) - 1)
CARRIES_HIGH = ("value", "map_value", "map_index_value")  # immediates of 64 bits whose second slot has a number


def _field(rule: FieldRule, used: st.SearchStrategy[int]) -> st.SearchStrategy[int]:
    return st.just(rule) if isinstance(rule, int) else used


def instances(op: Op) -> st.SearchStrategy[tuple[Insn, ...]]:
    """The one or two slots of an instruction of this row."""
    first = st.builds(
        Insn,
        st.just(op.code),
        _field(op.dst, REGISTER),
        _field(op.src, REGISTER),
        _field(op.off, S16),
        _field(op.imm, S32),
    )
    if op.slots == 1:
        return first.map(lambda insn: (insn,))
    high = S32 if op.verb in CARRIES_HIGH else st.just(0)
    return st.tuples(first, high.map(lambda imm: Insn(0, imm=imm)))


def programs(max_size: int = 12) -> st.SearchStrategy[tuple[Insn, ...]]:
    """Instructions in a row; whether they make sense is nobody's question here."""
    one = st.sampled_from(isa.TABLE).flatmap(instances)
    return st.lists(one, max_size=max_size).map(lambda parts: tuple(slot for part in parts for slot in part))
