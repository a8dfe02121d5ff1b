"""Pieces of IR that lifted programs call: each is inlined, and there only if a program needs it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from axiom_hw.bpf.engine.llvm.runstate import ABORT_AT, HELD_AT, HELD_COUNT_AT
from axiom_hw.bpf.maps.waiter import ARMED, SILENT


def _load(width: int) -> str:
    """Of memory that others write: at once where it is aligned, else byte by byte, as the interpreter does."""
    size = width // 8
    lines = [
        f"define internal i{width} @load{width}(ptr %p) alwaysinline nounwind {{",
        "  %at = ptrtoint ptr %p to i64",
        f"  %low = and i64 %at, {size - 1}",
        "  %even = icmp eq i64 %low, 0",
        "  br i1 %even, label %whole, label %bytes, !prof !0",
        "whole:",
        f"  %all = load atomic i{width}, ptr %p monotonic, align {size}",
        f"  ret i{width} %all",
        "bytes:",
        f"  %slow = call i{width} @load{width}_bytes(ptr %p)",
        f"  ret i{width} %slow",
        "}",
        f"define internal i{width} @load{width}_bytes(ptr %p) noinline cold nounwind {{",
    ]
    made = "0"
    for n in range(size):
        lines += [
            f"  %p{n} = getelementptr i8, ptr %p, i64 {n}",
            f"  %b{n} = load atomic i8, ptr %p{n} monotonic, align 1",
            f"  %w{n} = zext i8 %b{n} to i{width}",
            f"  %s{n} = shl i{width} %w{n}, {8 * n}",
            f"  %o{n} = or i{width} {made}, %s{n}",
        ]
        made = f"%o{n}"
    return "\n".join([*lines, f"  ret i{width} {made}", "}"])


def _store(width: int) -> str:
    size = width // 8
    lines = [
        f"define internal void @store{width}(ptr %p, i{width} %x) alwaysinline nounwind {{",
        "  %at = ptrtoint ptr %p to i64",
        f"  %low = and i64 %at, {size - 1}",
        "  %even = icmp eq i64 %low, 0",
        "  br i1 %even, label %whole, label %bytes, !prof !0",
        "whole:",
        f"  store atomic i{width} %x, ptr %p monotonic, align {size}",
        "  ret void",
        "bytes:",
        f"  call void @store{width}_bytes(ptr %p, i{width} %x)",
        "  ret void",
        "}",
        f"define internal void @store{width}_bytes(ptr %p, i{width} %x) noinline cold nounwind {{",
    ]
    for n in range(size):
        lines += [
            f"  %p{n} = getelementptr i8, ptr %p, i64 {n}",
            f"  %s{n} = lshr i{width} %x, {8 * n}",
            f"  %b{n} = trunc i{width} %s{n} to i8",
            f"  store atomic i8 %b{n}, ptr %p{n} monotonic, align 1",
        ]
    return "\n".join([*lines, "  ret void", "}"])


# Records that the program holds, in the order in which it took them: a few at most.
_HOLD: Final = f"""\
define internal void @hold(ptr %run, i64 %entry) alwaysinline nounwind {{
  %count_at = getelementptr i8, ptr %run, i64 {HELD_COUNT_AT}
  %count = load i64, ptr %count_at
  %held = getelementptr i8, ptr %run, i64 {HELD_AT}
  %at = getelementptr i64, ptr %held, i64 %count
  store i64 %entry, ptr %at
  %more = add i64 %count, 1
  store i64 %more, ptr %count_at
  ret void
}}"""
_RELEASE: Final = f"""\
define internal void @release(ptr %run, i64 %entry) alwaysinline nounwind {{
  %count_at = getelementptr i8, ptr %run, i64 {HELD_COUNT_AT}
  %count = load i64, ptr %count_at
  %held = getelementptr i8, ptr %run, i64 {HELD_AT}
  %last = add i64 %count, -1
  %last_at = getelementptr i64, ptr %held, i64 %last
  %newest = load i64, ptr %last_at
  %quick = icmp eq i64 %newest, %entry
  br i1 %quick, label %done, label %slow, !prof !0
slow:
  call void @release_older(ptr %held, i64 %last, i64 %entry)
  br label %done
done:
  store i64 %last, ptr %count_at
  ret void
}}
define internal void @release_older(ptr %held, i64 %last, i64 %entry) noinline cold nounwind {{
begin:
  %newest_at = getelementptr i64, ptr %held, i64 %last
  %newest = load i64, ptr %newest_at
  br label %loop
loop:
  %n = phi i64 [ %last, %begin ], [ %before, %shift ]
  %carried = phi i64 [ %newest, %begin ], [ %here, %shift ]
  %more = icmp ne i64 %n, 0
  br i1 %more, label %shift, label %done
shift:
  %before = add i64 %n, -1
  %at = getelementptr i64, ptr %held, i64 %before
  %here = load i64, ptr %at
  store i64 %carried, ptr %at
  %found = icmp eq i64 %here, %entry
  br i1 %found, label %done, label %loop
done:
  ret void
}}"""

# Wakes the consumer, unless the flags say no or the bell is silent. Whether the one who woke it raised. A consumer that
# is awake may be about to sleep: it sets the bell, then looks for records, and we look the other way round. The fence
# keeps our record from being seen later than our look at the bell.
_WAKE: Final = f"""\
define internal i1 @wake(ptr %run, ptr %bell, i64 %ring, i64 %flags) alwaysinline nounwind {{
  %two = and i64 %flags, 3
  %wanted = icmp ne i64 %two, 1
  br i1 %wanted, label %look, label %quiet
look:
  %heard = load atomic i32, ptr %bell monotonic, align 4
  %silent = icmp eq i32 %heard, {SILENT}
  br i1 %silent, label %quiet, label %once_more, !prof !0
once_more:
  fence seq_cst
  %again = load atomic i32, ptr %bell monotonic, align 4
  %asleep = icmp eq i32 %again, {ARMED}
  br i1 %asleep, label %ring_it, label %quiet, !prof !1
ring_it:
  %failed = call i64 @helper_wake(ptr %run, i64 %ring, i64 0, i64 0, i64 0, i64 0)
  %abort_at = getelementptr i8, ptr %run, i64 {ABORT_AT}
  %abort_code = load i32, ptr %abort_at
  %aborted = icmp ne i32 %abort_code, 0
  ret i1 %aborted
quiet:
  ret i1 false
}}"""

_CLOCK: Final = """\
define internal i64 @monotonic_ns() alwaysinline nounwind {
  %time = alloca { i64, i64 }
  %at = ptrtoint ptr %time to i64
  %failed = call i32 @clock_gettime(i32 1, i64 %at)
  %s = load i64, ptr %time
  %ns_at = getelementptr i8, ptr %time, i64 8
  %ns = load i64, ptr %ns_at
  %whole = mul i64 %s, 1000000000
  %sum = add i64 %whole, %ns
  ret i64 %sum
}"""

TEXT: Final[Mapping[str, str]] = {
    **{f"load{width}": _load(width) for width in (16, 32, 64)},
    **{f"store{width}": _store(width) for width in (16, 32, 64)},
    "hold": _HOLD,
    "release": _RELEASE,
    "wake": _WAKE,
    "monotonic_ns": _CLOCK,
}
_NEEDS: Final[Mapping[str, str]] = {
    "wake": "declare i64 @helper_wake(ptr, i64, i64, i64, i64, i64) nounwind",
    "monotonic_ns": "declare i32 @clock_gettime(i32, i64) nounwind",
}

# What branches cost: !0 nearly always taken, !1 nearly never.
_WEIGHTS: Final = '!0 = !{!"branch_weights", i32 2000, i32 1}\n!1 = !{!"branch_weights", i32 1, i32 2000}'


def text_of(names: Iterable[str], beside: str = "") -> str:
    """The pieces of these names, and what they rely on but for what the text `beside` them declares: LLVM takes a
    declaration once. It writes addresses for C functions as numbers, and so do pieces."""
    wanted, there = sorted(names), set(beside.splitlines())
    needs = [_NEEDS[name] for name in wanted if name in _NEEDS and _NEEDS[name] not in there]
    return "\n".join([*(TEXT[name] for name in wanted), *needs, _WEIGHTS])
