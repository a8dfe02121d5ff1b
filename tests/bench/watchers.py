"""ns an event with 1 and with 1,000 watchers on one stream; and what it takes until they run.

Four kinds take turns: above, equal, changed by percent, and one with a mask. None fires on these events, as is usual.
"An event" is a dispatch by `Executor.fire`. What a condition costs is measured in batches, without Python: what a run
of its program takes longer than one of an empty program.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from axiom_hw.board.watch import Comparison, Condition, Watch
from axiom_hw.bpf.asm import assemble_insns
from axiom_hw.bpf.engine.choice import Engine
from axiom_hw.bpf.engine.llvm.cache import Cache
from axiom_hw.bpf.maps import create_map
from axiom_hw.bpf.spec import MapSpec, MapType, ProgramSpec
from axiom_hw.bpf.verified import Verified
from axiom_hw.bpf.verifier import verify
from axiom_hw.engines import Loaded, Loader
from axiom_hw.errors import AxiomError
from axiom_hw.events import IioEvent, ctx_of
from axiom_hw.executor import Executor
from axiom_hw.hooks import Registry
from axiom_hw.keys import IioKey
from axiom_hw.watch.emit import programs_of
from axiom_hw.watch.state import Listed
from tests.bench.rows import Row, median_ns

HOOK = "iio/imu/accel_x"
KEY = IioKey(0, 0)
MANY = 1_000
SOME = 10
RING = MapSpec("fired", MapType.RINGBUF, 0, 0, 1 << 16)
KINDS = (
    Condition(Comparison.ABOVE, 30_000_000, hysteresis=1_000_000),
    Condition(Comparison.EQUAL, 9),
    Condition(Comparison.CHANGED_PERCENT, 200),
    Condition(Comparison.NOT_EQUAL, 0, mask=0x40000000),
)


class Quiet:
    """A bench without devices, on which nothing asks for anything."""

    monotonic = True

    @property
    def hardware(self) -> Mapping[int, Callable[..., int]]:
        return {}

    @property
    def natives(self) -> Mapping[int, object]:
        return {}

    def now_ns(self) -> int:
        return time.monotonic_ns()

    def random_u32(self) -> int:
        return 4

    def trace(self, text: str) -> None:
        raise AssertionError(text)


@dataclass(frozen=True, slots=True)
class Stream:
    """A hook with programs on it."""

    executor: Executor
    loaded: Sequence[Loaded]

    def fire(self, calls: int) -> None:
        """Raise so many events; two values alternate."""
        fire, one, two = self.executor.fire, event(20_000_000), event(20_500_000)
        for _ in range(calls // 2):
            fire(KEY, one)
            fire(KEY, two)

    def batch(self, events: bytes) -> Callable[[int], None]:
        """To run the programs on many events, without Python in between."""
        natives = [loaded.native for loaded in self.loaded]

        def work(calls: int) -> None:
            for native in natives:
                assert native is not None
                native.run_batch(events)

        return work


def event(micro: int) -> bytes:
    return IioEvent(1, 0, 0, micro // 1000, 1000, 0, 0, 1, 0, micro).pack()  # type: ignore[attr-defined, no-any-return]


def watchers(count: int) -> list[Listed]:
    return [Listed(n, Watch(f"w{n}", HOOK, "micro", KINDS[n % len(KINDS)]), RING) for n in range(count)]


def proved(count: int) -> list[Verified]:
    return [verify(compiled.spec) for compiled in programs_of(HOOK, watchers(count))]


def stream(programs: Sequence[Verified], cache: Cache) -> tuple[Stream, Loader]:
    """The programs as optimised native code, on a hook."""
    registry = Registry()
    loader = Loader(Engine.LLVM, 8, cache, registry.retarget, _fail)
    loaded = []
    for program in programs:
        loaded.append(loader.load(program, [create_map(spec) for spec in program.spec.maps], Quiet()))
        registry.attach(loaded[-1], KEY)
    loader.settle()
    return Stream(Executor(registry), loaded), loader


def run(events: int = 2_000, many: int = MANY) -> list[Row]:
    start = time.perf_counter()
    together = proved(many)
    verify_s = time.perf_counter() - start
    singles = [verify(programs_of(HOOK, [one])[0].spec) for one in watchers(len(KINDS))]
    empty = verify(ProgramSpec("empty", assemble_insns("r0 = 0\nexit"), (), ctx_of(HOOK), HOOK))
    streams, loaders = [], []
    with tempfile.TemporaryDirectory() as directory:
        cache = Cache(Path(directory))
        apart = singles * (many // len(KINDS))
        try:
            for programs in ([empty], *([one] for one in singles), proved(SOME), together, apart):
                start = time.perf_counter()
                made, loader = stream(programs, cache)
                if programs is together:
                    compile_s = time.perf_counter() - start
                streams.append(made)
                loaders.append(loader)
            _, *fired_ns, _, many_ns, apart_ns = median_ns([one.fire for one in streams], events)
            batch = (event(20_000_000) + event(20_500_000)) * (5 * events)
            empty_ns, *batch_ns = median_ns([one.batch(batch) for one in streams[:-1]], 10 * events)
        finally:
            for loader in loaders:
                loader.close()
    one_ns = sum(fired_ns) / len(fired_ns)
    *alone, some_each, many_each = (
        (ns - empty_ns) / count for ns, count in zip(batch_ns, [1] * len(singles) + [SOME, many], strict=True)
    )
    alone_each = sum(alone) / len(alone)
    return [
        Row("an event, 1 watcher on the stream", one_ns, "ns"),
        Row(
            f"an event, {many:,} watchers on the stream",
            many_ns,
            "ns",
            many_ns / one_ns / many,
            f"{many:,} such events",
        ),
        Row(
            f"an event, {many:,} programs of one watcher each", apart_ns, "ns", apart_ns / many_ns, f"{many:,} watchers"
        ),
        Row("a condition alone", 1000 * alone_each, "ps"),
        Row("a condition among 10", 1000 * some_each, "ps", some_each / alone_each, "one alone"),
        Row(f"a condition among {many:,}", 1000 * many_each, "ps", many_each / alone_each, "one alone"),
        Row(f"the proof of {many:,} watchers", 1000 * verify_s, "ms"),
        Row("their native code, quick and optimised", 1000 * compile_s, "ms"),
    ]


def _fail(error: AxiomError) -> None:
    raise error
