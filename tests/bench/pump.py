"""ns an edge, from the kernel's queue to the end of its program: the native pump, and a Python loop that does the same.

The records lie in a socket that gives 1, 16 or 64 of them a read, as a line request does under load. Both run the same
native program, which counts in an array; Python calls it through its builtin. No guard, no executor on Python's side.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from axiom_hw.adapters import gpio_record as record
from axiom_hw.adapters.feed import Feed
from axiom_hw.bpf.asm import assemble_insns
from axiom_hw.bpf.engine.llvm.available import why_not
from axiom_hw.bpf.maps import ArrayMap, create_map
from axiom_hw.bpf.maps.mem import Mem
from axiom_hw.bpf.spec import MapSpec, MapType, ProgramSpec
from axiom_hw.bpf.verifier import verify
from axiom_hw.engines import Engine, Loaded, Loader
from axiom_hw.errors import BackendError
from axiom_hw.events import Edge, ctx_of
from axiom_hw.executor import Executor
from axiom_hw.hooks import Registry
from axiom_hw.keys import GpioKey
from axiom_hw.pump import Pump
from tests.bench.path import Alone
from tests.bench.rows import Row

LINE = 17
KEYS = tuple(GpioKey(0, LINE, edge) for edge in Edge)
BATCHES = (1, 16, 64)
ROUNDS = 9
PROGRAM = """
    *(u32 *)(r10 - 4) = 0
    r2 = r10
    r2 += -4
    r1 = map[0] ll
    call map_lookup_elem
    if r0 == 0 goto out
    r1 = 1
    lock *(u64 *)(r0 + 0) += r1
out:
    r0 = 0
    exit
"""
_RECORD = struct.Struct("<QIIII24x")
_CTX = struct.Struct("<QIIIIII")


@dataclass(frozen=True, slots=True)
class Queue:
    """As many reads of so many records as a socket takes; then its end."""

    fd: int
    events: int
    ours: socket.socket


def queue(batch: int, reads: int) -> Queue:
    theirs, ours = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    theirs.setblocking(False)
    sent = 0
    try:
        while sent < reads * batch:
            theirs.send(b"".join(_RECORD.pack(n, 1 + n % 2, LINE, n, n) for n in range(sent + 1, sent + batch + 1)))
            sent += batch
    except BlockingIOError:
        pass  # as much as it takes
    theirs.close()
    return Queue(ours.fileno(), sent, ours)


def program() -> tuple[Loaded, ArrayMap]:
    """The program as native code, and its map."""
    spec = MapSpec("count", MapType.ARRAY, 4, 8, 1)
    made = create_map(spec)
    assert isinstance(made, ArrayMap)
    verified = verify(ProgramSpec("count", assemble_insns(PROGRAM), (spec,), ctx=ctx_of("gpio/x")))
    loader = Loader(Engine.LLVM, 8, None, lambda loaded: None, lambda error: None)
    loaded = loader.load(verified, (made,), Alone())
    assert loader.settle()  # it is optimised then
    loader.close()
    return loaded, made


def pumped(loaded: Loaded) -> Callable[[Queue], int]:
    """ns until the native pump has handled a queue."""
    from axiom_hw.pump.native import compiled_loop

    enter = compiled_loop()

    def work(records: Queue) -> int:
        registry = Registry()
        registry.attach(loaded, *KEYS)
        states = Mem(bytearray(2 * record.LINE_BYTES))
        gone = BackendError("bench", "is over")
        feed = Feed(records.fd, states, (LINE,), KEYS, lambda: False, lambda number: gone)
        pump = Pump(registry, Executor(registry), [feed], enter)
        start_ns = time.perf_counter_ns()
        try:
            pump.run()
        except BackendError:
            return time.perf_counter_ns() - start_ns
        finally:
            pump.close()
        raise AssertionError("it ended without the end of the queue")

    return work


def looped(loaded: Loaded) -> Callable[[Queue], int]:
    """ns until a loop of Python has handled a queue: wait, read, unpack, count losses, pack, run."""
    run = loaded.run

    def work(records: Queue) -> int:
        poll = select.poll()
        poll.register(records.fd, select.POLLIN)
        seqno, lost = 0, 0
        start_ns = time.perf_counter_ns()
        while True:
            poll.poll()
            data = os.read(records.fd, 64 * _RECORD.size)
            if not data:
                return time.perf_counter_ns() - start_ns
            for timestamp_ns, edge, line, _, line_seqno in _RECORD.iter_unpack(data):
                gap = line_seqno - seqno - 1
                lost += gap
                seqno = line_seqno
                run(_CTX.pack(timestamp_ns, 0, line, edge, 2 - edge, seqno, gap), 0)

    return work


def run(reads: int = 1000) -> list[Row]:
    if why := why_not():
        print(f"  no native pump here: {why}")
        return []
    loaded, made = program()
    ways = (("the native pump", pumped(loaded)), ("a loop of Python", looped(loaded)))
    rows, events = [], 0
    for batch in BATCHES:
        times: dict[str, list[float]] = {name: [] for name, _ in ways}
        for _ in range(ROUNDS):
            for name, work in ways:
                records = queue(batch, reads)
                times[name].append(work(records) / records.events)
                events += records.events
                records.ours.close()
        ns = {name: median(cells) for name, cells in times.items()}
        for name, _ in ways:
            against = ("a loop of Python", ns[name] / ns["a loop of Python"])
            title = f"an edge by {name}, {batch} a read"
            rows.append(Row(title, ns[name], "ns", against[1], against[0]))
    counted = int.from_bytes(made.mem.u8[made.lookup(Mem(bytearray(8)), 0) :][:8], "little")
    assert counted == events, f"{events - counted} of {events} edges weren't counted"
    return rows
