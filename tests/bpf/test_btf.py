"""BTF and .BTF.ext, built byte by byte: every kind of type, and every way to be damaged that has a name."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from axiom_hw.bpf import btf
from axiom_hw.bpf.btf import Btf, Kind
from axiom_hw.bpf.btf_ext import FunctionRecord, parse_btf_ext
from axiom_hw.bpf.btf_read import parse_btf
from axiom_hw.bpf.elf.types import layout_of, special_fields
from axiom_hw.bpf.layout import U64
from axiom_hw.bpf.spec import FieldKind, SourceLine, SpecialField
from axiom_hw.errors import ObjectError


class Builder:
    """Collects types and strings; `type` returns the number of the new type."""

    def __init__(self) -> None:
        self.strings = b"\0"
        self.types = b""
        self.count = 0

    def string(self, text: str) -> int:
        at = len(self.strings) if text else 0
        self.strings += text.encode() + b"\0" if text else b""
        return at

    def type(
        self, kind: int, name: str = "", operand: int = 0, tail: bytes = b"", vlen: int = 0, flag: bool = False
    ) -> int:
        info = kind << 24 | vlen | flag << 31
        self.types += struct.pack("<III", self.string(name), info, operand) + tail
        self.count += 1
        return self.count

    def integer(self, name: str, size: int, encoding: int = 0, bits: int | None = None) -> int:
        return self.type(Kind.INT, name, size, struct.pack("<I", encoding << 24 | (8 * size if bits is None else bits)))

    def struct(
        self, name: str, size: int, *members: tuple[str, int, int], union: bool = False, flag: bool = False
    ) -> int:
        tail = b"".join(struct.pack("<III", self.string(n), t, offset) for n, t, offset in members)
        return self.type(Kind.UNION if union else Kind.STRUCT, name, size, tail, len(members), flag)

    def array(self, element: int, count: int) -> int:
        return self.type(Kind.ARRAY, "", 0, struct.pack("<III", element, 0, count))

    def bytes(self) -> bytes:
        size = len(self.types)
        return struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, size, size, len(self.strings)) + self.types + self.strings

    def parse(self) -> Btf:
        return parse_btf(self.bytes(), "led.o:.BTF")


@pytest.fixture
def build() -> Builder:
    return Builder()


def refusal(data: bytes) -> ObjectError:
    with pytest.raises(ObjectError) as caught:
        parse_btf(data, "led.o:.BTF")
    return caught.value


class TestKinds:
    """Each kind of Documentation/bpf/btf.rst, in its order."""

    def test_integers(self, build: Builder) -> None:
        build.integer("int", 4, encoding=1)
        build.type(Kind.INT, "part", 4, struct.pack("<I", 3 << 16 | 5))
        assert build.parse().types == (
            btf.Void(),
            btf.Integer("int", 4, signed=True, bits=32, bit_offset=0),
            btf.Integer("part", 4, signed=False, bits=5, bit_offset=3),
        )

    def test_pointers_and_arrays(self, build: Builder) -> None:
        build.type(Kind.PTR, operand=2)
        build.array(1, 7)
        found = build.parse()
        assert found.types[1:] == (btf.Pointer(2), btf.Array(1, 7))
        assert found.size_of(2) == 56

    def test_structs_unions_and_bit_fields(self, build: Builder) -> None:
        number = build.integer("u32", 4)
        build.struct("pair", 8, ("a", number, 0), ("b", number, 32))
        build.struct("either", 4, ("a", number, 0), union=True)
        build.struct("bits", 4, ("low", number, 3 << 24), ("high", number, 5 << 24 | 3), flag=True)
        assert build.parse().types[2:] == (
            btf.Struct("pair", 8, (btf.Member("a", 1, 0, 0), btf.Member("b", 1, 32, 0)), is_union=False),
            btf.Struct("either", 4, (btf.Member("a", 1, 0, 0),), is_union=True),
            btf.Struct("bits", 4, (btf.Member("low", 1, 0, 3), btf.Member("high", 1, 3, 5)), is_union=False),
        )

    def test_enums(self, build: Builder) -> None:
        build.type(Kind.ENUM, "level", 4, struct.pack("<Ii", build.string("LOW"), -1), vlen=1)
        build.type(Kind.ENUM, "offset", 4, struct.pack("<Ii", build.string("LESS"), -1), vlen=1, flag=True)
        build.type(Kind.ENUM64, "wide", 8, struct.pack("<III", build.string("FAR"), 1, 0x80000000), vlen=1)
        build.type(Kind.ENUM64, "deep", 8, struct.pack("<III", build.string("DOWN"), 2**32 - 2, 2**32 - 1), 1, True)
        assert build.parse().types[1:] == (
            btf.Enumeration("level", 4, False, (btf.Enumerator("LOW", 0xFFFFFFFF),)),
            btf.Enumeration("offset", 4, True, (btf.Enumerator("LESS", -1),)),
            btf.Enumeration("wide", 8, False, (btf.Enumerator("FAR", 1 << 63 | 1),)),
            btf.Enumeration("deep", 8, True, (btf.Enumerator("DOWN", -2),)),
        )

    def test_aliases_resolve(self, build: Builder) -> None:
        number = build.integer("u64", 8)
        for kind in (Kind.TYPEDEF, Kind.VOLATILE, Kind.CONST, Kind.RESTRICT, Kind.TYPE_TAG):
            number = build.type(kind, "again" if kind is Kind.TYPEDEF else "", number)
        found = build.parse()
        assert found.resolve(number) == found.types[1]
        assert found.size_of(number) == 8
        assert found.types[2] == btf.Alias(Kind.TYPEDEF, "again", 1)

    def test_functions_and_prototypes(self, build: Builder) -> None:
        number = build.integer("int", 4, 1)
        tail = struct.pack("<II", build.string("x"), number) + struct.pack("<II", 0, 0)
        build.type(Kind.FUNC_PROTO, "", number, tail, vlen=2)
        build.type(Kind.FUNC, "work", 2, vlen=1)
        assert build.parse().types[2:] == (
            btf.Prototype(1, (btf.Parameter("x", 1), btf.Parameter("", 0))),
            btf.Function("work", 2, 1),
        )

    def test_variables_and_sections(self, build: Builder) -> None:
        number = build.integer("int", 4, 1)
        variable = build.type(Kind.VAR, "seen", number, struct.pack("<I", 1))
        build.type(Kind.DATASEC, ".bss", 4, struct.pack("<III", variable, 0, 4), vlen=1)
        found = build.parse()
        assert found.types[2:] == (btf.Variable("seen", 1, 1), btf.DataSection(".bss", 4, (btf.Extent(2, 0, 4),)))
        assert found.variables(".bss") == {"seen": 1}
        assert found.variables(".data") == {}

    def test_the_rest(self, build: Builder) -> None:
        build.type(Kind.FWD, "later")
        build.type(Kind.FLOAT, "double", 8)
        build.type(Kind.DECL_TAG, "user", 1, struct.pack("<i", -1))
        assert build.parse().types[1:] == (btf.Forward("later"), btf.Float("double", 8), btf.Tag("user", 1, -1))

    def test_every_kind_has_a_test(self) -> None:
        text = Path(__file__).read_text()
        missing = [kind.name for kind in Kind if kind not in (Kind.INT, Kind.UNION) and f"Kind.{kind.name}" not in text]
        assert missing == []


class TestDamage:
    def test_headers(self, build: Builder) -> None:
        build.integer("int", 4)
        data = build.bytes()
        assert refusal(data[:10]).problem == "it ends inside its header of 24 bytes"
        assert refusal(b"\x9f\xea" + data[2:]).problem == "the magic number is 0xea9f, not 0xeb9f"
        assert "version 2" in refusal(data[:2] + b"\2" + data[3:]).problem
        error = refusal(data[:12] + struct.pack("<I", 1000) + data[16:])
        assert (error.place, error.problem) == (
            "led.o:.BTF at byte 8",
            "the types end at byte 1024, but the section has 45",
        )
        assert "the strings end at byte" in refusal(data[:-1]).problem

    def test_types_that_are_cut_off(self, build: Builder) -> None:
        number = build.integer("int", 4)
        build.struct("pair", 8, ("a", number, 0))
        build.types = build.types[:-4]
        error = refusal(build.bytes())
        assert (error.place, error.problem) == ("led.o:.BTF at byte 40", "type 2 (struct) is cut off")

    def test_unknown_kinds(self, build: Builder) -> None:
        build.type(30, "new")
        assert refusal(build.bytes()).problem == "type 1 has kind 30; the kinds known are 1 to 19"

    def test_strings(self, build: Builder) -> None:
        build.types = struct.pack("<III", 99, Kind.FWD << 24, 0)
        error = refusal(build.bytes())
        assert (error.place, error.problem) == (
            "led.o:.BTF strings",
            "the name of type 1 is at byte 99, but the table has 1 bytes",
        )
        build.types = struct.pack("<III", 1, Kind.FWD << 24, 0)
        build.strings = b"\0open"
        assert "has no end: the table ends without a NUL" in refusal(build.bytes()).problem
        build.strings = b"\0" + b"x" * 2000 + b"\0"
        assert "has no end: 1023 bytes follow without a NUL" in refusal(build.bytes()).problem

    def test_strings_that_overlap_to_spell_out_more_than_there_is(self, build: Builder) -> None:
        build.strings = b"\0" + b"x" * 1000 + b"\0"
        build.types = b"".join(struct.pack("<III", 1 + i, Kind.FWD << 24, 0) for i in range(1000))
        assert "its strings overlap" in refusal(build.bytes()).problem

    def test_types_that_refer_to_nothing_or_to_themselves(self, build: Builder) -> None:
        loop = build.type(Kind.TYPEDEF, "loop", 1)
        deep = build.array(2, 3)
        build.type(Kind.PTR, operand=77)
        found = build.parse()
        with pytest.raises(ObjectError, match=r"type 1 is defined by itself"):
            found.resolve(loop)
        with pytest.raises(ObjectError, match=r"array of arrays more than 32 deep"):
            found.size_of(deep)
        with pytest.raises(ObjectError, match=r"refers to type 77, but the types end at 3"):
            found.at(77)
        with pytest.raises(ObjectError, match=r"type 0 \(void\) has no size"):
            found.size_of(0)

    def test_a_section_too_large_to_unfold(self) -> None:
        assert "at most 4194304 are read" in refusal(bytes((4 << 20) + 1)).problem


class TestTypes:
    """What maps take from types."""

    def test_layouts(self, build: Builder) -> None:
        u64, u16 = build.integer("u64", 8), build.integer("u16", 2)
        good = build.struct("good", 16, ("at", u64, 0), ("line", u16, 64))
        nested = build.struct("nested", 16, ("inner", good, 0))
        many = build.struct("many", 24, ("at", u64, 0), ("lines", build.array(u16, 6), 64))
        bits = build.struct("bits", 8, ("low", u64, 3 << 24), flag=True)
        union = build.struct("either", 8, ("a", u64, 0), union=True)
        outside = build.struct("outside", 4, ("a", u64, 0))
        huge = build.integer("int128", 16)
        found = build.parse()
        layout = layout_of(found, good)
        assert layout is not None
        assert (layout.name, layout.size, layout.format) == ("good", 16, "<QHxxxxxx")
        arrays = layout_of(found, many)
        assert arrays is not None
        assert (arrays.format, arrays.fields[1].count) == ("<Q6Hxxxx", 6)
        plain = layout_of(found, u64)
        assert plain is not None
        assert (plain.name, plain.fields[0].name, plain.fields[0].scalar) == ("u64", "value", U64)
        for number in (nested, bits, union, outside, huge):
            assert layout_of(found, number) is None

    def test_special_members_in_arrays_of_structs(self, build: Builder) -> None:
        u64 = build.integer("u64", 8)
        timer = build.struct("bpf_timer", 16, ("a", u64, 0), ("b", u64, 64))
        job = build.struct("job", 24, ("due", u64, 0), ("timer", timer, 64))
        jobs = build.array(job, 3)
        found = build.parse()
        assert special_fields(found, jobs, "x") == tuple(SpecialField(FieldKind.TIMER, 24 * i + 8) for i in range(3))
        assert special_fields(found, u64, "x") == ()

    def test_types_that_would_unfold_without_end(self, build: Builder) -> None:
        u32 = build.integer("u32", 4)
        lock = build.struct("bpf_spin_lock", 4, ("a", u32, 0))
        many = build.array(lock, 1 << 31)
        itself = build.struct("self", 8, ("again", build.count + 1, 0), ("x", u32, 0))
        locked = build.struct("locked", 8, ("again", build.count + 1, 0), ("lock", lock, 0))
        plain = build.array(u32, 1 << 31)
        found = build.parse()
        for number in (many, locked):
            with pytest.raises(ObjectError, match="holds more than 64 timers, locks and work items"):
                special_fields(found, number, "x")
        with pytest.raises(ObjectError, match="contains itself"):
            special_fields(found, itself, "x")
        assert special_fields(found, plain, "x") == ()

    def test_a_special_member_outside_its_value(self, build: Builder) -> None:
        u32 = build.integer("u32", 4)
        lock = build.struct("bpf_spin_lock", 4, ("a", u32, 0))
        value = build.struct("value", 4, ("lock", lock, 32))
        with pytest.raises(ObjectError, match="`struct bpf_spin_lock` at byte 4 lies outside its value of 4 bytes"):
            special_fields(build.parse(), value, "x")


def ext(functions: bytes, lines: bytes) -> bytes:
    header = struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(functions), len(functions), len(lines))
    return header + functions + lines


class TestOrigins:
    def test_lines_and_functions(self, build: Builder) -> None:
        section, file, text = (build.string(s) for s in ("timer/1s", "./src/led.c", "\treturn 0;"))
        number = build.type(Kind.FUNC, "work", 0)
        functions = struct.pack("<IIIII", 8, section, 1, 0, number)
        # Records of 20 bytes: newer compilers may append to them.
        lines = struct.pack("<III", 20, section, 2)
        lines += struct.pack("<IIIII", 0, file, text, 7 << 10 | 2, 0) + struct.pack("<IIIII", 8, file, 0, 0, 0)
        found = parse_btf_ext(ext(functions, lines), build.parse(), "led.o:.BTF.ext")
        assert [(r.offset, r.source) for r in found.lines["timer/1s"]] == [
            (0, SourceLine("src/led.c", 7, 2, "\treturn 0;")),
            (8, SourceLine("src/led.c", 0, 0, "")),
        ]
        assert found.functions["timer/1s"] == (FunctionRecord(0, number),)

    def test_a_source_line_too_long_is_cut(self, build: Builder) -> None:
        text = build.string("x" * 3000)
        lines = struct.pack("<III", 16, text, 1) + struct.pack("<IIII", 0, 0, text, 1 << 10)
        with pytest.raises(ObjectError, match="a section's name"):
            parse_btf_ext(ext(b"", lines), build.parse(), "x")
        lines = struct.pack("<III", 16, 0, 1) + struct.pack("<IIII", 0, 0, text, 1 << 10)
        found = parse_btf_ext(ext(b"", lines), build.parse(), "x")
        assert found.lines[""][0].source.text == "x" * 1023

    @pytest.mark.parametrize(
        ("data", "problem"),
        [
            (b"\x9f\xeb", "ends inside its header"),
            (b"\0" * 24, "magic number 0x0000"),
            (ext(b"", struct.pack("<I", 4)), "a record takes 4 bytes; it must be 16 to 256"),
            (ext(b"", struct.pack("<I", 1 << 20)), "a record takes 1048576 bytes"),
            (ext(b"\0\0", b""), "has no room for its record size"),
            (ext(b"", struct.pack("<II", 16, 0)), "a section's entry is cut off"),
            (ext(b"", struct.pack("<III", 16, 0, 1 << 31)), "2147483648 records of 16 bytes end at byte"),
            (ext(b"", struct.pack("<I", 16))[:-2], "a table ends at byte 28, but the section has 26"),
        ],
    )
    def test_damage(self, build: Builder, data: bytes, problem: str) -> None:
        with pytest.raises(ObjectError) as caught:
            parse_btf_ext(data, build.parse(), "led.o:.BTF.ext")
        assert problem in caught.value.problem
        assert caught.value.place.startswith("led.o:.BTF.ext at byte ")
