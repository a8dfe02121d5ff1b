"""The loader, over objects that clang 13 to 22 built: tests/bpf/objects has their sources and Makefile."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from axiom_hw.bpf import isa
from axiom_hw.bpf.elf import load_object
from axiom_hw.bpf.insn import Insn, check
from axiom_hw.bpf.layout import S16, S64, U16, U32, U64
from axiom_hw.bpf.spec import CtxSpec, FieldKind, MapSpec, MapType, ObjectSpec, ProgramSpec, SourceLine
from axiom_hw.errors import ObjectError

OBJECTS = Path(__file__).with_name("objects")
HEARTBEAT = Path(__file__).parents[2] / "demos/heartbeat/heartbeat.bpf.o"
COMPILERS = ("clang13", "clang14", "clang16", "clang19", "clang22")
CTX = CtxSpec(32)


def load(name: str) -> ObjectSpec:
    return load_object((OBJECTS / name).read_bytes(), name, lambda section: CTX)


def refusal(data: bytes, name: str = "led.o") -> ObjectError:
    with pytest.raises(ObjectError) as caught:
        load_object(data, name, lambda section: CTX)
    return caught.value


def maps_of(spec: ObjectSpec) -> dict[str, MapSpec]:
    return {m.name: m for m in spec.maps}


def references(program: ProgramSpec, source: int) -> list[tuple[int, int]]:
    """(imm, second imm) of each 64-bit immediate with that source register."""
    pairs = zip(program.insns, program.insns[1:], strict=False)
    return [(low.imm, high.imm) for low, high in pairs if low.code == isa.LD | isa.SIZES[64] and low.src == source]


def callees(program: ProgramSpec) -> list[tuple[str, str]]:
    """(caller, callee) of each local call and function address, in the order of the code."""
    starts = sorted(program.functions)
    found = []
    for pc, insn in enumerate(program.insns):
        if (insn.code, insn.src) in ((0x85, isa.CALL_LOCAL), (0x18, isa.IMM_CODE)):
            caller = program.functions[max(start for start in starts if start <= pc)]
            found.append((caller, program.functions[pc + 1 + insn.imm]))
    return found


@pytest.mark.parametrize("compiler", COMPILERS)
class TestMaps:
    def test_a_hash_with_structs(self, compiler: str) -> None:
        levels = maps_of(load(f"maps.{compiler}.o"))["levels"]
        assert (levels.type, levels.key_size, levels.value_size, levels.max_entries) == (MapType.HASH, 8, 8, 300)
        assert levels.flags == 1
        assert levels.key_layout is not None
        assert [(f.name, f.offset, f.scalar) for f in levels.key_layout.fields] == [
            ("chip_id", 0, U32),
            ("line", 4, U16),
            ("trim", 6, S16),
        ]
        assert levels.value_layout is not None
        assert [(f.name, f.scalar) for f in levels.value_layout.fields] == [("value", S64)]
        assert levels.value_layout.name == "s64"

    def test_timers_locks_and_work_items(self, compiler: str) -> None:
        jobs = maps_of(load(f"maps.{compiler}.o"))["jobs"]
        assert [(f.kind, f.offset) for f in jobs.fields] == [
            (FieldKind.TIMER, 8),
            (FieldKind.TIMER, 32),
            (FieldKind.SPIN_LOCK, 56),
            (FieldKind.WORK, 64),
        ]
        assert jobs.value_size == 80
        assert jobs.value_layout is None
        assert jobs.pinned
        assert jobs.key_layout is not None  # an enum is an integer
        assert jobs.key_layout.size == 4

    def test_sizes_without_types(self, compiler: str) -> None:
        sums = maps_of(load(f"maps.{compiler}.o"))["sums"]
        assert (sums.type, sums.key_size, sums.value_size) == (MapType.PERCPU_ARRAY, 4, 24)
        assert sums.key_layout is None
        assert sums.value_layout is None
        assert not sums.pinned

    def test_maps_of_maps_and_of_programs(self, compiler: str) -> None:
        maps = maps_of(load(f"maps.{compiler}.o"))
        outer = maps["outer"]
        assert (outer.type, outer.key_size, outer.value_size) == (MapType.ARRAY_OF_MAPS, 4, 4)
        assert outer.inner is not None
        assert (outer.inner.type, outer.inner.value_size, outer.inner.max_entries) == (MapType.ARRAY, 12, 8)
        assert (maps["stages"].type, maps["stages"].value_size, maps["stages"].inner) == (MapType.PROG_ARRAY, 4, None)

    def test_programs_refer_to_them_by_index(self, compiler: str) -> None:
        spec = load(f"maps.{compiler}.o")
        program = spec.program_named("use")
        assert program.maps is spec.maps
        used = [spec.maps[index].name for index, _ in references(program, isa.IMM_MAP)]
        assert used == ["levels", "hidden", "jobs"]
        assert all(second == 0 for _, second in references(program, isa.IMM_MAP))


@pytest.mark.parametrize("compiler", [*COMPILERS, "clang19-v4", "clang22-v4"])
class TestData:
    def test_each_section_is_a_map(self, compiler: str) -> None:
        maps = maps_of(load(f"data.{compiler}.o"))
        assert list(maps) == [".rodata", ".data", ".data.tuning", ".bss"]
        for spec in maps.values():
            assert (spec.type, spec.key_size, spec.max_entries) == (MapType.ARRAY, 4, 1)
            assert spec.data is not None
            assert len(spec.data) == spec.value_size
            assert spec.frozen == (spec.name == ".rodata")
            assert spec.flags == (1 << 7 if spec.name == ".rodata" else 0)
        assert maps[".rodata"].data == struct.pack("<5I", 7, 1, 2, 3, 4) + b"seen %d\0"
        assert maps[".data"].data == struct.pack("<Qi", 0x1122334455667788, -5)
        assert maps[".data.tuning"].data == struct.pack("<I", 9)
        assert maps[".bss"].data == bytes(12)

    def test_integers_in_them_have_names(self, compiler: str) -> None:
        layout = maps_of(load(f"data.{compiler}.o"))[".bss"].value_layout
        assert layout is not None
        assert [(f.name, f.offset, f.scalar) for f in layout.fields] == [("seen", 0, U64), ("low", 8, U32)]

    def test_code_refers_to_offsets(self, compiler: str) -> None:
        spec = load(f"data.{compiler}.o")
        named = {(spec.maps[index].name, offset) for index, offset in references(spec.programs[0], isa.IMM_MAP_VALUE)}
        assert named == {
            (".rodata", 0),  # limit
            (".rodata", 12),  # step[2]: symbol plus addend
            (".rodata", 20),  # the format
            (".data", 0),
            (".data", 8),  # static: section plus addend
            (".data.tuning", 0),
            (".bss", 0),
            (".bss", 8),
        } or named == {
            (".rodata", 0),
            (".rodata", 4),  # step, and its index in the instruction
            (".rodata", 20),
            (".data", 0),
            (".data", 8),
            (".data.tuning", 0),
            (".bss", 0),
            (".bss", 8),
        }


@pytest.mark.parametrize("compiler", COMPILERS)
class TestSubprograms:
    def test_lie_behind_each_program_that_calls_them_once(self, compiler: str) -> None:
        spec = load(f"calls.{compiler}.o")
        assert [p.name for p in spec.programs] == ["first", "second", "third"]
        assert {p.name: list(p.functions.values()) for p in spec.programs} == {
            "first": ["first", "twice", "beside", "thrice"],
            "second": ["second", "alone"],
            "third": ["third", "twice", "step"],
        }

    def test_calls_lead_to_them(self, compiler: str) -> None:
        spec = load(f"calls.{compiler}.o")
        assert callees(spec.program_named("first")) == [
            ("first", "twice"),
            ("first", "beside"),  # in the same section: the assembler filled it in
            ("first", "thrice"),
            ("beside", "thrice"),
            ("thrice", "twice"),
        ]
        assert callees(spec.program_named("second")) == [("second", "alone")]
        assert callees(spec.program_named("third")) == [("third", "twice"), ("third", "step")]

    def test_every_instruction_is_in_the_table(self, compiler: str) -> None:
        for program in load(f"calls.{compiler}.o").programs:
            check(program.insns)

    def test_source_lines(self, compiler: str) -> None:
        program = load(f"calls.{compiler}.o").program_named("second")
        assert set(program.lines) == set(range(len(program.insns)))
        at_call = next(pc for pc, insn in enumerate(program.insns) if insn.src == isa.CALL_LOCAL and insn.code == 0x85)
        assert program.lines[at_call].text == "\treturn alone(ctx->count);"
        assert program.lines[at_call].file == "calls.bpf.c"
        assert program.lines[at_call].column > 0
        assert program.lines[len(program.insns) - 1].text.strip() in ("return x - 1;", "}")


def test_program_and_section_names_and_license() -> None:
    asked: list[str] = []

    def ctx_of(section: str) -> CtxSpec:
        asked.append(section)
        return CtxSpec(16)

    spec = load_object((OBJECTS / "calls.clang14.o").read_bytes(), "calls.o", ctx_of)
    assert [p.section for p in spec.programs] == ["timer/1s", "timer/2s", "timer/2s"]
    assert asked == ["timer/1s", "timer/2s", "timer/2s"]
    assert {p.ctx for p in spec.programs} == {CtxSpec(16)}
    assert spec.license == "Apache-2.0"
    assert {p.license for p in spec.programs} == {"Apache-2.0"}


def test_what_ctx_of_raises_comes_through() -> None:
    def ctx_of(section: str) -> CtxSpec:
        raise KeyError(section)

    with pytest.raises(KeyError, match="timer/1s"):
        load_object((OBJECTS / "calls.clang14.o").read_bytes(), "calls.o", ctx_of)


def test_the_same_bytes_are_the_same_spec() -> None:
    assert load("data.clang22.o") == load("data.clang22.o")


def test_debug_sections_do_no_harm() -> None:
    assert [p.name for p in load("unstripped.o").programs] == ["count"]


def test_an_object_of_nothing_but_text_has_its_programs_there() -> None:
    # As conformance suites write them: one function in .text.
    data = (OBJECTS / "calls.clang14.o").read_bytes()
    renamed = data.replace(b"timer/1s\0", b"spare/1s\0")
    assert load_object(renamed, "x", lambda s: CTX).program_named("first").section == "spare/1s"
    program = load_object(minimal(), "x", lambda s: CTX).programs[0]
    assert (program.name, program.section, len(program.insns)) == ("main", ".text", 2)


def test_the_heartbeat() -> None:
    spec = load_object(HEARTBEAT.read_bytes(), "heartbeat.bpf.o", lambda s: CTX)
    program = spec.program_named("heartbeat")
    assert program.section == "timer/100ms"
    assert [m.name for m in spec.maps] == ["ticks", "beats", ".rodata"]
    assert program.lines[0] == SourceLine(
        "demos/heartbeat/heartbeat.bpf.c", program.lines[0].line, 0, "int heartbeat(struct TimerEvent *ctx)"
    )
    assert os.sep + "work" not in HEARTBEAT.read_bytes().decode("latin-1")


REFUSED = {
    "refused-LEGACY.o": ("refused-LEGACY.o:maps", "old style"),
    "refused-KCONFIG.o": ("program at pc 0 (refused.bpf.c:", "refers to `CONFIG_HZ`, a setting of a Linux kernel"),
    "refused-KSYM.o": ("refused-KSYM.o:timer/1s", "calls `bpf_cpumask_create`, a symbol of the Linux kernel"),
    "refused-WEAK.o": ("refused-WEAK.o:timer/1s", "calls `maybe`, which the object doesn't define"),
    "refused-UNDEFINED.o": ("refused-UNDEFINED.o:timer/1s", "refers to `missing`, which the object doesn't define"),
    "refused-ADDRESS.o": ("refused-ADDRESS.o:.data", "holds an address"),
    "refused-VALUES.o": ("refused-VALUES.o:.maps", "has entries from the start"),
    "refused-SECTION.o": ("refused-SECTION.o:timer/1s", "`wandering` in section stray, which is neither map nor data"),
    "refused-PERF.o": ("refused-PERF.o:.maps: odd", "type 4 (perf_event_array)"),
    "refused-UNSIZED.o": ("refused-UNSIZED.o:.maps: odd", "doesn't say how large"),
    "refused-MEMBER.o": ("refused-MEMBER.o:.maps: odd", "a member `colour`"),
    "refused-TYPELESS.o": ("refused-TYPELESS.o:.maps: odd", "doesn't say its type"),
    "refused-SIZES.o": ("refused-SIZES.o:.maps: odd", "key_size is 8, but the type of `key` takes 4 bytes"),
    "refused-NOTHING.o": ("refused-NOTHING.o", "holds no program"),
    "bare.o": ("bare.o:.maps", "map `levels` is declared, but the object has no .BTF"),
    "big-endian.o": ("big-endian.o", "is big-endian"),
    "x86-64.o": ("x86-64.o", "is built for x86-64, not for BPF"),
    "arm64.o": ("arm64.o", "is built for arm64, not for BPF"),
    "arm32.o": ("arm32.o", "is built for Arm (32-bit), not for BPF"),
    "executable.o": ("executable.o", "is an executable, not a relocatable object"),
    "bitcode.o": ("bitcode.o", "is LLVM bitcode"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_name_the_place_the_problem_and_the_way_out(name: str) -> None:
    place, problem = REFUSED[name]
    error = refusal((OBJECTS / name).read_bytes(), name)
    assert place in error.place
    assert problem in error.problem
    assert error.fix


def test_whole_messages() -> None:
    assert str(refusal((OBJECTS / "x86-64.o").read_bytes())) == (
        "led.o: is built for x86-64, not for BPF\n    fix    compile it with `clang -O2 -g -target bpf -c`"
    )
    assert str(refusal((OBJECTS / "bare.o").read_bytes())) == (
        "led.o:.maps: map `levels` is declared, but the object has no .BTF that says what it is\n"
        "    fix    compile with -g (and strip with `llvm-strip -g`, which keeps .BTF)"
    )
    assert str(refusal(b"#!/bin/sh\n")) == (
        "led.o: isn't an ELF object: it starts with 23 21 2f 62, not 7f 45 4c 46\n"
        "    fix    compile it with `clang -O2 -g -target bpf -c`"
    )
    assert str(refusal(HEARTBEAT.read_bytes()[:2000])).startswith(
        "led.o: has 2000 bytes, but its 14 section headers end"
    )


def test_a_missing_maps_section() -> None:
    # The section has another name, so that the relocations lead to no map.
    error = refusal(HEARTBEAT.read_bytes().replace(b"\0.maps\0", b"\0.mapz\0"))
    assert "refers to `ticks` in section .mapz, which is neither map nor data" in error.problem
    assert 'SEC(".maps")' in error.fix


def minimal(code: bytes = b"", symbols: bytes | None = None, flags: int = 6) -> bytes:
    """A small object by hand: one function `main` in .text, as tools other than clang write them."""
    body = code or Insn(0xB7, 0).encode() + Insn(0x95).encode()
    strings = b"\0main\0.text\0.strtab\0.symtab\0"
    table = symbols if symbols is not None else bytes(24) + struct.pack("<IBBHQQ", 1, 0x12, 0, 1, 0, 0)
    at_strings = 64 + len(body)
    at_symbols = at_strings + len(strings)
    headers = struct.pack("<64x")
    for name, kind, flag, offset, size, link, entry in (
        (6, 1, flags, 64, len(body), 0, 0),
        (12, 3, 0, at_strings, len(strings), 0, 0),
        (20, 2, 0, at_symbols, len(table), 2, 24),
    ):
        headers += struct.pack("<IIQQQQIIQQ", name, kind, flag, 0, offset, size, link, 0, 1, entry)
    start = struct.pack("<4s5B7xHHIQQQIHHHHHH", b"\x7fELF", 2, 1, 1, 0, 0, 1, 247, 1, 0, 0,
                        at_symbols + len(table), 0, 64, 0, 0, 64, 4, 2)  # fmt: skip
    return start + body + strings + table + headers


def test_functions_outside_their_section() -> None:
    symbol = struct.pack("<IBBHQQ", 1, 0x12, 0, 1, 8, 64)
    assert "`main` takes bytes 8 to 72 of 16" in refusal(minimal(symbols=bytes(24) + symbol)).problem
    overlapping = struct.pack("<IBBHQQ", 1, 0x12, 0, 1, 0, 16) + struct.pack("<IBBHQQ", 1, 0x12, 0, 1, 8, 8)
    assert "where the next function is under way" in refusal(minimal(symbols=bytes(24) + overlapping)).problem
    assert "has 12 bytes of code, not a multiple of 8" in refusal(minimal(code=bytes(12))).problem


def test_calls_that_lead_nowhere() -> None:
    error = refusal(minimal(code=Insn(0x85, 0, 1, 0, 5).encode() + Insn(0x95).encode()))
    assert error.problem == "means slot 6 of .text, where no function starts"
    assert error.place == "led.o:.text: main at pc 0"
    error = refusal(minimal(code=Insn(0x95).encode() + Insn(0x18).encode()))
    assert error.problem == "a 64-bit immediate is cut off by the function's end"


def test_a_relocation_within_an_instruction() -> None:
    data = bytearray(HEARTBEAT.read_bytes())
    entry = struct.pack("<Q", 0x28)  # the relocation of `ticks`, at its 64-bit immediate
    at = data.index(entry + struct.pack("<I", 1))
    data[at : at + 8] = struct.pack("<Q", 0x30)
    assert refusal(bytes(data)).problem == "the second half of a 64-bit immediate has a relocation"
    data[at : at + 8] = struct.pack("<Q", 0x2C)
    assert "a relocation is at byte 44 of" in refusal(bytes(data)).problem
    data[at : at + 8] = struct.pack("<Q", 0)
    assert "opcode 0xbf has a relocation of type IMM64, which doesn't belong to it" in refusal(bytes(data)).problem


def test_programs_share_subprograms_only_up_to_a_limit() -> None:
    # 3000 programs that each link the same 1000 instructions: small in the file, large in memory.
    tail = Insn(0xB7, 0).encode() * 999 + Insn(0x95).encode()
    count = 3000
    code = b"".join(Insn(0x85, 0, 1, 0, 2 * (count - i) - 1).encode() + Insn(0x95).encode() for i in range(count))
    symbols = bytes(24) + b"".join(struct.pack("<IBBHQQ", 1, 0x12, 0, 1, 16 * i, 16) for i in range(count))
    symbols += struct.pack("<IBBHQQ", 1, 0x02, 0, 1, 16 * count, len(tail))
    assert "more than 262144 instructions" in refusal(minimal(code=code + tail, symbols=symbols)).problem
