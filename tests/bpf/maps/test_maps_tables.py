"""Arrays and hash maps against a dict: any sequence of operations gives the results of Linux."""

from __future__ import annotations

import errno
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from axiom_hw.bpf.maps import ArrayMap, HashMap, Mem, create_map
from axiom_hw.bpf.maps.hash import COUNT, FRESH, hash_bucket
from axiom_hw.bpf.maps.mem import load_u64
from axiom_hw.bpf.spec import MapSpec, MapType

KEYS = st.integers(0, 11)
FLAGS = st.sampled_from([0, 0, 0, 1, 2, 3, 1 << 63])


class HashMachine(RuleBasedStateMachine):
    """A hash map of few entries, so that it fills up and chains grow."""

    @initialize(key_size=st.integers(1, 21), value_size=st.integers(1, 17), entries=st.integers(1, 8),
                seed=st.integers(0, 2**64 - 1), shift=st.integers(0, 7))  # fmt: skip
    def make(self, key_size: int, value_size: int, entries: int, seed: int, shift: int) -> None:
        spec = MapSpec("h", MapType.HASH, key_size, value_size, entries)
        self.table = HashMap(spec, seed=seed)
        self.model: dict[bytes, bytes] = {}
        self.shift = shift  # keys needn't be aligned

    def key(self, n: int) -> tuple[Mem, int]:
        return Mem(bytes(self.shift) + self.key_bytes(n)), self.shift

    def key_bytes(self, n: int) -> bytes:
        return bytes([n]).ljust(self.table.spec.key_size, b"k")

    @rule(n=KEYS, value=st.binary(min_size=17, max_size=17), flags=FLAGS)
    def update(self, n: int, value: bytes, flags: int) -> None:
        value = value[: self.table.spec.value_size]
        key = self.key_bytes(n)
        if flags > 2:
            expected = -errno.EINVAL
        elif key in self.model:
            expected = -errno.EEXIST if flags == 1 else 0
        elif flags == 2:
            expected = -errno.ENOENT
        else:
            expected = -errno.E2BIG if len(self.model) == self.table.spec.max_entries else 0
        assert self.table.update(*self.key(n), Mem(value), 0, flags) == expected
        if expected == 0:
            self.model[key] = value

    @rule(n=KEYS)
    def delete(self, n: int) -> None:
        expected = 0 if self.model.pop(self.key_bytes(n), None) is not None else -errno.ENOENT
        assert self.table.delete(*self.key(n)) == expected

    @rule(n=KEYS)
    def lookup(self, n: int) -> None:
        at = self.table.lookup(*self.key(n))
        value = self.model.get(self.key_bytes(n))
        assert (at != 0) == (value is not None)
        assert self.table.read(self.key_bytes(n)) == value
        if value is not None:
            window = self.table.values
            assert at >= window.origin
            assert (at - window.origin) // window.stride < window.count
            assert (at - window.origin) % window.stride == 0
            assert bytes(self.table.mem.u8[at : at + window.extent]) == value

    @invariant()
    def holds_what_the_model_holds(self) -> None:
        assert dict(self.table.entries()) == self.model
        assert len(self.table) == load_u64(self.table.mem, COUNT) == len(self.model)
        # Nodes come back: a thread alone never needs more than one beyond what it holds.
        assert load_u64(self.table.mem, FRESH) <= self.table.spec.max_entries + 1


TestHash = HashMachine.TestCase
TestHash.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


class ArrayMachine(RuleBasedStateMachine):
    """An array against a list."""

    @initialize(value_size=st.integers(1, 17), entries=st.integers(1, 9))
    def make(self, value_size: int, entries: int) -> None:
        self.table = ArrayMap(MapSpec("a", MapType.ARRAY, 4, value_size, entries))
        self.model = [bytes(value_size)] * entries

    @rule(n=st.one_of(KEYS, st.just(2**32 - 1)), value=st.binary(min_size=17, max_size=17), flags=FLAGS)
    def update(self, n: int, value: bytes, flags: int) -> None:
        value = value[: self.table.spec.value_size]
        result = self.table.update(Mem(n.to_bytes(4, "little")), 0, Mem(value), 0, flags)
        if flags > 2:
            assert result == -errno.EINVAL
        elif n >= len(self.model):
            assert result == -errno.E2BIG
        elif flags == 1:
            assert result == -errno.EEXIST
        else:
            assert result == 0
            self.model[n] = value

    @rule(n=KEYS)
    def lookup(self, n: int) -> None:
        at = self.table.lookup(Mem(n.to_bytes(4, "little")), 0)
        if n >= len(self.model):
            assert at == 0
        else:
            assert at % 8 == 0
            assert bytes(self.table.mem.u8[at : at + self.table.spec.value_size]) == self.model[n]

    @rule(n=KEYS)
    def delete(self, n: int) -> None:
        assert self.table.delete(Mem(n.to_bytes(4, "little")), 0) == -errno.EINVAL

    @invariant()
    def holds_what_the_model_holds(self) -> None:
        assert [value for _, value in self.table.entries()] == self.model


TestArray = ArrayMachine.TestCase
TestArray.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)


def test_a_full_hash_still_replaces() -> None:
    table = create_map(MapSpec("h", MapType.HASH, 4, 8, 2))
    assert isinstance(table, HashMap)
    for n in (1, 2):
        assert table.update(Mem(n.to_bytes(4, "little")), 0, Mem(bytes(8)), 0, 0) == 0
    assert table.update(Mem(b"\3\0\0\0"), 0, Mem(bytes(8)), 0, 0) == -errno.E2BIG
    assert table.update(Mem(b"\1\0\0\0"), 0, Mem(b"12345678"), 0, 0) == 0
    assert table.read(b"\1\0\0\0") == b"12345678"


def test_a_pointer_to_a_replaced_value_keeps_the_old_one() -> None:
    table = HashMap(MapSpec("h", MapType.HASH, 4, 8, 2))
    key = Mem(bytes(4))
    table.update(key, 0, Mem(b"old.old."), 0, 0)
    old = table.lookup(key, 0)
    table.update(key, 0, Mem(b"new.new."), 0, 0)
    assert bytes(table.mem.u8[old : old + 8]) == b"old.old."
    assert table.read(bytes(4)) == b"new.new."


def test_a_frozen_map_refuses_writes() -> None:
    for kind in (MapType.ARRAY, MapType.HASH):
        table = create_map(MapSpec("ro", kind, 4, 8, 1, data=b"12345678", frozen=True))
        assert isinstance(table, ArrayMap | HashMap)
        assert table.update(Mem(bytes(4)), 0, Mem(bytes(8)), 0, 0) == -errno.EPERM
        assert list(table.entries()) == [(bytes(4), b"12345678")]
    assert table.delete(Mem(bytes(4)), 0) == -errno.EPERM


@given(st.integers(0, 2**64 - 1))
@settings(max_examples=10, deadline=None)
def test_keys_spread_over_buckets(seed: int) -> None:
    for size, step in ((4, 1), (4, 1 << 20), (8, 1), (8, 1 << 48), (16, 1)):
        table = HashMap(MapSpec("h", MapType.HASH, size, 1, 512), seed=seed)
        keys = (Mem((n * step).to_bytes(size, "little")) for n in range(512))
        longest = max(Counter(hash_bucket(table.mem, table.g, key, 0) for key in keys).values())
        assert longest < 16, f"{longest} of 512 keys of {size} bytes, {step} apart, share a chain; at random 7 would"


def test_the_seed_moves_keys() -> None:
    key = Mem(b"seedless")
    tables = [HashMap(MapSpec("h", MapType.HASH, 8, 1, 4096), seed=n) for n in range(16)]
    places = {hash_bucket(table.mem, table.g, key, 0) for table in tables}
    assert len(places) > 8


@pytest.mark.parametrize("kind", [MapType.ARRAY, MapType.HASH])
def test_initial_data_is_the_value_of_key_0(kind: MapType) -> None:
    table = create_map(MapSpec("d", kind, 4, 6, 3, data=b"abc"))
    assert isinstance(table, ArrayMap | HashMap)
    at = table.lookup(Mem(bytes(4)), 0)
    assert bytes(table.mem.u8[at : at + 6]) == b"abc\0\0\0"
