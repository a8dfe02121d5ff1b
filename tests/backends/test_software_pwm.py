"""Pulses of software on a line: their edges in virtual time, by the thread's engine and by lgpio; and a real thread."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

pytest.importorskip("gpiod", reason="the fake kernel speaks gpiod's types")

from axiom_hw.backends.lgpio_gpio import LgpioBackend
from axiom_hw.backends.lgpio_pwm import LgpioPwm
from axiom_hw.backends.mock_gpio import MockChip, MockGpio
from axiom_hw.backends.pwm import PwmBackend, PwmOutput, PwmState
from axiom_hw.backends.software_pwm import PulsedLine, Pulses, SoftwarePwm
from axiom_hw.board import Polarity
from axiom_hw.clock import VirtualClock
from axiom_hw.errors import BackendError
from axiom_hw.scheduler import Scheduler
from tests.backends.fake_gpiod import FakeWorld
from tests.backends.fake_lgpio import FakeLgpio

DEVICE = "software:pinctrl-rp1"
LINE = 23
MS = 1_000_000
HALF = PwmState(10 * MS, 5 * MS, enabled=True)


@dataclass
class Scope:
    """A backend on a clock that stands still, and the level of its line."""

    backend: PwmBackend
    clock: VirtualClock
    level: Callable[[], int]
    lines: MockChip | FakeWorld

    def open(self) -> PwmOutput:
        return self.backend.open(DEVICE, LINE)

    def trace(self, duration_ns: int, step_ns: int = MS) -> str:
        """The level every so often: in the middle of each step, so that no edge falls on a look."""
        seen = ""
        for _ in range(duration_ns // step_ns):
            self.clock.advance(step_ns // 2)
            seen += str(self.level())
            self.clock.advance(step_ns - step_ns // 2)
        return seen


@pytest.fixture(params=["thread", "lgpio"])
def scope(request: pytest.FixtureRequest, tmp_path: Path) -> Scope:
    clock = VirtualClock()
    timers = Scheduler(clock)
    timers.start()
    if request.param == "thread":
        chip = MockChip("pinctrl-rp1", 54, clock, timers)
        return Scope(SoftwarePwm(MockGpio([chip]), clock, timers), clock, lambda: chip.level(LINE), chip)
    (tmp_path / "gpiochip11").touch()
    header = FakeWorld("pinctrl-rp1", 54, clock, timers)
    lgpio = LgpioBackend(FakeLgpio({11: header}, clock, timers), tmp_path)
    return Scope(LgpioPwm(lgpio), clock, lambda: header.level(LINE), header)


def settled(scope: Scope, state: PwmState) -> PwmOutput:
    """An output whose pulses begin now: lgpio's begin at a multiple of the period."""
    output = scope.open()
    output.apply(state)
    scope.clock.advance_to(-(-(scope.clock.now_ns() + 1) // state.period_ns) * state.period_ns)
    return output


def test_pulses_are_as_long_as_they_should_be(scope: Scope) -> None:
    settled(scope, PwmState(10 * MS, 3 * MS, enabled=True))
    assert scope.trace(30 * MS) == "1110000000" * 3


def test_inversed_pulses_are_low_for_their_duty(scope: Scope) -> None:
    settled(scope, PwmState(10 * MS, 3 * MS, True, Polarity.INVERSED))
    assert scope.trace(20 * MS).count("0") == 6


def test_a_new_duty_waits_for_the_end_of_the_period(scope: Scope) -> None:
    output = settled(scope, HALF)
    scope.clock.advance(MS)
    for duty in (1, 2, 8):  # more often than once a period: no pulse is cut short
        output.apply(PwmState(10 * MS, duty * MS, enabled=True))
        scope.clock.advance(MS)
    assert scope.trace(16 * MS) == "100000" + "1111111100"


def test_a_level_comes_at_once_and_stays(scope: Scope) -> None:
    output = settled(scope, HALF)
    assert scope.level() == 1
    output.apply(PwmState(10 * MS, 5 * MS, enabled=False))
    assert scope.trace(20 * MS) == "0" * 20
    output.apply(PwmState(10 * MS, 10 * MS, enabled=True))
    assert scope.trace(20 * MS) == "1" * 20
    output.apply(PwmState(10 * MS, 0, enabled=True))
    assert scope.trace(20 * MS) == "0" * 20
    output.apply(HALF)
    assert scope.trace(40 * MS).count("1") in range(14, 21), "it pulses again"


def test_switched_off_an_inversed_one_is_high(scope: Scope) -> None:
    output = scope.open()
    output.apply(PwmState(10 * MS, 5 * MS, False, Polarity.INVERSED))
    assert scope.trace(10 * MS) == "1" * 10
    output.close()
    assert scope.level() == 1, "the level stays"


def test_pulses_end_with_their_owner_at_the_inactive_level(scope: Scope) -> None:
    output = settled(scope, HALF)
    assert scope.level() == 1
    output.close()
    assert scope.trace(20 * MS) == "0" * 20


@pytest.mark.parametrize("period_ns", [99_999, 10_000_000_001])
def test_periods_have_limits(scope: Scope, period_ns: int) -> None:
    output = scope.open()
    with pytest.raises(BackendError, match=r"software makes 100us to 10s") as caught:
        output.apply(PwmState(period_ns, 1, enabled=True))
    assert caught.value.errno == errno.EINVAL
    assert output.state() == PwmState(0, 0, enabled=False)


def test_a_line_in_use_says_who_has_it(scope: Scope) -> None:
    scope.open()
    with pytest.raises(BackendError, match=r'line 23 of pinctrl-rp1: is in use by "(axiom_hw pwm|lg)"'):
        scope.open()


def test_lgpio_gets_whole_microseconds(tmp_path: Path) -> None:
    clock = VirtualClock()
    timers = Scheduler(clock)
    (tmp_path / "gpiochip0").touch()
    fake = FakeLgpio({0: FakeWorld("pinctrl-rp1", 54, clock, timers)}, clock, timers)
    output = LgpioPwm(LgpioBackend(fake, tmp_path)).open(DEVICE, LINE)
    output.apply(PwmState(20 * MS, 1_500_400, enabled=True))
    assert [pulsed.shape for pulsed in fake.pulsed.values()] == [(1500, 18500)]
    assert output.state().duty_ns == 1_500_400, "rounding doesn't show"
    output.apply(PwmState(20 * MS, 400, enabled=True))
    assert not any(pulsed.active for pulsed in fake.pulsed.values()), "less than a microsecond is nothing"


# The engine and its thread.


def test_delays_dont_add_up_and_missed_periods_arent_made_up_for() -> None:
    edges: list[int] = []
    pulses = Pulses(edges.append)
    pulses.want(100, 40)
    assert pulses.step(0) == 40
    assert pulses.step(60) == 100, "the falling edge is late, the next rising one isn't"
    assert pulses.step(120) == 140
    assert pulses.step(140) == 200
    assert pulses.step(221) == 261, "less than half of the pulse would be left: the period is late as a whole"
    assert pulses.step(261) == 321
    assert pulses.step(700) == 740, "three periods went by: it begins anew, without a burst"
    assert edges == [1, 0, 1, 0, 1, 0, 1]
    assert pulses.step(701) == 740, "too early: nothing happens"
    assert edges == [1, 0, 1, 0, 1, 0, 1]


def test_after_a_failure_a_level_is_put_even_where_the_line_had_it_before() -> None:
    edges: list[int] = []

    def put(value: int) -> None:
        edges.append(value)
        if len(edges) == 3:
            raise BackendError("line 23", "is gone", errno=errno.ENODEV)

    pulses = Pulses(put)
    pulses.want(100, 40)
    assert [pulses.step(0), pulses.step(40)] == [40, 100]
    with pytest.raises(BackendError):
        pulses.step(100)
    pulses.want(1, 0)
    assert pulses.step(101) is None
    assert edges == [1, 0, 1, 0]


class Line:
    """A request whose line fails when it is told to, and tells who sets it."""

    def __init__(self) -> None:
        self.levels: list[int] = []
        self.broken = False
        self.pulsed = threading.Event()

    def set(self, offset: int, value: int) -> None:
        if self.broken:
            raise BackendError("line 23", "is gone", errno=errno.ENODEV)
        self.levels.append(value)
        if len(self.levels) >= 6:
            self.pulsed.set()


def test_a_thread_pulses_in_real_time_and_a_level_is_there_on_return() -> None:
    line = Line()
    pulsed = PulsedLine(line, LINE)  # type: ignore[arg-type]  # of a request it uses `set` alone
    pulsed.apply(2 * MS, MS)
    assert line.pulsed.wait(20)
    pulsed.apply(2 * MS, 2 * MS)
    assert line.levels[-1] == 1
    pulsed.stop()
    assert line.levels[-1] == 0
    assert set(zip(line.levels, line.levels[1:], strict=False)) == {(0, 1), (1, 0)}, "an edge each"
    pulsed.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "axiom-pwm-23"]


def test_a_line_that_fails_under_way_is_told_by_the_next_order() -> None:
    line = Line()
    pulsed = PulsedLine(line, LINE)  # type: ignore[arg-type]
    pulsed.apply(2 * MS, MS)
    assert line.pulsed.wait(20)
    line.broken = True
    end = time.monotonic() + 20
    while any(thread.name == "axiom-pwm-23" for thread in threading.enumerate()):
        assert time.monotonic() < end
        time.sleep(0.001)
    with pytest.raises(BackendError, match="is gone"):
        pulsed.stop()
    line.broken = False
    pulsed.stop()
    assert line.levels[-1] == 0, "a level is tried again, because it may be the safe one"
    with pytest.raises(BackendError, match="is gone"):
        pulsed.apply(2 * MS, MS)
    pulsed.close()
