"""What each helper of the helper table does: an implementation an id, for every row that isn't the hardware's.

An implementation takes the machine and the five argument registers, and returns r0, which may be a negative errno.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from axiom_hw.bpf.arithmetic import M64
from axiom_hw.bpf.engine.machine import Machine
from axiom_hw.bpf.engine.printf import render
from axiom_hw.bpf.helpers import BY_NAME, Helper

Implementation = Callable[[Machine, int, int, int, int, int], int]

FIRST_HARDWARE: Final = 1000
FORMAT_BYTES: Final = 1024  # of trace_printk: a longer format makes more text than is printed

_LOOKUP = BY_NAME["map_lookup_elem"]
_UPDATE = BY_NAME["map_update_elem"]
_DELETE = BY_NAME["map_delete_elem"]
_PRINTK = BY_NAME["trace_printk"]
_OUTPUT = BY_NAME["ringbuf_output"]
_RESERVE = BY_NAME["ringbuf_reserve"]
_SUBMIT = BY_NAME["ringbuf_submit"]
_DISCARD = BY_NAME["ringbuf_discard"]
_QUERY = BY_NAME["ringbuf_query"]


def _map_lookup_elem(m: Machine, a: int, b: int, c: int, d: int, e: int) -> int:
    bound = m.table(a, _LOOKUP)
    found = bound.table.lookup(*m.space.resolve(b, bound.key_size, write=False))
    return bound.base + found if found else 0


def _map_update_elem(m: Machine, a: int, b: int, c: int, d: int, e: int) -> int:
    bound = m.table(a, _UPDATE)
    key, at = m.space.resolve(b, bound.key_size, write=False)
    value, start = m.space.resolve(c, bound.value_size, write=False)
    return bound.table.update(key, at, value, start, d) if bound.writable else -errno.EPERM


def _map_delete_elem(m: Machine, a: int, b: int, c: int, d: int, e: int) -> int:
    bound = m.table(a, _DELETE)
    key, at = m.space.resolve(b, bound.key_size, write=False)
    return bound.table.delete(key, at) if bound.writable else -errno.EPERM


def _ktime_get_ns(m: Machine, a: int, b: int, c: int, d: int, e: int) -> int:
    return m.env.now_ns()


def _trace_printk(m: Machine, a: int, b: int, c: int, d: int, e: int) -> int:
    if b == 0:
        return -errno.EINVAL
    mem, at = m.space.resolve(a, b, write=False)
    if b > FORMAT_BYTES:
        return -errno.EINVAL
    text = render(bytes(mem.u8[at : at + b]), (c, d, e))
    if text is None:
        return -errno.EINVAL
    m.env.trace(text)
    return len(text)


def _get_prandom_u32(m: Machine, a: int, b: int, c: int, d: int, e: int) -> int:
    return m.env.random_u32()


def _get_smp_processor_id(m: Machine, a: int, b: int, c: int, d: int, e: int) -> int:
    return m.slot


def _ringbuf_output(m: Machine, a: int, b: int, c: int, d: int, e: int) -> int:
    ring = m.ring(a, _OUTPUT)
    mem, at = m.space.resolve(b, c, write=False) if c else (ring.mem, 0)
    return ring.output(mem, at, c, d)


def _ringbuf_reserve(m: Machine, a: int, b: int, c: int, d: int, e: int) -> int:
    ring = m.ring(a, _RESERVE)
    at = ring.reserve(b) if c == 0 else 0  # no flags are defined for it
    return m.hold_record(ring, at, b) if at else 0


def _ringbuf_submit(m: Machine, a: int, b: int, c: int, d: int, e: int) -> int:
    ring, at = m.release_record(a, _SUBMIT)
    ring.submit(at, b)
    return 0


def _ringbuf_discard(m: Machine, a: int, b: int, c: int, d: int, e: int) -> int:
    ring, at = m.release_record(a, _DISCARD)
    ring.discard(at, b)
    return 0


def _ringbuf_query(m: Machine, a: int, b: int, c: int, d: int, e: int) -> int:
    return m.ring(a, _QUERY).query(b)


IMPLEMENTED: Final[Mapping[int, Implementation]] = MappingProxyType({
    _LOOKUP.id: _map_lookup_elem,
    _UPDATE.id: _map_update_elem,
    _DELETE.id: _map_delete_elem,
    BY_NAME["ktime_get_ns"].id: _ktime_get_ns,
    _PRINTK.id: _trace_printk,
    BY_NAME["get_prandom_u32"].id: _get_prandom_u32,
    BY_NAME["get_smp_processor_id"].id: _get_smp_processor_id,
    _OUTPUT.id: _ringbuf_output,
    _RESERVE.id: _ringbuf_reserve,
    _SUBMIT.id: _ringbuf_submit,
    _DISCARD.id: _ringbuf_discard,
    _QUERY.id: _ringbuf_query,
})  # fmt: skip


def hardware_call(row: Helper, function: Callable[..., int]) -> Implementation:
    """A hardware helper bound to what the environment does for it."""
    count = len(row.args)

    def call(m: Machine, a: int, b: int, c: int, d: int, e: int) -> int:
        return function(*(a, b, c, d, e)[:count]) & M64

    return call
