"""Every order of steps gives results that some order of whole operations gives (linearizability), and leaks nothing."""

from __future__ import annotations

import errno
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from interleave import Steps, run, stepwise

from axiom_hw.bpf.maps import HashMap, Mem, RingBuf, hash, ring
from axiom_hw.bpf.maps.hash import COUNT, FREE, FRESH, NODE_NEXT_FREE
from axiom_hw.bpf.maps.mem import load_u32, load_u64
from axiom_hw.bpf.spec import MapSpec, MapType

HASH, RING = stepwise(hash), stepwise(ring)
SEEDS = 1500


@dataclass
class Done:
    """An operation that ran: what was asked, what came out, and when it began and ended."""

    verb: str
    key: int
    value: int
    flags: int
    result: int
    began: int
    ended: int


def expected(op: Done, state: dict[int, int], limit: int) -> tuple[int, dict[int, int]]:
    """What the operation gives on a dict, and the dict after it."""
    after = dict(state)
    if op.verb == "lookup":
        return state.get(op.key, 0), after
    if op.verb == "delete":
        return (-errno.ENOENT if after.pop(op.key, None) is None else 0), after
    if op.flags == 1 and op.key in state:
        return -errno.EEXIST, after
    if op.flags == 2 and op.key not in state:
        return -errno.ENOENT, after
    if op.key not in state and len(state) == limit:
        return -errno.E2BIG, after
    after[op.key] = op.value
    return 0, after


def linearizes(todo: list[Done], state: dict[int, int], final: dict[int, int], limit: int) -> bool:
    """Whether the operations, each at some moment between its begin and end, explain the results and the end."""
    if not todo:
        return state == final
    soonest = min(op.ended for op in todo)
    for op in todo:
        if op.began <= soonest:  # nothing that is left ended before it began
            result, after = expected(op, state, limit)
            if result == op.result and linearizes([o for o in todo if o is not op], after, final, limit):
                return True
    return False


def nodes_in_free_list(table: HashMap) -> int:
    m, g, found = table.mem, table.g, 0
    number = load_u64(m, FREE) & 0xFFFFFFFF
    while number:
        found += 1
        assert found <= g.nodes
        number = load_u32(m, g.first_node + number * g.stride + NODE_NEXT_FREE)
    return found


def one_thread(table: HashMap, plan: list[tuple[str, int, int, int]], log: list[Done], clock: Iterator[int]) -> Steps:
    m, g = table.mem, table.g
    for verb, number, value, flags in plan:
        key, began = Mem(number.to_bytes(8, "little")), next(clock)
        if verb == "update":
            result = yield from HASH["hash_update"](m, g, key, 0, Mem(value.to_bytes(8, "little")), 0, flags)
        elif verb == "delete":
            result = yield from HASH["hash_delete"](m, g, key, 0)
        else:
            at = yield from HASH["hash_lookup"](m, g, key, 0)
            result = m.u64[at >> 3] if at else 0  # in the same step as the lookup's last look
        log.append(Done(verb, number, value, flags, result, began, next(clock)))


@pytest.mark.parametrize(
    ("threads", "length", "keys", "limit"), [(3, 2, 2, 16), (2, 5, 3, 16), (4, 2, 1, 16), (3, 3, 3, 16)]
)
def test_hash_operations_are_linearizable(threads: int, length: int, keys: int, limit: int) -> None:
    for seed in range(SEEDS // 4):
        choice = random.Random(seed)
        table = HashMap(MapSpec("h", MapType.HASH, 8, 8, limit), seed=seed)
        table.g = replace(table.g, bucket_mask=0)  # all keys in one chain
        clock, log = iter(range(10**9)), []
        # One thread before all others leaves a few entries, and a few nodes that were used before.
        start = [("update", n, 1000 + n, 0) for n in range(5)]
        start += [("delete", n, 0, 0) for n in range(5) if n >= keys or choice.random() < 0.5]
        run([one_thread(table, start, log, clock)], 0)
        plans = [
            [
                (choice.choice(("update", "update", "delete", "lookup")), choice.randrange(keys),
                 1 + 10 * me + n, choice.choice((0, 0, 1, 2)))
                for n in range(length)
            ]
            for me in range(threads)
        ]  # fmt: skip
        run([one_thread(table, plan, log, clock) for plan in plans], seed)
        final = {int.from_bytes(k, "little"): int.from_bytes(v, "little") for k, v in table.entries()}
        assert linearizes(log, {}, final, limit), f"seed {seed}: no order of whole operations explains {log}"
        assert load_u64(table.mem, COUNT) == len(final), f"seed {seed}"
        assert load_u64(table.mem, FRESH) == len(final) + nodes_in_free_list(table), f"seed {seed}: a node leaked"


def test_a_full_hash_refuses_only_what_it_may() -> None:
    """Different keys, twice as many as fit: exactly max_entries inserts succeed, whatever the order."""
    for seed in range(300):
        table = HashMap(MapSpec("h", MapType.HASH, 8, 8, 3), seed=seed)
        log: list[Done] = []
        clock = iter(range(10**9))
        run([one_thread(table, [("update", n, n, 1)], log, clock) for n in range(6)], seed)
        assert sorted(op.result for op in log) == [-errno.E2BIG] * 3 + [0] * 3
        assert len(dict(table.entries())) == 3


def test_operations_that_stopped_half_way_hold_nobody_up() -> None:
    """Threads die after any number of steps; the others go on, and the map is still a map."""
    for seed in range(SEEDS // 3):
        choice = random.Random(seed)
        table = HashMap(MapSpec("h", MapType.HASH, 8, 8, 64), seed=seed)
        log: list[Done] = []
        clock = iter(range(10**9))
        run([one_thread(table, [("update", n, n, 0) for n in range(3)], log, clock)], 0)
        dying = one_thread(table, [(choice.choice(("update", "delete")), n, 99, 0) for n in (0, 1, 2)], [], clock)
        for _ in range(choice.randrange(60)):
            next(dying, None)
        run([one_thread(table, [("delete", n, 0, 0), ("update", n, 7, 0), ("lookup", n, 0, 0)], log, clock)
             for n in range(3)], seed)  # fmt: skip
        assert [op.result for op in log if op.verb == "lookup"] == [7, 7, 7]
        assert load_u64(table.mem, COUNT) <= 4, "it leaks one place at most"


def producer(r: RingBuf, me: int, sizes: list[int], sent: list[bytes], kept: list[bool]) -> Steps:
    for n, (size, keep) in enumerate(zip(sizes, kept, strict=True)):
        at = yield from RING["ring_reserve"](r.mem, r.g, size)
        if at:
            data = (bytes([me, n + 1]) * 40)[:size]
            r.mem.u8[at : at + size] = data
            yield from RING["ring_submit" if keep else "ring_discard"](r.mem, at)
            if keep:
                sent.append(data)


def consumer(r: RingBuf, rounds: int, got: list[bytes]) -> Steps:
    room = Mem(bytearray(128))
    for _ in range(rounds):
        size = yield from RING["ring_read"](r.mem, r.g, room, 0, 128)
        if size >= 0:
            got.append(bytes(room.u8[:size]))


def test_rings_lose_nothing_and_keep_each_producers_order() -> None:
    for seed in range(SEEDS):
        choice = random.Random(seed)
        r = RingBuf(MapSpec("r", MapType.RINGBUF, 0, 0, 64))
        got: list[bytes] = []
        sent: list[list[bytes]] = [[], [], []]
        plans = [[choice.choice((2, 8, 9, 20, 30)) for _ in range(4)] for _ in sent]
        kept = [[choice.random() < 0.8 for _ in plan] for plan in plans]
        producers = [producer(r, me, plans[me], sent[me], kept[me]) for me in range(3)]
        run([*producers, consumer(r, 12, got)], seed)
        while (record := r.consume()) is not None:
            got.append(record)
        for me in range(3):
            assert [record for record in got if record[0] == me] == sent[me], f"seed {seed}"
        assert r.query(0) == 0, f"seed {seed}"
        assert not any(r.mem.u8[512:]), f"seed {seed}: free room isn't zero"


def test_a_record_is_refused_only_if_the_ring_was_full_meanwhile() -> None:
    refusals = 0
    for seed in range(400):
        r = RingBuf(MapSpec("r", MapType.RINGBUF, 0, 0, 64))
        unread = [0]

        def eager(r: RingBuf = r, unread: list[int] = unread) -> Steps:
            nonlocal refusals
            for n in range(8):
                size, since = 8 * (n % 4), len(unread) - 1
                at = yield from RING["ring_reserve"](r.mem, r.g, size)
                if at:
                    yield from RING["ring_submit"](r.mem, at)
                else:
                    refusals += 1
                    assert max(unread[since:]) + size + 8 > 63, "it never was full"

        def watch(r: RingBuf = r, unread: list[int] = unread) -> None:
            unread.append(r.query(0))

        run([eager(), eager(), consumer(r, 20, [])], seed, watch)
    assert refusals > 100
