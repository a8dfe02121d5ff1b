"""What a program's numbers mean once its maps, helpers and functions exist: the addresses that instructions carry.

A map has two regions: the object, which helpers recognise by its address and nobody can read, and its values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from axiom_hw.bpf.engine.memory import CODE, SHIFT, AddressSpace, Region
from axiom_hw.bpf.insn import SLOT_BYTES
from axiom_hw.bpf.maps.array import ArrayMap
from axiom_hw.bpf.maps.create import Map
from axiom_hw.bpf.maps.hash_map import HashMap
from axiom_hw.bpf.maps.mem import Window
from axiom_hw.bpf.maps.ringbuf import RingBuf
from axiom_hw.bpf.spec import MapFlag, ProgramSpec
from axiom_hw.errors import SpecError

_OPAQUE: Final = Window(0, 0, 0, 0)
_CODE_BASE: Final = CODE << SHIFT
_MAPS_LIMIT: Final = 1 << 12


@dataclass(frozen=True, slots=True)
class BoundTable:
    """A map with values. `base` plus an offset in the map's memory is the address of the byte there."""

    table: ArrayMap | HashMap
    base: int
    values: int  # the address of the first value
    key_size: int
    value_size: int
    writable: bool  # by programs


class Linkage:
    """The addresses of one loaded program, the same in each of its slots.

    Raises `SpecError` where `maps` aren't one for each that the program declares, in that order.
    """

    def __init__(self, spec: ProgramSpec, maps: Sequence[Map]) -> None:
        if len(maps) != len(spec.maps):
            raise SpecError(spec.name, f"declares {len(spec.maps)} maps, got {len(maps)}")
        if len(maps) > _MAPS_LIMIT:
            raise SpecError(spec.name, f"declares {len(maps)} maps; {_MAPS_LIMIT} is the limit")
        self.tables: dict[int, BoundTable] = {}
        self.rings: dict[int, RingBuf] = {}
        self.count = len(maps)
        self.functions: dict[int, int] = {}  # pcs by address
        self._regions: list[tuple[int, Region]] = []
        for index, live in enumerate(maps):
            self._bind(index, live)

    def place(self, space: AddressSpace) -> None:
        """Make the maps accessible in the address space of a slot."""
        for number, region in self._regions:
            space.place(region, number)

    @staticmethod
    def map_address(index: int) -> int:
        """What ld_imm64 gives for a map."""
        return _object_number(index) << SHIFT

    def function_address(self, pc: int) -> int:
        """What ld_imm64 gives for a function, which from then on can be called by that address."""
        address = _CODE_BASE + pc * SLOT_BYTES
        self.functions[address] = pc
        return address

    def _bind(self, index: int, live: Map) -> None:
        spec, number = live.spec, _object_number(index)
        address = number << SHIFT
        self._regions.append((number, Region(f"map {spec.name}", live.mem, _OPAQUE, writable=False)))
        if isinstance(live, RingBuf):
            self.rings[address] = live
            return
        writable = not (spec.frozen or spec.flags & MapFlag.RDONLY_PROG)
        self._regions.append((number + 1, Region(spec.name, live.mem, live.values, writable=writable)))
        first = (number + 1) << SHIFT
        self.tables[address] = BoundTable(
            live, first - live.values.origin, first, spec.key_size, spec.value_size, writable
        )


def _object_number(index: int) -> int:
    return 2 * index + 1  # its values are the next
