"""The pump: the events, counters and order of the adapter's Python path, and nothing is lost while programs change."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from axiom_hw.backends.gpio import LineEvent
from axiom_hw.bpf.engine.llvm.available import why_not
from axiom_hw.errors import BackendError, Fault
from axiom_hw.events import Edge
from axiom_hw.hooks import GpioKey, Grace
from axiom_hw.keys import PwmKey
from axiom_hw.pump.pump import Enter
from tests.pump_bench import FALLING, LINES, RISING, PumpBench, StandIn, events, key, pack, stream, until


@pytest.fixture(params=["plain", "native"])
def enter(request: pytest.FixtureRequest) -> Enter | None:
    """The loop: as plain Python, and compiled."""
    return compiled() if request.param == "native" else None


def compiled() -> Enter:
    if why := why_not():
        pytest.skip(why)
    from axiom_hw.pump.native import compiled_loop

    return compiled_loop()


Seen = tuple[list[tuple[str, bytes]], list[tuple[int, int, str]], object, int]


def everywhere(*lines: int) -> list[GpioKey]:
    return [key(line, edge) for line in lines or LINES for edge in Edge]


def test_an_edge_becomes_a_context_and_is_counted(enter: Enter | None) -> None:
    seen = StandIn("seen")
    with PumpBench(enter) as bench:
        link = bench.registry.attach(seen, *everywhere())
        bench.wire.edge(17)
        bench.wire.edge(17, FALLING, dropped=2)
        until(lambda: link.runs >= 2)
    first, second = list(events(seen))[:2]
    assert (first.line, first.edge, first.value, first.seqno, first.lost) == (17, RISING, 1, 1, 0)
    assert (second.line, second.edge, second.value, second.seqno, second.lost) == (17, FALLING, 0, 4, 2)
    assert (first.timestamp_ns, second.timestamp_ns) == (1000, 2000)
    assert seen.in_python == 0, "native code ran both"
    assert bench.adapter.counters("button").lost == 2


def run_both(
    enter: Enter | None, sent_of: Callable[[PumpBench], Sequence[LineEvent]], seed: int, *, cut: bool
) -> list[Seen]:
    """What a stream does to a pump, and to the Python path: everything that can be seen."""
    results: list[Seen] = []
    for native in (True, False):
        log: list[tuple[str, bytes]] = []

        def program(name: str, code: bool, log: list[tuple[str, bytes]] = log) -> StandIn:
            def act(ctx: bytes) -> int:
                log.append((name, ctx))
                if ctx[1] % 7 == 3:
                    raise Fault(name, 0, "doesn't like the time")
                return 0

            return StandIn(name, act, native=code)

        dice = random.Random(seed)
        bench = PumpBench(enter, native)
        attached = [
            bench.registry.attach(program("one", True), *everywhere(4, 17)),
            bench.registry.attach(program("two", True), *everywhere(17), priority=-1),
            bench.registry.attach(program("python", False), key(5)),
        ]
        sent = sent_of(bench)
        data = b"".join(map(pack, sent))
        if not cut:
            bench.wire.theirs.sendall(data)
        with bench:
            while cut and data:
                size = dice.randrange(1, 500)
                bench.wire.theirs.sendall(data[:size])
                data = data[size:]
            bench.settled(len(sent))
            until(lambda bench=bench: not bench.adapter.suspects)
        assert not bench.errors
        counted = [(link.runs, link.faults, str(link.last_fault)) for link in attached]
        results.append((log, counted, bench.counters(), len(bench.faults)))
    return results


@pytest.mark.parametrize("seed", range(6))
def test_the_pump_equals_the_python_path(enter: Enter | None, seed: int) -> None:
    """Random edges with gaps and strays, to programs native and not: same contexts, order, faults and counters."""
    ours, theirs = run_both(enter, lambda bench: stream(bench.wire, 300, seed), seed, cut=False)
    assert ours == theirs
    log, links, _, faults = ours
    assert len(log) > 100
    assert faults == sum(link[1] for link in links) > 10


@pytest.mark.parametrize("seed", range(3))
def test_records_may_come_in_parts(enter: Enter | None, seed: int) -> None:
    ours, theirs = run_both(enter, lambda bench: stream(bench.wire, 300, seed, dropped=(0,)), seed, cut=True)
    assert ours == theirs


@pytest.mark.parametrize("behind", [False, True])
def test_a_wake_while_another_one_is_taken_back(
    enter: Enter | None, behind: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The descriptor isn't left readable for ever, with nobody who asks: then feeds would never be read again."""
    taken, read = [], os.eventfd_read

    def read_and_wake(fd: int) -> None:
        if not behind:
            bench.pumps[0].wake()
        read(fd)
        taken.append(fd)
        if behind and len(taken) < 3:
            bench.pumps[0].wake()

    with PumpBench(enter) as bench:
        seen = StandIn("seen")
        bench.registry.attach(seen, *everywhere())
        monkeypatch.setattr("axiom_hw.pump.pump.os.eventfd_read", read_and_wake)
        bench.pumps[0].wake()
        until(lambda: bool(taken))
        monkeypatch.setattr("axiom_hw.pump.pump.os.eventfd_read", read)
        bench.wire.edge(17)
        until(lambda: len(seen.seen) == 1)


def test_programs_that_change_under_load_see_each_record_once(enter: Enter | None) -> None:
    """A version of a program a replacement, and one more program that comes and goes: no record twice, none unseen."""
    records, changes = (100_000, 1_000) if enter is not None else (4_000, 100)
    versions = [StandIn(f"v{number}") for number in range(2)]
    with PumpBench(enter) as bench:
        sent = stream(bench.wire, records, 1, dropped=(0,))
        mine = [event for event in sent if event.offset in LINES]
        sender = threading.Thread(target=bench.wire.theirs.sendall, args=(b"".join(map(pack, sent)),))
        link = bench.registry.attach(versions[0], *everywhere())
        sender.start()
        for number in range(changes):
            guest = StandIn("guest")
            other = bench.registry.attach(guest, *everywhere())
            assert link.replace(versions[number % 2]) is Grace.OVER
            assert other.detach() is Grace.OVER
            seen = len(guest.seen)
            assert other.runs == seen
            time.sleep(0)
            assert len(guest.seen) == seen, "after a detach it isn't running, and won't"
        until(lambda: bench.adapter.received >= len(mine))
        until(lambda: link.runs == len(mine))
        sender.join()
    stamps = sorted(event.timestamp_ns for version in versions for event in events(version))
    assert stamps == [event.timestamp_ns for event in mine]
    assert not bench.errors
    assert link.faults == 0


def test_it_sleeps_while_there_is_nothing_to_do(enter: Enter | None) -> None:
    with PumpBench(enter) as bench:
        link = bench.registry.attach(StandIn("p"), key(4))
        bench.wire.edge(4)
        until(lambda: link.runs == 1)
        (thread,) = (thread for thread in threading.enumerate() if thread.name == "axiom-gpio")

        def switches() -> int:
            status = Path(f"/proc/self/task/{thread.native_id}/status").read_text()
            return int(status.partition("nonvoluntary_ctxt_switches:")[0].rpartition("voluntary_ctxt_switches:")[2])

        time.sleep(0.1)
        before = switches()
        time.sleep(1)
        assert switches() == before


def test_a_fault_is_counted_told_and_the_next_program_runs(enter: Enter | None) -> None:
    def refuse(ctx: bytes) -> int:
        raise Fault("first", 3, "divides by a pear")

    second = StandIn("second")
    with PumpBench(enter) as bench:
        first = bench.registry.attach(StandIn("first", refuse), key(4))
        bench.registry.attach(second, key(4))
        bench.wire.edge(4)
        bench.wire.edge(4)
        until(lambda: len(second.seen) == 2)
    assert (first.runs, first.faults, len(bench.faults)) == (2, 2, 2)
    assert str(first.last_fault) == "first at pc 3: divides by a pear"
    assert second.in_python == 2, "the rest of an event that began natively is Python's"


def test_a_program_may_detach_itself_and_others_from_inside(enter: Enter | None) -> None:
    graces: list[Grace] = []
    with PumpBench(enter) as bench:
        later = StandIn("later")

        def leave(ctx: bytes) -> int:
            graces.extend((link.detach(), other.detach()))
            return 0

        link = bench.registry.attach(StandIn("leaver", leave), key(4))
        other = bench.registry.attach(later, key(4))
        bench.wire.send(*(bench.wire.event(4, RISING) for _ in range(5)))
        until(lambda: bench.executor.stats_of(key(4)).events == 5)
        assert graces == [Grace.PENDING, Grace.PENDING]
        assert (link.runs, other.runs, later.seen) == (1, 0, [])
        assert bench.executor.stats_of(key(4)).unhandled == 4


def test_events_that_a_program_raises_come_after_its_own(enter: Enter | None) -> None:
    order: list[str] = []
    with PumpBench(enter) as bench:

        def raise_it(ctx: bytes) -> int:
            order.append("edge")
            bench.executor.fire(PwmKey(0, 0), bytes(32))
            bench.executor.fire(key(4), ctx)  # leads back to its own hook
            return 0

        bench.registry.attach(StandIn("raiser", raise_it), key(4))
        bench.registry.attach(StandIn("second", lambda ctx: order.append("second") or 0), key(4))
        bench.registry.attach(StandIn("pwm", lambda ctx: order.append("pwm") or 0), PwmKey(0, 0))
        bench.wire.send(bench.wire.event(4, RISING), bench.wire.event(4, RISING))
        until(lambda: len(order) == 6)
        assert order == ["edge", "second", "pwm"] * 2
        assert bench.executor.stats_of(key(4)).suppressed == 2


def test_a_program_becomes_native_while_it_runs(enter: Enter | None) -> None:
    program = StandIn("p", native=False)
    with PumpBench(enter) as bench:
        link = bench.registry.attach(program, key(4))
        bench.wire.edge(4)
        until(lambda: link.runs == 1)
        program.native = True
        bench.registry.renew()
        bench.wire.edge(4)
        until(lambda: link.runs == 2)
    assert program.in_python == 1
    assert len(program.seen) == 2


def test_a_device_that_is_gone_ends_the_thread_with_an_error(enter: Enter | None) -> None:
    with PumpBench(enter) as bench:
        link = bench.registry.attach(StandIn("p"), key(4))
        bench.wire.edge(4)
        bench.wire.theirs.close()
        until(lambda: bool(bench.errors))
        assert link.runs == 1, "what came before is handled"
    (error,) = bench.errors
    assert isinstance(error, BackendError)
    assert error is bench.adapter.error
    assert str(error) == (
        "lines 4, 17, 5 of pinctrl-rp1: have no readable events: No such device (ENODEV)\n"
        "    fix    was the chip unplugged, or its driver removed? `gpiodetect` lists what is there"
    )


def test_what_is_no_fault_ends_the_thread(enter: Enter | None, monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[object] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: ended.append(args.exc_value))

    def leave(ctx: bytes) -> int:
        raise KeyboardInterrupt("now")

    with PumpBench(enter) as bench:
        link = bench.registry.attach(StandIn("p", leave), key(4))
        bench.wire.edge(4)
        until(lambda: bool(ended))
        assert isinstance(ended[0], KeyboardInterrupt)
        assert link.faults == 0
        assert link.detach() is Grace.OVER, "its epoch is over"


def test_two_pumps_have_a_slot_each(enter: Enter | None) -> None:
    slots: set[int] = set()
    one = PumpBench(enter)
    two = PumpBench(enter, registry=one.registry)
    with one, two:
        link = one.registry.attach(StandIn("p"), *everywhere())
        for bench in (one, two):
            bench.wire.send(*stream(bench.wire, 500, 3, dropped=(0,)))
        sent = sum(sum(bench.wire.seqno[line] for line in LINES) for bench in (one, two))
        until(lambda: link.runs == sent)
        slots.update(slot for slot, runs in enumerate(link.attachment.runs) if runs)
        assert link.detach() is Grace.OVER
    assert len(slots) == 2
    assert one.adapter.received + two.adapter.received == sent


def test_stopping_handles_what_was_read_and_leaves_the_rest(enter: Enter | None) -> None:
    program = StandIn("p")
    bench = PumpBench(enter)
    bench.registry.attach(program, *everywhere())
    bench.wire.send(*stream(bench.wire, 1_000, 2, dropped=(0,)))
    for _ in range(20):
        bench.adapter.start()
        bench.adapter.stop()
        assert bench.adapter.received == len(program.seen)
    bench.adapter.pump()
    stamps = [event.timestamp_ns for event in events(program)]
    assert stamps == sorted(stamps)
    assert len(stamps) == sum(bench.wire.seqno[line] for line in LINES)
    bench.adapter.close()
    bench.wire.close()


def test_ctrl_c_is_quick(tmp_path: Path) -> None:
    """A process whose pump is busy ends soon after SIGINT, in order."""
    script = tmp_path / "busy.py"
    script.write_text(
        "from tests.pump_bench import *\n"
        "with PumpBench() as bench:\n"
        "    bench.registry.attach(StandIn('p'), key(4))\n"
        "    print('ready', flush=True)\n"
        "    try:\n"
        "        while True:\n"
        "            bench.wire.edge(4)\n"
        "    except KeyboardInterrupt:\n"
        "        print('interrupted', flush=True)\n"
    )
    root = str(Path(__file__).parents[1])
    process = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": root}
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    begin = time.monotonic()
    assert process.communicate(timeout=20)[0] == "interrupted\n"
    assert process.returncode == 0
    assert time.monotonic() - begin < 5


def test_a_signal_doesnt_disturb_its_sleep(enter: Enter | None) -> None:
    """poll ends with EINTR where a handler runs on the pump's thread; the pump looks around and sleeps again."""
    heard: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, frame: heard.append(number))
    try:
        with PumpBench(enter) as bench:
            link = bench.registry.attach(StandIn("p"), key(4))
            (thread,) = (thread for thread in threading.enumerate() if thread.name == "axiom-gpio")
            assert thread.ident is not None
            for number in range(20):
                signal.pthread_kill(thread.ident, signal.SIGUSR1)
                bench.wire.edge(4)
                until(lambda number=number: link.runs == number + 1)
            assert not bench.errors
        assert heard
    finally:
        signal.signal(signal.SIGUSR1, before)
