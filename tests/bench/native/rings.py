"""A ring whose consumer is another process: records a second at full speed, and how old they are when they arrive.

Two consumers: one in C, which waits by looking, to see what the ring can do; and `RingReader`, which applications use.
At full speed a record's age is the length of the queue, so ages are taken of records that come one every 50 us.
"""

from __future__ import annotations

import struct
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from axiom_hw.bpf.maps import RingBuf
from tests.bench.native import engine
from tests.bench.native.builds import HERE
from tests.bench.native.consume import LAST
from tests.bench.native.setup import EVENT_BYTES, Setup, proved
from tests.bench.native.table import Line, ns_text

ROOT: Final = HERE.parents[2]
BATCH: Final = 256
FULL_SPEED_NS: Final = 500_000_000
PACED_EVENTS: Final = 5_000
PACE_NS: Final = 50_000
_LAST_EVENT: Final = struct.pack("<QQ", 0, LAST)


@dataclass(frozen=True, slots=True)
class Stream:
    """What came out at the other end. `sent` counts events, `taken` records; ages in ns."""

    sent: int
    taken: int
    took_ns: int
    median_ns: int
    p99_ns: int


def run(setup: Setup) -> list[Line]:
    """Both consumers, each at full speed and paced."""
    if engine.why_not():
        return [Line("a ring between processes", why_not=engine.why_not())]
    lines: list[Line] = []
    library = _consumer(setup)
    ways = {"consumer in Python": ""}
    if library:
        ways = {"consumer in C": library, **ways}
    else:
        lines.append(Line("a ring to a consumer in C", why_not="no C compiler is installed"))
    short = setup.rounds < 10
    for name, consumer in ways.items():
        full = stream(setup.folder / f"{name}.full", consumer, for_ns=FULL_SPEED_NS // (10 if short else 1))
        rate = full.taken / full.took_ns * 1e9 if full.took_ns else 0.0
        dropped = 1 - full.taken / full.sent
        lines.append(Line(f"ring, {name}: records a second", f"{rate:,.0f}"))
        lines.append(Line(f"ring, {name}: dropped at full speed", f"{dropped:.1%}"))
        paced = stream(setup.folder / f"{name}.paced", consumer, events=PACED_EVENTS // (10 if short else 1))
        assert paced.sent == paced.taken, f"{paced.sent - paced.taken} of {paced.sent} records were lost"
        lines.append(Line(f"ring, {name}: median age", ns_text(paced.median_ns)))
        lines.append(Line(f"ring, {name}: 99 % are younger than", ns_text(paced.p99_ns)))
    return lines


def stream(path: Path, library: str, *, for_ns: int = 0, events: int = 0) -> Stream:
    """Send events to a process that takes the records: paced ones, or as many as it can in batches for `for_ns`."""
    verified = proved("events", "stream")
    maps = engine.maps_of(verified, {"records": path})
    native = engine.native(verified, maps)
    ring = maps["records"]
    assert isinstance(ring, RingBuf)
    command = [
        sys.executable,
        "-m",
        "tests.bench.native.consume",
        str(path),
        str(ring.g.size),
        *filter(None, [library]),
    ]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "ready\n", "the consumer didn't start"
        if for_ns:
            contexts = bytes(EVENT_BYTES * BATCH)
            sent, until = 0, time.monotonic_ns() + for_ns
            while time.monotonic_ns() < until:
                native.run_batch(contexts)
                sent += BATCH
        else:
            sent, due, run, now_ns = events, time.monotonic_ns(), native.run, time.monotonic_ns
            context = bytes(EVENT_BYTES)
            for _ in range(events):
                due += PACE_NS
                while now_ns() < due:
                    pass
                run(context)
        while native.run(_LAST_EVENT) != 0 and other.poll() is None:  # full: the consumer has to make room first
            time.sleep(0.001)
        answer = other.stdout.readline().split()
    assert len(answer) == 4, "the consumer gave up"
    return Stream(sent, *map(int, answer))


def _consumer(setup: Setup) -> str:
    if not setup.compilers:
        return ""
    target = setup.folder / "consumer.so"
    command = [setup.compilers[0].path, "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o", str(target)]
    subprocess.run([*command, str(HERE / "consumer.c")], check=True, capture_output=True)
    return str(target)
