"""Dispatch: what a program may do from inside its run, on every path that runs one."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from axiom_hw.adapters.timer import TimerAdapter
from axiom_hw.clock import VirtualClock
from axiom_hw.errors import Fault
from axiom_hw.events import Edge
from axiom_hw.executor import Executor, HookStats
from axiom_hw.hooks import GpioKey, Grace, HookKey, Link, PwmKey, Registry
from axiom_hw.scheduler import Scheduler

GPIO = GpioKey(0, 17, Edge.RISING)
PWM = PwmKey(0, 2)
OTHER_PWM = PwmKey(0, 3)
BEFORE = PwmKey(9, 9)
PATHS = ("timer", "gpio", "pwm", "deferred", "on_fault")


class Handler:
    """A program written in Python."""

    worst_case_insns = None

    def __init__(self, name: str, body: Callable[[], object] = lambda: None) -> None:
        self.name = name
        self.body = body
        self.contexts: list[bytes] = []
        self.depth = 0

    def run(self, ctx: bytes, slot: int) -> int:
        assert self.depth == 0, f"{self.name} recurses"
        self.depth += 1
        self.contexts.append(ctx)
        try:
            self.body()
        finally:
            self.depth -= 1
        return 0


class Bench:
    """Raises one event after another on a path, with `body` as what happens inside the run."""

    def __init__(self, path: str = "pwm") -> None:
        self.path = path
        self.clock = VirtualClock()
        self.scheduler = Scheduler(self.clock)
        self.scheduler.start()
        self.registry = Registry()
        self.executor = Executor(self.registry, on_fault=self.on_fault, queue_limit=8)
        self.adapter = TimerAdapter(self.scheduler, self.executor.fire)
        self.body: Callable[[], object] = lambda: None
        self.key: HookKey = {
            "timer": self.adapter.add(10),
            "gpio": GPIO,
            "pwm": PWM,
            "deferred": OTHER_PWM,
            "on_fault": PWM,
        }[path]
        if path == "deferred":
            self.registry.attach(Handler("before", lambda: self.executor.fire(self.key, b"later")), BEFORE)
        self.handler = Handler("handler", self.fault if path == "on_fault" else lambda: self.body())
        self.link = self.registry.attach(self.handler, self.key)
        self.told: list[Fault] = []

    def fault(self) -> None:
        raise Fault("handler", 3, "load from nowhere")

    def on_fault(self, link: Link, fault: Fault) -> None:
        self.told.append(fault)
        self.body()

    def event(self) -> None:
        """One event on the path, within ten seconds or the test fails instead of hanging."""

        def raise_it() -> None:
            match self.path:
                case "timer":
                    self.clock.advance(10)
                case "deferred":
                    self.executor.fire(BEFORE, b"now")
                case _:
                    self.executor.fire(self.key, b"event")

        thread = threading.Thread(target=raise_it, daemon=True)
        thread.start()
        thread.join(10)
        assert not thread.is_alive(), f"deadlock on the {self.path} path"


@pytest.fixture(params=PATHS)
def bench(request: pytest.FixtureRequest) -> Bench:
    return Bench(request.param)


def test_a_program_may_raise_an_event_on_its_own_hook(bench: Bench) -> None:
    bench.body = lambda: bench.executor.fire(bench.key, b"again")
    bench.event()
    bench.event()
    assert len(bench.handler.contexts) == 2
    assert bench.executor.stats_of(bench.key) == HookStats(
        bench.key, links=1, events=4, unhandled=0, suppressed=2, overflows=0
    )


def test_a_program_may_raise_an_event_on_another_hook(bench: Bench) -> None:
    target = PwmKey(5, 5)
    order: list[str] = []
    other = Handler("other", lambda: order.append("other"))
    bench.registry.attach(other, target)
    bench.registry.attach(Handler("behind", lambda: order.append("behind")), bench.key)

    def write() -> None:
        bench.executor.fire(target, b"written")
        order.append("wrote")
        assert other.contexts == []  # doesn't run inside this run

    bench.body = write
    bench.event()
    assert order == ["wrote", "behind", "other"]
    assert other.contexts == [b"written"]
    assert bench.executor.stats().queued == 0


def test_two_hooks_that_write_to_each_other_end(bench: Bench) -> None:
    target = PwmKey(5, 5)
    other = Handler("other", lambda: bench.executor.fire(bench.key, b"back"))
    bench.registry.attach(other, target)
    bench.body = lambda: bench.executor.fire(target, b"forth")
    for n in (1, 2):
        bench.event()
        assert (len(bench.handler.contexts), len(other.contexts)) == (n, n)
        assert bench.executor.stats_of(bench.key).suppressed == n


def test_a_program_may_detach_itself(bench: Bench) -> None:
    results: list[Grace] = []
    bench.body = lambda: results.append(bench.link.detach())
    bench.event()
    bench.event()
    assert results == [Grace.PENDING]
    assert len(bench.handler.contexts) == 1
    assert not bench.link.active
    assert bench.executor.stats_of(bench.key).unhandled == 1
    assert bench.link.detach() is Grace.OVER


def test_a_program_may_detach_the_next_one_before_it_runs(bench: Bench) -> None:
    victim = Handler("victim")
    behind = Handler("behind")
    link = bench.registry.attach(victim, bench.key)
    bench.registry.attach(behind, bench.key)
    bench.body = lambda: link.detach()
    bench.event()
    assert victim.contexts == []
    assert len(behind.contexts) == 1


def test_a_program_may_attach_another(bench: Bench) -> None:
    young = Handler("young")
    bench.body = lambda: len(bench.registry.links(bench.key)) == 1 and bench.registry.attach(young, bench.key)
    bench.event()
    assert young.contexts == []  # the event was under way already
    bench.event()
    assert len(young.contexts) == 1
    assert len(bench.handler.contexts) == 2


def test_a_program_may_replace_itself(bench: Bench) -> None:
    results: list[Grace] = []
    second = Handler("second")
    bench.body = lambda: results.append(bench.link.replace(second))
    bench.event()
    assert results == [Grace.PENDING]
    assert (len(bench.handler.contexts), second.contexts) == (1, [])  # an event is seen by one version
    bench.event()
    assert (len(bench.handler.contexts), len(second.contexts)) == (1, 1)
    assert bench.link.runs == 2


def test_a_program_may_replace_the_next_one_before_it_runs(bench: Bench) -> None:
    old, newer, newest = Handler("old"), Handler("newer"), Handler("newest")
    link = bench.registry.attach(old, bench.key)

    def replace_twice() -> None:
        if link.program is old:
            link.replace(newer)
            link.replace(newest)

    bench.body = replace_twice
    bench.event()
    assert [len(h.contexts) for h in (old, newer, newest)] == [0, 0, 1]
    assert link.runs == 1


def test_a_program_may_replace_then_detach_the_next_one(bench: Bench) -> None:
    old, new = Handler("old"), Handler("new")
    link = bench.registry.attach(old, bench.key)
    bench.body = lambda: link.active and (link.replace(new), link.detach())
    bench.event()
    bench.event()
    assert old.contexts == new.contexts == []


def test_a_program_may_stop_the_timers_and_detach_everything(bench: Bench) -> None:
    def end() -> None:
        bench.scheduler.stop()
        bench.adapter.close()
        bench.registry.detach_all()

    bench.body = end
    bench.event()
    bench.event()
    assert len(bench.handler.contexts) == 1
    assert bench.registry.links() == ()


def test_queued_events_keep_their_order_and_see_the_links_of_their_own_moment() -> None:
    bench = Bench()
    order: list[str] = []
    for channel in range(5, 8):
        bench.registry.attach(Handler("p", lambda c=channel: order.append(f"pwm{c}")), PwmKey(0, channel))

    def write_all() -> None:
        for channel in (6, 5, 7, 5):
            bench.executor.fire(PwmKey(0, channel), b"")
        bench.registry.links(PwmKey(0, 7))[0].detach()

    bench.body = write_all
    bench.event()
    assert order == ["pwm6", "pwm5", "pwm5"]
    assert bench.executor.stats_of(PwmKey(0, 7)).unhandled == 1


def test_the_chain_of_causes_is_per_event_not_per_thread() -> None:
    bench = Bench()
    middle = [PwmKey(0, 5), PwmKey(0, 6)]
    last = Handler("last")
    bench.registry.attach(last, PwmKey(0, 7))
    bench.registry.attach(Handler("m", lambda: bench.executor.fire(PwmKey(0, 7), b"")), *middle)
    bench.body = lambda: [bench.executor.fire(key, b"") for key in middle]
    bench.event()
    assert len(last.contexts) == 2  # reached on two ways, neither a circle
    assert bench.executor.stats_of(PwmKey(0, 7)).suppressed == 0


def test_a_full_queue_drops_and_counts() -> None:
    bench = Bench()
    other = Handler("other")
    bench.registry.attach(other, OTHER_PWM)
    bench.body = lambda: [bench.executor.fire(OTHER_PWM, bytes([n])) for n in range(20)]
    bench.event()
    assert other.contexts == [bytes([n]) for n in range(8)]
    stats = bench.executor.stats_of(OTHER_PWM)
    assert (stats.events, stats.overflows) == (20, 12)


def test_a_fault_is_counted_told_and_detaches_nothing() -> None:
    bench = Bench("on_fault")
    behind = Handler("behind")
    bench.registry.attach(behind, bench.key)
    bench.event()
    bench.event()
    assert len(behind.contexts) == 2
    assert (bench.link.runs, bench.link.faults, bench.link.active) == (2, 2, True)
    assert bench.told[-1] is bench.link.last_fault
    assert str(bench.link.last_fault) == "handler at pc 3: load from nowhere"


def test_any_exception_of_a_program_is_a_fault_with_its_cause() -> None:
    bench, behind = Bench(), Handler("behind")
    bench.registry.attach(behind, bench.key)

    def fail() -> None:
        raise ZeroDivisionError("division by zero")

    bench.handler.body = fail
    bench.event()
    fault = bench.link.last_fault
    assert str(fault) == "handler: raised ZeroDivisionError: division by zero"
    assert isinstance(fault, Fault)
    assert isinstance(fault.__cause__, ZeroDivisionError)
    assert len(behind.contexts) == 1
    assert bench.link.faults == 1


def test_an_exception_of_on_fault_is_reported_and_dispatch_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    bench, behind = Bench("on_fault"), Handler("behind")
    reported: list[str] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: reported.append(f"{args.exc_type.__name__}"))
    bench.registry.attach(behind, bench.key)

    def fail() -> None:
        raise LookupError("in the callback")

    bench.body = fail
    bench.event()
    assert reported == ["LookupError"]
    assert len(behind.contexts) == 1


def test_an_interrupt_leaves_at_once_and_jams_nothing() -> None:
    bench = Bench()
    other = Handler("other")
    bench.registry.attach(other, OTHER_PWM)

    def interrupt() -> None:
        bench.executor.fire(OTHER_PWM, b"waits")
        raise KeyboardInterrupt

    bench.body = interrupt
    with pytest.raises(KeyboardInterrupt):
        bench.executor.fire(bench.key, b"")
    assert bench.executor.stats().queued == 1
    assert other.contexts == []
    bench.body = lambda: None
    bench.executor.fire(bench.key, b"")
    assert other.contexts == [b"waits"]  # late, not lost
    assert bench.link.detach() is Grace.OVER
    assert bench.link.faults == 0


def test_two_programs_that_detach_each_other_do_not_wait_for_ever() -> None:
    registry = Registry()
    executor = Executor(registry)
    both_run = threading.Barrier(2, timeout=10)
    links: dict[HookKey, Link] = {}
    results: list[Grace] = []

    def detach(key: HookKey) -> Callable[[], None]:
        def body() -> None:
            both_run.wait()
            results.append(links[key].detach())

        return body

    links[PWM] = registry.attach(Handler("a", detach(OTHER_PWM)), PWM)
    links[OTHER_PWM] = registry.attach(Handler("b", detach(PWM)), OTHER_PWM)
    threads = [threading.Thread(target=executor.fire, args=(key, b""), daemon=True) for key in links]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive(), "deadlock"
    assert results == [Grace.PENDING, Grace.PENDING]
    assert registry.links() == ()
    assert registry.synchronize() is Grace.OVER


def test_from_inside_a_program_the_other_slots_are_waited_for() -> None:
    registry = Registry()
    executor = Executor(registry)
    begun, go, order = threading.Event(), threading.Event(), list[str]()

    def slow() -> None:
        begun.set()
        assert go.wait(10)
        order.append("slow ended")

    link = registry.attach(Handler("slow", slow), GPIO)

    def detach_slow() -> None:
        go.set()
        link.detach()
        order.append("detach returned")

    registry.attach(Handler("detacher", detach_slow), PWM)
    thread = threading.Thread(target=executor.fire, args=(GPIO, b""))
    thread.start()
    assert begun.wait(10)
    executor.fire(PWM, b"")
    thread.join(10)
    assert order == ["slow ended", "detach returned"]


def test_stats_list_every_hook() -> None:
    bench = Bench()
    bench.event()
    bench.executor.fire(GPIO, b"")
    stats = bench.executor.stats()
    assert {(s.key, s.links, s.events, s.unhandled) for s in stats.hooks} == {(PWM, 1, 1, 0), (GPIO, 0, 1, 1)}
    assert stats.events == 2
