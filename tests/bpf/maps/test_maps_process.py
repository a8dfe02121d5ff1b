"""Maps in files: a producer in one process, a consumer in another."""

from __future__ import annotations

import multiprocessing
import os
import time
from pathlib import Path

import pytest

from axiom_hw.bpf.maps import ArrayMap, HashMap, Mem, RingBuf, RingReader, pinned_map
from axiom_hw.bpf.maps.hash import SEED
from axiom_hw.bpf.maps.mem import load_u64
from axiom_hw.bpf.spec import MapSpec, MapType
from axiom_hw.errors import MapError

RING = MapSpec("edges", MapType.RINGBUF, 0, 0, 256)
COUNTS = MapSpec("counts", MapType.ARRAY, 4, 8, 2)
RECORDS = 300


def produce(folder: Path) -> None:
    """In a process of its own: numbered records, as fast as the consumer takes them."""
    ring = pinned_map(RING, folder / "edges")
    counts = pinned_map(COUNTS, folder / "counts")
    assert isinstance(ring, RingBuf)
    assert isinstance(counts, ArrayMap)
    n = 0
    while n < RECORDS:
        if ring.output(Mem(n.to_bytes(8, "little")), 0, 8, 0) == 0:
            n += 1
            counts.mem.u64[counts.values.origin >> 3] = n
        else:
            os.sched_yield()


def test_a_ring_between_two_processes_keeps_order(tmp_path: Path) -> None:
    ring = pinned_map(RING, tmp_path / "edges")
    counts = pinned_map(COUNTS, tmp_path / "counts")
    assert isinstance(ring, RingBuf)
    assert isinstance(counts, ArrayMap)
    child = multiprocessing.get_context("spawn").Process(target=produce, args=(tmp_path,))
    child.start()
    got: list[int] = []
    deadline = time.monotonic() + 60
    with RingReader(ring, recheck_ns=1_000_000) as reader:
        while len(got) < RECORDS and time.monotonic() < deadline:
            got += [int.from_bytes(record, "little") for record in reader.poll(1.0)]
    child.join(60)
    assert child.exitcode == 0
    assert got == list(range(RECORDS))
    assert next(counts.entries()) == (bytes(4), RECORDS.to_bytes(8, "little"))


def test_a_pinned_map_is_made_once_and_then_attached_to(tmp_path: Path) -> None:
    spec = MapSpec("h", MapType.HASH, 4, 8, 10)
    one = pinned_map(spec, tmp_path / "h", seed=77)
    assert isinstance(one, HashMap)
    one.update(Mem(b"key."), 0, Mem(b"value..."), 0, 0)
    two = pinned_map(spec, tmp_path / "h", seed=99)  # the map keeps the seed that it was made with
    assert isinstance(two, HashMap)
    assert load_u64(two.mem, SEED) == 77
    assert two.read(b"key.") == b"value..."
    assert [p.name for p in tmp_path.iterdir()] == ["h"]


def test_a_pinned_map_of_another_kind_is_refused_by_name(tmp_path: Path) -> None:
    pinned_map(COUNTS, tmp_path / "counts")
    with pytest.raises(MapError) as caught:
        pinned_map(MapSpec("counts", MapType.ARRAY, 4, 8, 3), tmp_path / "counts")
    assert str(caught.value) == (
        "map counts: is declared with max_entries 3, but the map in this memory has max_entries 2\n"
        "    fix    declare it as it was made, or remove the old one"
    )


def test_a_file_that_isn_t_a_map_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text("a letter" * 20)
    with pytest.raises(MapError, match="text: no map lies in these 160 bytes: they don't begin with `AXMP`"):
        pinned_map(COUNTS, path)
    with pytest.raises(MapError, match="map counts: would overwrite memory that is neither zero nor a map"):
        ArrayMap(COUNTS, Mem.open(path))
    assert path.read_text() == "a letter" * 20


def test_a_child_made_by_fork_shares_anonymous_memory() -> None:
    ring = RingBuf(RING)
    child = os.fork()
    if child == 0:
        ring.output(Mem(b"from the child"), 0, 14, 0)
        os._exit(0)
    os.waitpid(child, 0)
    assert ring.consume() == b"from the child"
