"""The address space of one slot: each access is checked against the regions that live at that moment.

An address is a region's number in its upper half and an offset in its lower half. Regions hold at most 2 GiB, so
that an address which strays from one by less than 2 GiB, either way, lies in no other. The numbers of frames and
records count up and come round after two thousand million: an address kept too long finds nothing.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from axiom_hw.bpf.engine.traps import MemoryFault
from axiom_hw.bpf.maps.mem import Mem, Window
from axiom_hw.errors import SpecError

SHIFT: Final = 32
OFFSET: Final = (1 << SHIFT) - 1
LIMIT_BYTES: Final = 1 << 31

# Numbers of regions. Below FIRST_BRIEF they are given by name, from there on in turn.
CODE: Final = 1 << 16
FIRST_BRIEF: Final = 1 << 17
LAST_BRIEF: Final = 1 << 31

_REMEMBERED: Final = 16  # closed regions whose names a fault can still tell
_NULL_PAGE: Final = 1 << 12


class Region:
    """Memory that a program may touch: the values of a map, a frame, the context, a record.

    A window of `count` values lies in `mem`, the first at `origin`, one every `stride` bytes, of which the first
    `extent` are accessible: an access must lie within one value. `base` is the address of the first, 0 while closed.
    """

    __slots__ = ("base", "extent", "limit", "mem", "name", "origin", "stride", "views", "writable")

    def __init__(self, name: str, mem: Mem, window: Window, *, writable: bool) -> None:
        self.name = name
        self.mem = mem
        self.writable = writable
        self.origin = window.origin
        self.stride = window.stride
        self.extent = window.extent
        self.limit = window.stride * window.count
        if self.limit > LIMIT_BYTES:
            raise SpecError(name, f"takes {self.limit} bytes; a region holds at most {LIMIT_BYTES}")
        # Looked up by the size of an access: 1, 2, 4 and 8 are the only ones that instructions have.
        one, two, four, eight = mem.u8, mem.u16, mem.u32, mem.u64
        self.views = (one, one, two, one, four, one, one, one, eight)
        self.base = 0

    def lacks(self, at: int, size: int) -> bool:
        """Whether any of `size` bytes at `at` lies in no value, or in another one than the first of them."""
        return at >= self.limit or at % self.stride + size > self.extent


class AddressSpace:
    """The regions of one slot by number.

    Synchronization: belongs to the thread that runs the slot. The memory behind the regions may be shared.
    """

    __slots__ = ("_closed", "_next", "regions")

    def __init__(self) -> None:
        self.regions: dict[int, Region] = {}
        self._next = FIRST_BRIEF
        self._closed: deque[tuple[int, str]] = deque(maxlen=_REMEMBERED)

    def place(self, region: Region, number: int) -> int:
        """Make a region accessible for good, under a number of the caller's choice. Its base address."""
        assert 0 < number < FIRST_BRIEF
        assert number not in self.regions
        self.regions[number] = region
        region.base = number << SHIFT
        return region.base

    def open(self, region: Region) -> int:
        """Make a region accessible until it is closed, at an address that nothing had for long. Its base address."""
        number = self._next
        self._next = number + 1 if number < LAST_BRIEF else FIRST_BRIEF
        self.regions[number] = region
        region.base = base = number << SHIFT
        return base

    def close(self, region: Region) -> None:
        """End a region's life: from now on an access to its addresses faults."""
        number = region.base >> SHIFT
        del self.regions[number]
        region.base = 0
        self._closed.append((number, region.name))

    # The first comparison of each of these settles all but map values behind the first.

    def load(self, address: int, size: int) -> int:
        """`size` bytes (1, 2, 4 or 8) at `address`, as an unsigned number."""
        try:
            region = self.regions[address >> SHIFT]
        except KeyError:
            raise self.fault(address, size, write=False) from None
        at = address & OFFSET
        if at + size > region.extent and region.lacks(at, size):
            raise self.fault(address, size, write=False)
        at += region.origin
        if at % size:
            return int.from_bytes(region.mem.u8[at : at + size], "little")
        return region.views[size][at // size]

    def store(self, address: int, size: int, value: int) -> None:
        """Write the low `size` bytes (1, 2, 4 or 8) of `value`, which must fit them, at `address`."""
        try:
            region = self.regions[address >> SHIFT]
        except KeyError:
            raise self.fault(address, size, write=True) from None
        at = address & OFFSET
        if not region.writable or (at + size > region.extent and region.lacks(at, size)):
            raise self.fault(address, size, write=True)
        at += region.origin
        if at % size:
            region.mem.u8[at : at + size] = value.to_bytes(size, "little")
        else:
            region.views[size][at // size] = value

    def resolve(self, address: int, size: int, *, write: bool) -> tuple[Mem, int]:
        """The memory behind `size` bytes (at least 1) at `address`, and where in it they begin."""
        region = self.regions.get(address >> SHIFT)
        at = address & OFFSET
        if region is None or (at + size > region.extent and region.lacks(at, size)) or (write and not region.writable):
            raise self.fault(address, size, write=write)
        return region.mem, region.origin + at

    def resolve_atomic(self, address: int, size: int) -> tuple[Mem, int]:
        """The memory behind a number that an atomic instruction changes; it must be aligned to its size."""
        mem, at = self.resolve(address, size, write=True)
        if at % size:
            name = self.regions[address >> SHIFT].name
            raise MemoryFault(address, size, True, name, f"an atomic access must be aligned to {size} bytes")
        return mem, at

    def fault(self, address: int, size: int, *, write: bool) -> MemoryFault:
        """What is wrong with an access, told from the region that it most likely meant."""
        name, reason = self._explain(address, size)
        return MemoryFault(address, size, write, name, reason)

    def _explain(self, address: int, size: int) -> tuple[str, str]:
        number, at = address >> SHIFT, address & OFFSET
        if number == 0 and at < _NULL_PAGE:
            return "NULL", "that is NULL" if at == 0 else f"that is NULL + {at}"
        if at >= LIMIT_BYTES and number + 1 in self.regions:
            number, at = number + 1, at - (1 << SHIFT)  # a little before that region, not far behind this one
        region = self.regions.get(number)
        if region is None:
            closed = next((name for n, name in self._closed if n == number), None)
            return (closed, f"{closed} is gone") if closed else ("", "no region is there")
        if region.limit == 0:
            return region.name, f"{region.name} is an object, not memory"
        if at < 0:
            return region.name, f"{-at} byte{'' if at == -1 else 's'} before {region.name}"
        if at >= region.limit or region.limit == region.stride:
            if at + size > region.limit:
                return region.name, f"offset {at} of {region.name}, which has {region.limit} bytes"
            if at + size <= region.extent:
                return region.name, f"{region.name} is read-only"
            return region.name, f"offset {at} of {region.name}, of which {region.extent} bytes are accessible"
        index, within = divmod(at, region.stride)
        if within + size <= region.extent:
            return region.name, f"{region.name} is read-only"
        return region.name, f"offset {within} of value {index} of {region.name}, which has {region.extent} bytes"
