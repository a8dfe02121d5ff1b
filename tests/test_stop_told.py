"""An emergency stop that another process latches is told in the terminal of the run, once."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from axiom_hw.actuation import GuardState, Stop
from axiom_hw.app import App
from axiom_hw.options import Options


def test_a_stop_from_outside_is_told_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    app = App("x", board="rpi5-bench")
    options = Options(mock=True, real_time=True, state=str(tmp_path), supervised=False)
    with app.running(options) as runtime:
        guard = runtime.guard
        assert guard is not None
        other = GuardState.look(tmp_path, "rpi5-bench")
        assert other is not None
        other.latch(Stop("smoke in the lab", "axiom-hw stop", 1))
        seen = threading.Event()
        runtime.scheduler.every(1_000_000, lambda *_: guard.stopped is not None and seen.set())
        assert seen.wait(10), "the run sees the stop"
        guard.beat()
        guard.beat()
    assert capsys.readouterr().err == (
        "the emergency stop of rpi5-bench was latched just now, by axiom-hw stop: smoke in the lab; "
        "outputs are in their safe states\n"
        "    fix    see why, then: axiom-hw stop release --operator NAME --board rpi5-bench\n"
    )


def test_ones_own_stop_isnt_told_as_another_processes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    app = App("x", board="rpi5-bench")
    options = Options(mock=True, real_time=True, state=str(tmp_path), supervised=False)
    with app.running(options) as runtime:
        guard = runtime.guard
        assert guard is not None
        guard.emergency_stop("limit switch", "safety")
        guard.beat()
    assert capsys.readouterr().err == ""
