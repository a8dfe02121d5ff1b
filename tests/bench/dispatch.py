"""ns a dispatch: `Executor.fire` on a hook with 0, 1 and 4 empty programs, against a plain call of the same program."""

from __future__ import annotations

from collections.abc import Callable

from axiom_hw.executor import Executor
from axiom_hw.hooks import Registry, TimerKey
from tests.bench.rows import Row, median_ns

KEY = TimerKey(1_000_000, 1)
CTX = bytes(16)
CALLS = 20_000


class Empty:
    """The least that a program can do."""

    name = "empty"
    worst_case_insns = 2

    def run(self, ctx: bytes, slot: int) -> int:
        return 0


def plain(calls: int) -> None:
    run, ctx = Empty().run, CTX
    for _ in range(calls):
        run(ctx, 0)


def dispatch(programs: int) -> Callable[[int], None]:
    registry = Registry()
    executor = Executor(registry)
    for _ in range(programs):
        registry.attach(Empty(), KEY)

    def work(calls: int) -> None:
        fire, key, ctx = executor.fire, KEY, CTX
        for _ in range(calls):
            fire(key, ctx)

    return work


def run(calls: int = CALLS) -> list[Row]:
    counts = (0, 1, 4)
    call_ns, *dispatch_ns = median_ns([plain, *map(dispatch, counts)], calls)
    rows = [Row("a plain Python call of an empty program", call_ns, "ns", 1.0, "a plain call")]
    for programs, ns in zip(counts, dispatch_ns, strict=True):
        name = f"a dispatch to {programs} empty program{'s' if programs != 1 else ''}"
        rows.append(Row(name, ns, "ns", ns / call_ns, "a plain call"))
    return rows
