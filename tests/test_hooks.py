"""Who runs on what: order, snapshots, links, grace periods and the budget."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import threading

import pytest

from axiom_hw.errors import HookError
from axiom_hw.events import Edge
from axiom_hw.executor import Executor
from axiom_hw.hooks import GpioKey, Grace, HookKey, PwmKey, Registry, TimerKey
from axiom_hw.slots import Slots

RISING = GpioKey(0, 17, Edge.RISING)
FALLING = GpioKey(0, 17, Edge.FALLING)
PWM = PwmKey(0, 2)


class Named:
    """A program that notes its name."""

    def __init__(self, name: str, seen: list[str] | None = None, worst_case_insns: int | None = None) -> None:
        self.name = name
        self.seen = seen if seen is not None else []
        self.worst_case_insns = worst_case_insns

    def run(self, ctx: bytes, slot: int) -> int:
        self.seen.append(self.name)
        return 0


@pytest.fixture
def registry() -> Registry:
    return Registry()


@pytest.fixture
def executor(registry: Registry) -> Executor:
    return Executor(registry)


def test_keys_are_values() -> None:
    assert GpioKey(0, 17, Edge.RISING) == RISING
    assert hash(RISING) == hash(GpioKey(0, 17, Edge.RISING))
    assert len({RISING, FALLING, GpioKey(1, 17, Edge.RISING), PwmKey(0, 17), TimerKey(0, 17)}) == 5
    assert PwmKey(0, 17) != TimerKey(0, 17)
    assert [str(key) for key in (RISING, PWM, TimerKey(5, 1))] == [
        "gpio/0/line17/rising",
        "pwm/0/channel2",
        "timer/5ns#1",
    ]
    assert repr(PWM) == "PwmKey(chip_id=0, channel=2)"
    with pytest.raises(dataclasses.FrozenInstanceError):
        PWM.channel = 3  # type: ignore[misc]


def test_a_key_that_is_copied_or_sent_is_the_same() -> None:
    for key in (GpioKey(0, 17, Edge.RISING), PwmKey(0, 1), TimerKey(5, 1)):
        for other in (copy.copy(key), pickle.loads(pickle.dumps(key))):
            assert (other, hash(other)) == (key, hash(key))


def test_programs_run_by_priority_then_age(registry: Registry, executor: Executor) -> None:
    seen: list[str] = []
    for name, priority in (("old", 0), ("last", 7), ("young", 0), ("first", -1)):
        registry.attach(Named(name, seen), PWM, priority=priority)
    executor.fire(PWM, b"")
    assert seen == ["first", "old", "young", "last"]
    assert [link.program.name for link in registry.links(PWM)] == seen
    assert [link.program.name for link in registry.links()] == ["old", "last", "young", "first"]


def test_a_replacement_keeps_the_place_and_the_counters(registry: Registry, executor: Executor) -> None:
    seen: list[str] = []
    link = registry.attach(Named("v1", seen), PWM)
    registry.attach(Named("behind", seen), PWM)
    executor.fire(PWM, b"")
    assert link.replace(Named("v2", seen)) is Grace.OVER
    executor.fire(PWM, b"")
    assert seen == ["v1", "behind", "v2", "behind"]
    assert (link.program.name, link.runs, link.active) == ("v2", 2, True)


def test_a_program_on_both_edges_is_one_link(registry: Registry, executor: Executor) -> None:
    link = registry.attach(Named("both"), RISING, FALLING)
    assert link.keys == (RISING, FALLING)
    assert registry.links(RISING) == registry.links(FALLING) == registry.links() == (link,)
    executor.fire(RISING, b"")
    executor.fire(FALLING, b"")
    assert link.runs == 2
    link.replace(Named("next"))
    executor.fire(FALLING, b"")
    assert link.runs == 3
    link.detach()
    executor.fire(RISING, b"")
    assert link.runs == 3
    assert registry.links() == ()


def test_events_are_routed_by_the_whole_key(registry: Registry, executor: Executor) -> None:
    link = registry.attach(Named("p"), RISING)
    others: list[HookKey] = [FALLING, GpioKey(0, 18, Edge.RISING), GpioKey(1, 17, Edge.RISING), PwmKey(0, 17)]
    for key in others:
        executor.fire(key, b"")
        assert executor.stats_of(key).unhandled == 1
    assert link.runs == 0


def test_detach_is_final_and_idempotent(registry: Registry, executor: Executor) -> None:
    program = Named("p")
    link = registry.attach(program, PWM)
    assert repr(link) == "<Link p on pwm/0/channel2: attached, 0 runs>"
    executor.fire(PWM, b"")
    assert link.detach() is Grace.OVER
    assert link.detach() is Grace.OVER
    executor.fire(PWM, b"")
    assert program.seen == ["p"]
    assert not link.active
    assert repr(link) == "<Link p on pwm/0/channel2: detached, 1 runs>"
    with pytest.raises(HookError) as caught:
        link.replace(Named("v2"))
    assert str(caught.value) == "link of p: was detached, so v2 can't take its place\n    fix    attach v2 anew"


def test_detach_leaves_the_others(registry: Registry, executor: Executor) -> None:
    seen: list[str] = []
    links = [registry.attach(Named(name, seen), PWM) for name in "abc"]
    links[1].detach()
    executor.fire(PWM, b"")
    assert seen == ["a", "c"]
    assert registry.detach_all() is Grace.OVER
    executor.fire(PWM, b"")
    assert seen == ["a", "c"]
    assert [link.active for link in links] == [False] * 3


def test_a_snapshot_never_changes(registry: Registry) -> None:
    first = registry.snapshot
    link = registry.attach(Named("p"), PWM)
    second = registry.snapshot
    assert PWM not in first.rows
    link.detach()
    assert [a.program.name for a in second.rows[PWM].attachments] == ["p"]
    assert first.generation < second.generation < registry.snapshot.generation
    with pytest.raises(dataclasses.FrozenInstanceError):
        second.generation = 0  # type: ignore[misc]


def test_attach_says_what_is_missing(registry: Registry) -> None:
    with pytest.raises(HookError, match="p: is attached to no hook"):
        registry.attach(Named("p"))
    with pytest.raises(HookError, match="p: names pwm/0/channel2 twice in one attach"):
        registry.attach(Named("p"), PWM, RISING, PWM)
    assert registry.links() == ()


def test_one_program_may_be_attached_twice(registry: Registry, executor: Executor) -> None:
    program = Named("p")
    first, second = registry.attach(program, PWM), registry.attach(program, PWM)
    executor.fire(PWM, b"")
    first.detach()
    executor.fire(PWM, b"")
    assert (first.runs, second.runs, len(program.seen)) == (1, 2, 3)


def test_the_budget_bounds_the_sum_on_one_hook() -> None:
    registry = Registry(budget_insns=100)
    registry.attach(Named("a", worst_case_insns=60), RISING)
    link = registry.attach(Named("b", worst_case_insns=40), RISING, FALLING)
    with pytest.raises(HookError) as caught:
        registry.attach(Named("c", worst_case_insns=1), FALLING, RISING)
    assert str(caught.value) == (
        "gpio/0/line17/rising: would need 101 instructions an event in the worst case (a 60 + b 40 + c 1); "
        "the budget is 100\n    fix    detach a program, make c shorter, or raise the budget"
    )
    assert [link.program.name for link in registry.links(FALLING)] == ["b"]  # refused as a whole
    link.replace(Named("b2", worst_case_insns=39))  # the old version doesn't count
    with pytest.raises(HookError, match=r"a 60 \+ b3 41"):
        link.replace(Named("b3", worst_case_insns=41))
    assert link.program.name == "b2"
    with pytest.raises(HookError, match="has a budget of 100 instructions an event; wild has no known worst case"):
        registry.attach(Named("wild"), PWM)


def test_a_slot_belongs_to_a_thread_until_it_ends() -> None:
    slots = Slots(2)
    assert slots.mine() is None
    mine = slots.claim()
    assert slots.claim() is mine
    assert slots.mine() is mine
    indices: list[int] = []
    for _ in range(5):
        thread = threading.Thread(target=lambda: indices.append(slots.claim().index))
        thread.start()
        thread.join()
    assert indices == [1] * 5
    with pytest.raises(HookError, match="0 slots can't dispatch anything"):
        Slots(0)


def test_more_threads_than_slots_is_an_error_that_names_the_limit() -> None:
    registry = Registry(Slots(1))
    executor = Executor(registry)
    executor.fire(PWM, b"")
    caught: list[HookError] = []

    def fire() -> None:
        try:
            executor.fire(PWM, b"")
        except HookError as error:
            caught.append(error)

    thread = threading.Thread(target=fire, name="second")
    thread.start()
    thread.join()
    assert [str(error) for error in caught] == [
        "thread second: fires an event, but all 1 slots belong to other threads that still live\n"
        "    fix    fire from at most 1 threads, or make more slots: Slots(2)"
    ]
    assert executor.stats_of(PWM).events == 1


def test_an_event_takes_no_lock_of_the_writers(registry: Registry, executor: Executor) -> None:
    link = registry.attach(Named("p"), PWM)
    with registry._writing:  # as if a writer had been suspended in the middle
        thread = threading.Thread(target=lambda: [executor.fire(key, b"") for key in (PWM, RISING)])
        thread.start()
        thread.join(10)
        assert not thread.is_alive()
    assert link.runs == 1


class Gate:
    """A program that says when it has begun, and ends when it is let go."""

    name = "gate"
    worst_case_insns = None

    def __init__(self) -> None:
        self.begun, self.go = threading.Event(), threading.Event()
        self.ended = False

    def run(self, ctx: bytes, slot: int) -> int:
        self.begun.set()
        assert self.go.wait(10)
        self.ended = True
        return 0


@pytest.mark.parametrize("how", ["detach", "replace", "detach_all", "synchronize", "second detach"])
def test_returns_only_when_no_thread_runs_the_old_program(how: str) -> None:
    gate = Gate()
    pauses: list[int] = []

    def pause(duration_ns: int) -> None:  # the only place where a grace period waits
        assert not gate.ended
        pauses.append(duration_ns)
        if len(pauses) == 20:
            gate.go.set()
            thread.join(10)

    registry = Registry(Slots(4, pause))
    executor = Executor(registry)
    link = registry.attach(gate, PWM)
    thread = threading.Thread(target=executor.fire, args=(PWM, b""))
    thread.start()
    assert gate.begun.wait(10)
    match how:
        case "detach":
            grace = link.detach()
        case "replace":
            grace = link.replace(Named("next"))
        case "detach_all":
            grace = registry.detach_all()
        case "synchronize":
            grace = registry.synchronize()
        case _:
            registry._take_off(link)  # what another thread's detach has done when it begins to wait
            grace = link.detach()
    assert grace is Grace.OVER
    assert gate.ended
    assert len(pauses) == 20
    assert pauses[:3] == [0, 20_000, 40_000]
    assert max(pauses) == 1_000_000


def test_detach_does_not_wait_for_events_that_began_after_it() -> None:
    gate = Gate()

    def pause(duration_ns: int) -> None:
        pytest.fail("nothing old is running")

    registry = Registry(Slots(4, pause))
    executor = Executor(registry)
    other = registry.attach(Named("other"), RISING)
    registry.attach(gate, PWM)
    # A thread in a dispatch that announced a later generation than the detach's:
    thread = threading.Thread(target=executor.fire, args=(PWM, b""))
    thread.start()
    assert gate.begun.wait(10)
    slot = next(s for s in registry.slots if s.epoch)
    slot.epoch += 100
    assert other.detach() is Grace.OVER
    gate.go.set()
    thread.join(10)
    assert not thread.is_alive()
