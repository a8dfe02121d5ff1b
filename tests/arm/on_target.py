"""On the emulated board itself: it is the board that it should be, LLVM tunes for it, and mistakes would be seen.

Not named test_*, because on other machines there is nothing to test: `make test-arm` names this file.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import platform
import signal
import subprocess
import sys

import llvmlite.binding as llvm
import pytest

from axiom_hw.bpf.engine.llvm.jit import assembly
from axiom_hw.bpf.engine.llvm.target import host
from tests.arm.boards import PI4, PI5

BOARD = {board.name: board for board in (PI4, PI5)}[os.environ["AXIOM_ARM_BOARD"]]
HWCAP, ATOMICS = 16, 1 << 8  # of getauxval(3); the kernel's arch/arm64/include/uapi/asm/hwcap.h
METH_O = 0x8

COUNTING = """
@cell = internal global i64 0
define i64 @count(i64 %by) {
  %old = atomicrmw add ptr @cell, i64 %by acq_rel
  %new = add i64 %old, %by
  ret i64 %new
}
"""
TWICE = """
declare ptr @PyLong_FromLongLong(i64)
declare i64 @PyLong_AsLongLong(ptr)
define ptr @twice(ptr %self, ptr %number) {
  %n = call i64 @PyLong_AsLongLong(ptr %number)
  %n2 = mul i64 %n, 2
  %result = call ptr @PyLong_FromLongLong(i64 %n2)
  ret ptr %result
}
"""
CHILD = "from tests.arm.on_target import counted; print(counted({cpu!r}))"


class MethodDef(ctypes.Structure):
    """PyMethodDef."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


def machine(cpu: str) -> llvm.TargetMachine:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    features = llvm.get_host_cpu_features().flatten() if cpu == llvm.get_host_cpu_name() else ""
    return llvm.Target.from_default_triple().create_target_machine(cpu=cpu, features=features, jit=True)


def linked(ir: str, cpu: str, name: str) -> tuple[llvm.LLJIT, llvm.ResourceTracker]:
    jit = llvm.create_lljit_compiler(machine(cpu))
    builder = llvm.JITLibraryBuilder().add_ir(ir).export_symbol(name).add_current_process()
    return jit, builder.link(jit, "target")


def counted(cpu: str) -> int:
    """What two atomic additions leave, by code for `cpu`."""
    _jit, code = linked(COUNTING, cpu, "count")
    count = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(code["count"])
    count(40)
    return int(count(2))


def test_the_processor_is_the_boards() -> None:
    assert platform.machine() == "aarch64"
    assert llvm.get_host_cpu_name() == BOARD.cpu
    assert ("lse" in llvm.get_host_cpu_features().flatten().replace("+", "").split(",")) == (BOARD is PI5)
    assert bool(ctypes.CDLL(None).getauxval(HWCAP) & ATOMICS) == (BOARD is PI5)


def test_the_pages_are_the_boards() -> None:
    assert BOARD.page_bytes == mmap.PAGESIZE
    with mmap.mmap(-1, 3 * BOARD.page_bytes) as pages:
        assert ctypes.addressof(ctypes.c_char.from_buffer(pages)) % BOARD.page_bytes == 0


def test_the_engine_tunes_for_the_board() -> None:
    assert host().cpu == BOARD.cpu
    assert BOARD.cpu in host().identity, "objects of one board must not be loaded from a cache on the other"
    code = assembly(COUNTING, "count")
    assert ("ldaddal" in code) == (BOARD is PI5)
    assert ("stlxr" in code) == (BOARD is PI4)


def test_code_for_the_host_counts() -> None:
    assert counted(llvm.get_host_cpu_name()) == 42


def test_code_for_a_pi_4_runs_on_both() -> None:
    assert counted(PI4.cpu) == 42


def test_code_for_another_processor_is_noticed() -> None:
    """A Pi 5 has an instruction for an atomic addition. A Pi 4 doesn't, and the emulated one dies of it as well."""
    child = subprocess.run(
        (sys.executable, "-c", CHILD.format(cpu=PI5.cpu)), capture_output=True, text=True, check=False
    )
    ended = (child.returncode, child.stdout)
    assert ended == ((0, "42\n") if BOARD is PI5 else (-signal.SIGILL, "")), child.stderr


def test_a_builtin_made_at_run_time() -> None:
    _jit, code = linked(TWICE, llvm.get_host_cpu_name(), "twice")
    method = MethodDef(b"twice", code["twice"], METH_O, None)
    new = ctypes.pythonapi.PyCFunction_NewEx
    new.restype = ctypes.py_object
    new.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
    twice = new(ctypes.addressof(method), None, None)
    assert twice(21) == 42
    with pytest.raises(TypeError, match="takes exactly one argument"):
        twice()
