"""Calls of helpers, as IR: what each row of the helper table becomes.

Operations on maps and rings are inlined. What is Python in the environment is called back, as
`i64 @helper_<name>(ptr run, i64 r1, ... r5)`: a callback that raised sets `abort` in the run state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from axiom_hw.bpf.engine.control import unavailable
from axiom_hw.bpf.engine.llvm import map_calls, ring_calls
from axiom_hw.bpf.engine.llvm.body import Body, text64
from axiom_hw.bpf.engine.llvm.calls import leave_if_aborted
from axiom_hw.bpf.engine.llvm.choose import by_number
from axiom_hw.bpf.engine.llvm.here import Here
from axiom_hw.bpf.engine.llvm.places import resolve
from axiom_hw.bpf.engine.llvm.runstate import SLOT_AT
from axiom_hw.bpf.engine.llvm.unit import Offers
from axiom_hw.bpf.helpers import BY_ID, BY_NAME, Helper

Lower = Callable[[Body, Here], None]


def call_helper(b: Body, here: Here) -> None:
    _call(b, here, here.insn.imm)


def call_register(b: Body, here: Here) -> None:
    """The proof knows which helpers the register may mean."""
    targets = sorted(here.unit.targets.get(here.pc, ()))
    if not targets:
        raise here.lost(here.insn.dst, "the number of a helper")
    meant = b.get(here.insn.dst)
    for register in range(1, 6):
        b.get(register)  # before the ways part

    def one(id: int) -> int | str:
        _call(b, here, id)
        return b.get(0)

    b.set(0, by_number(b, meant, [(id, id) for id in targets], one))


def _call(b: Body, here: Here, id: int) -> None:
    lower = _LOWER.get(id)
    if lower is not None:
        lower(b, here)
    elif id in here.unit.offers.natives:
        _native(b, here, BY_ID[id])
    elif id in here.unit.offers.hardware:
        _callback(b, here, BY_ID[id], len(BY_ID[id].args))
    else:
        raise unavailable(f"{here.unit.spec.name} at pc {here.pc}", id)


def calls_back(id: int, offers: Offers) -> bool:
    """Whether a helper is Python here, so that it may raise."""
    name = BY_ID[id].name if id in BY_ID else ""
    if name == "ktime_get_ns":
        return not offers.monotonic
    return name in ("trace_printk", "get_prandom_u32") or (id not in _LOWER and id not in offers.natives)


def _callback(b: Body, here: Here, row: Helper, count: int) -> None:
    values = [text64(b.get(n)) if n <= count else "0" for n in range(1, 6)]
    _call_python(b, here, row.name, values)


def _call_python(b: Body, here: Here, name: str, values: list[str]) -> None:
    here.unit.externals.add(f"declare i64 @helper_{name}(ptr, i64, i64, i64, i64, i64) nounwind")
    arguments = ", ".join(f"i64 {value}" for value in values)
    made = b.op(f"call i64 @helper_{name}(ptr %run, {arguments})")
    leave_if_aborted(b)
    b.set(0, made)


def _native(b: Body, here: Here, row: Helper) -> None:
    """A helper in restricted Python, inlined; its memory is `@native_<id>`."""
    name = here.unit.raw.lower(here.unit.offers.natives[row.id])
    here.unit.externals.add(f"@native_{row.id} = external global i8, align 8")
    arguments = "".join(f", i64 {text64(b.get(n))}" for n in range(1, 1 + len(row.args)))
    b.set(0, b.op(f"call i64 @{name}(ptr @native_{row.id}{arguments})"))


def _ktime_get_ns(b: Body, here: Here) -> None:
    if here.unit.offers.monotonic:
        here.unit.prelude.add("monotonic_ns")
        b.set(0, b.op("call i64 @monotonic_ns()"))
    else:
        _callback(b, here, BY_NAME["ktime_get_ns"], 0)


def _trace_printk(b: Body, here: Here) -> None:
    """The callback gets the address of the text, in whatever memory it lies."""
    text = resolve(b, here, 1).pointer(b)
    address = b.op(f"ptrtoint ptr {text} to i64")
    _call_python(b, here, "trace_printk", [address, *(text64(b.get(n)) for n in range(2, 6))])


def _get_prandom_u32(b: Body, here: Here) -> None:
    _callback(b, here, BY_NAME["get_prandom_u32"], 0)


def _get_smp_processor_id(b: Body, here: Here) -> None:
    at = b.op(f"getelementptr i8, ptr %run, i64 {SLOT_AT}")
    b.set32(0, b.op(f"load i32, ptr {at}"))


_LOWER: Final[Mapping[int, Lower]] = {
    BY_NAME["map_lookup_elem"].id: map_calls.lookup,
    BY_NAME["map_update_elem"].id: map_calls.update,
    BY_NAME["map_delete_elem"].id: map_calls.delete,
    BY_NAME["ktime_get_ns"].id: _ktime_get_ns,
    BY_NAME["trace_printk"].id: _trace_printk,
    BY_NAME["get_prandom_u32"].id: _get_prandom_u32,
    BY_NAME["get_smp_processor_id"].id: _get_smp_processor_id,
    BY_NAME["ringbuf_output"].id: ring_calls.output,
    BY_NAME["ringbuf_reserve"].id: ring_calls.reserve,
    BY_NAME["ringbuf_submit"].id: ring_calls.submit,
    BY_NAME["ringbuf_discard"].id: ring_calls.discard,
    BY_NAME["ringbuf_query"].id: ring_calls.query,
}
