"""The guard: who may drive what, the emergency stop, the safe state, and what many threads at once do to it."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from axiom_hw.actuation import Actuator, Decision, Failure, Guard, Verdict
from axiom_hw.adapters.gpio import GpioAdapter
from axiom_hw.backends.gpio import LineInput
from axiom_hw.backends.mock_gpio import MockGpio
from axiom_hw.backends.mock_pwm import MockPwm
from axiom_hw.backends.pwm import PwmState
from axiom_hw.board import Board, OutputLine, Polarity, PwmChannel, load_board, parse_board
from axiom_hw.clock import VirtualClock
from axiom_hw.errors import BackendError, OutputError
from axiom_hw.events import PwmEvent
from axiom_hw.scheduler import Scheduler

MS = 1_000_000
DEVICE = "1f00098000.pwm"
BUTTON, LED, LIMIT, RELAY = 17, 18, 22, 27
OFF = PwmState(20 * MS, 0, enabled=False)


@dataclass
class Bench:
    """The demos' bench in memory, with a guard over its outputs."""

    board: Board = field(default_factory=lambda: _with(("led", "relay", "servo")))

    def __post_init__(self) -> None:
        self.clock = VirtualClock()
        self.gpio = MockGpio.for_board(self.board, self.clock, Scheduler(self.clock))
        self.chip = self.gpio.open("pinctrl-rp1")
        self.pwm = MockPwm.for_board(self.board)
        self.adapter = GpioAdapter(self.gpio, self.board, lambda key, ctx: None, self.clock)
        self.guard = Guard.open(self.board, self.gpio, self.pwm, self.clock, read_input=self.adapter.read)

    @property
    def servo(self) -> PwmState:
        return self.pwm.seen(DEVICE, 0)

    def verdicts(self) -> list[Verdict]:
        return [decision.verdict for decision in self.guard.audit()]


def _with(outputs: tuple[str, ...]) -> Board:
    board = load_board(Path(__file__).parents[1] / "boards/rpi5-bench.toml")
    return replace(board, outputs=tuple(board.output(name) for name in outputs))


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.guard.close()
    bench.adapter.close()


def test_outputs_are_safe_before_anybody_asks(bench: Bench) -> None:
    assert (bench.chip.level(LED), bench.chip.level(RELAY)) == (0, 1), "the relay is off when its line is high"
    assert bench.servo == OFF


def test_an_output_follows_its_program_and_reads_back(bench: Bench) -> None:
    assert bench.guard.set_gpio(LED, 1, "follow") == 0
    assert bench.chip.level(LED) == 1
    assert bench.guard.get_gpio(LED) == 1
    assert bench.guard.set_gpio(RELAY, 1, "follow") == 0
    assert bench.chip.level(RELAY) == 0, "active low"
    assert bench.guard.get_gpio(RELAY) == 1


def test_inputs_can_be_read_but_not_driven(bench: Bench) -> None:
    assert bench.guard.get_gpio(BUTTON) == 0
    assert bench.guard.set_gpio(BUTTON, 1, "follow") == -errno.ENODEV
    assert bench.guard.get_gpio(5) == -errno.ENODEV


def test_what_the_board_doesnt_declare_is_refused_and_audited(bench: Bench) -> None:
    bench.clock.advance(3 * MS)
    assert bench.guard.set_gpio(5, 1, "follow") == -errno.ENODEV
    assert bench.guard.set_gpio(LED, 1, "follow", chip_id=1) == -errno.ENODEV
    assert bench.guard.write_pwm(0, 1, 50, "sweep") == -errno.ENODEV
    assert bench.guard.write_pwm_duty(7, 0, 50, "sweep") == -errno.ENODEV
    assert bench.guard.audit()[0] == Decision(
        1, 3 * MS, "follow", "gpio/0/line5", 1, None, Verdict.UNKNOWN, errno.ENODEV
    )
    assert [decision.output for decision in bench.guard.audit()[2:]] == ["pwm/0/channel1", "pwm/7/channel0"]


@pytest.mark.parametrize("value", [2, -1, 1 << 63])
def test_a_line_takes_0_or_1(bench: Bench, value: int) -> None:
    bench.guard.set_gpio(LED, 1, "follow")
    assert bench.guard.set_gpio(LED, value, "follow") == -errno.EINVAL
    assert bench.chip.level(LED) == 1
    assert bench.verdicts() == [Verdict.APPLIED, Verdict.REFUSED]


@pytest.mark.parametrize("percent", [-1, 101, 1 << 40])
def test_a_duty_is_0_to_100_percent(bench: Bench, percent: int) -> None:
    assert bench.guard.write_pwm(0, 0, percent, "sweep") == -errno.EINVAL
    assert bench.guard.write_pwm_duty(0, 0, -1, "sweep") == -errno.EINVAL
    assert bench.servo == OFF


def test_a_duty_is_clamped_to_the_limits_of_the_board(bench: Bench) -> None:
    for percent, duty_ns in (
        (0, 500_000),
        (2, 500_000),
        (3, 600_000),
        (12, 2_400_000),
        (13, 2_500_000),
        (100, 2_500_000),
    ):
        assert bench.guard.write_pwm(0, 0, percent, "sweep") == 0
        assert bench.servo == PwmState(20 * MS, duty_ns, enabled=True)
    assert bench.verdicts() == [
        Verdict.CLAMPED, Verdict.CLAMPED, Verdict.APPLIED, Verdict.APPLIED, Verdict.CLAMPED, Verdict.CLAMPED,
    ]  # fmt: skip
    last = bench.guard.audit()[-1]
    assert (last.wanted, last.written) == (20 * MS, 2_500_000)


def test_a_servo_has_steps_finer_than_percent(bench: Bench) -> None:
    assert bench.guard.write_pwm_duty(0, 0, 1_234_567, "sweep") == 0
    assert bench.servo.duty_ns == 1_234_567
    bench.guard.write_pwm_duty(0, 0, 10_000_000, "sweep")
    assert bench.servo.duty_ns == 2_500_000


def test_a_written_channel_is_told_with_the_time_after_the_write(bench: Bench) -> None:
    told: list[tuple[str, PwmEvent]] = []
    bench.guard.on_pwm_applied(lambda channel, event: told.append((channel.name, event)))
    bench.clock.advance(7 * MS)
    bench.guard.write_pwm_duty(0, 0, 1_500_000, "sweep")
    bench.guard.set_gpio(LED, 1, "follow")
    bench.guard.emergency_stop("limit switch", "safety")
    assert told == [
        ("servo", PwmEvent(7 * MS, 0, 0, 20 * MS, 1_500_000, 0, 1)),
        ("servo", PwmEvent(7 * MS, 0, 0, 20 * MS, 0, 0, 0)),
    ]


def test_a_listener_may_write_the_channel_that_it_listens_to(bench: Bench) -> None:
    """The original ran this hook under the channel's lock, and hung."""
    duties: list[int] = []

    def listener(channel: PwmChannel, event: PwmEvent) -> None:
        duties.append(event.duty_ns)
        if event.duty_ns < 2 * MS:
            bench.guard.write_pwm_duty(0, 0, event.duty_ns + MS // 2, "ramp")

    bench.guard.on_pwm_applied(listener)
    assert bench.guard.write_pwm_duty(0, 0, 500_000, "start") == 0
    assert duties == [500_000, 1_000_000, 1_500_000, 2_000_000]
    assert bench.servo.duty_ns == 2_000_000


def test_a_write_from_inside_a_write_comes_after_it(bench: Bench) -> None:
    """The world answers within the write (a looped wire), and the program on that edge writes the same line."""
    results: list[int] = []

    def answer(timestamp_ns: int, offset: int, level: int) -> None:
        if (offset, level) == (LED, 1):
            results.append(bench.guard.set_gpio(LED, 0, "answer"))

    bench.chip.watch(answer)
    assert bench.guard.set_gpio(LED, 1, "ask") == 0
    assert results == [0]
    assert bench.chip.level(LED) == 0
    assert [(d.source, d.written) for d in bench.guard.audit()] == [("ask", 1), ("answer", 0)]


def test_the_emergency_stop_makes_everything_safe_and_stays(bench: Bench) -> None:
    """The original wasn't latched: the motor started again with the next write."""
    bench.guard.set_gpio(LED, 1, "follow")
    bench.guard.set_gpio(RELAY, 1, "follow")
    bench.guard.write_pwm(0, 0, 10, "sweep")
    bench.clock.advance(10 * MS)
    assert bench.guard.emergency_stop("limit switch", "safety") == 0
    safe = (0, 1, OFF)
    assert (bench.chip.level(LED), bench.chip.level(RELAY), bench.servo) == safe
    stop = bench.guard.stopped
    assert stop is not None
    assert (stop.reason, stop.source, stop.timestamp_ns) == ("limit switch", "safety", 10 * MS)
    for _ in range(3):
        bench.clock.advance(10 * MS)
        assert bench.guard.write_pwm(0, 0, 10, "sweep") == -errno.EPERM
        assert bench.guard.set_gpio(LED, 1, "follow") == -errno.EPERM
        assert (bench.chip.level(LED), bench.chip.level(RELAY), bench.servo) == safe
    assert bench.verdicts()[-2:] == [Verdict.STOPPED] * 2
    assert Decision(4, 10 * MS, "safety", "all outputs: limit switch", 0, None, Verdict.LATCHED) in bench.guard.audit()


def test_a_stopped_write_makes_safe_what_something_else_disturbed(bench: Bench) -> None:
    bench.guard.emergency_stop("limit switch", "safety")
    bench.pwm.applied(DEVICE, 0, PwmState(20 * MS, MS, enabled=True))
    assert bench.guard.write_pwm(0, 0, 10, "sweep") == -errno.EPERM
    assert bench.servo == OFF


def test_only_an_operator_releases_the_stop_and_nothing_comes_back(bench: Bench) -> None:
    bench.guard.write_pwm(0, 0, 10, "sweep")
    assert bench.guard.release_stop("Ada") is False, "none is latched"
    bench.guard.emergency_stop("limit switch", "safety")
    with pytest.raises(OutputError, match="is released by an operator, who has a name"):
        bench.guard.release_stop("  ")
    assert bench.guard.stopped is not None
    assert bench.guard.release_stop("Ada") is True
    assert bench.guard.stopped is None
    assert bench.servo == OFF, "releasing restores nothing"
    assert bench.guard.audit()[-1].verdict is Verdict.RELEASED
    assert bench.guard.write_pwm(0, 0, 10, "sweep") == 0
    assert bench.servo.enabled
    bench.guard.emergency_stop("again", "safety")
    assert bench.guard.stopped is not None


def test_a_stop_beside_a_release_is_not_undone_by_it(bench: Bench) -> None:
    """The release acknowledges the stops up to the one that it saw; one that comes in meanwhile stays latched."""
    bench.guard.emergency_stop("first", "safety")
    seen = bench.guard._shared.stops
    bench.guard.emergency_stop("second", "safety")
    bench.guard._shared.release_stop(seen)
    assert bench.guard.stopped is not None
    assert bench.guard.stopped.reason == "second"
    assert bench.guard.release_stop("Ada")
    assert bench.guard.stopped is None


def test_leaving_makes_safe_whatever_happened() -> None:
    bench = Bench()

    def run() -> None:
        with bench.guard:
            bench.guard.set_gpio(LED, 1, "follow")
            bench.guard.write_pwm(0, 0, 10, "sweep")
            raise ZeroDivisionError("the program's bug")

    with pytest.raises(ZeroDivisionError):
        run()
    assert (bench.chip.level(LED), bench.servo) == (0, OFF)
    assert bench.chip.consumer(LED) is None
    assert bench.guard.close() == ()
    for late in (bench.guard.set_gpio(LED, 1, "late"), bench.guard.write_pwm(0, 0, 10, "late")):
        assert late == -errno.ESHUTDOWN
    assert bench.guard.emergency_stop("late", "late") == 0
    assert (bench.chip.level(LED), bench.servo) == (0, OFF), "a Pi 5 keeps the level of a released output"
    bench.adapter.close()


def test_the_audit_keeps_the_last_and_counts_the_rest() -> None:
    bench = Bench()
    guard = Guard([], bench.clock, audit_entries=4)
    assert guard.overwritten == 0
    for line in range(10):
        guard.set_gpio(line, 1, "follow")
    assert [decision.number for decision in guard.audit()] == [7, 8, 9, 10]
    assert guard.overwritten == 6
    bench.guard.close()
    bench.adapter.close()


def test_a_taken_line_leaves_no_other_line_taken(bench: Bench) -> None:
    bench.guard.close()
    hog = bench.chip.request_inputs([LineInput(RELAY)], "hog")
    with pytest.raises(BackendError, match='line 27 of pinctrl-rp1: is in use by "hog"'):
        Guard.open(bench.board, bench.gpio, bench.pwm, bench.clock)
    assert bench.chip.consumer(LED) is None
    hog.release()


def test_a_channel_without_any_pwm_is_an_error(bench: Bench) -> None:
    bench.guard.close()
    needed = replace(bench.board, outputs=tuple(replace(o, optional=False) if isinstance(o, PwmChannel) else o
                                                for o in bench.board.outputs))  # fmt: skip
    with pytest.raises(BackendError, match=r"output servo: needs 1f00098000\.pwm, and there is no PWM here"):
        Guard.open(needed, bench.gpio, None, bench.clock)
    assert bench.chip.consumer(LED) is None


def test_the_bench_works_without_an_optional_output_and_says_so(bench: Bench) -> None:
    bench.guard.close()
    missing: list[str] = []
    elsewhere = MockPwm([("1f0009c000.pwm", 4)])  # the fan's: no overlay for the header's
    with Guard.open(
        bench.board,
        bench.gpio,
        elsewhere,
        bench.clock,
        on_missing=lambda c, e: missing.append(f"{c.name}: {e.problem}"),
    ) as guard:
        assert guard.set_gpio(LED, 1, "demo") == 0
        assert guard.write_pwm(0, 0, 7, "sweep") == -errno.ENODEV
        assert guard.audit()[-1].verdict is Verdict.UNKNOWN
    assert [line.split(":")[0] for line in missing] == ["servo"]


def test_an_optional_output_that_is_in_use_is_an_error_all_the_same(bench: Bench) -> None:
    with pytest.raises(BackendError, match="in use"):
        Guard.open(bench.board, MockGpio.for_board(bench.board, bench.clock, Scheduler(bench.clock)), bench.pwm,
                   bench.clock)  # fmt: skip


class Device:
    """A line whose writes can be made to fail or to take long."""

    def __init__(self, name: str, line: int, before: Callable[[int], None] = lambda value: None) -> None:
        self.written: list[int] = []
        self.before = before
        self.released = 0
        self.actuator = Actuator(OutputLine(name, 0, line, 0), self.write, lambda: self.written[-1], self.release)

    def write(self, value: int, enabled: bool) -> None:
        self.before(value)
        self.written.append(value)

    def release(self) -> None:
        self.released += 1


def fail(value: int) -> None:
    raise BackendError("line 1", "can't be set: Input/output error", errno=errno.EIO)


def test_the_safe_state_tries_all_and_reports_those_that_failed() -> None:
    first, broken, last = Device("first", 0), Device("broken", 1, fail), Device("last", 2)
    guard = Guard([d.actuator for d in (first, broken, last)], VirtualClock())
    for line in (0, 2):
        guard.set_gpio(line, 1, "follow")
    assert guard.set_gpio(1, 1, "follow") == -errno.EIO
    assert guard.audit()[-1].verdict is Verdict.FAILED
    assert guard.safe_state() == (Failure("broken", "EIO"),)
    assert (first.written, last.written) == ([1, 0], [1, 0])
    assert guard.emergency_stop("test", "test") == -errno.EIO
    with pytest.raises(OutputError, match=r"safe state: wasn't reached by broken \(EIO\)"), guard:
        pass
    assert [device.released for device in (first, broken, last)] == [1, 1, 1]


def test_an_exception_that_nobody_foresaw_leaves_no_other_output_live() -> None:
    def bug(value: int) -> None:
        raise ZeroDivisionError

    broken, last = Device("broken", 0, bug), Device("last", 1)
    guard = Guard([broken.actuator, last.actuator], VirtualClock())
    for ends in (lambda: guard.emergency_stop("test", "test"), guard.safe_state, guard.close):
        last.written.append(1)
        with pytest.raises(ZeroDivisionError):
            ends()
        assert last.written[-1] == 0
    assert [device.released for device in (broken, last)] == [1, 1]


def test_a_failed_read_is_its_number() -> None:
    def read() -> int:
        raise BackendError("line 3", "can't be read", errno=errno.EIO)

    guard = Guard([Actuator(OutputLine("x", 0, 3, 0), lambda v, e: None, read, lambda: None)], VirtualClock())
    assert guard.get_gpio(3) == -errno.EIO
    assert guard.get_gpio(4) == -errno.ENODEV


def test_nobody_waits_for_a_write_and_a_stop_is_the_last_word() -> None:
    """A thread hangs in a write; others, and a stop, hand their orders over; it writes them in order when it's back."""
    inside, go_on = threading.Event(), threading.Event()

    def hang(value: int) -> None:
        if not inside.is_set():
            inside.set()
            assert go_on.wait(10)

    device = Device("motor", 0, hang)
    guard = Guard([device.actuator], VirtualClock())
    thread = threading.Thread(target=guard.set_gpio, args=(0, 1, "slow"))
    thread.start()
    assert inside.wait(10)
    assert guard.set_gpio(0, 1, "second") == 0
    assert guard.emergency_stop("now", "safety") == 0
    assert device.written == []
    go_on.set()
    thread.join()
    assert device.written == [1, 0, 0]
    assert [d.verdict for d in guard.audit()] == [
        Verdict.LATCHED, Verdict.APPLIED, Verdict.STOPPED, Verdict.APPLIED,
    ]  # fmt: skip


def test_the_safe_state_writes_past_a_thread_that_hangs() -> None:
    inside, go_on = threading.Event(), threading.Event()

    def hang(value: int) -> None:
        if value == 1:
            inside.set()
            assert go_on.wait(10)

    device = Device("motor", 0, hang)
    guard = Guard([device.actuator], VirtualClock(), settle_ns=10 * MS)
    thread = threading.Thread(target=guard.set_gpio, args=(0, 1, "slow"))
    thread.start()
    assert inside.wait(10)
    assert guard.safe_state() == ()
    assert device.written == [0]
    go_on.set()
    thread.join()
    assert device.written == [0, 1, 0], "what the thread wrote late is made safe by the order that still waited"


def test_many_threads_write_and_the_stop_wins() -> None:
    devices = [Device(f"d{line}", line) for line in range(2)]
    guard = Guard([device.actuator for device in devices], VirtualClock(), audit_entries=100_000)
    ready = threading.Barrier(5)

    def writer(number: int) -> None:
        ready.wait()
        for step in range(500):
            guard.set_gpio(step % 2, 1, f"writer {number}")

    threads = [threading.Thread(target=writer, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    ready.wait()
    guard.emergency_stop("now", "safety")
    for thread in threads:
        thread.join()
    assert [device.written[-1] for device in devices] == [0, 0]
    for device in devices:
        safe_from = device.written.index(0)
        assert 1 not in device.written[safe_from:], "no write comes after the stop's"
    assert sum(len(device.written) for device in devices) == 4 * 500 + 2, "each order is written once"
    assert len({decision.number for decision in guard.audit()}) == len(guard.audit()) == 4 * 500 + 3


def test_polarity_and_a_duty_that_is_safe_come_from_the_board() -> None:
    board = parse_board(
        '[chip.header]\nlabel = "pinctrl-rp1"\n[pwm_chip.header]\ndevice = "1f00098000.pwm"\n'
        '[output.fan]\nchannel = 3\nperiod = "40us"\npolarity = "inversed"\nsafe = "100%"\n', "fan", "fan.toml",
    )  # fmt: skip
    pwm = MockPwm.for_board(board)
    clock = VirtualClock()
    gpio = MockGpio.for_board(board, clock, Scheduler(clock))
    with Guard.open(board, gpio, pwm, clock) as guard:
        safe = PwmState(40_000, 40_000, enabled=True, polarity=Polarity.INVERSED)
        assert pwm.seen(DEVICE, 3) == safe
        assert guard.write_pwm(0, 3, 25, "cool") == 0
        assert pwm.seen(DEVICE, 3) == PwmState(40_000, 10_000, enabled=True, polarity=Polarity.INVERSED)
    assert pwm.seen(DEVICE, 3) == safe
