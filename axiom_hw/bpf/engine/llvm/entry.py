"""How Python enters programs: functions as IR, which are the same for all programs and compiled once.

`enter` is one event: (context, slot=0) -> r0. It holds the GIL, and runs a `bytes` of the right size without asking
Python anything. `enter_batch` is many: (buffer of contexts back to back, slot=0) -> how many. It gives the GIL up.
Both find the program in the `Gate` that is their `self`. Whatever isn't as usual, from a wrong size to a keyword, is
left to that object, which is called with the same arguments; where a helper raised, its method `failed` raises that.

`run_batch` is the loop of a batch, and compiled with each program: (contexts, count, run state) -> how many were begun.
Contexts lie at multiples of 8, as the content of each `bytes` does; where a buffer's don't, they are copied first.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Final

from axiom_hw.bpf.engine.llvm.ahead import CLOSE
from axiom_hw.bpf.engine.llvm.builtin import (
    BYTES_AT,
    GATE_AT,
    LENGTH_AT,
    SMALL_INT_COUNT,
    SMALL_INT_SHIFT,
    TYPE_AT,
    Gate,
)
from axiom_hw.bpf.engine.llvm.runstate import ABORT_AT, SLOT_AT, RunState
from axiom_hw.bpf.maps.ring import CHUNK_BYTES

# What a program's module exports, and that of the entries.
PROGRAM: Final = "program"
RUN_BATCH: Final = "run_batch"
PROGRAM_EXPORTS: Final = (PROGRAM, RUN_BATCH)
ENTER: Final = "enter"
ENTER_BATCH: Final = "enter_batch"
ENTRY_EXPORTS: Final = (ENTER, ENTER_BATCH)

SMALL_INTS: Final = "small_ints"  # address of the int 0; the next ones lie behind it

CTX_ALIGNMENT: Final = 8
LINE_BYTES: Final = 64  # of the cache: run states don't share one
STATE_STRIDE: Final = -(-ctypes.sizeof(RunState) // LINE_BYTES) * LINE_BYTES

# A program that is no larger lies inside of its batch loop, and once more by itself for single events: each way saves
# a call of 2 ns and more. A larger one, with loops of its own, is called.
_INSIDE_INSNS: Final = 64
_DEFINITION: Final = f"define i64 @{PROGRAM}("


def lies_inside(insns: int) -> bool:
    """Whether a program of so many instructions lies inside of its batch loop; only then it may reserve ahead."""
    return insns <= _INSIDE_INSNS


def with_batch(program: str, *, insns: int, ctx_bytes: int, ahead: int = 0) -> str:
    """The IR of a program, `i64 @program(ptr ctx, ptr run)`, with its batch loop behind it.

    `ahead` counts the rings in which a batch reserves room ahead: `@program` takes chunks then, which see.
    """
    assert program.count(_DEFINITION) == 1
    if not lies_inside(insns):
        assert not ahead
        loop = _BATCH.format(
            size=ctx_bytes, abort_at=ABORT_AT, body=PROGRAM, how="noinline", opening="", more="", closing=""
        )
        return program + loop
    chunks = f"[{ahead * CHUNK_BYTES // 8} x i64]"
    loop = _BATCH.format(
        size=ctx_bytes,
        abort_at=ABORT_AT,
        body="body",
        how="alwaysinline",
        opening=f"  %chunks = alloca {chunks}, align 8\n  store {chunks} zeroinitializer, ptr %chunks" if ahead else "",
        more=", ptr %chunks" if ahead else "",
        closing=f"  call void @{CLOSE}(ptr %run, ptr %chunks)" if ahead else "",
    )
    inner = program.replace(_DEFINITION, "define internal i64 @body(")
    return inner + loop + _ONE.format(more=", ptr null" if ahead else "")


_BATCH: Final = """
define i64 @run_batch(ptr align 8 %ctxs, i64 %count, ptr %run) nounwind {{
{opening}
  %abort_at = getelementptr i8, ptr %run, i64 {abort_at}
  %any = icmp ne i64 %count, 0
  br i1 %any, label %loop, label %over
loop:
  %i = phi i64 [ 0, %0 ], [ %begun, %went ]
  %at = mul i64 %i, {size}
  %ctx = getelementptr i8, ptr %ctxs, i64 %at
  %r0 = call i64 @{body}(ptr %ctx, ptr %run{more}) {how}
  %begun = add nuw i64 %i, 1
  %abort = load i32, ptr %abort_at
  %failed = icmp ne i32 %abort, 0
  br i1 %failed, label %over, label %went
went:
  %more = icmp ult i64 %begun, %count
  br i1 %more, label %loop, label %over, !llvm.loop !9000
over:
  %done = phi i64 [ 0, %0 ], [ %begun, %loop ], [ %begun, %went ]
{closing}
  ret i64 %done
}}
!9000 = distinct !{{!9000, !9001, !9002}}
!9001 = !{{!"llvm.loop.unroll.disable"}}
!9002 = !{{!"llvm.loop.vectorize.enable", i1 false}}
"""

_ONE: Final = """
define i64 @program(ptr align 8 %ctx, ptr %run) nounwind {{
  %r0 = call i64 @body(ptr %ctx, ptr %run{more}) alwaysinline
  ret i64 %r0
}}
"""

_PY_BUFFER_BYTES: Final = 80  # Py_buffer (Include/pybuffer.h): buf at 0, len at 16
_BUFFER_LENGTH_AT: Final = 16
_HEAD: Final = "define ptr @{}(ptr %self, ptr %args, i64 %nargs, ptr %kwnames) nounwind {{"

# One or two arguments and no keywords; the second one a small int that is a slot. Then there are `%slot`, `%run` and
# `%arg`.
_ARGUMENTS: Final = f"""
  %gate_at = getelementptr i8, ptr %self, i64 {GATE_AT}
  %gate = load ptr, ptr %gate_at
  %plain = icmp eq ptr %kwnames, null
  %extra = sub i64 %nargs, 1
  %few = icmp ult i64 %extra, 2
  %usual = and i1 %plain, %few
  br i1 %usual, label %choose, label %slow, !prof !0
choose:
  %given = icmp eq i64 %nargs, 2
  br i1 %given, label %typed, label %chosen, !prof !0
typed:
  %slot_arg_at = getelementptr i8, ptr %args, i64 8
  %slot_arg = load ptr, ptr %slot_arg_at
  %slot_address = ptrtoint ptr %slot_arg to i64
  %zero_address = ptrtoint ptr @{SMALL_INTS} to i64
  %behind_zero = sub i64 %slot_address, %zero_address
  %small_number = call i64 @llvm.fshl.i64(i64 %behind_zero, i64 %behind_zero, i64 {64 - SMALL_INT_SHIFT})
  %is_small = icmp ult i64 %small_number, {SMALL_INT_COUNT}
  br i1 %is_small, label %counted, label %slow, !prof !0
counted:
  %slots_at = getelementptr i8, ptr %gate, i64 {Gate.slots.offset}
  %slots = load i64, ptr %slots_at
  %exists = icmp ult i64 %small_number, %slots
  br i1 %exists, label %chosen, label %slow, !prof !0
chosen:
  %slot = phi i64 [ 0, %choose ], [ %small_number, %counted ]
  %offset = mul i64 %slot, {STATE_STRIDE}
  %states_at = getelementptr i8, ptr %gate, i64 {Gate.states.offset}
  %states = load ptr, ptr %states_at
  %run = getelementptr i8, ptr %states, i64 %offset
  %arg = load ptr, ptr %args
"""

_SLOW: Final = """
slow:
  %answer = call ptr @PyObject_Vectorcall(ptr %self, ptr %args, i64 %nargs, ptr %kwnames)
  ret ptr %answer
}
"""

# A reference to `%int`: small ints are immortal from Python 3.12 on, before they count like all others.
_TAKE_INT: Final = (
    ""
    if sys.version_info >= (3, 12)
    else """\
  %references = load i64, ptr %int
  %one_more = add i64 %references, 1
  store i64 %one_more, ptr %int
"""
)

ENTRIES: Final = f"""
@PyBytes_Type = external global i8
@{SMALL_INTS} = external global i8
declare i64 @llvm.fshl.i64(i64, i64, i64)
@.failed = private unnamed_addr constant [7 x i8] c"failed\\00"
@.one = private unnamed_addr constant [2 x i8] c"n\\00"
@.two = private unnamed_addr constant [3 x i8] c"nn\\00"
declare ptr @PyObject_Vectorcall(ptr, ptr, i64, ptr) nounwind cold
declare ptr @PyObject_CallMethod(ptr, ptr, ptr, ...) nounwind cold
declare void @PyErr_Clear() nounwind cold
declare ptr @PyLong_FromUnsignedLongLong(i64) nounwind
declare ptr @PyLong_FromSsize_t(i64) nounwind
declare i32 @PyObject_GetBuffer(ptr, ptr, i32) nounwind
declare void @PyBuffer_Release(ptr) nounwind
declare ptr @PyEval_SaveThread() nounwind
declare void @PyEval_RestoreThread(ptr) nounwind

{_HEAD.format(ENTER)}{_ARGUMENTS}
  %type_at = getelementptr i8, ptr %arg, i64 {TYPE_AT}
  %type = load ptr, ptr %type_at
  %is_bytes = icmp eq ptr %type, @PyBytes_Type
  br i1 %is_bytes, label %measure, label %slow, !prof !0
measure:
  %length_at = getelementptr i8, ptr %arg, i64 {LENGTH_AT}
  %length = load i64, ptr %length_at
  %wanted_at = getelementptr i8, ptr %gate, i64 {Gate.ctx_bytes.offset}
  %wanted = load i64, ptr %wanted_at
  %fits = icmp eq i64 %length, %wanted
  br i1 %fits, label %go, label %slow, !prof !0
go:
  %ctx = getelementptr i8, ptr %arg, i64 {BYTES_AT}
  %program_at = getelementptr i8, ptr %gate, i64 {Gate.program.offset}
  %program = load ptr, ptr %program_at
  %r0 = call i64 %program(ptr %ctx, ptr %run)
  %abort_at = getelementptr i8, ptr %run, i64 {ABORT_AT}
  %abort = load i32, ptr %abort_at
  %well = icmp eq i32 %abort, 0
  br i1 %well, label %done, label %raise, !prof !0
done:
  %most_at = getelementptr i8, ptr %gate, i64 {Gate.small_ints.offset}
  %most = load i64, ptr %most_at
  %small = icmp ult i64 %r0, %most
  br i1 %small, label %known, label %unknown, !prof !0
known:
  %int_at = shl nuw nsw i64 %r0, {SMALL_INT_SHIFT}
  %int = getelementptr i8, ptr @{SMALL_INTS}, i64 %int_at
{_TAKE_INT}  ret ptr %int
unknown:
  %result = call ptr @PyLong_FromUnsignedLongLong(i64 %r0)
  ret ptr %result
raise:
  %slot_at = getelementptr i8, ptr %run, i64 {SLOT_AT}
  %slot_number = load i32, ptr %slot_at
  %slot_shown = zext i32 %slot_number to i64
  %none = call ptr (ptr, ptr, ptr, ...) @PyObject_CallMethod(ptr %self, ptr @.failed, ptr @.one, i64 %slot_shown)
  ret ptr %none
{_SLOW}
{_HEAD.format(ENTER_BATCH)}
  %view = alloca [{_PY_BUFFER_BYTES} x i8], align 8{_ARGUMENTS}
  %refused = call i32 @PyObject_GetBuffer(ptr %arg, ptr %view, i32 0)
  %is_buffer = icmp eq i32 %refused, 0
  br i1 %is_buffer, label %measure, label %unread, !prof !0
unread:
  call void @PyErr_Clear()
  br label %slow
measure:
  %ctxs = load ptr, ptr %view
  %length_at = getelementptr i8, ptr %view, i64 {_BUFFER_LENGTH_AT}
  %length = load i64, ptr %length_at
  %each_at = getelementptr i8, ptr %gate, i64 {Gate.ctx_bytes.offset}
  %each = load i64, ptr %each_at
  %some = icmp ne i64 %each, 0
  br i1 %some, label %divide, label %release, !prof !0
divide:
  %rest = urem i64 %length, %each
  %address = ptrtoint ptr %ctxs to i64
  %places = or i64 %address, %each
  %astray = and i64 %places, {CTX_ALIGNMENT - 1}
  %odd = or i64 %rest, %astray
  %whole = icmp eq i64 %odd, 0
  br i1 %whole, label %go, label %release, !prof !0
release:
  call void @PyBuffer_Release(ptr %view)
  br label %slow
go:
  %count = udiv i64 %length, %each
  %batch_at = getelementptr i8, ptr %gate, i64 {Gate.run_batch.offset}
  %batch = load ptr, ptr %batch_at
  %thread = call ptr @PyEval_SaveThread()
  %begun = call i64 %batch(ptr %ctxs, i64 %count, ptr %run)
  call void @PyEval_RestoreThread(ptr %thread)
  call void @PyBuffer_Release(ptr %view)
  %abort_at = getelementptr i8, ptr %run, i64 {ABORT_AT}
  %abort = load i32, ptr %abort_at
  %well = icmp eq i32 %abort, 0
  br i1 %well, label %done, label %raise, !prof !0
done:
  %result = call ptr @PyLong_FromSsize_t(i64 %count)
  ret ptr %result
raise:
  %none = call ptr (ptr, ptr, ptr, ...) @PyObject_CallMethod(ptr %self, ptr @.failed, ptr @.two, i64 %slot, i64 %begun)
  ret ptr %none
{_SLOW}
!0 = !{{!"branch_weights", i32 2000, i32 1}}
"""
