"""`.bpf.s` files: what their directives declare, what belongs to which program, and each of their messages."""

from __future__ import annotations

import pytest

from axiom_hw.bpf.asm import assemble
from axiom_hw.bpf.insn import Insn
from axiom_hw.bpf.spec import CtxSpec, FieldKind, MapSpec, MapType, SourceLine, SpecialField
from axiom_hw.errors import AsmError

BUTTON = """\
// The LED follows the button.
.license "GPL"
.map counts type=array key=4 value=8 entries=1
.map edges  type=ringbuf entries=4096

.section "gpio/button"
.ctx 32
follow:
    r1 = map[edges] ll
    if r1 == 0 goto out
    call ktime_get_ns
out:
    r0 = 0
    exit

.section "timer/100ms"
.ctx 16 writable
tick:
    r6 = map[counts][0]+0 ll
    exit
"""


def test_a_file_with_two_programs() -> None:
    spec = assemble(BUTTON, "demos/button_led.bpf.s")
    assert spec.name == "button_led"
    assert spec.license == "GPL"
    assert spec.maps == (
        MapSpec("counts", MapType.ARRAY, 4, 8, 1),
        MapSpec("edges", MapType.RINGBUF, 0, 0, 4096),
    )
    follow, tick = spec.programs
    assert (follow.name, follow.section, follow.ctx) == ("follow", "gpio/button", CtxSpec(32))
    assert (tick.name, tick.section, tick.ctx) == ("tick", "timer/100ms", CtxSpec(16, writable=True))
    assert follow.maps == tick.maps == spec.maps
    assert follow.license == "GPL"
    assert follow.insns == (
        Insn(0x18, 1, 1, imm=1), Insn(0), Insn(0x15, 1, off=1), Insn(0x85, imm=5), Insn(0xB7), Insn(0x95),
    )  # fmt: skip
    assert tick.insns[:2] == (Insn(0x18, 6, 2, imm=0), Insn(0))


def test_lines_are_recorded() -> None:
    follow = assemble(BUTTON, "button.bpf.s").program_named("follow")
    assert dict(follow.lines) == {
        0: SourceLine("button.bpf.s", 9, 5, "    r1 = map[edges] ll"),
        2: SourceLine("button.bpf.s", 10, 5, "    if r1 == 0 goto out"),
        3: SourceLine("button.bpf.s", 11, 5, "    call ktime_get_ns"),
        4: SourceLine("button.bpf.s", 13, 5, "    r0 = 0"),
        5: SourceLine("button.bpf.s", 14, 5, "    exit"),
    }
    assert dict(follow.functions) == {0: "follow"}


def test_globl_begins_a_program_within_a_section() -> None:
    spec = assemble(
        """
        .section "timer/1s","ax",@progbits
        .globl first
        .type first,@function
        first:
            call helper
            exit
        helper:
            exit
        .globl second
        second:
            exit
        """
    )
    assert [(p.name, len(p.insns), dict(p.functions)) for p in spec.programs] == [
        ("first", 3, {0: "first", 2: "helper"}),
        ("second", 1, {0: "second"}),
    ]


def test_functions_of_text_go_behind_the_programs_that_call_them() -> None:
    spec = assemble(
        """
        .text
        twice:
            r0 = r1
            r0 += r1
            exit
        .section "timer/1s"
        uses:
            call twice
            exit
        .section "timer/2s"
        alone:
            exit
        """
    )
    uses, alone = spec.programs
    assert uses.insns == (Insn(0x85, 0, 1, imm=1), Insn(0x95), Insn(0xBF, 0, 1), Insn(0x0F, 0, 1), Insn(0x95))
    assert dict(uses.functions) == {0: "uses", 2: "twice"}
    assert uses.lines[2].line == 4
    assert alone.insns == (Insn(0x95),)


def test_bare_instructions_are_a_program_named_as_the_file() -> None:
    spec = assemble("r0 = 0\nexit\n", "/tmp/answer.s")
    assert [(p.name, p.section, p.ctx, len(p.insns)) for p in spec.programs] == [("answer", "", CtxSpec(0), 2)]


def test_a_section_without_a_label_names_the_program_itself() -> None:
    assert assemble('.section "gpio/button"\nexit').programs[0].name == "gpio_button"


def test_the_context_of_a_section_comes_from_the_caller_where_no_directive_says_it() -> None:
    text = '.section "timer/1s"\na: exit\n.section "gpio/button"\n.ctx 8\nb: exit\n'

    def ctx_of(section: str) -> CtxSpec:
        return CtxSpec({"timer/1s": 16}[section])

    assert [p.ctx.size for p in assemble(text, ctx_of=ctx_of).programs] == [16, 8]
    assert [p.ctx.size for p in assemble(text).programs] == [0, 8]
    assert [p.ctx.size for p in assemble(".ctx 64\n" + text, ctx_of=ctx_of).programs] == [64, 8]


def test_what_clang_writes_with_S() -> None:
    spec = assemble(
        """
	.text
	.file	"sample.c"
	.section	"timer/1s","ax",@progbits
	.globl	tick                            # -- Begin function tick
	.p2align	3
	.type	tick,@function
tick:                                   # @tick
# %bb.0:
	r0 = *(u32 *)(r1 + 8)
	if r0 s> 0 goto LBB0_2
	r0 <<= 32
LBB0_2:
	exit
.Lfunc_end0:
	.size	tick, .Lfunc_end0-tick
                                        # -- End function
	.type	_license,@object                # @_license
	.section	license,"aw",@progbits
	.globl	_license
_license:
	.asciz	"GPL"
	.size	_license, 4
	.addrsig
	.addrsig_sym tick
"""
    )
    assert [(p.name, p.section, len(p.insns), p.license) for p in spec.programs] == [("tick", "timer/1s", 4, "GPL")]


def test_all_keys_of_a_map() -> None:
    spec = assemble(
        """
        .map inner type=array key=4 value=8 entries=2
        .map outer type=hash_of_maps key=4 value=4 entries=8 inner=inner
        .map state type=hash key=8 value=0x40 entries=16 flags=1 timer=16 spin_lock=0 work=32
        .map rodata type=array key=4 value=4 entries=1 flags=0x80 data=28000000 frozen=yes
        """
    )
    inner, outer, state, rodata = spec.maps
    assert outer.inner == inner
    assert state == MapSpec(
        "state", MapType.HASH, 8, 64, 16, 1,
        (SpecialField(FieldKind.TIMER, 16), SpecialField(FieldKind.SPIN_LOCK, 0), SpecialField(FieldKind.WORK, 32)),
    )  # fmt: skip
    assert (rodata.data, rodata.frozen, rodata.flags) == (b"\x28\0\0\0", True, 0x80)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            ".setion foo",
            "x.s:1: there is no directive `.setion`\n    .setion foo\n    fix    did you mean `.section`?",
        ),
        (
            ".section",
            'x.s:1: `.section` takes a name\n    .section\n    fix    as in `.section "gpio/button"`',
        ),
        (
            ".map",
            "x.s:1: `.map` takes a name first\n    .map\n"
            "    fix    as in `.map counts type=array key=4 value=8 entries=1`",
        ),
        (
            ".map m type=aray entries=1",
            "x.s:1: there is no map type `aray`\n    .map m type=aray entries=1\n    fix    did you mean `array`?",
        ),
        (
            ".map m type=array entry=1",
            "x.s:1: a map has no `entry`\n    .map m type=array entry=1\n    fix    did you mean `entries`?",
        ),
        (
            ".map m type=array",
            "x.s:1: the map `m` has no `entries`\n    .map m type=array\n"
            "    fix    as in `type=array key=4 value=8 entries=1`",
        ),
        (
            ".map m type=array entries=many",
            "x.s:1: `entries` is `many`; it takes a number from 0 to 4294967295\n    .map m type=array entries=many",
        ),
        (
            ".map m type=array entries=1 entries=2",
            "x.s:1: `entries` takes one value\n    .map m type=array entries=1 entries=2\n    fix    as in `entries=8`",
        ),
        (
            ".map m type=array entries=1 data=xyz",
            "x.s:1: `data` is `xyz`, which isn't bytes in hex\n    .map m type=array entries=1 data=xyz\n"
            "    fix    as in `data=01ff00`",
        ),
        (
            ".map m type=array entries=1 frozen=maybe",
            "x.s:1: `frozen` is `maybe`; it takes yes or no\n    .map m type=array entries=1 frozen=maybe",
        ),
        (
            ".map m type=array_of_maps entries=1 inner=n",
            "x.s:1: no map `n` is declared above\n    .map m type=array_of_maps entries=1 inner=n",
        ),
        (
            ".map m type=array entries=1\n.map m type=hash entries=1",
            "x.s:2: a map `m` is declared above already\n    .map m type=hash entries=1\n"
            "    fix    give this one another name",
        ),
        (
            ".ctx 16 writeable",
            "x.s:1: `.ctx` has `writeable` behind the size\n    .ctx 16 writeable\n"
            "    fix    leave it, or write `writable`",
        ),
        (".ctx", "x.s:1: `.ctx` takes the size of the context in bytes\n    .ctx\n    fix    as in `.ctx 32`"),
        (".ctx all", "x.s:1: the size is `all`; it takes a number from 0 to 4294967295\n    .ctx all"),
        (
            ".section a\nx: exit\n.section b\nx: exit",
            "x.s:4: a program `x` stands above already\n    x: exit\n    fix    give this one another label",
        ),
    ],
)
def test_messages(text: str, message: str) -> None:
    with pytest.raises(AsmError) as caught:
        assemble(text, "x.s")
    assert str(caught.value) == message
