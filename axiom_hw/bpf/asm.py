"""The assembler: text in the syntax of `llvm-objdump -d` to instructions, and `.bpf.s` files to object specs.

A file is instructions, labels and directives. Comments begin with `//`, `;` or `#`.

    .map counts type=array key=4 value=8 entries=1
    .section "gpio/button"
    follow:
        *(u32 *)(r10 - 4) = 0
        r2 = r10
        r2 += -4
        r1 = map[counts] ll
        call map_lookup_elem
        if r0 == 0 goto out
        r1 = 1
        lock *(u64 *)(r0 + 0) += r1
    out:
        r0 = 0
        exit

`.section "hook"`   what follows is for that hook. Its first label names the program. `.text` (or `.section ".text"`)
                    holds functions for all programs: those that call one get the section's code behind their own.
`.globl NAME`       where a section has several programs: the label NAME begins one.
`.map NAME k=v ...` a map. Keys: type (Linux's name, small letters), key and value (sizes in bytes), entries, flags
                    (bits as a number), timer, spin_lock and work (offsets of those members in the value), inner (the
                    name of a map declared before), data (hex: the value of key 0 at the start), frozen (yes or no).
`.ctx BYTES`        the size of the context of this section's programs, or before any section, of all; with
                    `.ctx BYTES writable`, programs may write it.
`.license "GPL"`    the license.
`.8byte N, ...`     slots as data, for what is no instruction. `.fill COUNT, 8, N` is the same slot COUNT times.

Operands: registers r0 to r10, or w0 to w10 for 32 bits; numbers in decimal, 0x and 0b; jumps to labels or by signed
distance (`goto out`, `goto +3`); calls to labels, helpers by name or number, `call pc+3`, `call btf 17`; 64 bits as
`r1 = 0x123456789 ll`; maps as `r1 = map[counts] ll`, the address of a value as `r1 = map[counts][0]+8 ll`, a
function's as `r1 = code tick ll`. objdump's own lines are read too, with their columns of pc and bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from axiom_hw.bpf.asm_code import Block, lines_of
from axiom_hw.bpf.asm_file import CtxOf, SourceFile
from axiom_hw.bpf.insn import Insn
from axiom_hw.bpf.spec import ObjectSpec

__all__ = ["CtxOf", "assemble", "assemble_insns"]

_NO_MAPS: Final[Mapping[str, int]] = MappingProxyType({})


def assemble_insns(text: str, *, place: str = "<asm>", maps: Mapping[str, int] | None = None) -> tuple[Insn, ...]:
    """The slots of one program, without directives (but `.8byte` and `.fill`).

    `place` names the source in errors, `maps` gives the index of each map by name. Raises `AsmError` with the line, its
    text, the reason, and what may have been meant. What it accepts is encoded as written: whether the program makes
    sense is the verifier's question.
    """
    block = Block()
    for line in lines_of(text, place):
        if line.code.startswith("Disassembly of section ") or "\tfile format " in line.code:
            continue
        block.add(line)
    return block.resolve(maps if maps is not None else _NO_MAPS).insns


def assemble(text: str, file: str = "<asm>", *, ctx_of: CtxOf | None = None) -> ObjectSpec:
    """The object that a `.bpf.s` file declares; the module's docstring says how.

    `ctx_of` gives the context of a section by its name, where no `.ctx` says it. Instructions before any `.section`
    are a program named as the file. Every program has all of the file's maps, in their order. Raises `AsmError`.
    """
    source = SourceFile(file, ctx_of)
    for line in lines_of(text, file):
        source.add(line)
    return source.finish()
