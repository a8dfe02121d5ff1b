"""Code in memory: how it lies there, that it goes when nobody holds it, and systems that want none."""

from __future__ import annotations

import ctypes
import gc
import mmap
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from axiom_hw.bpf.engine.llvm import available, loading
from axiom_hw.bpf.engine.llvm.code import Code, CompileError
from axiom_hw.bpf.engine.llvm.jit import compile_ir
from axiom_hw.bpf.engine.llvm.loading import Library, load, reap

ROOT = Path(__file__).parents[4]
TEXT = """
@cell = external global i64
define i64 @answer() nounwind {
  %r = load i64, ptr @cell
  %s = add i64 %r, 2
  ret i64 %s
}
define i64 @other() nounwind {
  ret i64 9
}
"""


@pytest.fixture(scope="module")
def code() -> Code:
    return compile_ir(TEXT, "p")


CELL = ctypes.c_int64(40)
GIVEN = {"cell": ctypes.addressof(CELL)}


def call(library: Library, name: str = "answer") -> int:
    result: int = ctypes.CFUNCTYPE(ctypes.c_int64)(library.addresses[name])()
    return result


def mappings(name: str) -> list[list[str]]:
    """The rows of /proc/self/maps that are code of a program."""
    rows = Path("/proc/self/maps").read_text().splitlines()
    return [row.split() for row in rows if f"axiom:{name}" in row]


class TestMemory:
    def test_code_finds_what_lies_outside(self, code: Code) -> None:
        library = load(code, GIVEN, "p")
        assert (call(library), call(library, "other")) == (42, 9)
        assert library.addresses.keys() == {"answer", "other"}

    def test_it_is_read_and_executed_and_never_written(self, code: Code) -> None:
        library = load(code, GIVEN, "protected")
        (row,) = mappings("protected")
        assert row[1] == "r-xp"
        first = int(row[0].split("-")[0], 16)
        assert first % mmap.PAGESIZE == 0
        assert first <= min(library.addresses.values()) < first + mmap.PAGESIZE

    def test_a_program_of_many_pages(self) -> None:
        zeros = 5 * mmap.PAGESIZE + 8
        big = Code(bytes(zeros), ("cell",), (("begin", 0), ("end", zeros - 8)))
        library = load(big, GIVEN, "many pages")
        at = library.addresses
        assert at["end"] - at["begin"] == zeros - 8
        assert ctypes.string_at(at["begin"], zeros) == bytes(zeros)
        assert ctypes.c_uint64.from_address(at["begin"] + zeros).value == GIVEN["cell"]

    @pytest.mark.parametrize("name", ["", "größe", "a/b c", "x" * 500, "nul\0"])
    def test_any_name_will_do(self, code: Code, name: str) -> None:
        assert call(load(code, GIVEN, name)) == 42

    def test_no_file_stays_open(self, code: Code) -> None:
        before = len(os.listdir("/proc/self/fd"))
        kept = [load(code, GIVEN, "p") for _ in range(20)]
        assert len(os.listdir("/proc/self/fd")) == before
        assert len(kept) == 20


class TestEnds:
    def test_who_holds_it_keeps_it(self, code: Code) -> None:
        kept = [load(code, GIVEN, "kept") for _ in range(3)]
        assert len(mappings("kept")) == 3
        del kept[1]
        gc.collect()
        assert len(mappings("kept")) == 3, "unmapped by whoever let it go, perhaps a thread that dispatches"
        reap()
        assert len(mappings("kept")) == 2
        assert [call(one) for one in kept] == [42, 42]

    def test_loading_unmaps_what_was_let_go(self, code: Code) -> None:
        for _ in range(10):
            load(code, GIVEN, "churned")
        assert len(mappings("churned")) <= 1

    def test_in_any_thread_and_order(self, code: Code) -> None:
        kept, wrong = [], []

        def churn() -> None:
            mine = [load(code, GIVEN, "threads") for _ in range(100)]
            wrong.extend(one for one in mine if call(one) != 42)
            kept.append(mine[50])

        threads = [threading.Thread(target=churn) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        reap()
        assert not wrong
        assert [call(one) for one in kept] == [42] * 4
        assert len(mappings("threads")) == 4

    def test_two_thousand_at_once_leave_nothing(self) -> None:
        done = subprocess.run([sys.executable, "-c", MANY], capture_output=True, text=True, cwd=ROOT, check=True)
        mapped, left, growth_kb = map(int, done.stdout.split())
        assert (mapped, left) == (2000, 0)
        assert growth_kb < 1024


MANY = """
import mmap, pathlib
from tests.bpf.engine.llvm.test_loading import GIVEN, TEXT, compile_ir, load, mappings, reap

def resident_kb():
    return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * mmap.PAGESIZE // 1024

code = compile_ir(TEXT, "p")

def many():
    held = [load(code, GIVEN, "p") for _ in range(2000)]
    mapped = len(mappings("p"))
    del held[:]
    reap()
    return mapped, len(mappings("p"))

many()
before = resident_kb()
print(*many(), resident_kb() - before)
"""


class TestSystemsThatRefuse:
    """What forbids code made at run time: memory files that aren't executable, and what guards mappings."""

    def test_this_one_does_not(self) -> None:
        assert loading.why_not() == ""

    def test_no_files_in_memory(self, code: Code, monkeypatch: pytest.MonkeyPatch) -> None:
        def refused(*_: object) -> int:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(os, "memfd_create", refused)
        with pytest.raises(CompileError) as caught:
            load(code, GIVEN, "p")
        assert str(caught.value) == (
            "p: its code can't be put in memory: Permission denied\n    fix    allow it, or run with --engine interp"
        )
        assert available.why_not.__wrapped__() == "the system lets this process map no code: Permission denied"

    def test_no_mappings_of_code(self, code: Code, monkeypatch: pytest.MonkeyPatch) -> None:
        def refused(*_: object) -> int | None:
            ctypes.set_errno(1)
            return ctypes.c_void_p(-1).value

        monkeypatch.setattr(loading, "_mmap", refused)
        before = len(os.listdir("/proc/self/fd"))
        with pytest.raises(CompileError, match="p: its code can't be put in memory: Operation not permitted"):
            load(code, GIVEN, "p")
        assert len(os.listdir("/proc/self/fd")) == before
        assert loading.why_not() == "the system lets this process map no code: Operation not permitted"

    def test_an_old_kernel_that_does_not_know_the_flag(self, code: Code, monkeypatch: pytest.MonkeyPatch) -> None:
        create = os.memfd_create

        def old(name: str, flags: int) -> int:
            if flags & ~os.MFD_CLOEXEC:
                raise OSError(22, "Invalid argument")
            return create(name, flags)

        monkeypatch.setattr(os, "memfd_create", old)
        assert call(load(code, GIVEN, "p")) == 42

    def test_written_memory_must_not_become_executable(self) -> None:
        """As systemd's MemoryDenyWriteExecute has it: the kernel then takes no mprotect that adds execution."""
        done = subprocess.run([sys.executable, "-c", DENIED], capture_output=True, text=True, cwd=ROOT, check=False)
        if done.stdout == "unknown\n":
            pytest.skip("the kernel is older than 6.3")
        assert (done.stdout, done.stderr) == ("-1\n42\n", "")


DENIED = """
import ctypes, mmap
from tests.bpf.engine.llvm.test_loading import GIVEN, TEXT, call, compile_ir, load
libc = ctypes.CDLL(None)
PR_SET_MDWE, REFUSE_EXEC_GAIN = 65, 1
if libc.prctl(PR_SET_MDWE, ctypes.c_ulong(REFUSE_EXEC_GAIN), ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0)):
    print("unknown")
else:
    with mmap.mmap(-1, mmap.PAGESIZE) as page:
        first = ctypes.c_char.from_buffer(page)
        print(libc.mprotect(ctypes.c_void_p(ctypes.addressof(first)), mmap.PAGESIZE, mmap.PROT_READ | mmap.PROT_EXEC))
        del first
    print(call(load(compile_ir(TEXT, "p"), GIVEN, "p")))
"""
