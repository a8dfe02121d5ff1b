"""The process at the other end of a ring: `python -m tests.bench.native.consume FILE RING_BYTES [LIBRARY]`.

It takes records until the one that says it is the last, by the C consumer of `LIBRARY` or else by `RingReader`, and
prints how many came, in how many ns, and the median and the 99th percentile of their ages in ns. `ready` comes first.
"""

from __future__ import annotations

import ctypes
import sys
import threading
import time
from pathlib import Path
from statistics import quantiles
from typing import Final

from axiom_hw.bpf.layout import layout, u64
from axiom_hw.bpf.maps import RingBuf, RingReader
from axiom_hw.bpf.maps.mem import Mem
from axiom_hw.bpf.spec import MapSpec, MapType

LAST: Final = (1 << 64) - 1  # the value of the last record
PATIENCE_NS: Final = 10_000_000_000
_AGES: Final = 1 << 20


@layout(size=24)
class Record:
    """As in programs/events.bpf.c."""

    timestamp_ns: u64
    value: u64
    count: u64


def main(arguments: list[str]) -> int:
    mem, size = Mem.open(Path(arguments[0])), int(arguments[1])
    print("ready", flush=True)
    taken, took_ns, ages = in_c(mem, size, arguments[2]) if len(arguments) > 2 else in_python(mem, size)
    if taken < 0:
        print(f"no record came for {PATIENCE_NS // 10**9} s, and the last one didn't either", file=sys.stderr)
        return 1
    percent = quantiles(ages, n=100, method="inclusive") if len(ages) > 1 else [0.0] * 99
    print(taken, took_ns, round(percent[49]), round(percent[98]))
    return 0


def in_c(mem: Mem, size: int, library: str) -> tuple[int, int, list[int]]:
    """How many records, ns from the first to the last, their ages in ns."""
    consume = ctypes.CDLL(library).consume
    consume.restype = ctypes.c_int64
    ages, took_ns = (ctypes.c_uint32 * _AGES)(), ctypes.c_uint64()
    number = ctypes.c_uint64
    memory = (ctypes.c_uint8 * mem.size).from_buffer(mem.u8)
    taken = consume(memory, number(size), number(LAST), number(PATIENCE_NS), ages, number(_AGES), ctypes.byref(took_ns))
    return taken, took_ns.value, list(ages[: max(0, min(taken, _AGES))])


def in_python(mem: Mem, size: int) -> tuple[int, int, list[int]]:
    """The same by the reader that applications use, which looks every millisecond where nobody wakes it."""
    spec = MapSpec("records", MapType.RINGBUF, 0, 0, size)
    reader: RingReader[Record] = RingReader(RingBuf(spec, mem), Record, recheck_ns=1_000_000)
    patience = threading.Timer(PATIENCE_NS / 1e9, reader.close)
    patience.daemon = True
    patience.start()
    ages: list[int] = []
    first = 0
    for record in reader:  # until the reader is closed
        now = time.monotonic_ns()
        first = first or now
        if record.value == LAST:
            patience.cancel()
            return len(ages), now - first, ages
        ages.append(now - record.timestamp_ns)
    return -1, 0, ages


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
