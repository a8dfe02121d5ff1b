"""An event from Python: through the builtin that the engine makes, alone and in batches, against an empty ctypes call.

The program loads its context, looks an array up, counts, builds a record and sends it through a ring.
"""

from __future__ import annotations

import ctypes
import itertools
import struct
import subprocess
from collections.abc import Callable
from typing import Final

from axiom_hw.bpf.engine.interp import Interpreter
from axiom_hw.bpf.maps import Map, RingBuf
from axiom_hw.bpf.maps.mem import load_u64, store_u64, zero
from axiom_hw.bpf.maps.ring import CONSUMER, DATA, PRODUCER
from tests.bench.native import engine
from tests.bench.native.compute import OURS
from tests.bench.native.rounds import Contestant, Sample, ratio
from tests.bench.native.setup import EVENT_BYTES, Setup, proved
from tests.bench.native.table import Goal, Line, ns_line, ns_text

BATCH: Final = 4096
EMPTY_TURN: Final = "a turn of the loop that calls"
EMPTY_CALL: Final = "an empty ctypes call"
SINGLE: Final = Goal(0.25)
BATCHED: Final = Goal(0.06)
_ROOM: Final = 7 * BATCH  # events that the ring holds: what a round may send before it is emptied
_EVENT: Final = struct.pack("<QQ", 1_234_567_890, 42)


def run(setup: Setup) -> list[Line]:
    """The empty call; the interpreter, single events and batches against it."""
    contestants = [Contestant(EMPTY_TURN, _turns)]
    empty = _empty_call(setup)
    if empty is not None:
        contestants.append(Contestant(EMPTY_CALL, _calls(empty)))
    verified = proved("events", "count_event")
    maps = engine.maps_of(verified)
    interpreter = Interpreter(verified, list(maps.values()), engine.Outside())
    contestants.append(
        Contestant("interpreter, one event", _runs(interpreter.run), _ROOM, lambda: drain(maps["records"]))
    )
    if not engine.why_not():
        native = engine.native(verified, maps)
        contexts = memoryview(_EVENT * _ROOM)
        run_batch = native.run_batch  # the first time, this compiles atomics for all of the process

        def batches(events: int) -> None:
            for first in range(0, events, BATCH):
                run_batch(contexts[first * EVENT_BYTES : min(first + BATCH, events) * EVENT_BYTES])

        emptied = lambda: drain(maps["records"])  # noqa: E731
        contestants.append(Contestant(f"{OURS}, one event", _runs(native.run), _ROOM, emptied))
        contestants.append(Contestant(f"{OURS}, of a batch of {BATCH}", batches, _ROOM, emptied))
    samples = setup.measure(contestants)
    ring = maps["records"]
    assert isinstance(ring, RingBuf)
    assert ring.dropped == 0, f"the ring dropped {ring.dropped} records"
    lines = judged(samples)
    if empty is None:
        lines.append(Line(EMPTY_CALL, why_not="no C compiler is installed"))
    if engine.why_not():
        lines.append(Line(OURS, why_not=engine.why_not()))
    return lines


def judged(samples: list[Sample]) -> list[Line]:
    """Each sample against the empty call, where that was measured; the loop that calls is taken off both."""
    turn = next(sample for sample in samples if sample.name == EMPTY_TURN)
    calls = [sample if "batch" in sample.name else sample.less(turn) for sample in samples if sample is not turn]
    against = next((sample for sample in calls if sample.name == EMPTY_CALL), None)
    lines = [ns_line(turn)]
    for sample in calls:
        if against is None or sample is against:
            lines.append(ns_line(sample))
            continue
        goal = None if not sample.name.startswith(OURS) else BATCHED if "batch" in sample.name else SINGLE
        lines.append(Line(sample.name, ns_text(sample.ns), sample.spread, ratio(sample, against), EMPTY_CALL, goal))
    return lines


def drain(ring: Map) -> None:
    """Empty a ring at once, as a consumer would leave it."""
    assert isinstance(ring, RingBuf)
    zero(ring.mem, DATA, 2 * ring.g.size)
    store_u64(ring.mem, CONSUMER, load_u64(ring.mem, PRODUCER))


def _turns(turns: int) -> None:
    for _ in itertools.repeat(None, turns):
        pass


def _runs(run: Callable[[bytes], object]) -> Callable[[int], None]:
    def work(events: int) -> None:
        for _ in itertools.repeat(None, events):
            run(_EVENT)

    return work


def _calls(function: Callable[[], object]) -> Callable[[int], None]:
    def work(calls: int) -> None:
        for _ in itertools.repeat(None, calls):
            function()

    return work


def _empty_call(setup: Setup) -> Callable[[], object] | None:
    if not setup.compilers:
        return None
    target = setup.folder / "nothing.so"
    command = [setup.compilers[0].path, "-O2", "-shared", "-fPIC", "-x", "c", "-", "-o", str(target)]
    subprocess.run(command, input=b"void nothing(void) {}", check=True, capture_output=True)
    function = ctypes.CDLL(str(target)).nothing
    function.argtypes, function.restype = (), None
    return function
