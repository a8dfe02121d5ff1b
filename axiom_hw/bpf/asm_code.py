"""Instructions under labels: a block of assembly, line by line, and its names resolved once all labels are known."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from axiom_hw.bpf import helpers, isa
from axiom_hw.bpf.asm_text import NAME, S16, Reading, read
from axiom_hw.bpf.disasm import text_of
from axiom_hw.bpf.insn import Insn, decode, encode
from axiom_hw.bpf.isa import Kind
from axiom_hw.bpf.spec import SourceLine
from axiom_hw.errors import AsmError

_COMMENT: Final = re.compile(r'("(?:[^"\\]|\\.)*")|(?://|;|#).*')
_LISTING: Final = re.compile(r"\s*\d+:\s+((?:[0-9a-f]{2} ){7,15}[0-9a-f]{2}\s+)?")
_HEADING: Final = re.compile(rf"\s*[0-9a-f]{{16}}\s+<({NAME})>:\s*")
_RELOCATION: Final = re.compile(r"\s*[0-9a-f]{16}:\s+R_BPF_\w+\s+(\S+)\s*")
_TARGET: Final = re.compile(r"\s+<[^<>]*>$")
_LABEL: Final = re.compile(rf"\s*({NAME}):\s*")
_DATA: Final = re.compile(r"\s*\.(?:8byte|quad)\s+(.*)")
_FILL: Final = re.compile(r"\s*\.fill\s+(\d+)\s*,\s*8\s*,\s*(\S+)")
_FILL_LIMIT: Final = 1_000_000  # the slots that the verifier takes at most
_REGISTER: Final = re.compile(r"[rw]\d+")
_MAP_ROWS: Final = ("map", "map_value", "map_index", "map_index_value")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the source, and what is left of it without the comment."""

    file: str
    number: int
    text: str
    code: str

    def error(self, problem: str, fix: str = "") -> AsmError:
        """An `AsmError` about this line, which it quotes."""
        return AsmError(f"{self.file}:{self.number}", f"{problem}\n    {self.text.strip()}", fix)


def lines_of(text: str, file: str) -> Iterator[Line]:
    """The lines that aren't blank, counted from 1, without `//`, `;` and `#` comments."""
    for number, line in enumerate(text.splitlines(), 1):
        code = _COMMENT.sub(lambda found: found[1] or "", line).rstrip()
        if code.strip():
            yield Line(file, number, line, code)


@dataclass(frozen=True, slots=True)
class _Entry:
    """One instruction, or slots given as data."""

    line: Line
    insns: tuple[Insn, ...]
    reading: Reading | None = None


@dataclass(frozen=True, slots=True)
class Code:
    """What a block resolves to. `functions` are the labels that calls and `code` immediates mean, by pc."""

    insns: tuple[Insn, ...]
    lines: Mapping[int, SourceLine]
    functions: Mapping[int, str]


class Block:
    """Instructions and labels in the order in which they come."""

    def __init__(self) -> None:
        self._entries: list[tuple[int, _Entry]] = []
        self._labels: dict[str, tuple[int, Line]] = {}
        self.size = 0

    def add(self, line: Line) -> None:
        """Take a line: labels, then an instruction or nothing. Raises `AsmError`."""
        heading = _HEADING.fullmatch(line.code)
        if heading:
            self.label(heading[1], line)
            return
        relocation = _RELOCATION.fullmatch(line.code)
        if relocation:
            raise line.error(
                "a relocation of objdump's listing, which says what the instruction before it means",
                f"name it there, as in `r1 = map[{relocation[1]}] ll` or `call {relocation[1]}`, and remove this line",
            )
        listed = _LISTING.match(line.code)
        rest, raw = (line.code[listed.end() :], listed[1] or "") if listed else (line.code, "")
        while found := _LABEL.match(rest):
            self.label(found[1], line)
            rest = rest[found.end() :]
        if rest.strip():
            self._append(_entry(line, _TARGET.sub("", rest.strip()), bytes.fromhex(raw)))

    def label(self, name: str, line: Line) -> None:
        """Give the next instruction a name."""
        if _REGISTER.fullmatch(name):
            raise line.error(f"`{name}` is a register, so it can't be a label")
        if name in self._labels:
            raise line.error(f"the label `{name}` stands in line {self._labels[name][1].number} already")
        self._labels[name] = (self.size, line)

    def defines(self, name: str) -> bool:
        """Whether `name` is a label here."""
        return name in self._labels

    def wanted(self) -> set[str]:
        """The names that instructions use: labels, maps and helpers alike."""
        return {entry.reading.name for _, entry in self._entries if entry.reading and entry.reading.name}

    def extend(self, other: Block) -> None:
        """Put the code of another block behind this one's."""
        base = self.size
        for name, (pc, line) in other._labels.items():
            if name in self._labels:
                raise line.error(f"the label `{name}` stands in line {self._labels[name][1].number} already")
            self._labels[name] = (base + pc, line)
        for _, entry in other._entries:
            self._append(entry)

    def resolve(self, maps: Mapping[str, int]) -> Code:
        """The code, with labels turned into distances and the names of maps into indices. Raises `AsmError`."""
        labels = {name: pc for name, (pc, _) in self._labels.items()}
        scope = _Scope(labels, maps)
        insns: list[Insn] = []
        lines: dict[int, SourceLine] = {}
        functions: dict[int, str] = {}
        for pc, entry in self._entries:
            column = len(entry.line.text) - len(entry.line.text.lstrip()) + 1
            lines[pc] = SourceLine(entry.line.file, entry.line.number, column, entry.line.text.rstrip())
            reading = entry.reading
            if reading is None or not reading.name:
                insns += entry.insns
                continue
            resolved = scope.resolve(entry.line, reading, pc)
            insns += resolved.insns
            if resolved.op.verb in ("local", "code"):
                functions[labels[reading.name]] = reading.name
        return Code(tuple(insns), MappingProxyType(lines), MappingProxyType(dict(sorted(functions.items()))))

    def _append(self, entry: _Entry) -> None:
        self._entries.append((self.size, entry))
        self.size += len(entry.insns)


@dataclass(frozen=True, slots=True)
class _Scope:
    """What names mean."""

    labels: Mapping[str, int]
    maps: Mapping[str, int]

    def resolve(self, line: Line, reading: Reading, pc: int) -> Reading:
        match reading.op.kind:
            case Kind.CALL:
                return self._call(line, reading, pc)
            case Kind.IMM64 if reading.op.verb in _MAP_ROWS:
                return replace(reading, imm=self._map(line, reading.name), name="")
            case Kind.IMM64 if reading.op.verb == "value" and reading.name not in self.labels:
                index = self._map(line, reading.name)
                return replace(reading, op=isa.BY_NAME["imm64 map"], src=isa.IMM_MAP, imm=index, name="")
            case Kind.IMM64:
                distance = self._distance(line, reading.name, pc)
                return replace(reading, op=isa.BY_NAME["imm64 code"], src=isa.IMM_CODE, imm=distance, name="")
            case _:
                return self._jump(line, reading, pc)

    def _jump(self, line: Line, reading: Reading, pc: int) -> Reading:
        distance = self._distance(line, reading.name, pc)
        if reading.op.off is not isa.USED:
            return replace(reading, imm=distance, name="")
        if not S16[0] <= distance <= S16[1]:
            raise line.error(
                f"`{reading.name}` is {distance} slots away; this jump reaches {S16[0]} to {S16[1]}",
                "jump to a `gotol` nearby, which reaches 2147483647 slots",
            )
        return replace(reading, off=distance, name="")

    def _call(self, line: Line, reading: Reading, pc: int) -> Reading:
        name = reading.name
        if name in self.labels:  # a label of the program's own comes first, even where a helper has the same name
            distance = self._distance(line, name, pc)
            return replace(reading, op=isa.BY_NAME["call local"], src=isa.CALL_LOCAL, imm=distance, name="")
        if name not in _HELPERS:
            raise line.error(f"no label and no helper is named `{name}`", _meant(name, [*_HELPERS, *self.labels]))
        return replace(reading, imm=_HELPERS[name], name="")

    def _distance(self, line: Line, name: str, pc: int) -> int:
        if name not in self.labels:
            raise line.error(f"no label is named `{name}`", _meant(name, self.labels))
        return self.labels[name] - pc - 1

    def _map(self, line: Line, name: str) -> int:
        if name not in self.maps:
            there = "; the maps are " + ", ".join(self.maps) if self.maps else ", as the program has no maps"
            raise line.error(f"no map is named `{name}`{there}", _meant(name, self.maps))
        return self.maps[name]


_HELPERS: Final = {**{name: id for id, name in helpers.PLANNED.items()}, **{row.name: row.id for row in helpers.TABLE}}


def _meant(name: str, names: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(names), n=1)
    return f"did you mean `{near[0]}`?" if near else ""


def _entry(line: Line, text: str, raw: bytes) -> _Entry:
    data = _DATA.fullmatch(text)
    if data:
        return _Entry(line, tuple(_slot(line, number.strip()) for number in data[1].split(",")))
    fill = _FILL.fullmatch(text)
    if fill and int(fill[1]) <= _FILL_LIMIT:
        return _Entry(line, (_slot(line, fill[2]),) * int(fill[1]))
    if text.startswith(".fill"):
        raise line.error(f"`.fill` takes a number of slots up to {_FILL_LIMIT}, the size 8, and the value of each slot",
                         "as in `.fill 100, 8, 0x95`")  # fmt: skip
    if text.startswith("."):
        raise line.error(f"`{text.split()[0]}` has no meaning between instructions", "the data directive is `.8byte`")
    given = decode(raw)
    if given and text == "<unknown>":
        return _Entry(line, given)
    try:
        reading = read(text)
    except AsmError as error:
        raise line.error(error.problem, error.fix) from None
    if given and not reading.name and given != reading.insns:
        # objdump's text doesn't tell the variants of calls and of 64-bit immediates apart; its bytes do.
        if given != (replace(reading.insns[0], src=given[0].src), *reading.insns[1:]):
            raise line.error(
                f"the bytes in front say `{text_of(given, 0)}`, and the text is {encode(reading.insns).hex(' ')}",
                "remove the columns of pc and bytes where you change the text",
            )
        return _Entry(line, given)
    return _Entry(line, reading.insns, reading)


def _slot(line: Line, text: str) -> Insn:
    try:
        (insn,) = decode(int(text, 0).to_bytes(8, "little"))
    except (ValueError, OverflowError):
        raise line.error(
            f"`{text}` is no slot: it takes an unsigned number of 64 bits", "as in `.8byte 0x95`, which is an exit"
        ) from None
    return insn
