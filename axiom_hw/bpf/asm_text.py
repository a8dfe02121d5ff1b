"""Reads the text of one instruction, by patterns that are compiled from the templates of THE opcode table.

White space is free around punctuation. Besides the table's own spelling these are read, because LLVMs print them:
`w1 = *(u8 *)(r2 + 0)` and `*(u8 *)(r2 + 0) = w1` (the register's name doesn't change the instruction), `lock *(u32 *)`
with an `r` register, and `r1 = counts ll` for the address of a map or function.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from axiom_hw.bpf import isa
from axiom_hw.bpf.insn import REGISTERS, Insn
from axiom_hw.bpf.isa import Kind, Op
from axiom_hw.errors import AsmError

_PIECE: Final = re.compile(r"(\+%n|%[dsiqojJ])")
_DIGITS: Final = r"(?:0[xX][0-9a-fA-F]+|0[bB][01]+|\d+)"
_NUMBER: Final = rf"[+-]?\s*{_DIGITS}"
_DISTANCE: Final = rf"[+-]\s*{_DIGITS}"
NAME: Final = r"[A-Za-z_.$][\w.$]*"

S16: Final = (-(1 << 15), (1 << 15) - 1)
S32: Final = (-(1 << 31), (1 << 31) - 1)
_BITS32: Final = (-(1 << 31), (1 << 32) - 1)  # both readings of 32 bits are welcome
_U32: Final = (0, (1 << 32) - 1)
_BITS64: Final = (-(1 << 63), (1 << 64) - 1)


@dataclass(frozen=True, slots=True)
class Reading:
    """A line understood: the row, its fields, and the name of a label, map or helper that a field waits for."""

    op: Op
    dst: int = 0
    src: int = 0
    off: int = 0
    imm: int = 0
    high: int = 0
    name: str = ""

    @property
    def insns(self) -> tuple[Insn, ...]:
        """The one or two slots."""
        first = Insn(self.op.code, self.dst, self.src, self.off, self.imm)
        return (first, Insn(0, imm=self.high)) if self.op.slots == 2 else (first,)


@lru_cache(maxsize=4096)
def read(text: str) -> Reading:
    """The instruction that `text`, without comments and labels, spells.

    Raises `AsmError` without a place, for the caller to add: no such spelling, or a number out of its range.
    """
    for op, pattern in _PATTERNS:
        found = pattern.fullmatch(text)
        if found:
            return _reading(op, found.groupdict())
    raise AsmError("", "no instruction is spelled like this", _nearest(text))


def signed32(value: int) -> int:
    """The low 32 bits as the signed number that an instruction's imm holds."""
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value


def _reading(op: Op, groups: dict[str, str | None]) -> Reading:
    dst, src, off, imm, high, name = 0, 0, 0, 0, 0, ""
    for letter, text in groups.items():
        if text is None:
            continue
        if re.fullmatch(NAME, text):
            name = text
            continue
        match letter:
            case "d":
                dst = _register(text)
            case "s":
                src = _register(text)
            case "o":
                off = _number(text, S16, "the offset")
            case "j":
                off = _number(text, S16, "the distance", "`gotol` reaches 2147483647 slots")
            case "J":
                imm = _number(text, S32, "the distance")
            case "q":
                value = _number(text, _BITS64, "the immediate")
                imm, high = signed32(value), signed32(value >> 32)
            case "n":
                high = signed32(_number(text, _U32, "the offset into the value"))
            case _:
                way_out = "`rX = ... ll` takes 64 bits" if op.kind is Kind.ALU and op.verb == "mov" else ""
                imm = signed32(_number(text, _BITS32, "the immediate", way_out))
    dst, src, off, imm = (
        rule if isinstance(rule, int) else value
        for rule, value in ((op.dst, dst), (op.src, src), (op.off, off), (op.imm, imm))
    )
    return Reading(op, dst, src, off, imm, high, name)


def _register(text: str) -> int:
    number = int(text)
    if number >= REGISTERS:
        raise AsmError("", f"there is no register {number}; the registers are r0 to r10")
    return number


def _number(text: str, limits: tuple[int, int], what: str, way_out: str = "") -> int:
    try:
        value = int(re.sub(r"\s", "", text), 0)
    except ValueError:
        raise AsmError(
            "", f"{text} begins with 0, which means octal to some", "write it without the 0, or as 0x..."
        ) from None
    if not limits[0] <= value <= limits[1]:
        raise AsmError("", f"{what} {value} doesn't fit; it holds {limits[0]} to {limits[1]}", way_out)
    return value


def _spellings(op: Op) -> list[str]:
    texts = [op.text]
    match op.kind:
        case Kind.LOAD if op.width < 64:
            texts.append(op.text.replace("r%d", "w%d"))
        case Kind.STORE if op.width < 64:
            texts.append(op.text.replace("= r%s", "= w%s"))
        case Kind.ATOMIC if op.width == 32 and op.verb == "add":
            texts.append(op.text.replace("w%s", "r%s"))
        case _:
            pass
    return texts


def _pattern(op: Op, template: str) -> re.Pattern[str]:
    out, before = "", ""
    seen: set[str] = set()
    for chunk in template.split(" "):
        if before:
            apart = before[-1].isalnum() and re.match(r"\w|%[dsiqojJ]", chunk)
            out += r"\s+" if apart else r"\s*"
        for piece in _PIECE.split(chunk):
            if not _PIECE.fullmatch(piece):
                out += "".join(rf"\s*{re.escape(c)}\s*" if c in "()*,[]" else re.escape(c) for c in piece)
            elif piece in seen:
                out += f"(?P={piece[-1]})"
            else:
                seen.add(piece)
                out += _operand(op, piece, follows_text=chunk != piece)
        before = chunk
    return re.compile(out)


def _operand(op: Op, piece: str, *, follows_text: bool) -> str:
    match piece[-1]:
        case "d" | "s" as letter:
            return rf"(?P<{letter}>\d+)"
        case "o":
            return rf"(?:\s*(?P<o>{_DISTANCE}))?"
        case "n":
            return rf"(?:\s*\+\s*(?P<n>{_NUMBER}))?"
        case "q":
            return rf"(?P<q>{_NUMBER}|{NAME})"
        case "j" | "J" as letter:
            return rf"(?P<{letter}>{_DISTANCE})" if follows_text else rf"(?P<{letter}>{_DISTANCE}|{NAME})"
        case _:
            named = op.verb == "helper" if op.kind is Kind.CALL else op.kind is Kind.IMM64 and op.verb != "variable"
            return rf"(?P<i>{_NUMBER}|{NAME})" if named else rf"(?P<i>{_NUMBER})"


_PATTERNS: Final = tuple((op, _pattern(op, text)) for op in isa.TABLE for text in _spellings(op))


_PLACEHOLDERS: Final = {
    "%d": "D", "%s": "S", "%i": "IMM", "%q": "IMM", "%o": " + OFF", "%j": "LABEL", "%J": "LABEL", "%n": "OFF",
}  # fmt: skip


def _shown(template: str) -> str:
    return re.sub(r"%[dsiqojJn]", lambda found: _PLACEHOLDERS[found[0]], template)


_FORMS: Final = {
    _shown(text): re.sub(r"\b([rw])[DS]\b", r"\1#", _shown(text)) for op in isa.TABLE for text in _spellings(op)
}


def _nearest(text: str) -> str:
    if re.search(rf"\bgoto\s+{_DIGITS}$", text):
        return "a distance in slots has a sign, as in `goto +3`; a place has a label, as in `goto out`"
    shape = re.sub(r"\b([rw])\d+\b", r"\1#", text)
    shape = re.sub(rf"(?<=goto)\s+({NAME}|{_NUMBER})$", " LABEL", shape)
    shape = re.sub(rf"([+-])\s*{_DIGITS}(?=\s*\))", r"\1 OFF", shape)
    shape = re.sub(rf"(?<!\w)-?{_DIGITS}\b(?!\))", "IMM", shape)
    near = difflib.get_close_matches(shape, _FORMS.values(), n=1, cutoff=0.6)
    form = next((form for form, key in _FORMS.items() if near and key == near[0]), None)
    return f"the nearest form is `{form}`" if form else "`axiom-hw disasm` of any object shows the spelling"
