"""What the guard asks of orders beyond limits: slew rates, watchdogs, authority; servos and motors by their words."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from axiom_hw.actuation import Asker, Guard, Verdict
from axiom_hw.backends.mock_gpio import MockGpio
from axiom_hw.backends.mock_pwm import MockPwm
from axiom_hw.backends.pwm import PwmState
from axiom_hw.board import parse_board
from axiom_hw.board.model import Authority
from axiom_hw.clock import MS, S, VirtualClock
from axiom_hw.errors import BackendError, OutputError
from axiom_hw.scheduler import Scheduler

DEVICE = "1f00098000.pwm"
ARM, WHEEL, FAN, SLOW = 0, 1, 2, 3
TEXT = """
[chip.header]
label = "pinctrl-rp1"
[pwm_chip.header]
device = "1f00098000.pwm"
[output.led]
line = 18
safe = "low"
watchdog = "100ms"
[output.relay]
line = 27
safe = "high"
authority = "operator"
[output.heater]
line = 5
safe = "low"
authority = "application"
[output.arm]
kind = "servo"
channel = 0
safe = "off"
slew = "90deg/s"
[output.wheel]
kind = "motor"
channel = 1
period = "100us"
max_duty = "90us"
forward = 23
backward = 24
slew = "100%/s"
safe = "off"
watchdog = "1s"
[output.fan]
kind = "motor"
channel = 2
pin = 18
period = "40us"
safe = "off"
[output.slow]
channel = 3
pin = 19
period = "10ms"
slew = "1us/s"
safe = "0%"
"""


@dataclass
class Bench:
    """A board with an output for each rule, on the virtual clock."""

    text: str = TEXT.replace("line = 18\n", "line = 17\n")

    def __post_init__(self) -> None:
        self.board = parse_board(self.text, "rules", "rules.toml")
        self.clock = VirtualClock()
        self.scheduler = Scheduler(self.clock)
        self.scheduler.start()
        self.gpio = MockGpio.for_board(self.board, self.clock, self.scheduler)
        self.chip = self.gpio.open("pinctrl-rp1")
        self.pwm = MockPwm.for_board(self.board)
        self.guard = Guard.open(self.board, self.gpio, self.pwm, self.clock, timers=self.scheduler)

    def duty(self, channel: int) -> int:
        state = self.pwm.seen(DEVICE, channel)
        return state.duty_ns if state.enabled else -1

    def wheel(self) -> tuple[int, int, int]:
        """Duty, forward, backward."""
        return self.duty(WHEEL), self.chip.level(23), self.chip.level(24)

    def told(self, output: str) -> list[tuple[str, int, int | None, Verdict]]:
        return [(d.source, d.wanted, d.written, d.verdict) for d in self.guard.audit() if d.output == output]


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.guard.close()


def test_a_slew_rate_is_one_of_time_however_often_somebody_asks(bench: Bench) -> None:
    """The original counted calls, which was no limit."""
    for _ in range(1000):
        assert bench.guard.write_pwm(0, WHEEL, 50, "eager") == 0
    assert bench.duty(WHEEL) == 0, "no time has passed"
    bench.clock.advance(100 * MS)
    assert bench.duty(WHEEL) == 10_000, "100 % a second"
    bench.guard.write_pwm(0, WHEEL, 50, "eager")
    assert bench.duty(WHEEL) == 10_000


def test_the_rest_of_the_way_is_gone_without_another_order(bench: Bench) -> None:
    bench.guard.set_motor(0, WHEEL, 300, "once")
    seen = []
    for _ in range(4):
        bench.clock.advance(100 * MS)
        seen.append(bench.duty(WHEEL))
    assert seen == [10_000, 20_000, 30_000, 30_000]
    assert bench.told("wheel") == [
        ("once", 30_000, 0, Verdict.SLEWED), ("once", 30_000, 30_000, Verdict.APPLIED),
    ], "the order, and its end"  # fmt: skip


def test_each_step_on_the_way_is_an_applied_state(bench: Bench) -> None:
    told: list[int] = []
    bench.guard.on_pwm_applied(lambda channel, event: told.append(event.duty_ns))
    bench.guard.set_motor(0, WHEEL, 20, "once")
    bench.clock.advance(1 * S)
    assert told[:5] == [0, 500, 1_000, 1_500, 2_000]


def test_the_way_begins_at_the_order_and_not_at_the_last_write(bench: Bench) -> None:
    bench.guard.set_motor(0, WHEEL, 100, "first")
    bench.clock.advance(900 * MS)
    bench.guard.set_motor(0, WHEEL, 500, "second")
    assert bench.duty(WHEEL) == 10_000, "nearly a second of rest is no credit"
    bench.clock.advance(100 * MS)
    assert bench.duty(WHEEL) == 20_000


def test_an_order_on_the_way_changes_where_it_goes(bench: Bench) -> None:
    bench.guard.set_motor(0, WHEEL, 500, "up")
    bench.clock.advance(200 * MS)
    bench.guard.set_motor(0, WHEEL, 100, "down")
    assert bench.duty(WHEEL) == 20_000
    bench.clock.advance(50 * MS)
    assert bench.duty(WHEEL) == 15_000
    bench.clock.advance(500 * MS)
    assert bench.duty(WHEEL) == 10_000


def test_a_slow_way_loses_nothing_by_being_asked_for_often(bench: Bench) -> None:
    """1 us of duty a second is 1 ns a millisecond: rounded at each order, it would never move."""
    for _ in range(3_000):
        bench.guard.write_pwm_duty(0, SLOW, 1_000_000, "eager")
        bench.clock.advance(MS // 3)
    assert abs(bench.duty(SLOW) - 1_000) <= 10


def test_the_safe_state_comes_at_once(bench: Bench) -> None:
    bench.guard.set_motor(0, WHEEL, 500, "up")
    bench.clock.advance(300 * MS)
    bench.guard.emergency_stop("limit", "switch")
    assert bench.wheel() == (-1, 0, 0)
    bench.clock.advance(1 * S)
    assert bench.wheel() == (-1, 0, 0), "no way goes on behind a stop"
    bench.guard.release_stop("Ada")
    bench.clock.advance(1 * S)
    assert bench.wheel() == (-1, 0, 0), "nor behind its release"
    bench.guard.set_motor(0, WHEEL, 500, "up")
    bench.clock.advance(100 * MS)
    assert bench.duty(WHEEL) == 10_000


def test_a_device_that_fails_on_the_way_ends_it(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(device: str, channel: int, state: PwmState) -> None:
        if state.duty_ns > 5_000:
            raise BackendError("channel 1", "is on fire", errno=errno.EIO)

    bench.pwm.watch(fail)
    bench.guard.set_motor(0, WHEEL, 500, "up")
    bench.clock.advance(300 * MS)
    assert [verdict for _, _, _, verdict in bench.told("wheel")] == [Verdict.SLEWED, Verdict.FAILED]


def test_a_motor_turns_both_ways_and_never_round_under_power(bench: Bench) -> None:
    seen: list[tuple[int, int, int]] = []
    bench.chip.watch(lambda ns, line, level: seen.append(bench.wheel()))
    bench.guard.set_motor(0, WHEEL, -1000, "back")
    bench.clock.advance(900 * MS)
    assert bench.wheel() == (90_000, 0, 1)
    bench.guard.set_motor(0, WHEEL, 50, "forth")
    bench.clock.advance(950 * MS)
    assert bench.wheel() == (5_000, 1, 0)
    assert all(duty <= 0 for duty, _, _ in seen), "the lines change while the duty is 0"
    assert all((forward, backward) != (1, 1) for _, forward, backward in seen), "which may be a brake"
    wanted, written = bench.told("wheel")[0][1:3]
    assert (wanted, written) == (-100_000, 0)


def test_a_motor_with_one_way_stands_still_instead_of_turning_back(bench: Bench) -> None:
    assert bench.guard.set_motor(0, FAN, -500, "back") == 0
    assert bench.duty(FAN) == 0
    assert bench.told("fan") == [("back", -20_000, 0, Verdict.CLAMPED)]
    assert bench.guard.set_motor(0, FAN, 1001, "fast") == -errno.EINVAL
    assert bench.guard.set_motor(0, ARM, 100, "arm") == -errno.EINVAL, "it is a servo"
    assert bench.guard.set_motor(0, 7, 100, "none") == -errno.ENODEV


def test_a_servo_goes_to_an_angle_at_once_from_off_and_slewed_from_there(bench: Bench) -> None:
    """Off, nobody knows where it stands: there is no way to go along."""
    for mdeg, duty_ns in ((-90_000, 500_000), (0, 1_500_000), (45_000, 2_000_000), (90_000, 2_500_000)):
        bench.guard.safe_state()
        assert bench.guard.set_servo(0, ARM, mdeg, "aim") == 0
        assert bench.duty(ARM) == duty_ns
    bench.guard.set_servo(0, ARM, 0, "aim")
    bench.clock.advance(500 * MS)
    assert bench.duty(ARM) == 2_000_000, "45 degrees in half a second"
    bench.guard.set_servo(0, ARM, 200_000, "aim")
    bench.clock.advance(1 * S)
    assert bench.duty(ARM) == 2_500_000
    assert bench.told("arm")[-2][3] is Verdict.SLEWED
    assert bench.guard.set_servo(0, WHEEL, 0, "aim") == -errno.EINVAL


def test_each_of_1801_angles_is_a_duty_of_its_own(bench: Bench) -> None:
    servo = bench.board.output("arm").servo  # type: ignore[union-attr]
    assert servo is not None
    duties = {servo.duty_ns(100 * tenth, 500_000, 2_500_000) for tenth in range(-900, 901)}
    assert len(duties) == 1801


def test_without_an_order_in_time_an_output_is_safe(bench: Bench) -> None:
    bench.guard.set_gpio(17, 1, "beat")
    bench.clock.advance(99 * MS)
    bench.guard.set_gpio(17, 1, "beat")
    bench.clock.advance(99 * MS)
    assert bench.chip.level(17) == 1
    bench.clock.advance(1 * MS)
    assert bench.chip.level(17) == 0
    assert bench.told("led")[-1] == ("watchdog", 0, 0, Verdict.EXPIRED)
    bench.clock.advance(1 * S)
    assert len(bench.told("led")) == 3, "once is enough"
    assert bench.guard.set_gpio(17, 1, "beat") == 0, "the next order drives it again"
    assert bench.chip.level(17) == 1


def test_a_way_that_goes_on_is_no_order(bench: Bench) -> None:
    bench.guard.set_motor(0, WHEEL, 900, "once")
    bench.clock.advance(999 * MS)
    assert bench.duty(WHEEL) == 90_000
    bench.clock.advance(1 * MS)
    assert bench.wheel() == (-1, 0, 0)


def test_a_safe_output_comes_to_rest(bench: Bench) -> None:
    """No timer is left that would keep virtual time going."""
    bench.guard.set_gpio(17, 1, "beat")
    bench.guard.set_motor(0, WHEEL, 100, "once")
    while bench.clock.run_next():
        pass
    assert bench.clock.now_ns() == 1 * S


def test_outputs_may_demand_more_than_a_program(bench: Bench) -> None:
    ask: Callable[[Authority], int] = lambda authority: bench.guard.set_gpio(27, 0, Asker("who", authority))  # noqa: E731
    assert bench.guard.set_gpio(27, 0, "program") == -errno.EACCES
    assert ask(Authority.APPLICATION) == -errno.EACCES
    assert bench.chip.level(27) == 1, "who has the authority isn't disturbed"
    assert ask(Authority.OPERATOR) == 0
    assert bench.chip.level(27) == 0
    assert bench.guard.set_gpio(5, 1, "program") == -errno.EACCES
    assert bench.guard.set_gpio(5, 1, Asker("app", Authority.APPLICATION)) == 0
    assert bench.told("relay")[0] == ("program", 0, None, Verdict.DENIED)


def test_an_operator_is_held_by_the_stop_as_well(bench: Bench) -> None:
    bench.guard.emergency_stop("limit", "switch")
    assert bench.guard.set_gpio(27, 0, Asker("Ada", Authority.OPERATOR)) == -errno.EPERM
    assert bench.chip.level(27) == 1


def test_a_program_drives_what_it_was_granted(bench: Bench) -> None:
    narrow = Asker("narrow", drives=frozenset({"led", "relay"}))
    assert bench.guard.set_gpio(17, 1, narrow) == 0
    assert bench.guard.set_motor(0, WHEEL, 100, narrow) == -errno.EACCES
    assert bench.guard.set_gpio(27, 0, narrow) == -errno.EACCES, "granting is no authority"
    assert bench.guard.emergency_stop("now", narrow) == 0, "anybody may stop"


def test_an_order_by_name_means_what_the_output_is(bench: Bench) -> None:
    app = Asker("app", Authority.APPLICATION)
    assert bench.guard.write("led", 1, app) == 0
    assert bench.guard.write("arm", 45_000, app) == 0
    assert bench.guard.write("fan", 250, app) == 0
    assert bench.guard.write("slow", 1_000, app) == 0
    assert bench.guard.write("leg", 1, app) == -errno.ENODEV
    assert (bench.chip.level(17), bench.duty(ARM), bench.duty(FAN)) == (1, 2_000_000, 10_000)


def test_what_needs_timers_isnt_guarded_without(bench: Bench) -> None:
    bench.guard.close()
    with pytest.raises(OutputError, match="output led: has a slew rate or a watchdog, and there are no timers"):
        Guard.open(bench.board, bench.gpio, bench.pwm, bench.clock)
    assert bench.chip.consumer(17) is None
