"""What can't be a map is refused, with the name, the value and the limit."""

from __future__ import annotations

import pytest

from axiom_hw.bpf.maps import Mem, create_map, map_bytes
from axiom_hw.bpf.spec import FieldKind, MapFlag, MapSpec, MapType, SpecialField
from axiom_hw.errors import MapError

ARRAY, HASH, RING = MapType.ARRAY, MapType.HASH, MapType.RINGBUF


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            MapSpec("m", ARRAY, 8, 8, 1),
            "map m: has key_size 8; the key of an array is a u32 index\n    fix    set key_size to 4",
        ),
        (MapSpec("m", ARRAY, 4, 0, 1), "map m: has value_size 0; its values need at least 1 byte"),
        (MapSpec("m", ARRAY, 4, 8, 0), "map m: has max_entries 0; it needs room for at least 1 entry"),
        (MapSpec("m", ARRAY, 4, -1, 1), "map m: has value_size -1; it holds 0 to 4294967295"),
        (MapSpec("m", ARRAY, 4, 8, 1 << 32), "map m: has max_entries 4294967296; it holds 0 to 4294967295"),
        (MapSpec("m", HASH, 0, 8, 1), "map m: has key_size 0; a hash map needs keys of at least 1 byte"),
        (MapSpec("m", HASH, 4, 8, 0), "map m: has max_entries 0; it needs room for at least 1 entry"),
        (MapSpec("m", ARRAY, 4, 2, 1, data=b"abc"), "map m: starts with 3 bytes of data; its value has 2"),
        (MapSpec("m", RING, 0, 0, 64, data=b"abc"), "map m: has 3 bytes of initial data; a ring starts empty"),
        (
            MapSpec("m", RING, 4, 8, 4096),
            "ring m: has key_size 4 and value_size 8; records have neither\n"
            "    fix    set both to 0; max_entries is the ring's size in bytes",
        ),
        (
            MapSpec("m", RING, 0, 0, 5000),
            "ring m: has 5000 bytes (max_entries); a ring's size is a power of two from 64 to 1073741824\n"
            "    fix    take 8192; Linux wants whole pages besides",
        ),
        (
            MapSpec("m", RING, 0, 0, 0),
            "ring m: has 0 bytes (max_entries); a ring's size is a power of two from 64 to 1073741824\n"
            "    fix    take 64; Linux wants whole pages besides",
        ),
        (
            MapSpec("m", ARRAY, 4, 1 << 20, 1 << 10),
            "map m: takes 1073741888 bytes for max_entries 1024; the limit is 268435456 bytes a map\n"
            "    fix    declare fewer or smaller entries, or raise limit_bytes",
        ),
        (
            MapSpec("m", MapType.LPM_TRIE, 8, 8, 1),
            "map m: is of type lpm_trie, which isn't supported\n    fix    use one of array, hash, ringbuf",
        ),
        (
            MapSpec("m", ARRAY, 4, 16, 1, fields=(SpecialField(FieldKind.TIMER, 8),)),
            "map m: has a timer at offset 8 of its value; that isn't supported",
        ),
        (
            MapSpec("m", ARRAY, 4, 8, 1, flags=1),
            "map m: has flags 0x1; 0x1 (NO_PREALLOC) isn't among those of type array",
        ),
        (
            MapSpec("m", HASH, 4, 8, 1, flags=1 << 30),
            "map m: has flags 0x40000000; 0x40000000 (bits without a name) isn't among those of type hash",
        ),
        (
            MapSpec("m", HASH, 4, 8, 1, flags=MapFlag.RDONLY_PROG | MapFlag.WRONLY_PROG),
            "map m: has flags 0x180: both read-only and write-only for programs\n    fix    set one at most",
        ),
    ],
)  # fmt: skip
def test_refused(spec: MapSpec, message: str) -> None:
    with pytest.raises(MapError) as caught:
        create_map(spec)
    assert str(caught.value) == message


def test_the_limit_is_an_argument() -> None:
    spec = MapSpec("m", ARRAY, 4, 8, 100)
    assert map_bytes(spec) == 64 + 800
    create_map(spec, limit_bytes=864)
    with pytest.raises(MapError, match="takes 864 bytes for max_entries 100; the limit is 863 bytes"):
        create_map(spec, limit_bytes=863)


@pytest.mark.parametrize(
    "spec", [MapSpec("m", HASH, 13, 3, 7), MapSpec("m", RING, 0, 0, 128), MapSpec("m", ARRAY, 4, 3, 7)]
)
def test_the_size_is_known_before(spec: MapSpec) -> None:
    assert create_map(spec).mem.size == map_bytes(spec)


def test_zero_seed_means_zero() -> None:
    spec = MapSpec("m", HASH, 4, 8, 1, flags=MapFlag.ZERO_SEED)
    assert bytes(create_map(spec, seed=5).mem.u8[48:56]) == bytes(8)


def test_memory_that_is_too_small_or_read_only_is_refused() -> None:
    spec = MapSpec("m", ARRAY, 4, 8, 1)
    with pytest.raises(MapError, match="map m: takes 72 bytes, but the memory given has 71"):
        create_map(spec, Mem(bytearray(71)))
    with pytest.raises(MapError, match="map m: can't be made in read-only memory, and no map lies there yet"):
        create_map(spec, Mem(bytes(72)))


def test_a_map_that_was_cut_off_is_refused() -> None:
    spec = MapSpec("m", ARRAY, 4, 8, 4)
    with pytest.raises(MapError, match="map m: takes 96 bytes, but the memory has 88"):
        create_map(spec, Mem(bytes(create_map(spec).mem.u8[:88])))
