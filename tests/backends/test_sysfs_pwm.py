"""What is special about sysfs: the order of writes, permissions that come late, failures of the kernel."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from axiom_hw.backends import sysfs_pwm
from axiom_hw.backends.pwm import PwmState
from axiom_hw.backends.sysfs_pwm import SysfsPwm, write_file
from axiom_hw.board import Polarity
from axiom_hw.errors import BackendError
from tests.backends.fake_sysfs import FakePwmTree

DEVICE = "1f00098000.pwm"


@pytest.fixture
def tree(tmp_path: Path) -> FakePwmTree:
    tree = FakePwmTree(tmp_path)
    tree.add(0, DEVICE, 4)
    return tree


def test_period_comes_before_duty_and_both_before_enable(tree: FakePwmTree) -> None:
    servo = SysfsPwm(tree.root, write=tree.write).open(DEVICE, 0)
    servo.apply(PwmState(20_000_000, 1_500_000, True, Polarity.INVERSED))
    assert tree.log == [("period", "20000000"), ("duty_cycle", "1500000"), ("polarity", "inversed"), ("enable", "1")]


def test_a_shorter_period_waits_for_a_shorter_duty(tree: FakePwmTree) -> None:
    servo = SysfsPwm(tree.root, write=tree.write).open(DEVICE, 0)
    servo.apply(PwmState(20_000_000, 1_500_000, True))
    tree.log.clear()
    servo.apply(PwmState(1_000_000, 500_000, True))
    assert tree.log == [("duty_cycle", "500000"), ("period", "1000000")]


def test_switching_off_comes_first(tree: FakePwmTree) -> None:
    servo = SysfsPwm(tree.root, write=tree.write).open(DEVICE, 0)
    servo.apply(PwmState(20_000_000, 1_500_000, True))
    tree.log.clear()
    servo.apply(PwmState(20_000_000, 0, False))
    assert tree.log == [("enable", "0"), ("duty_cycle", "0")]


def test_the_same_state_again_writes_nothing(tree: FakePwmTree) -> None:
    servo = SysfsPwm(tree.root, write=tree.write).open(DEVICE, 0)
    servo.apply(PwmState(20_000_000, 1_500_000, True))
    tree.log.clear()
    servo.apply(PwmState(20_000_000, 1_500_000, True))
    assert tree.log == []


def test_a_write_that_failed_halfway_is_read_back(tree: FakePwmTree) -> None:
    broken = {"on": False}

    def write(path: Path, text: str) -> None:
        if broken["on"] and path.name == "duty_cycle":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        tree.write(path, text)

    servo = SysfsPwm(tree.root, write=write).open(DEVICE, 0)
    servo.apply(PwmState(20_000_000, 1_500_000, True))
    broken["on"] = True
    with pytest.raises(BackendError) as caught:
        servo.apply(PwmState(30_000_000, 2_000_000, True))
    assert str(caught.value) == (
        "channel 0 of 1f00098000.pwm: `duty_cycle` can't be set to 2000000: Input/output error (EIO)"
    )
    assert servo.state() == PwmState(30_000_000, 1_500_000, True)


def test_udev_may_hand_the_files_over_late(tree: FakePwmTree, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[int] = []
    monkeypatch.setattr(sysfs_pwm.os, "access", lambda path, mode: len(pauses) >= 3)
    SysfsPwm(tree.root, pauses.append, tree.write).open(DEVICE, 0)
    assert pauses == [20_000_000] * 3


def test_files_that_stay_closed_are_reported_and_given_back(tree: FakePwmTree, monkeypatch) -> None:
    pauses: list[int] = []
    monkeypatch.setattr(sysfs_pwm.os, "access", lambda path, mode: False)
    with pytest.raises(BackendError) as caught:
        SysfsPwm(tree.root, pauses.append, tree.write).open(DEVICE, 0)
    assert caught.value.errno == errno.EACCES
    assert "usermod -aG gpio" in caught.value.fix
    assert sum(pauses) == 10_000_000_000
    assert not (tree.root / "pwmchip0" / "pwm0").exists()


def test_export_without_permission_says_which_group(tree: FakePwmTree) -> None:
    def write(path: Path, text: str) -> None:
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))

    with pytest.raises(BackendError) as caught:
        SysfsPwm(tree.root, write=write).open(DEVICE, 0)
    assert caught.value.problem == "can't be exported: Permission denied (EACCES)"
    assert "usermod -aG gpio" in caught.value.fix


def test_write_file_writes_what_is_there_and_makes_nothing_new(tmp_path: Path) -> None:
    (tmp_path / "period").write_text("0")
    write_file(tmp_path / "period", "5")
    assert (tmp_path / "period").read_text() == "5"
    with pytest.raises(FileNotFoundError):
        write_file(tmp_path / "enable", "1")


def test_a_channel_that_a_killed_process_left_exported_is_taken_over(tree: FakePwmTree) -> None:
    """Exported isn't owned: the lock went with the process that held it."""
    left = SysfsPwm(tree.root, write=tree.write).open(DEVICE, 0)
    left.apply(PwmState(20_000_000, 1_500_000, True))
    os.close(left._lock)  # what the kernel does with the descriptors of a process that is killed
    servo = SysfsPwm(tree.root, write=tree.write).open(DEVICE, 0)
    assert servo.state() == PwmState(20_000_000, 1_500_000, True), "it runs on, as the hardware does"
    servo.apply(PwmState(20_000_000, 0, False))
    servo.close()


def test_a_channel_that_a_kernel_driver_has_is_busy_at_once(tree: FakePwmTree) -> None:
    def claimed(path: Path, text: str) -> None:
        if path.name == "export":
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        tree.write(path, text)

    def never(duration_ns: int) -> None:
        raise AssertionError("nothing is worth waiting for")

    with pytest.raises(BackendError, match="is in use"):
        SysfsPwm(tree.root, never, claimed).open(DEVICE, 3)


def test_the_fans_chip_is_refused_though_it_is_there(tree: FakePwmTree) -> None:
    tree.add(7, "1f0009c000.pwm", 4)
    with pytest.raises(BackendError, match="drives the Pi's own fan") as caught:
        SysfsPwm(tree.root, write=tree.write).open("1f0009c000.pwm", 3)
    assert caught.value.errno == errno.EPERM
    assert not tree.log
