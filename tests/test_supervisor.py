"""What the supervisor does at the end of a process, without a process: each output, and what is told of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from axiom_hw import supervisor_process
from axiom_hw.actuation import Guard, GuardState, Verdict
from axiom_hw.backends.gpio import LineInput
from axiom_hw.backends.mock_gpio import MockGpio
from axiom_hw.backends.mock_pwm import MockPwm
from axiom_hw.backends.pwm import PwmState
from axiom_hw.backends.sysfs_pwm import SysfsPwm
from axiom_hw.board import load_board, parse_board
from axiom_hw.clock import VirtualClock
from axiom_hw.errors import OutputError
from axiom_hw.scheduler import Scheduler
from axiom_hw.supervisor import Plan, Supervisor
from axiom_hw.supervisor_process import make_safe
from tests.backends.fake_sysfs import FakePwmTree

BOARD = load_board(Path(__file__).parent / "kill/kill-bench.toml")
DEVICE = "1f00098000.pwm"


def bench() -> tuple[MockGpio, MockPwm]:
    clock = VirtualClock()
    return MockGpio.for_board(BOARD, clock, Scheduler(clock)), MockPwm.for_board(BOARD)


def test_each_output_is_made_safe_given_back_and_noted(tmp_path: Path) -> None:
    gpio, pwm = bench()
    state = GuardState.own(tmp_path, BOARD.name, 2)
    state.close()
    gpio.open("pinctrl-rp1").drive(18, 1)
    pwm.applied(DEVICE, 1, PwmState(50_000, 30_000, enabled=True))
    assert make_safe(Plan(os.getpid(), BOARD, tmp_path), gpio, pwm) == []
    chip = gpio.open("pinctrl-rp1")
    assert (chip.level(18), chip.level(27), chip.level(23)) == (0, 1, 0)
    assert pwm.seen(DEVICE, 0) == PwmState(20_000_000, 1_500_000, enabled=True)
    assert not pwm.seen(DEVICE, 1).enabled
    kept = sorted(state.journal.decisions(), key=lambda decision: decision.number)
    assert [(d.source, d.output, d.written, d.verdict) for d in kept] == [
        ("supervisor", name, level, Verdict.APPLIED)
        for name, level in (("led", 0), ("relay", 0), ("arm", 1_500_000), ("wheel", 0))
    ]
    with Guard.open(BOARD, gpio, pwm, VirtualClock(), timers=Scheduler(VirtualClock())):
        pass  # the next run has them


def test_one_that_somebody_holds_is_named_and_the_others_are_safe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor_process, "_GIVE_UP_S", 0.02)
    gpio, pwm = bench()
    hog = gpio.open("pinctrl-rp1").request_inputs([LineInput(27)], "a child of yours")
    failures = make_safe(Plan(os.getpid(), BOARD, tmp_path), gpio, pwm)
    assert failures == ['relay, because line 27 of pinctrl-rp1 is in use by "a child of yours"']
    assert pwm.seen(DEVICE, 0).enabled
    hog.release()


def test_what_nobody_foresaw_keeps_no_other_output_from_its_safe_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gpio, pwm = bench()
    (tmp_path / f"{BOARD.name}.guard").mkdir()  # a state that can't be written

    def bug(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(type(gpio.open("pinctrl-rp1")), "request_outputs", bug)
    failures = make_safe(Plan(os.getpid(), BOARD, tmp_path), gpio, pwm)
    assert failures[:2] == [f"{name}, because of ZeroDivisionError: " for name in ("led", "relay")]
    assert pwm.seen(DEVICE, 0) == PwmState(20_000_000, 1_500_000, enabled=True)
    assert "what is done is noted nowhere: " in capsys.readouterr().err


def test_a_channel_that_a_killed_process_left_running_is_switched_off(tmp_path: Path) -> None:
    """The real backend, on files that obey the kernel's rules: the channel is exported still, its lock is gone."""
    board = parse_board(
        '[chip.h]\nlabel = "pinctrl-rp1"\n[pwm_chip.h]\ndevice = "1f00098000.pwm"\n'
        '[output.fan]\nkind = "motor"\nchannel = 1\nperiod = "50us"\nsafe = "off"\n', "fan", "fan.toml",
    )  # fmt: skip
    (tmp_path / "sys").mkdir()
    tree = FakePwmTree(tmp_path / "sys")
    chip = tree.add(3, DEVICE, 4)
    left = SysfsPwm(tree.root, write=tree.write).open(DEVICE, 1)
    left.apply(PwmState(50_000, 30_000, enabled=True))
    os.close(left._lock)  # as the kernel does at the end of a process
    tree.log.clear()
    gpio, _ = bench()
    assert make_safe(Plan(os.getpid(), board, tmp_path), gpio, SysfsPwm(tree.root, write=tree.write)) == []
    assert ("enable", "0") in tree.log
    assert (chip / ".pwm1/enable").read_text() == "0\n"


def test_a_supervisor_that_ends_at_its_start_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("axiom_hw.supervisor._CODE", "raise SystemExit(1)")
    started = Supervisor.start(Plan(os.getpid(), BOARD, tmp_path))
    with pytest.raises(OutputError, match=r"the supervisor, .*: ended at its start") as caught:
        started.wait_ready()
    assert "--no-supervisor" in caught.value.fix
    started.say_goodbye()


def test_a_goodbye_leaves_the_outputs_alone(tmp_path: Path) -> None:
    wires = tmp_path / "wires"
    started = Supervisor.start(Plan(os.getpid(), BOARD, tmp_path, wires=wires))
    started.wait_ready()
    started.say_goodbye()
    assert started._process.returncode == 0
    assert not any(wires.read_bytes())


def test_a_goodbye_may_come_before_it_is_ready(tmp_path: Path) -> None:
    """As where a device can't be had: a run that fails at its start must not wait for it."""
    started = Supervisor.start(Plan(os.getpid(), BOARD, tmp_path, wires=tmp_path / "wires"))
    started.say_goodbye()
    assert started._process.returncode == 0, "it was not killed"
