"""`--gpio`: other ways to real lines, what they can't do said at the start of a run and by the doctor."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("gpiod", reason="the fake kernel speaks gpiod's types")

import axiom_hw as hw
from axiom_hw.backends import lgpio_gpio
from axiom_hw.backends.lgpio_gpio import LgpioBackend
from axiom_hw.backends.mock_pwm import MockPwm
from axiom_hw.board import load_board
from axiom_hw.bpf.spec import ProgramSpec
from axiom_hw.bpf.verifier import verify
from axiom_hw.cli.diagnosis import Status
from axiom_hw.cli.gpio_backends import gpio_backends
from axiom_hw.clock import VirtualClock
from axiom_hw.events import ctx_of
from axiom_hw.runtime import Devices, Runtime
from axiom_hw.scheduler import Scheduler
from axiom_hw.source import read_object
from tests.backends.fake_gpiod import FakeWorld
from tests.backends.fake_lgpio import FakeLgpio
from tests.cli.test_run import run

MS = 1_000_000


@pytest.fixture
def none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """lgpio, on a machine without chips."""
    clock = VirtualClock()
    empty = LgpioBackend(FakeLgpio({}, clock, Scheduler(clock)), tmp_path)
    monkeypatch.setattr(lgpio_gpio, "LgpioBackend", lambda: empty)


def test_a_run_says_first_what_its_backend_cant_do(none: None, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "demos/button.bpf.s", "--board", "rpi5-bench", "--gpio", "lgpio")
    assert (code, out) == (1, "")
    assert (
        "gpio by lgpio, which can do less than gpiod:\n"
        "    edges come 0.5 ms later\n"
        "    lost edges aren't counted: only that one is missing between two alike can be told\n"
    ) in err
    assert "chip pinctrl-rp1: isn't there; there is no GPIO chip on this machine" in err


def test_a_misspelt_backend_is_an_error_of_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "demos/button.bpf.s", "--board", "rpi5-bench", "--gpio", "pigpio")
    assert code == 2
    assert "argument --gpio: invalid choice: 'pigpio' (choose from" in err


def test_a_program_runs_on_lines_of_lgpio(tmp_path: Path) -> None:
    clock = VirtualClock()
    timers = Scheduler(clock)
    header = FakeWorld("pinctrl-rp1", 54, clock, timers)
    header.drive(17, 1)
    (tmp_path / "gpiochip11").touch()
    backend = LgpioBackend(FakeLgpio({11: header}, clock, timers), tmp_path)
    board = load_board("rpi5-bench")
    runtime = Runtime(board, clock, Devices(backend, MockPwm.for_board(board)), scheduler=timers)
    spec: ProgramSpec = read_object("demos/button.bpf.s", ctx_of).programs[0]
    maps = [hw.bpf.maps.create_map(one) for one in spec.maps]
    with runtime:
        runtime.attach(verify(spec), maps, spec.section)
        assert header.level(18) == 0
        header.drive(17, 0)
        clock.advance(6 * MS)  # 5 ms of debounce, half a millisecond of lgpio
        assert header.level(18) == 1
        assert runtime.gpio is not None
        assert runtime.gpio.counters("button").received == 1
    assert header.level(18) == 0, "safe again"


def test_the_doctor_tells_of_each_backend_that_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("axiom_hw.cli.gpio_backends.version", lambda package: {"lgpio": "0.2.2.0"}[package])
    monkeypatch.setattr("axiom_hw.cli.gpio_backends.PackageNotFoundError", KeyError)
    (finding,) = gpio_backends()
    assert finding.status is Status.OK
    assert finding.text == "--gpio lgpio (0.2.2.0) for want of gpiod; it can do less, and says what when it runs"


def test_the_doctor_leaves_nothing_where_it_is_started(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "axiom_hw", "doctor", "--board", "rpi5-bench"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    told = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (told.returncode, told.stderr) == (1, "")
    assert "board rpi5-bench" in told.stdout
    assert list(tmp_path.iterdir()) == []
