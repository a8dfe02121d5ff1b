"""Makes each program whole: the subprograms that it calls behind it, every reference to them and to maps filled in."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from axiom_hw.bpf import isa
from axiom_hw.bpf.btf import Btf
from axiom_hw.bpf.btf_ext import LineRecord, Origins
from axiom_hw.bpf.elf.code import MAX_INSNS, Code, Function
from axiom_hw.bpf.elf.file import ElfFile, Reloc, RelocType, Symbol
from axiom_hw.bpf.elf.maps import MapTable
from axiom_hw.bpf.insn import SLOT_BYTES, Insn, imm64
from axiom_hw.bpf.spec import CtxSpec, ProgramSpec, SourceLine
from axiom_hw.errors import ObjectError

_CALL: Final = isa.JMP | 0x80
_IMM64: Final = isa.LD | isa.SIZES[64]
# References that the assembler has filled in already, to functions of the same section.
_LOCAL: Final = ((_CALL, isa.CALL_LOCAL), (_IMM64, isa.IMM_CODE))
_DAMAGED: Final = "the file is damaged: compile its source again"


@dataclass(frozen=True, slots=True)
class _Reference:
    """The instruction at `slot` of a function means another function."""

    slot: int
    target: Function


class Linker:
    """Links the programs of one object. Synchronization: for one thread; it counts what it has linked."""

    def __init__(self, file: ElfFile, code: Code, maps: MapTable, btf: Btf | None, origins: Origins) -> None:
        self._file = file
        self._code = code
        self._maps = maps
        self._btf = btf
        self._left = MAX_INSNS  # programs share subprograms in the file, but not once linked
        self._lines = {name: _sorted_lines(rows) for name, rows in origins.lines.items()}
        self._maps_section = file.section(".maps")

    def link(self, main: Function, ctx_of: Callable[[str], CtxSpec], license: str) -> ProgramSpec:
        """The program that starts at `main`. Raises `ObjectError` for references that lead nowhere."""
        starts: dict[tuple[int, int], int] = {}
        insns: list[Insn] = []
        lines: dict[int, SourceLine] = {}
        names: dict[int, str] = {}
        calls: list[tuple[int, Function]] = []
        waiting = [main]
        for function in waiting:  # grows on the way
            if _key(function) in starts:
                continue
            base = starts[_key(function)] = len(insns)
            self._spend(function)
            names[base] = function.name
            body, references = self._relocated(function)
            insns += body
            lines.update((base + slot, line) for slot, line in self._lines_of(function))
            calls += [(base + reference.slot, reference.target) for reference in references]
            waiting += [reference.target for reference in references]
        for pc, target in calls:
            insns[pc] = replace(insns[pc], imm=starts[_key(target)] - pc - 1)
        return ProgramSpec(
            main.name,
            tuple(insns),
            self._maps.specs,
            ctx_of(main.section.name),
            main.section.name,
            MappingProxyType(lines),
            MappingProxyType(names),
            license,
        )

    def _spend(self, function: Function) -> None:
        self._left -= len(function.insns)
        if self._left < 0:
            raise ObjectError(
                self._file.name,
                f"its programs take more than {MAX_INSNS} instructions, counting subprograms once for each",
                "split the object",
            )

    def _relocated(self, function: Function) -> tuple[list[Insn], list[_Reference]]:
        """The function's slots with maps filled in, and its references to functions."""
        insns, references = list(function.insns), []
        slot = 0
        while slot < len(insns):
            insn = insns[slot]
            reloc = self._code.relocs.get((function.section.index, function.start + slot))
            if insn.code == _IMM64 and slot + 1 >= len(insns):
                raise self._error(function, slot, "a 64-bit immediate is cut off by the function's end", _DAMAGED)
            if insn.code == _IMM64 and (function.section.index, function.start + slot + 1) in self._code.relocs:
                raise self._error(function, slot, "the second half of a 64-bit immediate has a relocation", _DAMAGED)
            target: Function | None = None
            if reloc is not None and reloc.type is not RelocType.NONE:
                target = self._apply(function, slot, insns, reloc)
            elif (insn.code, insn.src) in _LOCAL:
                target = self._at(function, slot, function.section.index, function.start + slot + insn.imm + 1)
            if target is not None:
                references.append(_Reference(slot, target))
            slot += 2 if insn.code == _IMM64 else 1
        return insns, references

    def _apply(self, function: Function, slot: int, insns: list[Insn], reloc: Reloc) -> Function | None:
        """Fill in what a relocation means; the function, where it means one."""
        insn, symbol = insns[slot], reloc.symbol
        if symbol.section is None or symbol.section.index == 0:
            raise self._unresolved(function, slot, insn, symbol)
        section = symbol.section
        if insn.code == _CALL and reloc.type is RelocType.CALL:
            # Calls count in slots from the next instruction, so that the addend of a plain symbol is -1.
            if not section.executable:
                raise self._error(function, slot, f"calls `{symbol.name}`, which is data in {section.name}", _DAMAGED)
            insns[slot] = replace(insn, src=isa.CALL_LOCAL)
            return self._at(function, slot, section.index, *_slots(symbol.value, insn.imm + 1))
        if insn.code != _IMM64 or reloc.type is not RelocType.IMM64:
            what = f"opcode {insn.code:#04x} has a relocation of type {reloc.type.name}, which doesn't belong to it"
            raise self._error(function, slot, what, _DAMAGED)
        offset = symbol.value + imm64(insn, insns[slot + 1])
        if section == self._maps_section:
            if offset not in self._maps.declared:
                raise self._error(function, slot, f"refers to byte {offset} of .maps, where no map starts", _DAMAGED)
            insns[slot] = replace(insn, src=isa.IMM_MAP, imm=self._maps.declared[offset])
            insns[slot + 1] = replace(insns[slot + 1], imm=0)
        elif section.index in self._maps.data:
            offset &= (1 << 64) - 1
            if offset >= section.size:
                what = f"refers to byte {offset} of {section.name}, which has {section.size}"
                raise self._error(
                    function, slot, what, "an index into a global array is out of range; or the file is damaged"
                )
            insns[slot] = replace(insn, src=isa.IMM_MAP_VALUE, imm=self._maps.data[section.index])
            insns[slot + 1] = replace(insns[slot + 1], imm=offset)
        elif section.executable:
            insns[slot] = replace(insn, src=isa.IMM_CODE)
            insns[slot + 1] = replace(insns[slot + 1], imm=0)
            start, rest = divmod(offset, SLOT_BYTES)
            return self._at(function, slot, section.index, start, rest)
        else:
            what = f"refers to `{symbol.name or section.name}` in section {section.name}, which is neither map nor data"
            raise self._error(function, slot, what, _SECTIONS)
        return None

    def _at(self, function: Function, slot: int, section: int, start: int, rest: int = 0) -> Function:
        """The function that starts at a slot of a section."""
        target = self._code.functions.get((section, start))
        if target is None or rest:
            name = self._file.sections[section].name
            what = f"means slot {start} of {name}, where no function starts"
            raise self._error(function, slot, what, "give it a symbol of type function; or the file is damaged")
        return target

    def _unresolved(self, function: Function, slot: int, insn: Insn, symbol: Symbol) -> ObjectError:
        verb = "calls" if insn.code == _CALL else "refers to"
        for section, what, fix in _OUTSIDE:
            if self._btf and symbol.name in self._btf.variables(section):
                return self._error(function, slot, f"{verb} `{symbol.name}`, {what}", fix)
        if not symbol.name:
            return self._error(function, slot, "has a relocation without a symbol", _DAMAGED)
        fix = f"define `{symbol.name}` in the same file; library functions such as memcpy don't exist in BPF"
        return self._error(function, slot, f"{verb} `{symbol.name}`, which the object doesn't define", fix)

    def _lines_of(self, function: Function) -> Iterator[tuple[int, SourceLine]]:
        """For each slot of the function the line that it belongs to: the last one recorded at or before it."""
        offsets, sources = self._lines.get(function.section.name, ((), ()))
        first = bisect_right(offsets, function.start * SLOT_BYTES - 1)
        current, index = None, first
        for slot in range(len(function.insns)):
            while index < len(offsets) and offsets[index] <= (function.start + slot) * SLOT_BYTES:
                current, index = sources[index], index + 1
            if current is not None:
                yield slot, current

    def _error(self, function: Function, slot: int, problem: str, fix: str) -> ObjectError:
        line = dict(self._lines_of(function)).get(slot)
        where = f" ({line.file}:{line.line})" if line else ""
        place = f"{self._file.place(function.section)}: {function.name} at pc {slot}{where}"
        return ObjectError(place, problem, fix)


_SECTIONS: Final = 'put maps in SEC(".maps"), and leave SEC() off other variables: they become maps by themselves'
_OUTSIDE: Final = (
    (".maps", "a map that is in no .maps section of this object", 'define it here: `struct {...} name SEC(".maps");`'),
    (".kconfig", "a setting of a Linux kernel, which isn't there", "make it a constant, or a map entry"),
    (".ksyms", "a symbol of the Linux kernel, which isn't there", "call a function of axiom_hw.bpf.h instead"),
)


def _key(function: Function) -> tuple[int, int]:
    return function.section.index, function.start


def _slots(offset: int, more: int) -> tuple[int, int]:
    """A byte offset in slots, plus `more`, and the bytes left over."""
    slots, rest = divmod(offset, SLOT_BYTES)
    return slots + more, rest


def _sorted_lines(rows: tuple[LineRecord, ...]) -> tuple[tuple[int, ...], tuple[SourceLine, ...]]:
    # Line 0 is clang's for instructions of its own making: they belong to the line before.
    ordered = sorted((row for row in rows if row.source.line), key=lambda row: row.offset)
    return tuple(row.offset for row in ordered), tuple(row.source for row in ordered)
