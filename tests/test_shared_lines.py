"""Lines that native code writes: the rules of the guard, whoever asks; orders in turn, and nobody waits."""

from __future__ import annotations

import errno
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from axiom_hw.actuation import Asker, Decision, Failure, Guard, GuardState, Stop, Verdict, line_ops
from axiom_hw.actuation.shared_lines import Ask, plain_ask
from axiom_hw.board.model import Authority
from axiom_hw.bpf.asm import assemble_insns
from axiom_hw.bpf.engine.interp import Interpreter
from axiom_hw.bpf.engine.llvm.available import why_not
from axiom_hw.bpf.engine.machine import NativeHelper
from axiom_hw.bpf.helpers import BY_NAME
from axiom_hw.bpf.maps.mem import store_u64
from axiom_hw.bpf.spec import ProgramSpec
from axiom_hw.bpf.verifier import verify
from axiom_hw.clock import MonotonicClock
from tests.fake_lines import FakeLines
from tests.pump_bench import until

MakeAsk = Callable[[FakeLines], Ask]


@pytest.fixture(params=["plain", "native"])
def make_ask(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> MakeAsk:
    """The rules as plain Python, and compiled."""

    def plain(lines: FakeLines) -> Ask:
        monkeypatch.setattr(line_ops, "ioctl", lines.plain)
        return plain_ask

    def native(lines: FakeLines) -> Ask:
        from axiom_hw.bpf.engine.llvm.raw_code import RawCode

        return RawCode(line_ops.ask, lines.inlined)

    if request.param == "native" and (why := why_not()):
        pytest.skip(why)
    return native if request.param == "native" else plain


def guard_of(lines: FakeLines, ask: Ask, **given: int) -> Guard:
    return Guard(lines.actuators(native=True), MonotonicClock(), make_ask=lambda: ask, **given)


def seen(decision: Decision) -> tuple[object, ...]:
    return (decision.number, decision.source, decision.output, decision.wanted, decision.written, decision.verdict,
            decision.errno)  # fmt: skip


@pytest.mark.parametrize("seed", range(5))
def test_shared_lines_do_what_the_guard_does(make_ask: MakeAsk, seed: int) -> None:
    """Random requests, stops, releases and failures: same answers, writes and audit as without native code."""
    outcomes = []
    for native in (True, False):
        dice = random.Random(seed)

        def fail(line: int, value: int, dice: random.Random = dice) -> None:
            if dice.random() < 0.1:
                raise OSError(dice.choice((errno.EIO, errno.ENODEV)), "no")

        lines = FakeLines(3, fail)
        ask = make_ask(lines) if native else None
        guard = (
            guard_of(lines, ask, audit_entries=64)
            if ask
            else Guard(lines.actuators(native=False), MonotonicClock(), audit_entries=64)
        )
        said: list[object] = []
        for step in range(200):
            what = dice.randrange(12)
            if what == 0:
                said.append(guard.emergency_stop(f"step {step}", "dice"))
            elif what == 1:
                said.append(guard.release_stop("Ada"))
            elif what == 2:
                said.append(guard.get_gpio(dice.randrange(5)))
            else:
                value = dice.choice((0, 1, 0, 1, 0, 1, 2, -1, 1 << 40))
                said.append(guard.set_gpio(dice.choice((0, 1, 2, 0, 1, 2, 3, 2000, -1)), value, f"p{step % 3}"))
        stopped = guard.stopped
        said += [stopped and stopped.reason, guard.close(), guard.set_gpio(0, 1, "late"), guard.overwritten]
        outcomes.append((said, lines.written, [seen(decision) for decision in guard.audit()]))
    assert outcomes[0] == outcomes[1]
    assert len(outcomes[0][1]) > 50


def test_time_of_a_decision_is_the_monotonic_clock(make_ask: MakeAsk) -> None:
    lines, clock = FakeLines(), MonotonicClock()
    guard = guard_of(lines, make_ask(lines))
    before = clock.now_ns()
    guard.set_gpio(1, 1, "p")
    (decision,) = guard.audit()
    assert before <= decision.timestamp_ns <= clock.now_ns()


def test_a_write_from_inside_a_write_comes_after_it(make_ask: MakeAsk) -> None:
    lines = FakeLines()
    guard = guard_of(lines, make_ask(lines))
    answers: list[int] = []

    def again(line: int, value: int) -> None:
        if len(answers) < 3:
            answers.append(guard.set_gpio(line, 1 - value, "inner"))

    lines.before = again
    assert guard.set_gpio(1, 1, "outer") == 0
    assert lines.written == [(1, 1), (1, 0), (1, 1), (1, 0)]
    assert answers == [0, 0, 0]


def test_nobody_waits_for_a_write_and_a_stop_is_the_last_word(make_ask: MakeAsk) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def hang(line: int, value: int) -> None:
        if not inside.is_set():
            inside.set()
            assert go_on.wait(10)

    lines = FakeLines(2, hang)
    guard = guard_of(lines, make_ask(lines))
    thread = threading.Thread(target=guard.set_gpio, args=(1, 1, "slow"))
    thread.start()
    assert inside.wait(10)
    assert guard.set_gpio(1, 1, "second") == 0
    assert guard.emergency_stop("now", "safety") == 0
    assert guard.set_gpio(1, 1, "third") == 0
    assert lines.written == [(0, 1)], "the other output is safe already"
    go_on.set()
    thread.join()
    assert lines.written == [(0, 1), (1, 1), (1, 0), (1, 0), (1, 0)]
    by_number = [(decision.source, decision.verdict) for decision in guard.audit()]
    assert by_number == [
        ("safety", Verdict.LATCHED), ("safety", Verdict.APPLIED), ("slow", Verdict.APPLIED),
        ("second", Verdict.STOPPED), ("safety", Verdict.APPLIED), ("third", Verdict.STOPPED),
    ]  # fmt: skip


def test_more_orders_than_there_is_room_for_are_refused(make_ask: MakeAsk) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def hang(line: int, value: int) -> None:
        if not inside.is_set():
            inside.set()
            assert go_on.wait(10)

    lines = FakeLines(2, hang)
    guard = guard_of(lines, make_ask(lines), settle_ns=10_000_000)
    thread = threading.Thread(target=guard.set_gpio, args=(1, 1, "slow"))
    thread.start()
    assert inside.wait(10)
    answers = [guard.set_gpio(1, number % 2, "eager") for number in range(70)]
    assert guard.safe_state() == (), "there is room for what makes safe"
    go_on.set()
    thread.join()
    assert answers == [0] * 56 + [-errno.EAGAIN] * 14
    assert lines.written == [(0, 1), (1, 0), (1, 1), *((1, number % 2) for number in range(56)), (1, 0)]
    assert [decision.verdict for decision in guard.audit()].count(Verdict.CROWDED) == 14
    assert guard.set_gpio(1, 1, "later") == 0, "there is room again"


def test_the_safe_state_writes_past_a_thread_that_hangs(make_ask: MakeAsk) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def hang(line: int, value: int) -> None:
        if (line, value) == (1, 1):
            inside.set()
            assert go_on.wait(10)

    lines = FakeLines(2, hang)
    guard = guard_of(lines, make_ask(lines), settle_ns=10_000_000)
    thread = threading.Thread(target=guard.set_gpio, args=(1, 1, "slow"))
    thread.start()
    assert inside.wait(10)
    assert guard.safe_state() == ()
    assert lines.written == [(0, 1), (1, 0)]
    go_on.set()
    thread.join()
    assert lines.written == [(0, 1), (1, 0), (1, 1), (1, 0)], "what it wrote late is made safe by the order behind it"


def test_an_output_that_cant_be_made_safe_is_named(make_ask: MakeAsk) -> None:
    def fail(line: int, value: int) -> None:
        if line == 1:
            raise OSError(errno.EIO, "no")

    lines = FakeLines(2, fail)
    guard = guard_of(lines, make_ask(lines))
    assert guard.emergency_stop("now", "safety") == -errno.EIO
    assert guard.close() == (Failure("d1", "EIO"),)


def test_a_line_that_demands_authority_takes_no_orders_of_programs(make_ask: MakeAsk) -> None:
    lines = FakeLines(2)
    guarded = replace(lines.actuators(native=True)[1].output, authority=Authority.APPLICATION)
    actuators = (lines.actuators(native=True)[0], replace(lines.actuators(native=True)[1], output=guarded))
    guard = Guard(actuators, MonotonicClock(), make_ask=lambda: make_ask(lines))
    by_program = guard.natives("p")[BY_NAME["gpio_set"].id]
    assert by_program.function(by_program.mem, 1, 1) == -errno.EACCES
    assert guard.set_gpio(1, 1, "p") == -errno.EACCES
    assert guard.set_gpio(1, 1, Asker("app", Authority.APPLICATION)) == 0
    assert lines.written == [(1, 1)]
    assert [d.verdict for d in guard.audit()] == [Verdict.DENIED, Verdict.DENIED, Verdict.APPLIED]
    narrow = guard.natives("narrow", frozenset({"d0"}))
    assert BY_NAME["gpio_set"].id not in narrow, "what it may drive, Python decides"
    assert BY_NAME["gpio_get"].id in narrow


def test_a_watchdog_looks_after_lines_that_native_code_writes(make_ask: MakeAsk) -> None:
    lines, timers = FakeLines(2), Timers()
    watched = replace(lines.actuators(native=True)[1].output, watchdog_ns=20_000_000)
    actuators = (lines.actuators(native=True)[0], replace(lines.actuators(native=True)[1], output=watched))
    guard = Guard(actuators, MonotonicClock(), make_ask=lambda: make_ask(lines), timers=timers)
    guard.set_gpio(1, 1, "p")
    timers.run()
    assert lines.written == [(1, 1)], "not yet"
    until(lambda: timers.run() and len(lines.written) > 1)
    assert lines.written == [(1, 1), (1, 0)]
    first, last = guard.audit()
    assert (last.source, last.verdict) == ("watchdog", Verdict.EXPIRED)
    assert last.timestamp_ns - first.timestamp_ns >= 20_000_000 - 1_000_000
    for _ in range(3):
        timers.run()
    assert len(lines.written) == 2, "once is enough"
    guard.close()
    timers.run()
    assert timers.waiting == [], "it ends with the guard"


@dataclass
class Timers:
    """Timers that run when they are told to, whatever the time."""

    waiting: list[Callable[[int, int, int], None]] = field(default_factory=list)

    def at(self, due_ns: int, callback: Callable[[int, int, int], None], /) -> None:
        self.waiting.append(callback)

    def every(self, period_ns: int, callback: Callable[[int, int, int], None], /) -> None:
        raise AssertionError("a watchdog asks for each look")

    def run(self) -> bool:
        waiting, self.waiting = self.waiting, []
        for callback in waiting:
            callback(0, 0, 0)
        return True


def test_many_threads_write_and_the_stop_wins() -> None:
    if why := why_not():
        pytest.skip(why)
    from axiom_hw.bpf.engine.llvm.raw_code import RawCode

    lines = FakeLines(2)
    guard = guard_of(lines, RawCode(line_ops.ask, lines.inlined))
    ready = threading.Barrier(5)
    answers: list[int] = []

    def writer(number: int) -> None:
        ready.wait()
        answers.extend(guard.set_gpio(1, 1, f"writer {number}") for _ in range(2_000))

    threads = [threading.Thread(target=writer, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    ready.wait()
    until(lambda: len(lines.written) > 500)
    guard.emergency_stop("now", "safety")
    for thread in threads:
        thread.join()
    values = [value for line, value in lines.written if line == 1]
    assert values[:500] == [1] * 500
    assert 1 not in values[values.index(0) :], "no write comes after the stop's"
    refused = answers.count(-errno.EAGAIN)
    assert len(values) == 4 * 2_000 - refused + 1, "each order is written once"
    assert set(answers) <= {0, -errno.EPERM, -errno.EAGAIN}
    numbers = [decision.number for decision in guard.audit()]
    assert len(set(numbers)) == len(numbers)
    assert max(numbers) == 4 * 2_000 + 3


class Env:
    """What a program of these tests reaches: the guard."""

    def __init__(self, natives: dict[int, NativeHelper]) -> None:
        self.natives = natives
        self.hardware: dict[int, Callable[..., int]] = {}

    def now_ns(self) -> int:
        return 0

    def random_u32(self) -> int:
        return 0

    def trace(self, text: str) -> None:
        raise AssertionError(text)


def test_a_program_drives_lines_by_itself(make_ask: MakeAsk, monkeypatch: pytest.MonkeyPatch) -> None:
    """gpio_set and gpio_get of a program run the rules in its own code; the stop of anybody is seen by the next one."""
    lines = FakeLines(2)
    ask = make_ask(lines)
    guard = guard_of(lines, ask)
    env = Env(dict(guard.natives("follow")))

    def program(text: str) -> Callable[[], int]:
        verified = verify(ProgramSpec("follow", assemble_insns(text)))
        if ask is plain_ask:
            return Interpreter(verified, (), env).run
        from axiom_hw.bpf.engine.llvm import symbols
        from axiom_hw.bpf.engine.llvm.native import Native

        real = symbols._address
        monkeypatch.setattr(symbols, "_address", lambda name: lines.address if name == "ioctl" else real(name))
        return Native(verified, (), env).run

    def signed(r0: int) -> int:
        return r0 - (1 << 64) if r0 >> 63 else r0

    stopped = program("call emergency_stopped\nexit")
    on = program("r1 = 1\nr2 = 1\ncall gpio_set\nexit")
    get = program("r1 = 1\ncall gpio_get\nexit")
    wrong = program("r1 = 1\nr2 = -3\ncall gpio_set\nexit")
    absent = program("r1 = -7\nr2 = 1\ncall gpio_set\nexit")
    assert (signed(on()), signed(get())) == (0, 1)
    assert signed(wrong()) == -errno.EINVAL
    assert signed(absent()) == -errno.ENODEV
    guard.emergency_stop("enough", "somebody")
    assert (signed(on()), signed(get()), stopped()) == (-errno.EPERM, 0, 1)
    guard.release_stop("Ada")
    assert (signed(on()), signed(get()), stopped()) == (0, 1, 0)
    guard.close()
    assert signed(on()) == -errno.ESHUTDOWN
    mine = [(d.output, d.wanted, d.written, d.verdict) for d in guard.audit() if d.source == "follow"]
    assert mine == [
        ("d1", 1, 1, Verdict.APPLIED), ("d1", -3, None, Verdict.REFUSED), ("gpio/0/line-7", 1, None, Verdict.UNKNOWN),
        ("d1", 1, 0, Verdict.STOPPED), ("d1", 1, 1, Verdict.APPLIED), ("d1", 1, None, Verdict.CLOSED),
    ]  # fmt: skip


def test_a_guard_whose_memory_is_a_file_is_the_same(make_ask: MakeAsk, tmp_path: Path) -> None:
    """Rows and ports begin anew with each process, stops and decisions stay; another process's stop counts at once."""
    lines = FakeLines(2)
    ask = make_ask(lines)
    for number in (1, 3, 5):
        state = GuardState.own(tmp_path, "x", 2)
        guard = Guard(lines.actuators(native=True), MonotonicClock(), make_ask=lambda: ask, state=state)
        native = guard.natives("p")[BY_NAME["gpio_set"].id]
        assert guard.set_gpio(1, 1, "p") == 0
        store_u64(state.memory, _lane_of(guard), line_ops.BUSY)  # killed within a write
        assert native.function(native.mem, 7, 1) == -errno.ENODEV
        assert [d.number for d in guard.audit()][-2:] == [number, number + 1]
        state.close()
    state = GuardState.own(tmp_path, "x", 2)
    guard = Guard(lines.actuators(native=True), MonotonicClock(), make_ask=lambda: ask, state=state)
    other = GuardState.look(tmp_path, "x")
    assert other is not None
    other.latch(Stop("from outside", "other", 1))
    before = len(lines.written)
    assert guard.set_gpio(1, 1, "p") == -errno.EPERM
    assert lines.written[before:] == [(1, 0)]
    assert guard.close() == ()


def _lane_of(guard: Guard) -> int:
    """Where the lane of line 1 lies in the guard's memory."""
    row = guard._shared.row(0, 1)
    assert row is not None
    return row - guard._shared._mem.address + line_ops.LANE
