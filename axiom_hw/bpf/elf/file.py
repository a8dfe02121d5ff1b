"""An object file as it lies on disk: its sections, symbols and relocations, each checked against the file's size.

pyelftools knows the formats; the offsets and counts are followed here, so that a damaged file can't send it anywhere.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum
from types import MappingProxyType
from typing import Any, Final

from elftools.common.exceptions import ELFError
from elftools.common.utils import struct_parse
from elftools.construct import ConstructError
from elftools.elf.constants import SH_FLAGS
from elftools.elf.descriptions import describe_e_machine
from elftools.elf.elffile import ELFFile

from axiom_hw.bpf.strtab import StringTable
from axiom_hw.errors import ObjectError

MAX_FILE_BYTES: Final = 16 << 20
MAX_SYMBOLS: Final = 100_000
MAX_RELOCATIONS: Final = 200_000
_HEADER_BYTES: Final = 64
_SECTION_BYTES: Final = 64
_RESERVED_SECTIONS: Final = 0xFF00  # section numbers from here on mean something else
_REBUILD: Final = "the file is damaged or cut off: compile its source again"
_COMPILE: Final = "compile it with `clang -O2 -g -target bpf -c`"

# What pyelftools was seen to raise, or documents, for headers that contradict themselves. They are caught in one
# place, around nothing but the reading of fixed-size headers, and become an error that names the file.
_READ_ERRORS: Final = (ELFError, ConstructError, KeyError, ValueError, AssertionError, OverflowError, struct.error)


class Binding(Enum):
    """Who sees a symbol."""

    LOCAL = "STB_LOCAL"
    GLOBAL = "STB_GLOBAL"
    WEAK = "STB_WEAK"


class SymbolKind(Enum):
    """What a symbol stands for."""

    NONE = "STT_NOTYPE"
    OBJECT = "STT_OBJECT"
    FUNCTION = "STT_FUNC"
    SECTION = "STT_SECTION"
    FILE = "STT_FILE"


class RelocType(IntEnum):
    """`R_BPF_*` (LLVM: docs, "BPF backend relocations"; kernel: Documentation/bpf/llvm_reloc.rst)."""

    NONE = 0
    IMM64 = 1  # R_BPF_64_64: a 64-bit immediate
    ABS64 = 2  # R_BPF_64_ABS64: 8 bytes of data
    ABS32 = 3
    NODYLD32 = 4  # in debug sections
    CALL = 10  # R_BPF_64_32


@dataclass(frozen=True, slots=True)
class Section:
    """One section. `data` is empty where the file holds none (`.bss`), whatever `size` is."""

    index: int
    name: str
    size: int
    data: memoryview
    in_file: bool
    loaded: bool  # SHF_ALLOC: part of the program, as against a description of it
    executable: bool


@dataclass(frozen=True, slots=True)
class Symbol:
    """One symbol; `section` is None for one that is defined elsewhere, or nowhere."""

    name: str
    kind: SymbolKind
    binding: Binding
    section: Section | None
    value: int  # its offset in the section
    size: int


@dataclass(frozen=True, slots=True)
class Reloc:
    """The bytes at `offset` of a section mean `symbol`."""

    offset: int
    type: RelocType
    symbol: Symbol


@dataclass(frozen=True, slots=True)
class ElfFile:
    """One file; `relocs` holds those of loaded sections, by the section's index."""

    name: str
    sections: tuple[Section, ...]
    symbols: tuple[Symbol, ...]
    relocs: Mapping[int, tuple[Reloc, ...]]
    defined: Mapping[int, tuple[Symbol, ...]]  # the symbols in each section, by the section's index

    def section(self, name: str) -> Section | None:
        """The first section of that name."""
        return next((s for s in self.sections if s.name == name), None)

    def place(self, section: Section | str) -> str:
        """How errors name a section of this file."""
        return f"{self.name}:{section if isinstance(section, str) else section.name}"


def read_elf(data: bytes, name: str) -> ElfFile:
    """Read a relocatable 64-bit little-endian BPF object; `name` names it in errors. Raises `ObjectError` only."""
    _check_start(data, name)
    try:
        return _Reader(data, name).read()
    except ObjectError:
        raise
    except _READ_ERRORS as error:
        raise ObjectError(name, f"its ELF headers contradict themselves ({error})", _REBUILD) from error


def _check_start(data: bytes, name: str) -> None:
    if not data:
        raise ObjectError(name, "is empty", _COMPILE)
    if data[:4] == b"BC\xc0\xde":
        raise ObjectError(name, "is LLVM bitcode, not an object", f"{_COMPILE}, without -emit-llvm and -flto")
    if data[:4] != b"\x7fELF":
        raise ObjectError(name, f"isn't an ELF object: it starts with {data[:4].hex(' ')}, not 7f 45 4c 46", _COMPILE)
    if len(data) > MAX_FILE_BYTES:
        raise ObjectError(name, f"has {len(data)} bytes; at most {MAX_FILE_BYTES} are read", "split the program")
    if len(data) < _HEADER_BYTES:
        raise ObjectError(name, f"ends after {len(data)} bytes, inside its ELF header of {_HEADER_BYTES}", _REBUILD)


class _Reader:
    """Follows the headers of one file, once."""

    def __init__(self, data: bytes, name: str) -> None:
        self.data = memoryview(data)
        self.name = name
        self.stream = io.BytesIO(data)
        self.elf = ELFFile(self.stream)

    def read(self) -> ElfFile:
        self._check_target()
        headers = self._section_headers()
        names = self._table(headers, self.elf["e_shstrndx"], "section names")
        sections = tuple(self._section(i, h, names.at(h["sh_name"], "a section's name")) for i, h in enumerate(headers))
        self._check_overlap(sections)
        tables = [i for i, header in enumerate(headers) if header["sh_type"] == "SHT_SYMTAB"]
        if len(tables) != 1:
            raise self._damaged(self.name, f"has {len(tables)} symbol tables; an object has one")
        symbols = tuple(self._symbols(headers, sections, tables[0]))
        relocs = self._relocs(headers, sections, symbols, tables[0])
        defined: dict[int, list[Symbol]] = {}
        for symbol in symbols:
            if symbol.section is not None:
                defined.setdefault(symbol.section.index, []).append(symbol)
        by_section = MappingProxyType({index: tuple(found) for index, found in defined.items()})
        return ElfFile(self.name, sections, symbols, MappingProxyType(relocs), by_section)

    def _check_target(self) -> None:
        header, ident = self.elf.header, self.elf["e_ident"]
        if header["e_machine"] != "EM_BPF":
            machine = _MACHINES.get(header["e_machine"]) or describe_e_machine(header["e_machine"])
            raise ObjectError(self.name, f"is built for {machine}, not for BPF", _COMPILE)
        if ident["EI_DATA"] != "ELFDATA2LSB":
            raise ObjectError(self.name, "is big-endian; programs here are little-endian", f"{_COMPILE} (not bpfeb)")
        if ident["EI_CLASS"] != "ELFCLASS64":
            raise ObjectError(self.name, "is a 32-bit ELF file; BPF objects are 64-bit", _COMPILE)
        if header["e_type"] != "ET_REL":
            kind = {"ET_EXEC": "an executable", "ET_DYN": "a shared library", "ET_CORE": "a core dump"}
            what = kind.get(header["e_type"], f"of type {header['e_type']}")
            raise ObjectError(self.name, f"is {what}, not a relocatable object", f"{_COMPILE}, and don't link it")

    def _section_headers(self) -> list[Any]:
        start, size, count = (self.elf[field] for field in ("e_shoff", "e_shentsize", "e_shnum"))
        if not start or not count:
            raise self._damaged(self.name, "has no section headers")
        if size != _SECTION_BYTES or count >= _RESERVED_SECTIONS:
            raise self._damaged(self.name, f"has {count} section headers of {size} bytes; they take {_SECTION_BYTES}")
        end = start + count * size
        if end > len(self.data):
            raise self._damaged(
                self.name, f"has {len(self.data)} bytes, but its {count} section headers end at byte {end}"
            )
        return [struct_parse(self.elf.structs.Elf_Shdr, self.stream, start + i * size) for i in range(count)]

    def _section(self, index: int, header: Any, name: str) -> Section:
        size, flags = header["sh_size"], header["sh_flags"]
        in_file = header["sh_type"] not in ("SHT_NOBITS", "SHT_NULL")
        place = f"{self.name}:{name or f'section {index}'}"
        if flags & SH_FLAGS.SHF_COMPRESSED and not name.startswith(".debug"):
            raise ObjectError(place, "is compressed, and is needed to load the program", "compile without -gz")
        data = self._bytes(place, header["sh_offset"], size) if in_file else self.data[:0]
        loaded, executable = bool(flags & SH_FLAGS.SHF_ALLOC), bool(flags & SH_FLAGS.SHF_EXECINSTR)
        return Section(index, name, size, data, in_file, loaded, executable)

    def _bytes(self, place: str, start: int, size: int) -> memoryview:
        if start + size > len(self.data):
            raise self._damaged(
                place, f"takes {size} bytes from byte {start} on, but the file ends at byte {len(self.data)}"
            )
        return self.data[start : start + size]

    def _check_overlap(self, sections: tuple[Section, ...]) -> None:
        # Sections that share bytes would let a small file unfold into a large program.
        total = sum(s.size for s in sections if s.in_file)
        if total > len(self.data):
            raise self._damaged(self.name, f"its sections take {total} of {len(self.data)} bytes: they overlap")

    def _table(self, headers: list[Any], index: Any, what: str) -> StringTable:
        if not isinstance(index, int) or not 0 < index < len(headers) or headers[index]["sh_type"] != "SHT_STRTAB":
            raise self._damaged(self.name, f"keeps its {what} in section {index}, which is no string table")
        place = f"{self.name}:{what}"
        return StringTable(self._bytes(place, headers[index]["sh_offset"], headers[index]["sh_size"]), place)

    def _entries(self, header: Any, form: Any, place: str, most: int) -> Iterator[Any]:
        """The fixed-size entries of a symbol table or a relocation section."""
        size = form.sizeof()
        if header["sh_entsize"] != size or header["sh_size"] % size:
            raise self._damaged(
                place, f"has {header['sh_size']} bytes in entries of {header['sh_entsize']}; they take {size} each"
            )
        count = header["sh_size"] // size
        if count > most:
            raise ObjectError(place, f"has {count} entries; at most {most} are read", "split the program")
        for i in range(count):
            yield struct_parse(form, self.stream, header["sh_offset"] + i * size)

    def _symbols(self, headers: list[Any], sections: tuple[Section, ...], index: int) -> Iterator[Symbol]:
        place = f"{self.name}:symbols"
        names = self._table(headers, headers[index]["sh_link"], "symbol names")
        for number, entry in enumerate(self._entries(headers[index], self.elf.structs.Elf_Sym, place, MAX_SYMBOLS)):
            section = None
            if isinstance(entry["st_shndx"], int):
                if entry["st_shndx"] >= len(sections):
                    raise self._damaged(place, f"symbol {number} is in section {entry['st_shndx']} of {len(sections)}")
                section = sections[entry["st_shndx"]]
            info = entry["st_info"]
            kind, binding = _KINDS.get(info["type"]), _BINDINGS.get(info["bind"])
            if kind is None or binding is None:
                raise self._damaged(place, f"symbol {number} has type {info['type']} and binding {info['bind']}")
            name = names.at(entry["st_name"], f"the name of symbol {number}")
            yield Symbol(name, kind, binding, section, entry["st_value"], entry["st_size"])

    def _relocs(
        self, headers: list[Any], sections: tuple[Section, ...], symbols: tuple[Symbol, ...], table: int
    ) -> dict[int, tuple[Reloc, ...]]:
        found: dict[int, tuple[Reloc, ...]] = {}
        left = MAX_RELOCATIONS
        for section, header in zip(sections, headers, strict=True):
            if header["sh_type"] not in ("SHT_REL", "SHT_RELA"):
                continue
            place, target = f"{self.name}:{section.name}", header["sh_info"]
            if target >= len(sections) or header["sh_link"] != table:
                raise self._damaged(place, f"relocates section {target} with the symbols of {header['sh_link']}")
            if not sections[target].loaded:
                continue  # debug sections and .BTF: their offsets are no part of the program
            if header["sh_type"] == "SHT_RELA" or target in found:
                raise self._damaged(place, "holds relocations of a form that clang doesn't emit for BPF")
            entries = self._entries(header, self.elf.structs.Elf_Rel, place, left)
            found[target] = tuple(self._reloc(place, entry, symbols) for entry in entries)
            left -= len(found[target])
        return found

    def _reloc(self, place: str, entry: Any, symbols: tuple[Symbol, ...]) -> Reloc:
        offset, number, index = entry["r_offset"], entry["r_info_type"], entry["r_info_sym"]
        kind = _RELOC_TYPES.get(number)
        if kind is None:
            known = ", ".join(str(k) for k in _RELOC_TYPES)
            raise self._damaged(place, f"the relocation at byte {offset} has type {number}; BPF's are {known}")
        if index >= len(symbols):
            raise self._damaged(place, f"the relocation at byte {offset} names symbol {index} of {len(symbols)}")
        return Reloc(offset, kind, symbols[index])

    def _damaged(self, place: str, problem: str) -> ObjectError:
        return ObjectError(place, problem, _REBUILD)


_KINDS: Final = {kind.value: kind for kind in SymbolKind}
_BINDINGS: Final = {binding.value: binding for binding in Binding}
_RELOC_TYPES: Final = {kind.value: kind for kind in RelocType}
_MACHINES: Final = {
    "EM_X86_64": "x86-64",
    "EM_386": "x86 (32-bit)",
    "EM_AARCH64": "arm64",
    "EM_ARM": "Arm (32-bit)",
    "EM_RISCV": "RISC-V",
}
