"""The disassembler: spelling, names, data; and that its text assembles to the same slots again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axiom_hw.bpf import isa
from axiom_hw.bpf.asm import assemble_insns
from axiom_hw.bpf.disasm import Names, disassemble, names_of, text_of
from axiom_hw.bpf.insn import Insn, decode
from axiom_hw.bpf.isa import Op
from axiom_hw.bpf.spec import MapSpec, MapType, ProgramSpec
from tests.bpf.instructions import instances, programs

EDGES = ((0, 0), (1, 1), (-1, -1), (32767, 2**31 - 1), (-32768, -(2**31)))
COUNTS = MapSpec("counts", MapType.ARRAY, 4, 8, 1)


def instance(op: Op, dst: int, src: int, off: int, imm: int) -> tuple[Insn, ...]:
    wanted = ((op.dst, dst), (op.src, src), (op.off, off), (op.imm, imm))
    insn = Insn(op.code, *(rule if isinstance(rule, int) else value for rule, value in wanted))
    return (insn,) if op.slots == 1 else (insn, Insn(0))


@pytest.mark.parametrize("op", isa.TABLE, ids=lambda op: op.name)
def test_every_row_survives_the_round_trip(op: Op) -> None:
    for off, imm in EDGES:
        for dst, src in ((0, 1), (10, 9), (3, 3)):
            insns = instance(op, dst, src, off, imm)
            assert assemble_insns(text_of(insns, 0)) == insns


@given(st.data(), st.sampled_from(isa.TABLE))
def test_any_instance_of_a_row_survives_the_round_trip(data: st.DataObject, op: Op) -> None:
    insns = data.draw(instances(op))
    assert assemble_insns(text_of(insns, 0)) == insns


@given(programs(), st.booleans())
def test_a_listing_survives_the_round_trip(insns: tuple[Insn, ...], show_bytes: bool) -> None:
    names = Names(("counts", "other"), {0: "main"}, helpers=True)
    listing = "\n".join(disassemble(insns, names, show_bytes=show_bytes))
    assert assemble_insns(listing, maps={"counts": 0, "other": 1}) == insns


@given(st.binary(max_size=120).map(lambda data: decode(data[: len(data) // 8 * 8])))
def test_any_bytes_survive_the_round_trip(insns: tuple[Insn, ...]) -> None:
    assert assemble_insns("\n".join(disassemble(insns))) == insns


@pytest.mark.parametrize(
    ("insns", "text"),
    [
        ((Insn(0x79, 2, 1),), "r2 = *(u64 *)(r1 + 0)"),
        ((Insn(0x71, 2, 1, -8),), "r2 = *(u8 *)(r1 - 8)"),
        ((Insn(0x62, 10, 0, -4, -1),), "*(u32 *)(r10 - 4) = -1"),
        ((Insn(0xC6, 1, 0, -3, 7),), "if w1 s< 7 goto -3"),
        ((Insn(0x05, off=3),), "goto +3"),
        ((Insn(0x06, imm=-100000),), "gotol -100000"),
        ((Insn(0x85, imm=5),), "call 5"),
        ((Insn(0x85, src=1, imm=-2),), "call pc-2"),
        ((Insn(0x85, src=2, imm=17),), "call btf 17"),
        ((Insn(0x94, 3, off=1, imm=9),), "w3 s%= 9"),
        ((Insn(0xBC, 3, 4, 16),), "w3 = (s16)w4"),
        ((Insn(0xDC, 3, imm=32),), "r3 = be32 r3"),
        ((Insn(0xC3, 1, 2, 4, 0xF1),), "w0 = cmpxchg32_32(r1 + 4, w0, w2)"),
        ((Insn(0xDB, 1, 2, -8, 0x41),), "r2 = atomic_fetch_or((u64 *)(r1 - 8), r2)"),
        ((Insn(0x18, 1, imm=-1), Insn(0, imm=-1)), "r1 = -1 ll"),
        ((Insn(0x18, 1, imm=-1), Insn(0)), "r1 = 4294967295 ll"),
        ((Insn(0x18, 1, 1, imm=2), Insn(0)), "r1 = map[2] ll"),
        ((Insn(0x18, 1, 2, imm=2), Insn(0, imm=8)), "r1 = map[2][0]+8 ll"),
        ((Insn(0x18, 1, 4, imm=5), Insn(0)), "r1 = code +5 ll"),
    ],
)
def test_spelling(insns: tuple[Insn, ...], text: str) -> None:
    assert text_of(insns, 0) == text


def test_what_is_no_instruction_is_shown_as_data() -> None:
    assert text_of((Insn(0xFF, imm=1),), 0) == ".8byte 0x00000001000000ff"
    assert text_of((Insn(0x18),), 0) == ".8byte 0x0000000000000018"
    assert disassemble((Insn(0x18), Insn(0x95))) == ["       0:\t.8byte 0x0000000000000018", "       1:\texit"]


def test_a_listing_with_the_names_of_a_program() -> None:
    insns = assemble_insns(
        """
        r1 = map[0] ll
        call 1
        if r0 == 0 goto +1
        call pc+1
        exit
        r1 = code -2 ll
        goto -4
        """
    )
    spec = ProgramSpec("follow", insns, (COUNTS,), functions={0: "follow", 6: "twice"})
    assert disassemble(insns, names_of(spec)) == [
        "follow:",
        "       0:\tr1 = map[counts] ll",
        "       2:\tcall map_lookup_elem",
        "       3:\tif r0 == 0 goto +1 <follow+0x28>",
        "       4:\tcall pc+1 <twice>",
        "       5:\texit",
        "twice:",
        "       6:\tr1 = code -2 ll <follow+0x28>",
        "       8:\tgoto -4 <follow+0x28>",
    ]


def test_numbers_without_a_name_stay_numbers() -> None:
    names = Names(("counts",), helpers=True)
    assert text_of((Insn(0x85, imm=4242),), 0, names) == "call 4242"
    assert text_of((Insn(0x85, imm=12),), 0, names) == "call tail_call"
    assert text_of((Insn(0x18, 1, 1, imm=1), Insn(0)), 0, names) == "r1 = map[1] ll"


def test_bytes_stand_in_front() -> None:
    assert disassemble((Insn(0x95),), show_bytes=True) == ["       0:\t95 00 00 00 00 00 00 00\texit"]
