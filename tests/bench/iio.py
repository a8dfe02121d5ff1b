"""ns a sample, from a sensor's stream to the record of a ring: the native pump, numpy on the same bytes, a Python loop.

The stream is a file of scans as an MPU-6050 gives them: three big-endian axes and a time stamp. All three ways read 64
scans at once, as from /dev/iio:deviceN, make millionths of m/s2 of each axis, keep the samples in a range, and look for
gaps in the time stamps. The pump runs a program on each sample, or one on each scan; numpy runs none, and is also shown
with as many scans a read as nobody waits for.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Callable
from fractions import Fraction
from statistics import median

from axiom_hw.adapters import iio_record as record
from axiom_hw.adapters.feed import Feed
from axiom_hw.adapters.iio_state import make_state
from axiom_hw.backends.iio import unit_of
from axiom_hw.backends.scan_format import ElementType, lay_out
from axiom_hw.bpf.asm import assemble_insns
from axiom_hw.bpf.engine.llvm.available import why_not
from axiom_hw.bpf.maps import RingBuf, RingReader, create_map
from axiom_hw.bpf.maps.mem import load_u64
from axiom_hw.bpf.spec import MapSpec, MapType, ProgramSpec
from axiom_hw.bpf.verifier import verify
from axiom_hw.engines import Engine, Loaded, Loader
from axiom_hw.errors import BackendError
from axiom_hw.events import ctx_of
from axiom_hw.executor import Executor
from axiom_hw.hooks import Registry
from axiom_hw.keys import HookKey, IioKey, ScanKey
from axiom_hw.pump import Pump
from tests.bench.path import Alone
from tests.bench.rows import Row

AXES = 3
BATCH = 64  # scans a read
ROUNDS = 9
NUMPY = f"numpy, {BATCH} scans a read"
SCALE = 598  # millionths of m/s2 a step
LOW, HIGH = 0, 499 * SCALE  # one sample of eight
PERIOD_NS = 1_000_000
SCAN = struct.Struct(">hhh2xQ")  # the kernel's time stamp is in the machine's order; see `stream`
FORMAT = lay_out([ElementType(True, True, 16, 2)] * AXES, ElementType(False, True, 64, 8))
RING_BYTES = 1 << 22

ONE = f"""
    r6 = r1
    r1 = *(u64 *)(r6 + {record.IIO_MICRO})
    if r1 s< {LOW} goto out
    if r1 s> {HIGH} goto out
    r2 = r6
    r3 = {record.IIO_BYTES}
    r1 = map[0] ll
    r4 = 0
    call ringbuf_output
out:
    r0 = 0
    exit
"""
ALL = (
    "r6 = r1\n"
    + "".join(
        f"""
    r1 = *(u64 *)(r6 + {record.SCAN_MICROS + 8 * axis})
    if r1 s< {LOW} goto next{axis}
    if r1 s> {HIGH} goto next{axis}
    r2 = r6
    r2 += {record.SCAN_MICROS + 8 * axis}
    r3 = 8
    r1 = map[0] ll
    r4 = 0
    call ringbuf_output
next{axis}:
"""
        for axis in range(AXES)
    )
    + "r0 = 0\nexit\n"
)


def stream(scans: int) -> int:
    """A file of so many scans."""
    fd = os.memfd_create("scans")
    little = struct.Struct("<Q")
    for first in range(0, scans, 1000):
        os.write(fd, b"".join(
            SCAN.pack(*(((7 * n + 997 * axis) % 4000) - 2000 for axis in range(AXES)), 0)[:8]
            + little.pack((n + 1) * PERIOD_NS)
            for n in range(first, min(first + 1000, scans))
        ))  # fmt: skip
    return fd


def program(text: str, hook: str) -> tuple[Loaded, RingBuf]:
    """The filter as native code, and its ring."""
    spec = MapSpec("kept", MapType.RINGBUF, 0, 0, RING_BYTES)
    made = create_map(spec)
    assert isinstance(made, RingBuf)
    verified = verify(ProgramSpec("filter", assemble_insns(text), (spec,), ctx=ctx_of(hook)))
    loader = Loader(Engine.LLVM, 8, None, lambda loaded: None, lambda error: None)
    return loader.load(verified, (made,), Alone()), made


def pumped(text: str, *, one_event: bool) -> Callable[[int], tuple[int, int]]:
    """ns until the native pump has handled a stream, and how many samples it kept."""
    from axiom_hw.pump.native import compiled_loop

    enter = compiled_loop()
    loaded, ring = program(text, "scan/x" if one_event else "iio/x")
    keys: tuple[HookKey, ...] = (ScanKey(0),) if one_event else tuple(IioKey(0, axis) for axis in range(AXES))
    unit = unit_of(Fraction(SCALE, 1_000_000), Fraction(0))
    reader = RingReader(ring, bytes)

    def work(fd: int) -> tuple[int, int]:
        registry = Registry()
        registry.attach(loaded, *keys)
        state = make_state(0, FORMAT, [unit] * AXES, PERIOD_NS, one_event=one_event)
        gone = BackendError("bench", "is over")
        size = record.SCAN_BYTES if one_event else record.IIO_BYTES
        feed = Feed(fd, state, (), keys, lambda: False, lambda number: gone, True, FORMAT.size, size)
        pump = Pump(registry, Executor(registry), [feed], enter)
        start_ns = time.perf_counter_ns()
        try:
            pump.run()
        except BackendError:
            took_ns = time.perf_counter_ns() - start_ns
        finally:
            pump.close()
        assert load_u64(state, record.LOST) == 0
        return took_ns, len(reader.consume())

    return work


def looped(fd: int) -> tuple[int, int]:
    """As `pumped`, by a loop of Python."""
    kept, before, lost = [], 0, 0
    unpack = struct.Struct(">hhh2x8s").iter_unpack
    start_ns = time.perf_counter_ns()
    while data := os.read(fd, BATCH * FORMAT.size):
        for x, y, z, stamp in unpack(data):
            time_ns = int.from_bytes(stamp, "little")
            if before and 2 * (time_ns - before) > 3 * PERIOD_NS:
                lost += round((time_ns - before) / PERIOD_NS) - 1
            before = time_ns
            for axis, raw in enumerate((x, y, z)):
                micro = raw * SCALE
                if LOW <= micro <= HIGH:
                    kept.append((time_ns, axis, raw, micro))
    return time.perf_counter_ns() - start_ns, len(kept)


def vectorised(batch: int) -> Callable[[int], tuple[int, int]] | None:
    """As `pumped`, by numpy, so many scans at once; None without it."""
    try:
        import numpy
    except ImportError:
        return None
    kind = numpy.dtype([("axes", ">i2", AXES), ("pad", "V2"), ("time", "<i8")])

    def work(fd: int) -> tuple[int, int]:
        kept, before, lost = [], 0, 0
        start_ns = time.perf_counter_ns()
        while data := os.read(fd, batch * FORMAT.size):
            scans = numpy.frombuffer(data, kind)
            gaps = numpy.diff(scans["time"], prepend=before or scans["time"][0])
            if (late := 2 * gaps > 3 * PERIOD_NS).any():
                lost += int((numpy.rint(gaps[late] / PERIOD_NS) - 1).sum())
            before = scans["time"][-1]
            micro = scans["axes"].astype(numpy.int64) * SCALE
            wanted = (micro >= LOW) & (micro <= HIGH)
            kept.append((scans["time"][wanted.any(axis=1)], micro[wanted]))
        return time.perf_counter_ns() - start_ns, sum(len(values) for _, values in kept)

    return work


def run(scans: int = 60_000) -> list[Row]:
    if why := why_not():
        print(f"  no native pump here: {why}")
        return []
    ways: dict[str, Callable[[int], tuple[int, int]]] = {
        "the native pump, a program a sample": pumped(ONE, one_event=False),
        "the native pump, a program a scan": pumped(ALL, one_event=True),
        "a loop of Python": looped,
    }
    for batch, name in ((BATCH, NUMPY), (64 * BATCH, f"numpy, {64 * BATCH} scans a read")):
        if (by_numpy := vectorised(batch)) is not None:
            ways[name] = by_numpy
    fd = stream(scans)
    times: dict[str, list[float]] = {name: [] for name in ways}
    kept = set()
    for _ in range(ROUNDS):
        for name, work in ways.items():
            os.lseek(fd, 0, os.SEEK_SET)
            took_ns, count = work(fd)
            kept.add(count)
            times[name].append(took_ns / (AXES * scans))
    os.close(fd)
    assert len(kept) == 1, f"they kept {kept} samples"
    ns = {name: median(cells) for name, cells in times.items()}
    rows = []
    for name, each_ns in ns.items():
        for against in ("a loop of Python", NUMPY):
            if against in ns and name != against:
                rows.append(Row(f"samples by {name}", 1e9 / each_ns, "a second", ns[against] / each_ns, against))
    return rows
