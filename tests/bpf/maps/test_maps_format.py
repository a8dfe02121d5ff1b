"""The bytes of docs/map-format.md: other programs read and write them, so they change with the version only."""

from __future__ import annotations

from axiom_hw.bpf.maps import ArrayMap, HashMap, Mem, RingBuf, create_map
from axiom_hw.bpf.spec import MapSpec, MapType


def nonzero_lines(mem: Mem) -> str:
    """All lines of 16 bytes that aren't zero, as `hexdump` shows them."""
    data = bytes(mem.u8)
    lines = ((at, data[at : at + 16]) for at in range(0, len(data), 16))
    return "\n".join(f"{at:4d}  {line.hex(' ')}" for at, line in lines if any(line)) + f"\n{mem.size:4d}\n"


def test_array() -> None:
    table = create_map(MapSpec("a", MapType.ARRAY, 4, 5, 2, data=b"hello"))
    assert (
        nonzero_lines(table.mem)
        == """\
   0  41 58 4d 50 01 00 00 00 02 00 00 00 00 00 00 00
  16  04 00 00 00 05 00 00 00 02 00 00 00 00 00 00 00
  32  50 00 00 00 00 00 00 00 40 00 00 00 00 00 00 00
  48  00 00 00 00 00 00 00 00 08 00 00 00 00 00 00 00
  64  68 65 6c 6c 6f 00 00 00 00 00 00 00 00 00 00 00
  80
"""
    )


def test_hash_after_two_inserts_a_replacement_and_a_delete() -> None:
    table = create_map(MapSpec("h", MapType.HASH, 4, 8, 2), seed=0x1122334455667788)
    assert isinstance(table, HashMap)
    for key, value in ((b"key1", b"value..1"), (b"key2", b"value..2"), (b"key1", b"newer..1")):
        assert table.update(Mem(key), 0, Mem(value), 0, 0) == 0
    assert table.delete(Mem(b"key2"), 0) == 0
    assert (
        nonzero_lines(table.mem)
        == """\
   0  41 58 4d 50 01 00 00 00 01 00 00 00 00 00 00 00
  16  04 00 00 00 08 00 00 00 02 00 00 00 00 00 00 00
  32  10 09 00 00 00 00 00 00 d0 00 00 00 00 00 00 00
  48  88 77 66 55 44 33 22 11 20 00 00 00 02 00 00 00
  64  01 00 00 00 00 00 00 00 03 00 00 00 00 00 00 00
 128  02 00 00 00 02 00 00 00 00 00 00 00 00 00 00 00
 192  00 00 00 00 00 00 00 00 06 00 00 00 02 00 00 00
 208  07 00 00 00 03 00 00 00 00 00 00 00 00 00 00 00
 224  6b 65 79 31 00 00 00 00 76 61 6c 75 65 2e 2e 31
 240  01 00 00 00 02 00 00 00 01 00 00 00 00 00 00 00
 256  6b 65 79 32 00 00 00 00 76 61 6c 75 65 2e 2e 32
 272  00 00 00 00 02 00 00 00 00 00 00 00 00 00 00 00
 288  6b 65 79 31 00 00 00 00 6e 65 77 65 72 2e 2e 31
2320
"""
    )


def test_ring_with_a_record_a_discarded_one_one_under_way_and_a_dropped_one() -> None:
    ring = create_map(MapSpec("r", MapType.RINGBUF, 0, 0, 64))
    assert isinstance(ring, RingBuf)
    assert ring.output(Mem(b"hello"), 0, 5, 0) == 0
    gone = ring.reserve(3)
    ring.mem.u8[gone : gone + 3] = b"bye"
    ring.discard(gone, 0)
    assert ring.reserve(9)
    assert not ring.reserve(9)
    assert (
        nonzero_lines(ring.mem)
        == """\
   0  41 58 4d 50 01 00 00 00 1b 00 00 00 00 00 00 00
  16  00 00 00 00 00 00 00 00 40 00 00 00 00 00 00 00
  32  80 02 00 00 00 00 00 00 00 02 00 00 00 00 00 00
 256  38 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
 384  01 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
 512  05 00 00 00 40 00 00 00 68 65 6c 6c 6f 00 00 00
 528  03 00 00 40 42 00 00 00 62 79 65 00 00 00 00 00
 544  09 00 00 80 44 00 00 00 00 00 00 00 00 00 00 00
 640
"""
    )


def test_a_map_is_found_again_in_a_copy_of_its_bytes() -> None:
    spec = MapSpec("a", MapType.ARRAY, 4, 5, 2, data=b"hello")
    copied = ArrayMap(spec, Mem(bytes(create_map(spec).mem.u8)))  # read-only, too
    assert list(copied.entries()) == [(b"\0\0\0\0", b"hello"), (b"\1\0\0\0", bytes(5))]
