"""The assembler: what it reads besides objdump's own text, what names mean, and each of its messages."""

from __future__ import annotations

import pytest

from axiom_hw.bpf.asm import assemble_insns
from axiom_hw.bpf.disasm import text_of
from axiom_hw.bpf.insn import Insn
from axiom_hw.errors import AsmError

MAPS = {"counts": 0, "edges": 1}


def one(text: str) -> str:
    """The canonical spelling of a one-instruction program."""
    return text_of(assemble_insns(text, maps=MAPS), 0)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("  r1=r2 // a comment", "r1 = r2"),
        ("r1 = r2 ; another", "r1 = r2"),
        ("r1 = r2 # and one more", "r1 = r2"),
        ("r1 = 0x10", "r1 = 16"),
        ("r1 = 0b101", "r1 = 5"),
        ("r1 = -0x10", "r1 = -16"),
        ("r1 += 0xffffffff", "r1 += -1"),
        ("r1 s%= -3", "r1 s%= -3"),
        ("r1 = 0xffffffffffffffff ll", "r1 = -1 ll"),
        ("r1 = -9223372036854775808 ll", "r1 = -9223372036854775808 ll"),
        ("w1 = *(u8 *)(r2 + 0)", "r1 = *(u8 *)(r2 + 0)"),
        ("*(u32 *)(r10 - 4) = w1", "*(u32 *)(r10 - 4) = r1"),
        ("lock *(u32 *)(r1 + 4) += r2", "lock *(u32 *)(r1 + 4) += w2"),
        ("*(u8*)(r1+0x10)=7", "*(u8 *)(r1 + 16) = 7"),
        ("r1 = *(u64 *)(r2)", "r1 = *(u64 *)(r2 + 0)"),
        ("if r1 == 0 goto +3 <main+0x40>", "if r1 == 0 goto +3"),
        ("if w1 s>= w2 goto -1", "if w1 s>= w2 goto -1"),
        ("call map_lookup_elem", "call 1"),
        ("call tail_call", "call 12"),
        ("call 6", "call 6"),
        ("call pc-7", "call pc-7"),
        ("r1 = map[edges] ll", "r1 = map[1] ll"),
        ("r1 = edges ll", "r1 = map[1] ll"),
        ("r1 = map[7] ll", "r1 = map[7] ll"),
        ("r1 = map[counts][0] ll", "r1 = map[0][0]+0 ll"),
        ("r1 = map[edges][0]+8 ll", "r1 = map[1][0]+8 ll"),
        ("r1 = map_by_idx[edges][0]+0xffffffff ll", "r1 = map_by_idx[1][0]+4294967295 ll"),
        ("       3:\t07 01 00 00 05 00 00 00\tr1 += 5", "r1 += 5"),
        ("      12:       r1 += 5", "r1 += 5"),
        ("       3:\t85 10 00 00 fe ff ff ff\tcall -2", "call pc-2"),
        ("       3:\t85 20 00 00 11 00 00 00\tcall 17", "call btf 17"),
        ("  0:\t18 11 00 00 00 00 00 00 00 00 00 00 00 00 00 00\tr1 = 0 ll", "r1 = map[0] ll"),
        ("  0:\tff 00 00 00 00 00 00 00\t<unknown>", ".8byte 0x00000000000000ff"),
        (".8byte 0x95", "exit"),
        (".quad 0x95", "exit"),
    ],
)
def test_reads(text: str, canonical: str) -> None:
    assert one(text) == canonical


def test_a_whole_listing_of_objdump() -> None:
    listing = """
button.bpf.o:	file format elf64-bpf

Disassembly of section gpio/button:

0000000000000000 <follow>:
; int follow(struct ctx *ctx)
       0:	15 01 01 00 00 00 00 00	if r1 == 0 goto +1 <LBB0_2>
       1:	b7 01 00 00 05 00 00 00	r1 = 5

0000000000000010 <LBB0_2>:
       2:	95 00 00 00 00 00 00 00	exit
"""
    assert assemble_insns(listing) == (Insn(0x15, 1, off=1), Insn(0xB7, 1, imm=5), Insn(0x95))


def test_labels() -> None:
    insns = assemble_insns(
        """
        start: again: r1 += 1
            if r1 < 10 goto again
            r2 = 1 ll
            if w2 == 1 goto .Lend
            gotol start
            goto .Lend
        .Lend:
            exit
        """
    )
    assert [(insn.off, insn.imm) for insn in insns[1:]] == [(-2, 10), (0, 1), (0, 0), (2, 1), (0, -6), (0, 0), (0, 0)]


def test_functions() -> None:
    insns = assemble_insns(
        """
            r2 = code twice ll
            call twice
            exit
        twice:
            r0 = r1
            exit
        """
    )
    assert insns[0] == Insn(0x18, 2, 4, imm=3)
    assert insns[2] == Insn(0x85, 0, 1, imm=1)


def test_a_label_comes_before_a_helper_of_the_same_name() -> None:
    assert assemble_insns("call loop\nexit\nloop: exit")[0] == Insn(0x85, 0, 1, imm=1)
    assert assemble_insns("call loop\nexit")[0] == Insn(0x85, 0, 0, imm=181)


def test_nothing() -> None:
    assert assemble_insns("\n // nothing here\n") == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "r1 = 0\n  r1 s>> 3",
            "x.s:2: no instruction is spelled like this\n    r1 s>> 3\n    fix    the nearest form is `rD s>>= IMM`",
        ),
        (
            "*(u9 *)(r1 + 0) = r2",
            "x.s:1: no instruction is spelled like this\n    *(u9 *)(r1 + 0) = r2\n"
            "    fix    the nearest form is `*(u8 *)(rD + OFF) = rS`",
        ),
        (
            "r1 = -r2",
            "x.s:1: no instruction is spelled like this\n    r1 = -r2\n    fix    the nearest form is `rD = -rD`",
        ),
        (
            "goto 3",
            "x.s:1: no instruction is spelled like this\n    goto 3\n"
            "    fix    a distance in slots has a sign, as in `goto +3`; a place has a label, as in `goto out`",
        ),
        ("r11 = 3", "x.s:1: there is no register 11; the registers are r0 to r10\n    r11 = 3"),
        (
            "r1 = 010",
            "x.s:1: 010 begins with 0, which means octal to some\n    r1 = 010\n"
            "    fix    write it without the 0, or as 0x...",
        ),
        (
            "r1 = 5000000000",
            "x.s:1: the immediate 5000000000 doesn't fit; it holds -2147483648 to 4294967295\n    r1 = 5000000000\n"
            "    fix    `rX = ... ll` takes 64 bits",
        ),
        (
            "r1 = 0x10000000000000000 ll",
            "x.s:1: the immediate 18446744073709551616 doesn't fit; it holds -9223372036854775808 to "
            "18446744073709551615\n    r1 = 0x10000000000000000 ll",
        ),
        (
            "r1 = *(u8 *)(r2 - 32769)",
            "x.s:1: the offset -32769 doesn't fit; it holds -32768 to 32767\n    r1 = *(u8 *)(r2 - 32769)",
        ),
        (
            "goto +32768",
            "x.s:1: the distance 32768 doesn't fit; it holds -32768 to 32767\n    goto +32768\n"
            "    fix    `gotol` reaches 2147483647 slots",
        ),
        (
            "loop:\n  goto lop",
            "x.s:2: no label is named `lop`\n    goto lop\n    fix    did you mean `loop`?",
        ),
        (
            "call map_lokup_elem",
            "x.s:1: no label and no helper is named `map_lokup_elem`\n    call map_lokup_elem\n"
            "    fix    did you mean `map_lookup_elem`?",
        ),
        (
            "r1 = map[count] ll",
            "x.s:1: no map is named `count`; the maps are counts, edges\n    r1 = map[count] ll\n"
            "    fix    did you mean `counts`?",
        ),
        ("a: exit\na: exit", "x.s:2: the label `a` stands in line 1 already\n    a: exit"),
        ("r1: exit", "x.s:1: `r1` is a register, so it can't be a label\n    r1: exit"),
        (
            ".8byte -1",
            "x.s:1: `-1` is no slot: it takes an unsigned number of 64 bits\n    .8byte -1\n"
            "    fix    as in `.8byte 0x95`, which is an exit",
        ),
        (
            ".fill 100000000000, 8, 0x95",
            "x.s:1: `.fill` takes a number of slots up to 1000000, the size 8, and the value of each slot\n"
            "    .fill 100000000000, 8, 0x95\n    fix    as in `.fill 100, 8, 0x95`",
        ),
        (
            ".map counts",
            "x.s:1: `.map` has no meaning between instructions\n    .map counts\n"
            "    fix    the data directive is `.8byte`",
        ),
        (
            " 0:\tb7 01 00 00 05 00 00 00\tr1 = 6",
            "x.s:1: the bytes in front say `r1 = 5`, and the text is b7 01 00 00 06 00 00 00\n"
            "    0:\tb7 01 00 00 05 00 00 00\tr1 = 6\n"
            "    fix    remove the columns of pc and bytes where you change the text",
        ),
        (
            "\t\t0000000000000070:  R_BPF_64_64\tcounts",
            "x.s:1: a relocation of objdump's listing, which says what the instruction before it means\n"
            "    0000000000000070:  R_BPF_64_64\tcounts\n"
            "    fix    name it there, as in `r1 = map[counts] ll` or `call counts`, and remove this line",
        ),
    ],
)
def test_messages(text: str, message: str) -> None:
    with pytest.raises(AsmError) as caught:
        assemble_insns(text, place="x.s", maps=MAPS)
    assert str(caught.value) == message


def test_a_jump_that_is_too_far() -> None:
    far = "goto end\n.fill 32768, 8, 0xb7\nend: exit"
    with pytest.raises(AsmError) as caught:
        assemble_insns(far)
    assert caught.value.problem.startswith("`end` is 32768 slots away; this jump reaches -32768 to 32767")
    assert assemble_insns(far.replace("goto", "gotol", 1))[0] == Insn(0x06, imm=32768)
    assert assemble_insns(far.replace("32768", "32767"))[0] == Insn(0x05, off=32767)


def test_a_program_without_maps_says_so() -> None:
    with pytest.raises(AsmError) as caught:
        assemble_insns("r1 = map[counts] ll")
    assert caught.value.problem.startswith("no map is named `counts`, as the program has no maps")
