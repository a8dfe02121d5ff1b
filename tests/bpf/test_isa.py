"""THE table against RFC 9669: every opcode that the standard defines, once, in the group where the standard has it."""

from __future__ import annotations

from collections import Counter

import pytest

from axiom_hw.bpf import isa
from axiom_hw.bpf.isa import Kind, Op

# The opcodes of the standard's registry, by the first digit, without the second slot (0x00), `packet`, and 0x8d.
STANDARD = """
04 05 06 07 0c 0f  14 15 16 17 18 1c 1d 1e 1f  24 25 26 27 2c 2d 2e 2f  34 35 36 37 3c 3d 3e 3f
44 45 46 47 4c 4d 4e 4f  54 55 56 57 5c 5d 5e 5f  61 62 63 64 65 66 67 69 6a 6b 6c 6d 6e 6f
71 72 73 74 75 76 77 79 7a 7b 7c 7d 7e 7f  81 84 85 87 89  91 94 95 97 9c 9f  a4 a5 a6 a7 ac ad ae af
b4 b5 b6 b7 bc bd be bf  c3 c4 c5 c6 c7 cc cd ce cf  d4 d5 d6 d7 db dc dd de
"""
PACKET = {0x20, 0x28, 0x30, 0x38, 0x40, 0x48, 0x50, 0x58}
ATOMIC_IMMS = {0x00, 0x01, 0x40, 0x41, 0x50, 0x51, 0xA0, 0xA1, 0xE1, 0xF1}


def rows(code: int) -> tuple[Op, ...]:
    return isa.BY_CODE[code]


def test_the_opcodes_are_the_standards_and_callx() -> None:
    assert {op.code for op in isa.TABLE} == {int(code, 16) for code in STANDARD.split()} | {0x8D}


def test_packet_access_is_known_and_left_out() -> None:
    assert PACKET == isa.PACKET_CODES
    assert not PACKET & set(isa.BY_CODE)


def test_names_are_unique() -> None:
    assert len(isa.BY_NAME) == len(isa.TABLE)


def test_no_two_rows_fit_the_same_instruction() -> None:
    """Rows of one opcode differ in a field that is fixed in both."""
    for fitting in isa.BY_CODE.values():
        for i, one in enumerate(fitting):
            for other in fitting[i + 1 :]:
                pairs = ((one.dst, other.dst), (one.src, other.src), (one.off, other.off), (one.imm, other.imm))
                assert any(isinstance(a, int) and isinstance(b, int) and a != b for a, b in pairs), (one, other)


@pytest.mark.parametrize(
    ("codes", "field", "values"),
    [
        ((0x34, 0x37, 0x3C, 0x3F, 0x94, 0x97, 0x9C, 0x9F), "off", {0, 1}),  # unsigned, signed
        ((0xBC,), "off", {0, 8, 16}),
        ((0xBF,), "off", {0, 8, 16, 32}),
        ((0xD4, 0xD7, 0xDC), "imm", {16, 32, 64}),
        ((0xC3, 0xDB), "imm", ATOMIC_IMMS),
        ((0x85,), "src", {0, 1, 2}),
        ((0x18,), "src", {0, 1, 2, 3, 4, 5, 6}),
    ],
)
def test_variants_of_one_opcode(codes: tuple[int, ...], field: str, values: set[int]) -> None:
    for code in codes:
        assert {getattr(op, field) for op in rows(code)} == values


def test_groups() -> None:
    assert Counter(op.group for op in isa.TABLE) == {
        "base32": 64, "base64": 60, "divmul32": 10, "divmul64": 10, "atomic32": 10, "atomic64": 10, "callx": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("code", "group"),
    [
        (0x04, "base32"), (0x07, "base64"), (0x2C, "divmul32"), (0x9F, "divmul64"), (0x16, "base32"), (0x15, "base64"),
        (0x05, "base32"), (0x06, "base32"), (0x85, "base32"), (0x95, "base32"), (0x18, "base64"), (0x71, "base32"),
        (0x79, "base64"), (0x7A, "base64"), (0x62, "base32"), (0xC3, "atomic32"), (0xDB, "atomic64"), (0x8D, "callx"),
    ],
)  # fmt: skip
def test_group_of(code: int, group: str) -> None:
    assert {op.group for op in rows(code)} == {group}


def test_swaps_of_64_bits_are_base64() -> None:
    for op in isa.TABLE:
        if op.kind is Kind.ENDIAN:
            assert op.group == ("base64" if op.swap_width == 64 else "base32")


def test_cpu_levels() -> None:
    levels = {level: {op.name for op in isa.TABLE if op.cpu == level} for level in (2, 3, 4)}
    assert levels[2] == {f"j{verb}64 {source}" for verb in ("lt", "le", "slt", "sle") for source in ("imm", "reg")}
    assert all(name.startswith(("atomic_", "j")) for name in levels[3])
    assert {name.rstrip("0123456789").split()[0].rstrip("0123456789") for name in levels[4]} == {
        "sdiv", "smod", "movsx", "bswap", "gotol", "loadsx",
    }  # fmt: skip


def test_slots() -> None:
    assert {op.slots for op in rows(0x18)} == {2}
    assert {op.slots for op in isa.TABLE if op.code != 0x18} == {1}


def test_what_rows_say_of_themselves() -> None:
    assert isa.BY_NAME["movsx64 16"].extend == 16
    assert isa.BY_NAME["bswap32"].swap_width == 32
    assert isa.BY_NAME["add64 reg"].uses_register
    assert not isa.BY_NAME["add64 imm"].uses_register
