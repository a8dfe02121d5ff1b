"""A module in which LLVM's code generators use every relocation that they have for position independent code."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from llvmlite import binding

TRIPLES: Final = {62: "x86_64-pc-linux-gnu", 183: "aarch64-unknown-linux-gnu"}  # by e_machine
_CPUS: Final = {62: "x86-64-v3", 183: "cortex-a76"}

TEXT: Final = """
@i8s = internal constant [3 x i8] c"\\07\\0B\\0D"
@i16s = internal constant [2 x i16] [i16 1001, i16 1002]
@i32s = internal constant [2 x i32] [i32 100001, i32 100002]
@i64s = internal constant [2 x i64] [i64 10000000001, i64 10000000002]
@pair = internal constant <2 x i64> <i64 5, i64 6>, align 16
@table = internal constant [2 x i32] [
  i32 trunc (i64 sub (i64 ptrtoint (ptr @twice to i64), i64 ptrtoint (ptr @table to i64)) to i32),
  i32 trunc (i64 sub (i64 ptrtoint (ptr @thrice to i64), i64 ptrtoint (ptr @table to i64)) to i32)]
@elsewhere = external global i64
declare i64 @outside(i64) nounwind
declare i64 @direct(i64) nounwind nonlazybind
define internal i64 @twice(i64 %n) noinline nounwind {
  %r = mul i64 %n, 2
  ret i64 %r
}
define internal i64 @thrice(i64 %n) noinline nounwind {
  %r = mul i64 %n, 3
  ret i64 %r
}
define i64 @bytes(i64 %n) nounwind {
  %r = load volatile i8, ptr @i8s
  %s = zext i8 %r to i64
  ret i64 %s
}
define i64 @halves(i64 %n) nounwind {
  %r = load volatile i16, ptr @i16s
  %s = zext i16 %r to i64
  ret i64 %s
}
define i64 @words(i64 %n) nounwind {
  %r = load volatile i32, ptr @i32s
  %s = zext i32 %r to i64
  ret i64 %s
}
define i64 @longs(i64 %n) nounwind {
  %r = load volatile i64, ptr @i64s
  ret i64 %r
}
define i64 @pairs(i64 %n) nounwind {
  %v = load volatile <2 x i64>, ptr @pair
  %a = extractelement <2 x i64> %v, i32 0
  %b = extractelement <2 x i64> %v, i32 1
  %r = mul i64 %a, %b
  ret i64 %r
}
define i64 @merged(i64 %n) nounwind {
  %one = insertelement <4 x i64> poison, i64 %n, i32 0
  %all = shufflevector <4 x i64> %one, <4 x i64> poison, <4 x i32> zeroinitializer
  %v = xor <4 x i64> %all, <i64 1, i64 20, i64 300, i64 4000>
  %r = call i64 @llvm.vector.reduce.add.v4i64(<4 x i64> %v)
  ret i64 %r
}
declare i64 @llvm.vector.reduce.add.v4i64(<4 x i64>)
define i64 @indexed(i64 %n) nounwind {
  %at = getelementptr [2 x i32], ptr @table, i64 0, i64 %n
  %d = load volatile i32, ptr %at
  %e = sext i32 %d to i64
  %f = getelementptr i8, ptr @table, i64 %e
  %r = call i64 %f(i64 100)
  ret i64 %r
}
define i64 @inner(i64 %n) nounwind {
  %r = call i64 @indexed(i64 %n)
  %s = add i64 %r, 1
  ret i64 %s
}
define i64 @calls(i64 %n) nounwind {
  %r = call i64 @outside(i64 %n)
  %s = add i64 %r, 1
  ret i64 %s
}
define i64 @jumps(i64 %n) nounwind {
  %r = musttail call i64 @outside(i64 %n)
  ret i64 %r
}
define i64 @calls_directly(i64 %n) nounwind {
  %r = call i64 @direct(i64 %n)
  %s = add i64 %r, 1
  ret i64 %s
}
define i64 @reads(i64 %n) nounwind {
  %r = load i64, ptr @elsewhere
  ret i64 %r
}
define i64 @both(i64 %n) nounwind {
  %out = alloca <2 x ptr>, align 16
  store volatile <2 x ptr> <ptr @elsewhere, ptr @elsewhere>, ptr %out, align 8
  %second = getelementptr ptr, ptr %out, i64 1
  %p = load volatile ptr, ptr %second
  %r = load i64, ptr %p
  ret i64 %r
}
define i64 @chosen(i64 %n) nounwind {
  switch i64 %n, label %other [ i64 0, label %a
    i64 1, label %b
    i64 2, label %c
    i64 3, label %d
    i64 4, label %e ]
a:
  %ra = call i64 @outside(i64 17)
  ret i64 %ra
b:
  %rb = call i64 @twice(i64 4)
  ret i64 %rb
c:
  %rc = call i64 @thrice(i64 4)
  ret i64 %rc
d:
  %rd = call i64 @bytes(i64 0)
  ret i64 %rd
e:
  %re = call i64 @words(i64 0)
  ret i64 %re
other:
  ret i64 -1
}
"""

OUTSIDE_ADDS: Final = 1000
ELSEWHERE: Final = 4711
# What each function answers: name, argument, result; where `outside` and `direct` add `OUTSIDE_ADDS`.
ANSWERS: Final = (
    ("bytes", 0, 7), ("halves", 0, 1001), ("words", 0, 100001), ("longs", 0, 10000000001), ("pairs", 0, 30),
    ("merged", 7, (7 ^ 1) + (7 ^ 20) + (7 ^ 300) + (7 ^ 4000)), ("indexed", 0, 200), ("indexed", 1, 300),
    ("inner", 1, 301), ("calls", 5, 1006), ("jumps", 6, 1006), ("calls_directly", 7, 1008), ("reads", 0, ELSEWHERE),
    ("both", 0, ELSEWHERE), ("chosen", 0, 1017), ("chosen", 1, 8), ("chosen", 2, 12), ("chosen", 3, 7),
    ("chosen", 4, 100001), ("chosen", 5, -1),
)  # fmt: skip


def made_object(text: str, machine: int, opt: int) -> bytes:
    """The object of a module for one of `TRIPLES`, by the code generator of a level: 0 is the quick one."""
    target = _target(machine, opt)
    head = f'target datalayout = "{target.target_data}"\ntarget triple = "{target.triple}"\n'
    module = binding.parse_assembly(head + text, binding.create_context())
    module.verify()
    made: bytes = target.emit_object(module)
    return made


@cache
def _target(machine: int, opt: int) -> Any:
    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
    target = binding.Target.from_triple(TRIPLES[machine])
    return target.create_target_machine(cpu=_CPUS[machine], opt=opt, reloc="pic", codemodel="small")
