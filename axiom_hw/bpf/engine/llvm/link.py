"""From an object to code that lies anywhere: linked once, when it is compiled, so that loading is copying.

An image holds code, stubs and constants, all of which find one another by their distance. What lies outside is reached
through slots behind the image, one address for each name: a call goes to a stub, which jumps to what the slot says. Who
loads the image writes the slots, and nothing else.

There are no variables: an image is never written to, and the state of a run is the caller's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from axiom_hw.bpf.engine.llvm.code import REPORT, SLOT_BYTES, Code, CompileError
from axiom_hw.bpf.engine.llvm.objects import ALLOC, EXECUTE, OUTSIDE, WRITE, Object, Section, Symbol, read_object
from axiom_hw.bpf.engine.llvm.relocations import MACHINES, Machine, Relocation, To

_STUB_ALIGN: Final = 16
_UNWINDING: Final = ".eh_frame"  # how exceptions pass: none do


def link(image: bytes, place: str) -> Code:
    """The code of an object. `place` is the program, for errors. Raises `CompileError` for what LLVM shouldn't make."""
    try:
        found = read_object(image)
        machine = MACHINES.get(found.machine)
        if machine is None:
            raise ValueError(f"it is for another processor, e_machine {found.machine}")
        return _Linker(found, machine).link()
    except (ValueError, IndexError) as error:
        raise CompileError(place, f"its code can't be linked: {error}", REPORT) from error


@dataclass(frozen=True, slots=True)
class _Field:
    """A relocation and what it leads to."""

    section: int
    offset: int
    row: Relocation
    symbol: Symbol
    addend: int


class _Linker:
    """One object on its way. Offsets count from the image's start, which will lie at the start of a page."""

    def __init__(self, found: Object, machine: Machine) -> None:
        self._symbols = found.symbols
        self._machine = machine
        self._kept = {n: section for n, section in enumerate(found.sections) if _belongs(section)}
        self._starts: dict[int, int] = {}  # of sections
        self._stubs: dict[str, int] = {}
        self._slots: dict[str, int] = {}
        self._end = 0

    def link(self) -> Code:
        fields = [field for n, section in self._kept.items() for field in self._fields(n, section)]
        size = self._lay_out([field for field in fields if field.symbol.section == OUTSIDE])
        image = bytearray(size)
        for n, start in self._starts.items():
            data = self._kept[n].data
            image[start : start + len(data)] = data
        for name, start in self._stubs.items():
            image[start : start + len(self._machine.stub)] = self._machine.stub
            for offset, kind, addend in self._machine.stub_fields:
                self._machine.relocations[kind].patch(image, start + offset, self._slots[name] + addend)
        for field in fields:
            field.row.patch(image, self._starts[field.section] + field.offset, self._target(field) + field.addend)
        exports = sorted((s.name, self._where(s)) for s in self._symbols if s.shared and s.section != OUTSIDE)
        return Code(bytes(image), tuple(self._slots), tuple(exports))

    def _lay_out(self, outside: Sequence[_Field]) -> int:
        """Give all a place: code, stubs, constants, and the slots behind the image. The image's size."""
        self._place(n for n, section in self._kept.items() if section.flags & EXECUTE)
        for name in sorted({field.symbol.name for field in outside if field.row.to is To.CALL}):
            self._stubs[name] = self._take(len(self._machine.stub), _STUB_ALIGN)
        self._place(n for n, section in self._kept.items() if not section.flags & EXECUTE)
        size = self._take(0, SLOT_BYTES)
        for name in sorted({field.symbol.name for field in outside}):
            self._slots[name] = self._take(SLOT_BYTES, SLOT_BYTES)
        return size

    def _fields(self, number: int, section: Section) -> Iterator[_Field]:
        for reference in section.references:
            row = self._machine.relocations.get(reference.kind)
            symbol = self._symbols[reference.symbol]
            if row is None:
                raise ValueError(f"relocation {reference.kind}, to `{symbol.name}`, isn't known")
            yield _Field(number, reference.offset, row, symbol, reference.addend)

    def _place(self, sections: Iterable[int]) -> None:
        for n in sections:
            section = self._kept[n]
            self._starts[n] = self._take(len(section.data), section.align)

    def _take(self, size: int, align: int) -> int:
        start = -(-self._end // max(align, 1)) * max(align, 1)
        self._end = start + size
        return start

    def _target(self, field: _Field) -> int:
        symbol, name = field.symbol, field.symbol.name
        match field.row.to, symbol.section == OUTSIDE:
            case (To.SLOT, True):
                return self._slots[name]
            case (To.CALL, True):
                return self._stubs[name]
            case (To.SLOT, False) | (To.SYMBOL, True):
                home = "defined outside" if symbol.section == OUTSIDE else "its own"
                raise ValueError(f"{field.row.name} can't lead to `{name}`, which is {home}")
        return self._where(symbol)

    def _where(self, symbol: Symbol) -> int:
        if symbol.section not in self._starts:
            raise ValueError(f"`{symbol.name}` is in no section that is loaded")
        return self._starts[symbol.section] + symbol.value


def _belongs(section: Section) -> bool:
    """Whether a section is part of the image. Raises `ValueError` for one that can't be."""
    if not section.flags & ALLOC or not section.data or section.name == _UNWINDING:
        return False
    if section.flags & WRITE:
        raise ValueError(f"it has variables, {len(section.data)} bytes in {section.name}; code is shared and read-only")
    return True
