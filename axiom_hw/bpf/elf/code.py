"""The functions of an object: cut out of its executable sections at the symbols, still unrelocated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Final

from axiom_hw.bpf.elf.file import Binding, ElfFile, Reloc, Section, SymbolKind
from axiom_hw.bpf.insn import SLOT_BYTES, Insn, decode
from axiom_hw.errors import ObjectError

TEXT: Final = ".text"
MAX_INSNS: Final = 1 << 18  # slots, of one object


@dataclass(frozen=True, slots=True)
class Function:
    """One function: its slots, and where they start in their section."""

    name: str
    section: Section
    start: int  # in slots
    insns: tuple[Insn, ...]
    binding: Binding


@dataclass(frozen=True, slots=True)
class Code:
    """All functions by (index of the section, slot of the start), and the relocations by (section, slot)."""

    functions: Mapping[tuple[int, int], Function]
    relocs: Mapping[tuple[int, int], Reloc]

    def programs(self) -> tuple[Function, ...]:
        """The functions that a hook calls: global, and outside `.text`, where subprograms live.

        In an object that has nothing but `.text`, as assemblers and other tools write it, they are those.
        """
        seen = [f for f in self.functions.values() if f.binding is not Binding.LOCAL]
        return tuple(f for f in seen if f.section.name != TEXT) or tuple(seen)


def read_code(file: ElfFile) -> Code:
    """Cut the code into functions. Raises `ObjectError` where they overlap or don't lie on slots."""
    functions: dict[tuple[int, int], Function] = {}
    relocs: dict[tuple[int, int], Reloc] = {}
    total = 0
    for section in file.sections:
        if not (section.executable and section.in_file and section.size):
            continue
        if section.size % SLOT_BYTES:
            raise _damaged(file, section, f"has {section.size} bytes of code, not a multiple of {SLOT_BYTES}")
        total += section.size // SLOT_BYTES
        if total > MAX_INSNS:
            raise ObjectError(file.place(section), f"the code takes more than {MAX_INSNS} slots", "split the object")
        insns = decode(bytes(section.data))
        for function in _functions(file, section, insns):
            functions[section.index, function.start] = function
        for reloc in file.relocs.get(section.index, ()):
            slot, rest = divmod(reloc.offset, SLOT_BYTES)
            if rest or slot >= len(insns):
                raise _damaged(file, section, f"a relocation is at byte {reloc.offset} of {section.size} bytes of code")
            if (section.index, slot) in relocs:
                raise _damaged(file, section, f"the instruction at byte {reloc.offset} has two relocations")
            relocs[section.index, slot] = reloc
    return Code(MappingProxyType(functions), MappingProxyType(relocs))


def _functions(file: ElfFile, section: Section, insns: tuple[Insn, ...]) -> list[Function]:
    symbols = [s for s in file.defined.get(section.index, ()) if s.kind is SymbolKind.FUNCTION]
    # Of several names for one function, a global one counts: it is the one that the user wrote.
    symbols.sort(key=lambda s: (s.value, s.binding is Binding.LOCAL))
    starts = sorted({s.value for s in symbols})
    following = dict(pairwise([*starts, section.size]))
    found: list[Function] = []
    for symbol in symbols:
        # Hand-written assembly leaves sizes out: such a function ends where the next one starts.
        end = symbol.value + symbol.size if symbol.size else following[symbol.value]
        if symbol.value % SLOT_BYTES or end % SLOT_BYTES or end > section.size:
            raise _damaged(file, section, f"`{symbol.name}` takes bytes {symbol.value} to {end} of {section.size}")
        if end > following[symbol.value]:
            raise _damaged(file, section, f"`{symbol.name}` ends at byte {end}, where the next function is under way")
        start = symbol.value // SLOT_BYTES
        if end > symbol.value and not (found and found[-1].start == start):
            found.append(Function(symbol.name, section, start, insns[start : end // SLOT_BYTES], symbol.binding))
    return found


def _damaged(file: ElfFile, section: Section, problem: str) -> ObjectError:
    return ObjectError(file.place(section), problem, "the file is damaged: compile its source again")
