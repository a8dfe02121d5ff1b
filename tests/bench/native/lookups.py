"""Lookups in a loop, ns each: in an array and in a hash map, ours against the kernel's of the same shapes."""

from __future__ import annotations

import struct
from typing import Final

from axiom_hw.bpf.maps import ArrayMap, HashMap, Map
from axiom_hw.bpf.maps.mem import Mem
from tests.bench.native import engine
from tests.bench.native.compute import KERNEL, OURS
from tests.bench.native.kernel import KernelProgram
from tests.bench.native.rounds import Contestant, ratio
from tests.bench.native.setup import SEED, Setup, inputs, program, proved
from tests.bench.native.table import Goal, Line, ns_line, ns_text

LOOKUPS: Final = 1000  # of one run
ENTRIES: Final = 1024
GOALS: Final = {"array": Goal(0.6), "hash": Goal(1.0)}
_MAPS: Final = {"array": "numbers", "hash": "counts"}
_MOST: Final = 1000


def run(setup: Setup) -> list[Line]:
    """Both kinds."""
    return [line for kind in GOALS for line in _compare(setup, kind)]


def _compare(setup: Setup, kind: str) -> list[Line]:
    name = f"{kind} lookup in a loop"
    entries = {struct.pack("<I", key): struct.pack("<Q", key * key) for key in range(ENTRIES)}
    contestants, results = [], []
    if not engine.why_not():
        verified = proved("lookups", f"{kind}_lookups")
        maps = engine.maps_of(verified)
        _fill(maps[_MAPS[kind]], entries)
        ours = engine.native(verified, maps)
        contexts = memoryview(inputs(_MOST))
        size = verified.spec.ctx.size
        contestants.append(Contestant(OURS, lambda times: ours.run_batch(contexts[: times * size]), _MOST))
        results.append(ours.run(bytes(contexts[:size])) & 0xFFFFFFFF)
    if not setup.kernel:
        there = KernelProgram(program("lookups", f"{kind}_lookups"), {_MAPS[kind]: entries})
        contestants.append(Contestant(KERNEL, lambda times: there.run_ns(SEED, times), _MOST, own_clock=True))
        results.append(there.run(SEED, 1)[0])
    if len(set(results)) > 1:
        raise AssertionError(f"{name} gives different results: {results}")
    samples = {sample.name: sample.each(LOOKUPS) for sample in setup.measure(contestants)}
    lines = [ns_line(samples[KERNEL], f"{name}: {KERNEL}")] if KERNEL in samples else []
    if OURS not in samples:
        return [*lines, Line(f"{name}: {OURS}", why_not=engine.why_not())]
    if not lines:
        return [ns_line(samples[OURS], f"{name}: {OURS}"), Line(f"{name}: {KERNEL}", why_not=setup.kernel)]
    mine = samples[OURS]
    compared = (ratio(mine, samples[KERNEL]), KERNEL, GOALS[kind])
    return [Line(f"{name}: {OURS}", ns_text(mine.ns), mine.spread, *compared), *lines]


def _fill(table: Map, entries: dict[bytes, bytes]) -> None:
    assert isinstance(table, ArrayMap | HashMap)
    for key, value in entries.items():
        assert table.update(Mem(key), 0, Mem(value), 0, 0) == 0
