"""The address space: what is accessible, what faults, and in which words."""

from __future__ import annotations

import pytest

from axiom_hw.bpf.engine.memory import AddressSpace, Region
from axiom_hw.bpf.engine.traps import MemoryFault
from axiom_hw.bpf.maps import Mem, Window
from axiom_hw.errors import SpecError


def region(name: str = "table", *, writable: bool = True, count: int = 4) -> Region:
    """Values of 12 bytes, one every 16, from byte 8 on."""
    return Region(name, Mem(bytearray(8 + 16 * 4)), Window(8, 16, 12, count), writable=writable)


def test_a_load_sees_what_a_store_wrote_at_every_size_and_offset() -> None:
    space = AddressSpace()
    base = space.open(region())
    for size in (1, 2, 4, 8):
        for at in range(13 - size):
            value = int.from_bytes(bytes(range(1, size + 1)), "little")
            space.store(base + 16 + at, size, value)
            assert space.load(base + 16 + at, size) == value
            assert space.load(base + 16 + at, 1) == 1


def test_an_access_lies_within_one_value() -> None:
    space = AddressSpace()
    base = space.open(region())
    assert space.load(base + 48 + 4, 8) == 0
    with pytest.raises(MemoryFault) as caught:
        space.load(base + 16 + 8, 8)
    assert caught.value.reason == "offset 8 of value 1 of table, which has 12 bytes"
    with pytest.raises(MemoryFault) as caught:
        space.store(base + 12, 1, 0)
    assert caught.value.reason == "offset 12 of value 0 of table, which has 12 bytes"


@pytest.mark.parametrize("stray", [-1, -8, -(1 << 31), 64, 1 << 31, (1 << 31) + 63])
def test_an_address_that_strays_meets_no_other_region(stray: int) -> None:
    space = AddressSpace()
    bases = [space.open(region(f"r{n}")) for n in range(3)]
    with pytest.raises(MemoryFault):
        space.load(bases[1] + stray, 1)


def test_a_closed_region_is_gone_and_its_address_stays_unused() -> None:
    space = AddressSpace()
    block = region("a record of beats")
    first = space.open(block)
    space.close(block)
    second = space.open(block)
    assert first != second
    with pytest.raises(MemoryFault) as caught:
        space.load(first, 4)
    assert str(caught.value) == f"reads 4 bytes at {first:#x}: a record of beats is gone"
    assert caught.value.region == "a record of beats"


@pytest.mark.parametrize(
    ("offset", "size", "reason"),
    [
        (-1, 1, "1 byte before table"),
        (64, 1, "offset 64 of table, which has 64 bytes"),
        (0, 1, "table is read-only"),
    ],
)
def test_a_fault_names_the_nearest_region(offset: int, size: int, reason: str) -> None:
    space = AddressSpace()
    base = space.open(region(writable=False))
    with pytest.raises(MemoryFault) as caught:
        space.store(base + offset, size, 0)
    assert caught.value.reason == reason
    assert caught.value.address == base + offset


def test_resolve_gives_the_memory_behind_an_address() -> None:
    space = AddressSpace()
    block = region(writable=False)
    base = space.open(block)
    assert space.resolve(base + 16, 12, write=False) == (block.mem, 24)
    for size in (13, 1 << 40, (1 << 64) - 1):
        with pytest.raises(MemoryFault):
            space.resolve(base + 16, size, write=False)
    with pytest.raises(MemoryFault):
        space.resolve(base + 16, 1, write=True)


def test_a_window_of_nothing_is_an_object() -> None:
    space = AddressSpace()
    base = space.place(Region("map m", Mem(bytearray(8)), Window(0, 0, 0, 0), writable=False), 1)
    with pytest.raises(MemoryFault) as caught:
        space.load(base, 1)
    assert caught.value.reason == "map m is an object, not memory"


def test_a_region_of_more_than_2_gib_is_refused() -> None:
    with pytest.raises(SpecError, match="a region holds at most 2147483648"):
        Region("big", Mem(bytearray(8)), Window(0, 1 << 20, 1 << 20, 1 << 20), writable=True)
