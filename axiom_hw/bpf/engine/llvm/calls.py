"""Calls of the program's own functions, exits, and leaving early where a helper raised, as IR."""

from __future__ import annotations

from axiom_hw.bpf.engine.llvm.body import Body, text64
from axiom_hw.bpf.engine.llvm.here import Here
from axiom_hw.bpf.engine.llvm.runstate import ABORT_AT
from axiom_hw.bpf.engine.machine import FRAME_BYTES


def call_local(b: Body, here: Here) -> None:
    """The callee gets r1 to r5 and gives r0; r6 to r9 are the caller's, so they needn't be saved."""
    arguments = ", ".join(f"i64 {text64(b.get(n))}" for n in range(1, 6))
    frame = ""
    if here.unit.one_stack:
        end = text64(b.frame_end)
        below = b.frame_end + FRAME_BYTES if isinstance(b.frame_end, int) else b.op(f"add i64 {end}, {FRAME_BYTES}")
        frame = f"ptr %stack, i64 {text64(below)}, "
    chunks = "ptr %chunks, " if here.unit.ahead else ""
    b.set(0, b.op(f"call i64 @f{here.target}(ptr %ctx, ptr %run, {chunks}{frame}{arguments})"))
    if here.target in here.unit.may_abort:
        leave_if_aborted(b)


def leave_if_aborted(b: Body) -> None:
    """Leave the function where a callback set `abort` in the run state."""
    at = b.op(f"getelementptr i8, ptr %run, i64 {ABORT_AT}")
    code = b.op(f"load i32, ptr {at}")
    leave_if(b, b.op(f"icmp ne i32 {code}, 0"))


def leave_if(b: Body, condition: str) -> None:
    b.may_abort = True
    on = b.fresh("on")
    b.do(f"br i1 {condition}, label %abort, label %{on}, !prof !1")
    b.label(on)


def exit(b: Body, here: Here) -> None:
    b.do(f"ret i64 {text64(b.get(0))}")


def excluded(b: Body, here: Here) -> None:
    """No program that the verifier accepts contains this instruction."""
    raise AssertionError(f"{here.unit.spec.name} at pc {here.pc}: `{here.row.name}` was accepted by the verifier")
