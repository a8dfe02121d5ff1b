"""What every PWM backend does alike: the mock, and sysfs on a tree that obeys the kernel."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest

from axiom_hw.backends.mock_pwm import MockPwm
from axiom_hw.backends.pwm import PwmBackend, PwmOutput, PwmState
from axiom_hw.backends.sysfs_pwm import SysfsPwm
from axiom_hw.board import Polarity
from axiom_hw.errors import BackendError
from tests.backends.fake_sysfs import FakePwmTree

DEVICE = "1f00098000.pwm"
SERVO = PwmState(20_000_000, 1_500_000, enabled=True)


@pytest.fixture(params=["mock", "sysfs"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> PwmBackend:
    if request.param == "mock":
        return MockPwm([(DEVICE, 4), ("1f0009c000.pwm", 4)])
    tree = FakePwmTree(tmp_path)
    tree.add(0, "1f0009c000.pwm", 4)
    tree.add(2, DEVICE, 4)
    return SysfsPwm(tmp_path, write=tree.write)


@pytest.fixture
def servo(backend: PwmBackend) -> Iterator[PwmOutput]:
    output = backend.open(DEVICE, 0)
    yield output
    output.close()


def test_a_fresh_channel_is_off(servo: PwmOutput) -> None:
    assert servo.state() == PwmState(0, 0, enabled=False)


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


def test_a_channel_has_one_owner(backend: PwmBackend, servo: PwmOutput) -> None:
    with pytest.raises(BackendError, match=r"channel 0 of 1f00098000\.pwm: is in use") as caught:
        backend.open(DEVICE, 0)
    assert caught.value.errno == errno.EBUSY


def test_a_channel_goes_on_after_its_owner(backend: PwmBackend, servo: PwmOutput) -> None:
    servo.apply(SERVO)
    servo.close()
    again = backend.open(DEVICE, 0)
    assert again.state() == SERVO
    again.close()
    with pytest.raises(BackendError, match="was closed"):
        servo.apply(SERVO)


def test_a_channel_that_isnt_there(backend: PwmBackend) -> None:
    with pytest.raises(BackendError) as caught:
        backend.open(DEVICE, 4)
    assert str(caught.value) == "channel 4 of 1f00098000.pwm: isn't there; its channels are 0 to 3"
    assert caught.value.errno == errno.ENODEV


def test_a_device_that_isnt_there_points_at_the_overlay(backend: PwmBackend) -> None:
    with pytest.raises(BackendError) as caught:
        backend.open("fe20c000.pwm", 0)
    assert caught.value.errno == errno.ENODEV
    assert caught.value.problem == "isn't there; the PWM devices here are 1f00098000.pwm, 1f0009c000.pwm"
    assert "dtoverlay=pwm,pin=12,func=4" in caught.value.fix
