"""Four threads fire 100,000 events while links come, change and go: none is lost, none runs what is detached."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator

import pytest

from axiom_hw.events import Edge
from axiom_hw.executor import Executor
from axiom_hw.hooks import GpioKey, Grace, PwmKey, Registry
from axiom_hw.slots import Slots

THREADS = 4
EVENTS = 25_000  # a thread
BUTTON = (GpioKey(0, 17, Edge.RISING), GpioKey(0, 17, Edge.FALLING))
NOBODY = PwmKey(9, 9)


def yield_to_others() -> None:
    """Let another thread have the interpreter; sleeps no time at all."""
    time.sleep(0)


class Version:
    """Keeps the events that it saw, slot by slot, and counts those that came after it was closed."""

    name = "version"
    worst_case_insns = None

    def __init__(self, slots: int) -> None:
        self.seen: list[list[bytes]] = [[] for _ in range(slots)]
        self.closed = False
        self.late = 0

    def run(self, ctx: bytes, slot: int) -> int:
        self.late += self.closed
        self.seen[slot].append(ctx)
        if len(self.seen[slot]) % 8 == 0:
            yield_to_others()
        self.late += self.closed  # nor may a run be under way
        return 0

    def all_seen(self) -> list[bytes]:
        return [ctx for cell in self.seen for ctx in cell]


@pytest.fixture
def frantic_switching() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(5e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("frantic_switching")
def test_no_event_is_lost_and_nothing_runs_after_its_detach() -> None:
    registry = Registry(Slots(THREADS + 1))
    executor = Executor(registry)
    slots = len(registry.slots)
    versions = [Version(slots)]
    permanent = registry.attach(versions[0], *BUTTON)
    start = threading.Barrier(THREADS + 3, timeout=10)
    firing = threading.Event()
    firing.set()
    failures: list[str] = []
    passing: list[tuple[Version, int]] = []

    def fire(thread: int) -> None:
        start.wait()
        for n in range(EVENTS):
            executor.fire(BUTTON[n & 1], b"%d:%d" % (thread, n))
            if n % 10 == 0:
                yield_to_others()
            if n % 100 == 0:
                executor.fire(NOBODY, b"")

    def replace() -> None:
        start.wait()
        while firing.is_set():
            old, new = versions[-1], Version(slots)
            versions.append(new)
            if permanent.replace(new) is not Grace.OVER:
                failures.append("replace is pending")
            old.closed = True

    def come_and_go() -> None:
        start.wait()
        while firing.is_set():
            program = Version(slots)
            link = registry.attach(program, *BUTTON, priority=len(passing) % 3 - 1)
            while link.runs == 0 and firing.is_set():
                yield_to_others()  # it sees an event before it goes
            if link.detach() is not Grace.OVER:
                failures.append("detach is pending")
            program.closed = True
            passing.append((program, link.runs))

    writers = [threading.Thread(target=work, daemon=True) for work in (replace, come_and_go)]
    firers = [threading.Thread(target=fire, args=(n,), daemon=True) for n in range(THREADS)]
    for thread in (*writers, *firers):
        thread.start()
    start.wait()
    for thread in firers:
        thread.join(60)
        assert not thread.is_alive(), "an event waits"
    firing.clear()
    for thread in writers:
        thread.join(10)
        assert not thread.is_alive(), "a grace period doesn't end"

    assert failures == []
    seen = [ctx for version in versions for ctx in version.all_seen()]
    assert len(seen) == THREADS * EVENTS
    assert set(seen) == {b"%d:%d" % (thread, n) for thread in range(THREADS) for n in range(EVENTS)}
    assert permanent.runs == THREADS * EVENTS
    assert sum(version.late for version in versions) == 0
    assert sum(program.late for program, _ in passing) == 0
    assert all(runs == len(program.all_seen()) for program, runs in passing)
    assert sum(executor.stats_of(key).events for key in BUTTON) == THREADS * EVENTS
    assert executor.stats_of(NOBODY).unhandled == executor.stats_of(NOBODY).events == THREADS * EVENTS // 100
    # A stress test that stresses nothing must not pass:
    assert sum(1 for version in versions if version.all_seen()) > 100
    assert sum(1 for _, runs in passing if runs) > 100


class Held:
    """A program whose every run waits until the test lets it go."""

    name = "held"
    worst_case_insns = None

    def __init__(self) -> None:
        self.all_inside = threading.Barrier(THREADS + 1, timeout=10)
        self.let_go = threading.Barrier(THREADS + 1, timeout=10)
        self.running = [0] * (THREADS + 1)

    def run(self, ctx: bytes, slot: int) -> int:
        self.running[slot] = 1
        self.all_inside.wait()
        self.let_go.wait()
        self.running[slot] = 0
        return 0


@pytest.mark.parametrize("how", ["detach", "replace"])
def test_a_grace_period_lasts_until_every_thread_has_left_the_program(how: str) -> None:
    held, pauses = Held(), list[int]()

    def pause(duration_ns: int) -> None:
        pauses.append(sum(held.running))
        if len(pauses) == 50:
            held.let_go.wait()
            for thread in threads:
                thread.join(10)

    registry = Registry(Slots(THREADS + 1, pause))
    executor = Executor(registry)
    link = registry.attach(held, BUTTON[0])
    threads = [threading.Thread(target=executor.fire, args=(BUTTON[0], b""), daemon=True) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    held.all_inside.wait()
    grace = link.detach() if how == "detach" else link.replace(Version(THREADS + 1))
    assert grace is Grace.OVER
    assert pauses == [THREADS] * 50  # the whole wait, all four were inside
    assert sum(held.running) == 0
