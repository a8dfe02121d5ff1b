"""What programs ask of the guard: lines and duties within the limits of the board, told and audited."""

from __future__ import annotations

import errno

import pytest

from axiom_hw.actuation import Decision, Guard, Verdict
from axiom_hw.backends.mock_gpio import MockGpio
from axiom_hw.backends.mock_pwm import MockPwm
from axiom_hw.backends.pwm import PwmState
from axiom_hw.board import Polarity, PwmChannel, parse_board
from axiom_hw.clock import VirtualClock
from axiom_hw.events import PwmEvent
from axiom_hw.scheduler import Scheduler
from tests.actuation.guard_bench import BUTTON, DEVICE, LED, MS, OFF, RELAY, Bench


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
