"""Dispatch against detach and replace, suspended at every single bytecode of one while the other does its work.

A thread's tracer stops it at its k-th opcode inside the files under test; k runs until there are no more. Where a
stress test finds an unlucky moment by chance, this visits all of them.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from types import FrameType
from typing import Any

import pytest

from axiom_hw import executor as executor_module
from axiom_hw import hooks, slots
from axiom_hw.errors import HookError
from axiom_hw.executor import Executor
from axiom_hw.hooks import Link, PwmKey, Registry
from axiom_hw.slots import Slots

PWM = PwmKey(0, 2)
FILES = {module.__file__ for module in (executor_module, hooks, slots)}


class Version:
    """A program that must not run once it is closed."""

    name = "version"
    worst_case_insns = None

    def __init__(self) -> None:
        self.runs = 0
        self.runs_after_close = 0
        self.closed = False

    def run(self, ctx: bytes, slot: int) -> int:
        self.runs += 1
        self.runs_after_close += self.closed
        return 0


class Stop:
    """Runs `work`, and calls `at_stop` once in the middle: at the k-th event of the kind that is asked for."""

    def __init__(self, k: int, kind: str, at_stop: Callable[[], None]) -> None:
        self.left = k
        self.kind = kind
        self.at_stop = at_stop
        self.reached = False

    def trace(self, frame: FrameType, event: str, argument: Any) -> Any:
        if frame.f_code.co_filename not in FILES or self.reached:
            return None
        frame.f_trace_opcodes = self.kind == "opcode"
        if event == self.kind:
            self.left -= 1
            if self.left < 0:
                self.reached = True
                self.at_stop()
        return self.trace

    def run(self, work: Callable[[], object]) -> None:
        before = sys.gettrace()
        sys.settrace(self.trace)
        try:
            work()
        finally:
            sys.settrace(before)


def in_thread(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def joined(thread: threading.Thread) -> None:
    thread.join(10)
    assert not thread.is_alive(), "deadlock"


@pytest.mark.parametrize("how", ["detach", "replace"])
def test_a_writer_at_every_opcode_of_a_dispatch(how: str) -> None:
    waited = returned_at_once = 0
    for k in count():
        old, new = Version(), Version()
        writer_rests, dispatched = threading.Event(), threading.Event()

        def pause(duration_ns: int, rests: threading.Event = writer_rests, go: threading.Event = dispatched) -> None:
            rests.set()
            assert go.wait(10)

        registry = Registry(Slots(2, pause))
        executor = Executor(registry)
        link = registry.attach(old, PWM)
        writers: list[threading.Thread] = []

        def write(
            link: Link = link, old: Version = old, new: Version = new, rests: threading.Event = writer_rests
        ) -> None:
            if how == "detach":
                link.detach()
            else:
                link.replace(new)
            old.closed = True
            rests.set()

        def at_stop(
            write: Callable[[], None] = write,
            rests: threading.Event = writer_rests,
            writers: list[threading.Thread] = writers,
        ) -> None:
            writers.append(in_thread(write))
            assert rests.wait(10)

        stop = Stop(k, "opcode", at_stop)
        joined(in_thread(lambda stop=stop, executor=executor: stop.run(lambda: executor.fire(PWM, b""))))
        if not stop.reached:
            break
        returned_at_once += old.closed
        waited += not old.closed
        dispatched.set()
        joined(writers[0])
        assert old.runs_after_close == 0, f"ran after {how} had returned, stopped at opcode {k}"
        assert old.closed
        assert old.runs + new.runs <= 1
        if how == "replace":
            assert old.runs + new.runs == 1, f"{old.runs} old and {new.runs} new runs, stopped at opcode {k}"
        assert link.runs == old.runs + new.runs
        assert executor.stats_of(PWM).events == 1
    assert waited > 30
    assert returned_at_once > 10


@pytest.mark.parametrize("how", ["attach", "detach", "replace"])
def test_an_event_at_every_opcode_of_a_writer(how: str) -> None:
    moments = 0
    for moments in count():
        registry = Registry(Slots(2))
        executor = Executor(registry)
        old, new = Version(), Version()
        link = registry.attach(old, PWM)
        work: Callable[[], object] = {
            "attach": lambda registry=registry, new=new: registry.attach(new, PWM),
            "detach": link.detach,
            "replace": lambda link=link, new=new: link.replace(new),
        }[how]
        # The writer stands still, with its lock held or not: the event must get through.
        stop = Stop(moments, "opcode", lambda executor=executor: joined(in_thread(lambda: executor.fire(PWM, b""))))
        stop.run(work)
        if not stop.reached:
            break
        assert executor.stats_of(PWM).events == 1
        match how:
            case "attach":
                assert old.runs == 1
                assert new.runs <= 1
            case "detach":
                assert old.runs <= 1
                assert old.runs + executor.stats_of(PWM).unhandled == 1
            case _:
                assert old.runs + new.runs == 1
        runs = old.runs
        executor.fire(PWM, b"")
        assert old.runs == runs + (how == "attach")
    assert moments > 100


def test_a_signal_handler_in_the_middle_of_a_writer() -> None:
    """Python runs signal handlers at calls: at each call inside a writer, do something else with the same link."""
    outer: tuple[Callable[[Link], object], ...] = (
        lambda link: link._registry.attach(Version(), PWM),
        lambda link: link.detach(),
        lambda link: link.replace(Version()),
    )
    for work in outer:
        for inside in outer:
            for k in count():
                registry = Registry(Slots(2))
                executor = Executor(registry)
                link = registry.attach(Version(), PWM)
                stop = Stop(k, "call", lambda link=link, inside=inside: inside(link))
                with suppress(HookError):  # replace after detach
                    stop.run(lambda link=link, work=work: work(link))
                if not stop.reached:
                    break
                links = registry.links(PWM)
                assert (link in links) == link.active
                executor.fire(PWM, b"")
                assert [each.runs for each in links] == [1] * len(links)
                assert link.runs == int(link.active)
                registry.detach_all()
                executor.fire(PWM, b"")
                assert executor.stats_of(PWM).unhandled == (2 if not links else 1)
