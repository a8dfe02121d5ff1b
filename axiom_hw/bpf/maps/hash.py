"""Operations of hash maps, lock-free: chains of nodes that are spliced and marked by compare-and-swap.

The lists are those of M. M. Michael, "High Performance Dynamic Lock-Free Hash Tables and List-Based Sets" (SPAA 2002),
with the tags of its section 3.2 in place of hazard pointers: nodes are never given back to anyone but this map, and a
*link*, the word that leads to the next node, changes its tag with every change. A reader that went astray because a
node was deleted and used again sees a tag that isn't the one it came by, and starts again.

Two things differ. Chains aren't sorted: a key that is new is linked behind the last node, so two inserts of one key
meet at the same word. And the value of a key that exists is replaced as in Linux, whole and at once: a new node is
made, and the one swap that marks the old node also links the new one behind it, so no reader ever misses the key.

Results are those of Linux (kernel/bpf/hashtab.c).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from axiom_hw.bpf.layout import u64
from axiom_hw.bpf.maps.base import E2BIG, EEXIST, EINVAL, ENOENT, ENOMEM, EXIST, NOEXIST
from axiom_hw.bpf.maps.mem import (
    Mem,
    cas_u64,
    copy,
    equal,
    fetch_add_u64,
    get_u32,
    get_u64,
    load_u8,
    load_u32,
    load_u64,
    store_u32,
    store_u64,
)

# In the header, not in the geometry: maps of one declaration have the same compiled code.
SEED: Final = 48

# Words of the map, behind the header.
COUNT: Final = 64  # entries, and inserts under way
FRESH: Final = 72  # nodes that were ever in use: the rest, in order, never was
REFUSED: Final = 80  # updates that found no room
FREE: Final = 128  # tag << 32 | number of the first node of those given back
BUCKETS: Final = 192

# A node: its link, the number of the next free node, then key and value.
NODE_NEXT_FREE: Final = 8
NODE_KEY: Final = 16

# A link: tag << 32 | number of the next node << 1 | mark. Nodes count from 1. A marked node is deleted.
MARK: Final = 1
NUMBER: Final = 0x7FFFFFFF
TAG_ONE: Final = 1 << 32
TAG_MASK: Final = 0xFFFFFFFF00000000
LOW_MASK: Final = 0xFFFFFFFF

# Odd numbers with evenly spread bits: 2**64 over the golden ratio, and the first one of murmur3's 64-bit finaliser.
_GOLDEN: Final = 0x9E3779B97F4A7C15
_FINISH: Final = 0xFF51AFD7ED558CCD
_MASK: Final = 0xFFFFFFFFFFFFFFFF


@dataclass(frozen=True, slots=True)
class HashGeometry:
    """Compile-time constants of one hash map's operations; sizes and offsets in bytes."""

    key_size: int
    value_size: int
    max_entries: int
    bucket_mask: int
    first_node: int  # the offset that node number 0 would have
    nodes: int
    stride: int
    value_at: int  # in a node
    total_bytes: int


def hash_bucket(m: Mem, g: HashGeometry, key: Mem, key_off: int) -> int:
    """The offset of the link that the chain of a key begins with."""
    h: u64 = load_u64(m, SEED) ^ g.key_size
    at = key_off
    left = g.key_size
    while left >= 8:
        h = ((h ^ get_u64(key, at)) * _GOLDEN) & _MASK
        h ^= h >> 32
        at += 8
        left -= 8
    if left >= 4:
        h = ((h ^ get_u32(key, at)) * _GOLDEN) & _MASK
        h ^= h >> 32
        at += 4
        left -= 4
    while left > 0:
        h = ((h ^ load_u8(key, at)) * _GOLDEN) & _MASK
        h ^= h >> 32
        at += 1
        left -= 1
    h = (h * _FINISH) & _MASK
    return BUCKETS + ((h ^ (h >> 35)) & g.bucket_mask) * 8


def hash_lookup(m: Mem, g: HashGeometry, key: Mem, key_off: int) -> int:
    """The offset of a key's value, or 0."""
    bucket = hash_bucket(m, g, key, key_off)
    prev = bucket
    word = load_u64(m, prev)
    while word & LOW_MASK:
        node = g.first_node + ((word >> 1) & NUMBER) * g.stride
        link = load_u64(m, node)
        same = equal(m, node + NODE_KEY, key, key_off, g.key_size)
        if load_u64(m, prev) != word:  # what we read may belong to another chain by now
            prev = bucket
            word = load_u64(m, prev)
        elif link & MARK:
            unlink(m, g, prev, word, node, link)
            prev = bucket
            word = load_u64(m, prev)
        elif same:
            return node + g.value_at
        else:
            prev = node
            word = link
    return 0


def hash_update(m: Mem, g: HashGeometry, key: Mem, key_off: int, value: Mem, value_off: int, flags: u64) -> int:
    """Insert or replace. 0, or EINVAL (unknown flags), EEXIST, ENOENT (the flags forbid it), E2BIG (full), ENOMEM."""
    if flags > EXIST:
        return EINVAL
    bucket = hash_bucket(m, g, key, key_off)
    mine = 0  # our node, once we have one
    counted = 0  # whether we hold one of the max_entries places
    result = 1
    prev = bucket
    word = load_u64(m, prev)
    while result > 0:
        if word & LOW_MASK == 0:  # the end of the chain: the key is new
            if flags == EXIST:
                result = ENOENT
            elif counted == 0 and not count_up(m, g):
                result = E2BIG
            else:
                counted = 1
                if mine == 0:
                    mine = make_node(m, g, key, key_off, value, value_off)
                if mine == 0:
                    result = ENOMEM
                else:
                    store_u64(m, mine, next_link(load_u64(m, mine), 0))
                    if cas_u64(m, prev, word, next_link(word, link_to(g, mine))):
                        return 0
                    prev = bucket
                    word = load_u64(m, prev)
        else:
            node = g.first_node + ((word >> 1) & NUMBER) * g.stride
            link = load_u64(m, node)
            same = equal(m, node + NODE_KEY, key, key_off, g.key_size)
            if load_u64(m, prev) != word:
                prev = bucket
                word = load_u64(m, prev)
            elif link & MARK:
                unlink(m, g, prev, word, node, link)
                prev = bucket
                word = load_u64(m, prev)
            elif not same:
                prev = node
                word = link
            elif flags == NOEXIST:
                result = EEXIST
            else:
                if mine == 0:
                    mine = make_node(m, g, key, key_off, value, value_off)
                if mine == 0:
                    result = ENOMEM
                else:
                    # Ours goes between the old node and what follows it, and the old one is gone, in one swap.
                    store_u64(m, mine, next_link(load_u64(m, mine), link & LOW_MASK))
                    gone = next_link(link, link_to(g, mine) | MARK)
                    if cas_u64(m, node, link, gone):
                        if not unlink(m, g, prev, word, node, gone):
                            hash_lookup(m, g, key, key_off)  # which takes out what is marked on its way
                        mine = 0
                        result = 0
                    else:
                        prev = bucket
                        word = load_u64(m, prev)
    if mine != 0:
        give_node(m, g, mine)
    if counted != 0:
        fetch_add_u64(m, COUNT, -1)
    if result in (E2BIG, ENOMEM):
        fetch_add_u64(m, REFUSED, 1)
    return result


def hash_delete(m: Mem, g: HashGeometry, key: Mem, key_off: int) -> int:
    """Remove a key. 0, or ENOENT."""
    bucket = hash_bucket(m, g, key, key_off)
    prev = bucket
    word = load_u64(m, prev)
    while word & LOW_MASK:
        node = g.first_node + ((word >> 1) & NUMBER) * g.stride
        link = load_u64(m, node)
        same = equal(m, node + NODE_KEY, key, key_off, g.key_size)
        if load_u64(m, prev) != word:
            prev = bucket
            word = load_u64(m, prev)
        elif link & MARK:
            unlink(m, g, prev, word, node, link)
            prev = bucket
            word = load_u64(m, prev)
        elif not same:
            prev = node
            word = link
        else:
            gone = next_link(link, (link & LOW_MASK) | MARK)
            if cas_u64(m, node, link, gone):
                if not unlink(m, g, prev, word, node, gone):
                    hash_lookup(m, g, key, key_off)  # which takes out what is marked on its way
                fetch_add_u64(m, COUNT, -1)
                return 0
            prev = bucket
            word = load_u64(m, prev)
    return ENOENT


def next_link(word: u64, low: u64) -> u64:
    """A link to take the place of `word`: its tag plus one, and the lower half `low`."""
    return ((word + TAG_ONE) & TAG_MASK) | low


def link_to(g: HashGeometry, node: u64) -> int:
    """The lower half of an unmarked link to the node at an offset."""
    return ((node - g.first_node) // g.stride) << 1


def unlink(m: Mem, g: HashGeometry, prev: int, word: u64, node: u64, link: u64) -> bool:
    """Take a marked node out of its chain and give it back, unless the link before it changed. Whether we did."""
    if cas_u64(m, prev, word, next_link(word, link & LOW_MASK & ~MARK)):
        give_node(m, g, node)
        return True
    return False


def count_up(m: Mem, g: HashGeometry) -> bool:
    """Take one of the `max_entries` places. Whether there was one."""
    while True:
        count = load_u64(m, COUNT)
        if count >= g.max_entries:
            return False
        if cas_u64(m, COUNT, count, count + 1):
            return True


def make_node(m: Mem, g: HashGeometry, key: Mem, key_off: int, value: Mem, value_off: int) -> int:
    """The offset of a node of our own with this key and value, or 0 where all are in use."""
    node = take_node(m, g)
    if node != 0:
        copy(m, node + NODE_KEY, key, key_off, g.key_size)
        copy(m, node + g.value_at, value, value_off, g.value_size)
    return node


def take_node(m: Mem, g: HashGeometry) -> int:
    """The offset of a node that nobody uses, or 0."""
    while True:
        free = load_u64(m, FREE)
        number = free & LOW_MASK
        if number != 0:
            node = g.first_node + number * g.stride
            # The node may be taken, and its next_free overwritten, before we swap: then the tag has changed.
            if cas_u64(m, FREE, free, ((free + TAG_ONE) & TAG_MASK) | load_u32(m, node + NODE_NEXT_FREE)):
                return node
        else:
            fresh = load_u64(m, FRESH)
            if fresh < g.nodes:
                if cas_u64(m, FRESH, fresh, fresh + 1):
                    return g.first_node + (fresh + 1) * g.stride
            elif load_u64(m, FREE) == free:
                return 0


def give_node(m: Mem, g: HashGeometry, node: u64) -> None:
    """Give a node back. Its link keeps its tag, for those who still look at it."""
    number = (node - g.first_node) // g.stride
    while True:
        free = load_u64(m, FREE)
        store_u32(m, node + NODE_NEXT_FREE, free & LOW_MASK)
        if cas_u64(m, FREE, free, ((free + TAG_ONE) & TAG_MASK) | number):
            return
