"""The maps of an object: those that `.maps` declares through BTF, and its data sections, one map each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from axiom_hw.bpf.btf import Btf
from axiom_hw.bpf.elf.definition import map_from_type
from axiom_hw.bpf.elf.file import ElfFile, Section, Symbol, SymbolKind
from axiom_hw.bpf.elf.types import scalar_of
from axiom_hw.bpf.layout import Field, Layout
from axiom_hw.bpf.spec import MapFlag, MapSpec, MapType
from axiom_hw.errors import ObjectError

MAX_MAPS: Final = 256
MAX_DATA_BYTES: Final = 16 << 20  # of all data sections of one object
_DATA: Final = (".rodata", ".data", ".bss")
_LEGACY: Final = "maps"


@dataclass(frozen=True, slots=True)
class MapTable:
    """All maps in the order that every program of the object counts them, and how code refers to them."""

    specs: tuple[MapSpec, ...]
    declared: Mapping[int, int]  # offset in `.maps` -> index
    data: Mapping[int, int]  # index of a data section -> index


def read_maps(file: ElfFile, btf: Btf | None) -> MapTable:
    """Every map of the object. Raises `ObjectError` for one that can't be made, and says what to write instead."""
    legacy = file.section(_LEGACY)
    if legacy is not None and legacy.size:
        raise ObjectError(
            file.place(legacy),
            f'maps are declared in the old style, `struct bpf_map_def SEC("{_LEGACY}")`, which carries no types',
            'declare them as `struct { __uint(type, ...); __type(key, ...); ... } name SEC(".maps");`',
        )
    symbols, sections = _declared(file), [s for s in file.sections if is_data(s)]
    count = len(symbols) + len(sections)
    if count > MAX_MAPS:
        raise ObjectError(file.name, f"has {count} maps and data sections; at most {MAX_MAPS}", "split the object")
    specs: list[MapSpec] = []
    declared: dict[int, int] = {}
    variables = btf.variables(".maps") if btf else {}
    for symbol in symbols:
        declared[symbol.value] = len(specs)
        specs.append(_declared_map(file, symbol, btf, variables))
    data: dict[int, int] = {}
    room = MAX_DATA_BYTES
    for section in sections:
        data[section.index] = len(specs)
        specs.append(_data_map(file, section, btf, room))
        room -= section.size
    _check_names(file, specs)
    return MapTable(tuple(specs), MappingProxyType(declared), MappingProxyType(data))


def is_data(section: Section) -> bool:
    """Whether a section becomes a map: `.data`, `.bss`, `.rodata`, and those whose names go on with a dot."""
    stem = "." + section.name[1:].partition(".")[0]
    return section.loaded and not section.executable and section.size > 0 and stem in _DATA


def _declared(file: ElfFile) -> list[Symbol]:
    """The variables in `.maps`, by offset."""
    section = file.section(".maps")
    if section is None:
        return []
    symbols = [s for s in file.defined.get(section.index, ()) if s.kind is SymbolKind.OBJECT]
    if section.size and not symbols:
        raise ObjectError(file.place(section), "no symbol names a map in it", "compile it again, and don't strip it")
    if file.relocs.get(section.index):
        raise ObjectError(
            file.place(section),
            "a map of maps or of programs has entries from the start, which isn't supported yet",
            "leave `.values = {...}` out of the declaration and set the entries after loading",
        )
    return sorted(symbols, key=lambda s: s.value)


def _declared_map(file: ElfFile, symbol: Symbol, btf: Btf | None, variables: Mapping[str, int]) -> MapSpec:
    if btf is None:
        raise ObjectError(
            file.place(".maps"), f"map `{symbol.name}` is declared, but the object has no .BTF that says what it is",
            "compile with -g (and strip with `llvm-strip -g`, which keeps .BTF)",
        )  # fmt: skip
    number = variables.get(symbol.name)
    if number is None:
        raise ObjectError(
            file.place(".maps"), f"map `{symbol.name}` has no entry in .BTF",
            "compile with -g, all files that were linked into the object",
        )  # fmt: skip
    return map_from_type(btf, number, symbol.name, f"{file.place('.maps')}: {symbol.name}")


def _data_map(file: ElfFile, section: Section, btf: Btf | None, room: int) -> MapSpec:
    if section.size > room:
        raise ObjectError(
            file.place(section), f"takes {section.size} bytes; {room} are left of {MAX_DATA_BYTES} for global data",
            "use a map for large data; or the file is damaged",
        )  # fmt: skip
    relocs = file.relocs.get(section.index)
    if relocs:
        raise ObjectError(
            file.place(section),
            f"the data at byte {relocs[0].offset} holds an address (of `{_shown(relocs[0].symbol)}`), unknown yet",
            "keep pointers out of global variables: use an index, or assign in the program",
        )
    constant = section.name.startswith(".rodata")
    return MapSpec(
        section.name,
        MapType.ARRAY,
        key_size=4,
        value_size=section.size,
        max_entries=1,
        flags=int(MapFlag.RDONLY_PROG) if constant else 0,
        data=bytes(section.data) if section.in_file else bytes(section.size),
        frozen=constant,
        value_layout=_data_layout(file, section, btf) if btf else None,
    )


def _shown(symbol: Symbol) -> str:
    return symbol.name or (symbol.section.name if symbol.section else "?")


def _data_layout(file: ElfFile, section: Section, btf: Btf) -> Layout | None:
    """The variables of a data section as fields, where all of them are integers."""
    targets = btf.variables(section.name)
    fields, end = [], 0
    for symbol in sorted(file.defined.get(section.index, ()), key=lambda s: s.value):
        if symbol.kind is not SymbolKind.OBJECT:
            continue
        scalar = scalar_of(btf, targets[symbol.name]) if symbol.name in targets else None
        if scalar is None or symbol.value < end:
            return None
        end = symbol.value + scalar.size
        fields.append(Field(symbol.name, symbol.value, scalar))
    return Layout(section.name, section.size, tuple(fields)) if fields and end <= section.size else None


def _check_names(file: ElfFile, specs: list[MapSpec]) -> None:
    seen: set[str] = set()
    for spec in specs:
        if spec.name in seen:
            raise ObjectError(file.name, f"two maps are named `{spec.name}`", "rename one of them")
        seen.add(spec.name)
