"""What a program and its maps are before anything runs: inert, deterministic data, the same on every machine.

source -> spec -> verified -> loaded -> link: this is the second step. Everything that makes programs (the assembler,
the ELF loader, a list of instructions) makes these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from types import MappingProxyType

from axiom_hw.bpf.insn import Insn
from axiom_hw.bpf.layout import Layout
from axiom_hw.errors import SpecError


class MapType(IntEnum):
    """Linux's numbers (include/uapi/linux/bpf.h, enum bpf_map_type); from 100 on, this project's."""

    HASH = 1
    ARRAY = 2
    PROG_ARRAY = 3
    PERCPU_HASH = 5
    PERCPU_ARRAY = 6
    LRU_HASH = 9
    LRU_PERCPU_HASH = 10
    LPM_TRIE = 11
    ARRAY_OF_MAPS = 12
    HASH_OF_MAPS = 13
    QUEUE = 22
    STACK = 23
    RINGBUF = 27
    BLOOM_FILTER = 30
    TIME_SERIES = 100


class MapFlag(IntEnum):
    """Bits of `map_flags` (include/uapi/linux/bpf.h)."""

    NO_PREALLOC = 1 << 0
    NO_COMMON_LRU = 1 << 1
    RDONLY = 1 << 3
    WRONLY = 1 << 4
    ZERO_SEED = 1 << 6
    RDONLY_PROG = 1 << 7
    WRONLY_PROG = 1 << 8
    MMAPABLE = 1 << 10


class FieldKind(IntEnum):
    """Special members of a map value, which programs may touch only through their helpers."""

    TIMER = 1
    SPIN_LOCK = 2
    WORK = 3


@dataclass(frozen=True, slots=True)
class SpecialField:
    """Where in the value a special member lies."""

    kind: FieldKind
    offset: int


@dataclass(frozen=True, slots=True)
class MapSpec:
    """A map's declaration. Sizes in bytes, `max_entries` in entries (for a ring: bytes of data, a power of two)."""

    name: str
    type: MapType
    key_size: int
    value_size: int
    max_entries: int
    flags: int = 0
    fields: tuple[SpecialField, ...] = ()
    inner: MapSpec | None = None
    data: bytes | None = None  # the value of key 0 at the start: .data, .rodata
    frozen: bool = False  # no one writes it after the start: .rodata
    key_layout: Layout | None = None  # for consumers, where the source has types
    value_layout: Layout | None = None
    pinned: bool = False  # by its name: processes that load the object share it


@dataclass(frozen=True, slots=True)
class SourceLine:
    """Where an instruction comes from."""

    file: str
    line: int
    column: int
    text: str
    name: str = ""  # the expression that the instruction is about, where the compiler tells


@dataclass(frozen=True, slots=True)
class CtxSpec:
    """What r1 points at when the program starts: `size` bytes, read-only unless `writable`.

    With `length_in_r2`, r2 holds `size`: the calling convention of the bpf_conformance suite.
    """

    size: int
    writable: bool = False
    length_in_r2: bool = False
    layout: Layout | None = None


@dataclass(frozen=True, slots=True)
class ProgramSpec:
    """A program: its instructions, and the maps that they mean by index (`ld_imm64` with src_reg 1 or 2).

    Subprograms lie behind the main program in the same tuple; `functions` maps the pc of each to its name.
    """

    name: str
    insns: tuple[Insn, ...]
    maps: tuple[MapSpec, ...] = ()
    ctx: CtxSpec = CtxSpec(0)
    section: str = ""
    lines: Mapping[int, SourceLine] = field(default_factory=lambda: MappingProxyType({}), hash=False)
    functions: Mapping[int, str] = field(default_factory=lambda: MappingProxyType({}), hash=False)
    license: str = ""


@dataclass(frozen=True, slots=True)
class ObjectSpec:
    """What one file declares: programs by name, and all maps, each program's being among them."""

    name: str
    programs: tuple[ProgramSpec, ...]
    maps: tuple[MapSpec, ...]
    license: str = ""

    def program_named(self, name: str) -> ProgramSpec:
        """The program of that name. Raises `SpecError` with the names there are."""
        for program in self.programs:
            if program.name == name:
                return program
        names = ", ".join(p.name for p in self.programs) or "none"
        raise SpecError(self.name, f"has no program {name!r}; its programs: {names}")
