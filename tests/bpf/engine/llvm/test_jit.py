"""From IR to code: what is refused, and that nothing stays behind."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path

import pytest

from axiom_hw.bpf.engine.llvm import jit
from axiom_hw.bpf.engine.llvm.available import why_not
from axiom_hw.bpf.engine.llvm.builtin import objects_as_expected
from axiom_hw.bpf.engine.llvm.code import CompileError
from axiom_hw.bpf.engine.llvm.loading import Library, load
from axiom_hw.bpf.engine.llvm.symbols import LIBC, PYTHON, resolve
from axiom_hw.bpf.engine.llvm.target import host
from axiom_hw.errors import SpecError

ROOT = Path(__file__).parents[4]


def constant(n: int) -> str:
    return f"define i64 @answer() nounwind {{\n  ret i64 {n}\n}}\n"


def call(library: Library, name: str = "answer") -> int:
    result: int = ctypes.CFUNCTYPE(ctypes.c_int64)(library.addresses[name])()
    return result


def test_a_function_runs() -> None:
    assert call(load(jit.compile_ir(constant(42), "p"), {}, "p")) == 42


def test_functions_of_its_own_that_are_left_after_inlining() -> None:
    """Passes that keep what they saw would meet the next module's functions at the same addresses."""
    text = """
        define internal i64 @f(i64 %n, i64 %unused) noinline nounwind {
          %more = icmp ne i64 %n, 0
          br i1 %more, label %on, label %out
        on:
          %less = sub i64 %n, 1
          %r = call i64 @f(i64 %less, i64 %n)
          %s = add i64 %r, K
          ret i64 %s
        out:
          ret i64 0
        }
        define i64 @answer() nounwind {
          %r = call i64 @f(i64 10, i64 7)
          ret i64 %r
        }
        """
    for k in range(1, 60):
        assert call(load(jit.compile_ir(text.replace("K", str(k)), "p"), {}, "p")) == 10 * k


class TestRefusals:
    def test_text_that_is_no_ir(self) -> None:
        with pytest.raises(CompileError, match="p: LLVM refuses its code: "):
            jit.compile_ir("define i64 @answer() { ret i32 0 }", "p")

    def test_a_symbol_that_nobody_defines(self) -> None:
        """It would be address 0, and a crash at the call."""
        code = jit.compile_ir(
            "declare i64 @nowhere()\ndefine i64 @answer() { %r = call i64 @nowhere()\nret i64 %r }", "p"
        )
        assert code.needs == ("nowhere",)
        with pytest.raises(SpecError, match="p: native code needs `nowhere`, which nothing here defines"):
            resolve(code.needs, {}, "p")


class TestSymbols:
    def test_what_a_module_needs(self) -> None:
        text = """
            @map_0 = external global i8
            declare i64 @helper_x(ptr)
            declare ptr @memcpy(ptr, ptr, i64)
            define i64 @answer() {
              %r = call i64 @helper_x(ptr @map_0)
              ret i64 %r
            }
            """
        assert jit.compile_ir(text, "p").needs == ("helper_x", "map_0")

    def test_all_that_may_be_called_is_there(self) -> None:
        assert all(resolve(PYTHON | LIBC, {}, "p").values())

    def test_objects_lie_in_memory_as_native_code_expects(self) -> None:
        assert objects_as_expected()
        assert why_not() == ""


def test_assembly_has_the_names_of_functions() -> None:
    assert "answer:" in jit.assembly(constant(1), "p")


def test_the_target_is_this_machine() -> None:
    assert host().triple.split("-")[0] in ("x86_64", "aarch64")
    assert "LLVM" in host().identity


GROWTH = '''
import os
import sys
from axiom_hw.bpf.engine.llvm import jit, loading

TEXT = """define i64 @f(ptr %p, i64 %n) {
  %v = load i64, ptr %p
  %m = mul i64 %v, K
  %r = add i64 %m, %n
  ret i64 %r
}"""

def resident_kb():
    return int(open("/proc/self/statm").read().split()[1]) * (os.sysconf("SC_PAGESIZE") // 1024)

def churn(n, compile_each):
    code = None
    for i in range(n):
        if code is None or compile_each:
            code = jit.compile_ir(TEXT.replace("K", str(i * 7919)), "p")
        loading.load(code, {}, "p")

compile_each = sys.argv[1] == "compile"
churn(100, compile_each)
before = resident_kb()
churn(int(sys.argv[2]), compile_each)
print((resident_kb() - before) / int(sys.argv[2]))
'''


@pytest.mark.parametrize(("what", "count", "limit_kb"), [("compile", 150, 20.0), ("load", 1500, 1.0)])
def test_memory_is_given_back(what: str, count: int, limit_kb: float) -> None:
    """Per program: a pipeline that isn't given back would leave 130 KB, code that stays mapped a page."""
    done = subprocess.run(
        [sys.executable, "-c", GROWTH, what, str(count)], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert float(done.stdout) < limit_kb
