"""Slots: encoding, decoding, and the sentence for each way in which a slot is no instruction."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axiom_hw.bpf import isa
from axiom_hw.bpf.insn import Insn, check, decode, encode, imm64, lookup, second_slots
from axiom_hw.bpf.isa import Kind
from axiom_hw.errors import EncodingError

EXIT = Insn(0x95)


@given(st.binary(max_size=400).map(lambda data: data[: len(data) // 8 * 8]))
def test_any_slots_survive_decoding_and_encoding(data: bytes) -> None:
    assert encode(decode(data)) == data


def test_the_bytes_of_a_slot() -> None:
    assert Insn(0x63, dst=10, src=1, off=-4, imm=0x01020304).encode().hex(" ") == "63 1a fc ff 04 03 02 01"


def test_bytes_that_are_no_slots() -> None:
    with pytest.raises(EncodingError) as caught:
        decode(bytes(13))
    assert str(caught.value) == "byte 8: the program has 13 bytes, not a multiple of 8"


def test_the_halves_of_an_immediate() -> None:
    assert imm64(Insn(0x18, imm=-2), Insn(0, imm=1)) == 0x1_FFFF_FFFE
    assert imm64(Insn(0x18, imm=1), Insn(0, imm=-1)) == 0xFFFF_FFFF_0000_0001


def test_second_slots() -> None:
    wide = Insn(0x18)
    assert second_slots((wide, Insn(0), EXIT, wide, wide, EXIT)) == {1, 4}


def test_every_row_is_found_by_its_own_instruction() -> None:
    for op in isa.TABLE:
        fields = [rule if isinstance(rule, int) else 3 for rule in (op.dst, op.src, op.off, op.imm)]
        assert Insn(op.code, *fields).op is op


@pytest.mark.parametrize(
    ("insn", "problem"),
    [
        (Insn(0xFF), "opcode 0xff is no instruction of RFC 9669"),
        (Insn(0x00), "opcode 0x00 is no instruction of RFC 9669"),
        (Insn(0x30), "opcode 0x30 is legacy packet access (RFC 9669 section 5.5), which isn't supported"),
        (Insn(0x95, imm=1), "opcode 0x95 (`exit`) has imm 1; it must be 0"),
        (Insn(0x95, dst=3), "opcode 0x95 (`exit`) has dst 3; it must be 0"),
        (Insn(0xBF, dst=1, src=2, off=7), "opcode 0xbf (`mov64 reg`) has offset 7; it must be one of 0, 8, 16, 32"),
        (Insn(0x85, src=3), "opcode 0x85 (`call`) has src 3; it must be one of 0, 1, 2"),
        (Insn(0xD7, imm=24), "opcode 0xd7 (`bswap16`) has imm 24; it must be one of 16, 32, 64"),
        (Insn(0xB7, dst=11), "`mov64 imm` has dst register 11; the registers are r0 to r10"),
        (Insn(0xBF, dst=1, src=15), "`mov64 reg` has src register 15; the registers are r0 to r10"),
    ],
)
def test_what_is_no_instruction_is_told_why(insn: Insn, problem: str) -> None:
    with pytest.raises(EncodingError) as caught:
        lookup(insn)
    assert caught.value.problem == problem


@pytest.mark.parametrize(
    ("insns", "message"),
    [
        ((EXIT, Insn(0x18)), "pc 1: `imm64` needs a second slot, but the program ends"),
        ((Insn(0x18), EXIT), "pc 1: the second slot of `imm64` must be zero except for its imm"),
        ((Insn(0x18), Insn(0, off=1), EXIT), "pc 1: the second slot of `imm64` must be zero except for its imm"),
        (
            (Insn(0x18, src=1), Insn(0, imm=5), EXIT),
            "pc 1: the second slot of `imm64 map` has imm 5; it must be 0",
        ),
        ((EXIT, Insn(0x06, off=1), EXIT), "pc 1: opcode 0x06 (`gotol`) has offset 1; it must be 0"),
    ],
)
def test_check_names_the_pc(insns: tuple[Insn, ...], message: str) -> None:
    with pytest.raises(EncodingError) as caught:
        check(insns)
    assert str(caught.value) == message


def test_check_gives_the_rows() -> None:
    rows = check((Insn(0x18), Insn(0, imm=-1), EXIT))
    assert [row.kind if row else None for row in rows] == [Kind.IMM64, None, Kind.EXIT]


@given(st.lists(st.binary(min_size=8, max_size=8), max_size=20).map(b"".join))
def test_check_accepts_or_names_a_pc_of_the_program(data: bytes) -> None:
    insns = decode(data)
    refusal: EncodingError | None = None
    try:
        rows = check(insns)
    except EncodingError as error:
        refusal = error
    if refusal is None:
        assert len(rows) == len(insns)
    else:
        assert int(refusal.place.removeprefix("pc ")) in range(len(insns))
