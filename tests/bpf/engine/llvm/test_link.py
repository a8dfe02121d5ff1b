"""From objects to images: every relocation is applied as the processors' supplements say, and the rest is refused."""

from __future__ import annotations

import ctypes
import platform
import struct
from dataclasses import replace

import pytest

from axiom_hw.bpf.engine.llvm import relocations
from axiom_hw.bpf.engine.llvm.code import CompileError
from axiom_hw.bpf.engine.llvm.link import link
from axiom_hw.bpf.engine.llvm.loading import load
from axiom_hw.bpf.engine.llvm.objects import ALLOC, read_object
from axiom_hw.bpf.engine.llvm.relocations import MACHINES, Machine, OutOfReach
from tests.bpf.engine.llvm.crafted import ANSWERS, ELSEWHERE, OUTSIDE_ADDS, TEXT, made_object

X86, ARM = 62, 183
HOST = {"x86_64": X86, "aarch64": ARM}[platform.machine()]
LEVELS = pytest.mark.parametrize("opt", [0, 2])

# What is in the word, where that is, what it is to lead to, and what is in it then: computed by hand.
BY_HAND = {
    "R_X86_64_PC32": (0, 0x10, 0x100, 0xF0),
    "R_X86_64_PLT32": (0, 0x110, 0x100, 0xFFFFFFF0),
    "R_X86_64_GOTPCREL": (0, 3, 0x2000 - 4, 0x1FF9),
    "R_X86_64_GOTPCRELX": (0, 2, 0x2000 - 4, 0x1FFA),
    "R_X86_64_REX_GOTPCRELX": (0, 3, 0x2000 - 4, 0x1FF9),
    "R_AARCH64_PREL32": (0, 0x1000, 0xFF0, 0xFFFFFFF0),
    "R_AARCH64_ADR_PREL_PG_HI21": (0x90000000, 0x1FFC, 0x4008, 0xF0000000),  # adrp x0, 3 pages on
    "R_AARCH64_ADD_ABS_LO12_NC": (0x91000000, 0, 0x4ABC, 0x912AF000),  # add x0, x0, #0xabc
    "R_AARCH64_LDST8_ABS_LO12_NC": (0x39400000, 0, 0x4ABC, 0x396AF000),  # ldrb w0, [x0, #0xabc]
    "R_AARCH64_JUMP26": (0x14000000, 0x1000, 0x1010, 0x14000004),  # b 4 instructions on
    "R_AARCH64_CALL26": (0x94000000, 0x1000, 0xFF8, 0x97FFFFFE),  # bl 2 instructions back
    "R_AARCH64_LDST16_ABS_LO12_NC": (0x79400000, 0, 0x4ABC, 0x79557800),  # ldrh w0, [x0, #0xabc]
    "R_AARCH64_LDST32_ABS_LO12_NC": (0xB9400000, 0, 0x4ABC, 0xB94ABC00),  # ldr w0, [x0, #0xabc]
    "R_AARCH64_LDST64_ABS_LO12_NC": (0xF9400000, 0, 0x4AB8, 0xF9455C00),  # ldr x0, [x0, #0xab8]
    "R_AARCH64_LDST128_ABS_LO12_NC": (0x3DC00000, 0, 0x4AB0, 0x3DC2AC00),  # ldr q0, [x0, #0xab0]
    "R_AARCH64_ADR_GOT_PAGE": (0x90000010, 0x5000, 0x1000, 0x90FFFFF0),  # adrp x16, 4 pages back
    "R_AARCH64_LD64_GOT_LO12_NC": (0xF9400210, 0, 0x2018, 0xF9400E10),  # ldr x16, [x16, #0x18]
}
ROWS = {row.name: row for machine in MACHINES.values() for row in machine.relocations.values()}


class TestFields:
    @pytest.mark.parametrize("name", ROWS)
    def test_as_computed_by_hand(self, name: str) -> None:
        before, at, target, after = BY_HAND[name]
        image = bytearray(0x6000)
        image[at : at + 4] = before.to_bytes(4, "little")
        ROWS[name].patch(image, at, target)
        assert image[at : at + 4].hex() == after.to_bytes(4, "little").hex()
        assert image.count(0) >= len(image) - 4

    @pytest.mark.parametrize("name", ROWS)
    def test_what_was_in_the_field_is_replaced(self, name: str) -> None:
        _, at, target, after = BY_HAND[name]
        image = bytearray(0x6000)
        image[at : at + 4] = after.to_bytes(4, "little")
        ROWS[name].patch(image, at, target)
        assert int.from_bytes(image[at : at + 4], "little") == after

    @pytest.mark.parametrize(("name", "first", "last"), [
        ("R_X86_64_PLT32", -(1 << 31), (1 << 31) - 1),
        ("R_AARCH64_CALL26", -(1 << 27), (1 << 27) - 4),
        ("R_AARCH64_ADR_PREL_PG_HI21", -(1 << 32), (1 << 32) - 1),
    ])  # fmt: skip
    def test_what_is_out_of_reach(self, name: str, first: int, last: int) -> None:
        row, image = ROWS[name], bytearray(4)
        row.patch(image, 0, first)
        row.patch(image, 0, last)
        for target in (first - 4, last + 4):
            with pytest.raises(OutOfReach, match=rf"^{name} reaches {-first:,} bytes, not "):
                row.patch(image, 0, target)

    def test_what_is_misaligned(self) -> None:
        for name, target in (("R_AARCH64_LDST64_ABS_LO12_NC", 0x4), ("R_AARCH64_CALL26", 0x2)):
            with pytest.raises(OutOfReach):
                ROWS[name].patch(bytearray(4), 0, target)


class TestImages:
    @LEVELS
    @pytest.mark.parametrize("machine", [X86, ARM])
    def test_all_that_the_table_knows_occurs_and_is_linked(self, machine: int, opt: int) -> None:
        made = made_object(TEXT, machine, opt)
        found = {one.kind for part in read_object(made).sections if part.flags & ALLOC for one in part.references}
        assert found == MACHINES[machine].relocations.keys()
        code = link(made, "p")
        assert code.needs == ("direct", "elsewhere", "outside")
        assert {name for name, _ in code.exports} == {name for name, _, _ in ANSWERS}
        assert len(code.image) % 8 == 0

    @LEVELS
    def test_it_runs(self, opt: int) -> None:
        signature = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)
        add = signature(lambda n: n + OUTSIDE_ADDS)
        at = ctypes.cast(add, ctypes.c_void_p).value
        cell = ctypes.c_int64(ELSEWHERE)
        assert at is not None
        given = {"outside": at, "direct": at, "elsewhere": ctypes.addressof(cell)}
        library = load(link(made_object(TEXT, HOST, opt), "p"), given, "p")
        for name, argument, answer in ANSWERS:
            assert signature(library.addresses[name])(argument) == answer, name

    @LEVELS
    def test_calls_on_aarch64_go_through_a_stub_to_what_the_slot_says(self, opt: int) -> None:
        code = link(made_object(TEXT, ARM, opt), "p")
        words = struct.unpack(f"<{len(code.image) // 4}I", code.image)
        begins = dict(code.exports)["calls"] // 4
        call = next(n for n in range(begins, len(words)) if words[n] >> 26 == 0b100101)  # bl
        stub = call + ((words[call] & 0x3FFFFFF) ^ 0x2000000) - 0x2000000
        adrp, ldr, br = words[stub : stub + 3]
        assert (adrp & 0x9F00001F, ldr & 0xFFC003FF, br) == (0x90000010, 0xF9400210, 0xD61F0200)
        pages = (adrp >> 29 & 3) | (adrp >> 5 & 0x7FFFF) << 2
        slot = (stub * 4 & ~0xFFF) + (pages << 12) + (ldr >> 10 & 0xFFF) * 8
        assert slot == len(code.image) + 8 * code.needs.index("outside")

    def test_constants_lie_as_aligned_as_they_want(self) -> None:
        text = """
            @a = constant [3 x i8] c"abc"
            @b = constant <8 x i64> <i64 1, i64 2, i64 3, i64 4, i64 5, i64 6, i64 7, i64 8>, align 64
            """
        for machine in (X86, ARM):
            code = link(made_object(text, machine, 2), "p")
            assert dict(code.exports)["b"] % 64 == 0

    def test_megabytes(self) -> None:
        text = """
            @big = internal constant [3000000 x i8] zeroinitializer
            @last = internal constant i64 77
            define i64 @answer() {
              %r = load volatile i64, ptr @last
              %p = getelementptr i8, ptr @big, i64 2999999
              %q = load volatile i8, ptr %p
              ret i64 %r
            }
            """
        code = link(made_object(text, HOST, 2), "p")
        assert len(code.image) > 3_000_000
        library = load(code, {}, "p")
        assert ctypes.CFUNCTYPE(ctypes.c_int64)(library.addresses["answer"])() == 77

    def test_how_exceptions_pass_is_left_out(self) -> None:
        text = "define i64 @answer() uwtable {\n  ret i64 7\n}\n"
        made = made_object(text, HOST, 2)
        assert ".eh_frame" in [part.name for part in read_object(made).sections]
        assert len(link(made, "p").image) == 8


class TestRefusals:
    @pytest.mark.parametrize("image", [b"", b"\x7fELF", b"\x7fELF" + bytes(200), b"MZ" + bytes(200)])
    def test_what_is_no_object(self, image: bytes) -> None:
        with pytest.raises(CompileError, match=r"^p: its code can't be linked: not a "):
            link(image, "p")

    def test_part_of_an_object(self) -> None:
        made = made_object(TEXT, HOST, 2)
        for size in range(0, len(made), 97):
            with pytest.raises(CompileError, match=r"^p: its code can't be linked: "):
                link(made[:size], "p")

    def test_another_processor(self) -> None:
        made = made_object(TEXT, X86, 2)
        with pytest.raises(CompileError, match="it is for another processor, e_machine 243"):
            link(made[:18] + (243).to_bytes(2, "little") + made[20:], "p")

    @pytest.mark.parametrize(("text", "why"), [
        ("@cell = internal global i64 5\ndefine i64 @f() { store i64 1, ptr @cell\nret i64 0 }",
         r"it has variables, 8 bytes in \.(data|bss); code is shared and read-only"),
        ("@a = constant [2 x ptr] [ptr @a, ptr @a]", r"it has variables, 16 bytes in \.data\.rel\.ro"),
        ("@t = external thread_local global i64\ndefine ptr @f() { ret ptr @t }",
         r"relocation \d+, to `t`, isn't known"),
        ("define ptr @f() { ret ptr @f }", r"R_\w+GOT\w+ can't lead to `f`, which is its own"),
        ("@t = external hidden global i64\ndefine ptr @f() { ret ptr @t }",
         r"R_\w+ can't lead to `t`, which is defined outside"),
        ("@c = common global i64 0", "`c` is in no section that is loaded"),
    ])  # fmt: skip
    @pytest.mark.parametrize("machine", [X86, ARM])
    def test_what_llvm_is_not_asked_for(self, machine: int, text: str, why: str) -> None:
        with pytest.raises(CompileError, match=f"^p: its code can't be linked: {why}.*\n.*this is a bug of axiom_hw"):
            link(made_object(text, machine, 2), "p")

    def test_code_that_is_too_large_for_its_calls(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """For one whose calls reach 32 bytes: those of processors reach too far for a test."""
        short = {
            kind: replace(row, pieces=((4, 0),)) if row.name == "R_AARCH64_CALL26" else row
            for kind, row in MACHINES[ARM].relocations.items()
        }
        machine = Machine(short, MACHINES[ARM].stub, MACHINES[ARM].stub_fields)
        monkeypatch.setitem(relocations.MACHINES, ARM, machine)  # type: ignore[arg-type]
        with pytest.raises(CompileError, match="linked: R_AARCH64_CALL26 reaches 32 bytes, not "):
            link(made_object(TEXT, ARM, 2), "p")
