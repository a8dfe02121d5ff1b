"""What every PWM backend does alike: the mock, sysfs on a kernel and on a tree with its rules, software pulses."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from axiom_hw.backends.lgpio_gpio import LgpioBackend
from axiom_hw.backends.lgpio_pwm import LgpioPwm
from axiom_hw.backends.mock_gpio import MockChip, MockGpio
from axiom_hw.backends.mock_pwm import MockPwm
from axiom_hw.backends.pwm import PwmBackend, PwmOutput, PwmState
from axiom_hw.backends.software_pwm import SoftwarePwm
from axiom_hw.backends.sysfs_pwm import SysfsPwm
from axiom_hw.board import Polarity
from axiom_hw.clock import VirtualClock
from axiom_hw.errors import BackendError
from axiom_hw.scheduler import Scheduler
from tests.backends.fake_sysfs import FakePwmTree

DEVICE = "1f00098000.pwm"
SOFTWARE = "software:pinctrl-rp1"
SERVO = PwmState(20_000_000, 1_500_000, enabled=True)


@dataclass(frozen=True)
class Rig:
    """A backend, a device of its own with the channels 0 to `last`, and what errors call these."""

    backend: PwmBackend
    device: str = DEVICE
    last: int = 3
    place: str = "channel 0 of 1f00098000.pwm"
    there: str = "1f00098000.pwm, 1f0009c000.pwm"

    @property
    def is_software(self) -> bool:
        """Whether its pulses end with their owner."""
        return self.device == SOFTWARE


def software(backend: PwmBackend) -> Rig:
    return Rig(backend, SOFTWARE, 53, "software PWM on line 0 of pinctrl-rp1")


@pytest.fixture(params=["mock", "sysfs", "thread", "lgpio", pytest.param("sysfs of a kernel", marks=pytest.mark.real)])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Rig:
    clock = VirtualClock()
    timers = Scheduler(clock)
    timers.start()
    match request.param:
        case "mock":
            return Rig(MockPwm([(DEVICE, 4), ("1f0009c000.pwm", 4)]))
        case "thread":
            gpio = MockGpio([MockChip("pinctrl-rp1", 54, clock, timers)])
            return software(SoftwarePwm(gpio, clock, timers))
        case "lgpio":
            pytest.importorskip("gpiod", reason="the fake kernel speaks gpiod's types")
            from tests.backends.fake_gpiod import FakeWorld
            from tests.backends.fake_lgpio import FakeLgpio

            (tmp_path / "gpiochip11").touch()
            header = FakeWorld("pinctrl-rp1", 54, clock, timers)
            return software(LgpioPwm(LgpioBackend(FakeLgpio({11: header}, clock, timers), tmp_path)))
        case "sysfs of a kernel":
            if not any(path.resolve().name == DEVICE for path in Path("/sys/class/pwm").glob("pwmchip*/device")):
                pytest.skip("this kernel has no PWM chip of a Pi 5 (`make test-twin` boots one that has)")
            output = SysfsPwm().open(DEVICE, 0)
            if output.state().period_ns:  # the kernel keeps what the test before has left, and takes no period of 0
                output.apply(PwmState(20_000_000, 0, enabled=False))
            output.close()
            return Rig(SysfsPwm(), there=DEVICE)
    tree = FakePwmTree(tmp_path)
    tree.add(0, "1f0009c000.pwm", 4)
    tree.add(2, DEVICE, 4)
    return Rig(SysfsPwm(tmp_path, write=tree.write))


@pytest.fixture
def servo(rig: Rig) -> Iterator[PwmOutput]:
    output = rig.backend.open(rig.device, 0)
    yield output
    output.close()


def test_a_fresh_channel_is_off(servo: PwmOutput) -> None:
    fresh = servo.state()
    assert (fresh.duty_ns, fresh.enabled) == (0, False)


@pytest.mark.parametrize("steps", [
    [SERVO],
    [SERVO, PwmState(20_000_000, 2_000_000, enabled=True)],
    [SERVO, PwmState(1_000_000, 500_000, enabled=True), SERVO],
    [SERVO, PwmState(1_000_000, 1_000_000, enabled=True)],
    [SERVO, PwmState(40_000_000, 30_000_000, enabled=True), PwmState(10_000_000, 1, enabled=True)],
    [SERVO, PwmState(20_000_000, 0, enabled=False), SERVO],
    [SERVO, PwmState(20_000_000, 1_500_000, enabled=True, polarity=Polarity.INVERSED), SERVO],
])  # fmt: skip
def test_any_state_can_follow_any_other(servo: PwmOutput, steps: list[PwmState]) -> None:
    for state in steps:
        servo.apply(state)
        assert servo.state() == state


@pytest.mark.parametrize(("state", "problem"), [
    (PwmState(0, 0, enabled=False), "a period of 0 ns; it is at least 1 ns"),
    (PwmState(100, 101, enabled=True), "a duty of 101 ns; it is 0 to the period, 100 ns"),
    (PwmState(100, -1, enabled=True), "a duty of -1 ns; it is 0 to the period, 100 ns"),
])  # fmt: skip
def test_a_state_that_cannot_be_is_refused_and_changes_nothing(servo, state: PwmState, problem: str) -> None:
    servo.apply(SERVO)
    with pytest.raises(BackendError) as caught:
        servo.apply(state)
    assert (caught.value.errno, caught.value.problem) == (errno.EINVAL, problem)
    assert servo.state() == SERVO


def test_a_channel_has_one_owner(rig: Rig, servo: PwmOutput) -> None:
    with pytest.raises(BackendError, match=r"is in use") as caught:
        rig.backend.open(rig.device, 0)
    assert caught.value.errno == errno.EBUSY


def test_a_channel_goes_on_after_its_owner_but_pulses_of_software_end(rig: Rig, servo: PwmOutput) -> None:
    servo.apply(SERVO)
    servo.close()
    again = rig.backend.open(rig.device, 0)
    assert again.state() == (PwmState(0, 0, enabled=False) if rig.is_software else SERVO)
    again.close()
    with pytest.raises(BackendError, match="was closed") as caught:
        servo.apply(SERVO)
    assert caught.value.place == rig.place
    servo.close()


def test_a_channel_that_isnt_there(rig: Rig) -> None:
    with pytest.raises(BackendError) as caught:
        rig.backend.open(rig.device, rig.last + 1)
    if rig.is_software:
        assert caught.value.place == "line 54 of pinctrl-rp1"
        return
    assert str(caught.value) == "channel 4 of 1f00098000.pwm: isn't there; its channels are 0 to 3"
    assert caught.value.errno == errno.ENODEV


def test_a_device_that_isnt_there_says_what_there_is(rig: Rig) -> None:
    with pytest.raises(BackendError) as caught:
        rig.backend.open("software:gpio-x" if rig.is_software else "fe20c000.pwm", 0)
    assert caught.value.errno == errno.ENODEV
    if rig.is_software:
        assert (caught.value.place, "pinctrl-rp1" in caught.value.problem) == ("chip gpio-x", True)
        return
    assert caught.value.problem == f"isn't there; the PWM devices here are {rig.there}"
    assert "dtoverlay=pwm,pin=12,func=4" in caught.value.fix
