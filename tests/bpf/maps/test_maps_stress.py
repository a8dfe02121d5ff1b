"""Four threads on one map while the interpreter switches between them as often as it can."""

from __future__ import annotations

import errno
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from axiom_hw.bpf.maps import HashMap, Mem, RingBuf
from axiom_hw.bpf.maps.hash import COUNT, FREE, FRESH, NODE_NEXT_FREE
from axiom_hw.bpf.maps.mem import load_u32, load_u64
from axiom_hw.bpf.spec import MapSpec, MapType

pytestmark = pytest.mark.usefixtures("hasty")


@pytest.fixture
def hasty() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def run_together(*work: Callable[[], None]) -> None:
    failures: list[BaseException] = []

    def guarded(job: Callable[[], None]) -> None:
        try:
            job()
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=guarded, args=(job,)) for job in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def word(n: int, size: int = 8) -> Mem:
    return Mem(n.to_bytes(size, "little"))


def nodes_in_free_list(table: HashMap) -> int:
    m, g, found = table.mem, table.g, 0
    number = load_u64(m, FREE) & 0xFFFFFFFF
    while number:
        found += 1
        assert found <= g.nodes
        number = load_u32(m, g.first_node + number * g.stride + NODE_NEXT_FREE)
    return found


def assert_nothing_leaked(table: HashMap) -> None:
    entries = dict(table.entries())
    assert load_u64(table.mem, COUNT) == len(entries)
    assert load_u64(table.mem, FRESH) == len(entries) + nodes_in_free_list(table)


def test_every_thread_keeps_its_own_keys() -> None:
    """Each thread owns keys n % 4 of few, crowded chains, and must find them as it left them."""
    table = HashMap(MapSpec("h", MapType.HASH, 8, 16, 24))

    def own(me: int) -> Callable[[], None]:
        def work() -> None:
            mine: dict[int, int] = {}
            for step in range(500):
                key = me + 4 * (step * 7 % 6)
                if key in mine and step % 3 == 0:
                    assert table.delete(word(key), 0) == 0
                    del mine[key]
                else:
                    value = word(step << 64 | step, 16)
                    assert table.update(word(key), 0, value, 0, 2 if key in mine else 1) == 0
                    mine[key] = step
                for known in range(me, 24, 4):
                    at = table.lookup(word(known), 0)
                    assert (at != 0) == (known in mine)
                    if at:
                        assert bytes(table.mem.u8[at : at + 8]) == mine[known].to_bytes(8, "little")
            for key in mine:
                assert table.delete(word(key), 0) == 0

        return work

    run_together(*(own(n) for n in range(4)))
    assert len(table) == 0
    assert_nothing_leaked(table)


def test_all_threads_on_the_same_keys() -> None:
    """Inserts and deletes of one key, counted by result, balance; a value is never half of two."""
    table = HashMap(MapSpec("h", MapType.HASH, 8, 16, 3))
    balance = [0] * 4
    allowed = {0, -errno.EEXIST, -errno.ENOENT, -errno.E2BIG}

    def churn(me: int) -> Callable[[], None]:
        def work() -> None:
            for step in range(700):
                key = word((step * 5 + me) % 4)
                number = me << 32 | step
                inserted = table.update(key, 0, word(number << 64 | number, 16), 0, 1)
                replaced = table.update(key, 0, word(number << 64 | number, 16), 0, 2)
                seen = table.read(bytes(key.u8))
                deleted = table.delete(key, 0)
                assert {inserted, replaced, deleted} <= allowed
                assert seen is None or seen[:8] == seen[8:]
                balance[me] += (inserted == 0) - (deleted == 0)

        return work

    run_together(*(churn(n) for n in range(4)))
    assert sum(balance) == len(dict(table.entries())) == len(table)
    assert_nothing_leaked(table)


def test_a_key_that_is_only_replaced_is_never_missing() -> None:
    table = HashMap(MapSpec("h", MapType.HASH, 8, 8, 4))
    table.update(word(1), 0, word(0), 0, 0)
    running = [True]

    def replace() -> None:
        for n in range(1200):
            assert table.update(word(1), 0, word(n), 0, 2) == 0

    def look() -> None:
        while running[0]:
            assert table.lookup(word(1), 0) != 0
            assert [key for key, _ in table.entries()] == [bytes(word(1).u8)]

    def replace_all() -> None:
        run_together(replace, replace)
        running[0] = False

    run_together(replace_all, look)
    assert_nothing_leaked(table)


def test_rings_keep_the_order_of_each_producer_and_lose_nothing_uncounted() -> None:
    ring = RingBuf(MapSpec("r", MapType.RINGBUF, 0, 0, 1024))
    rounds, producers = 1500, 3
    taken: list[tuple[int, int]] = []
    refused = [0] * producers
    done = [False] * producers
    submitted = [0] * producers

    def produce(me: int) -> Callable[[], None]:
        def work() -> None:
            for n in range(rounds):
                size = 8 + n % 40
                at = ring.reserve(size)
                if not at:
                    refused[me] += 1
                    continue
                ring.mem.u8[at : at + size] = (me << 32 | n).to_bytes(8, "little") + bytes([me + 1]) * (size - 8)
                (ring.discard if n % 10 == 9 else ring.submit)(at, 0)
                submitted[me] += n % 10 != 9
            done[me] = True

        return work

    def consume() -> None:
        while True:
            finished = all(done)
            record = ring.consume()
            if record is not None:
                number = int.from_bytes(record[:8], "little")
                taken.append((number >> 32, number & 0xFFFFFFFF))
                assert record[8:] == bytes([(number >> 32) + 1]) * (len(record) - 8)
            elif finished:
                return

    run_together(consume, *(produce(n) for n in range(producers)))
    assert ring.dropped == sum(refused)
    assert len(taken) == sum(submitted)
    for me in range(producers):
        mine = [n for who, n in taken if who == me]
        assert mine == sorted(set(mine))
    assert ring.query(0) == 0
