"""Killed processes: each output is in its safe state within 200 ms, and a latched stop stays latched.

Three kills, or as many as KILLS says: `make test-kill` does a hundred.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from axiom_hw.actuation import Decision, GuardState, Verdict, read_stop
from axiom_hw.backends.wires import Wires
from axiom_hw.board import load_board

HERE = Path(__file__).parent
BOARD = load_board(HERE / "kill-bench.toml")
KILLS = int(os.environ.get("KILLS", "3"))
LIMIT_S = 0.2
pytestmark = pytest.mark.llvm  # the victim's programs are Python


@dataclass
class Victim:
    """The process, and what others see of it."""

    process: subprocess.Popen[bytes]
    wires: Wires
    state_dir: Path

    @property
    def state(self) -> GuardState:
        found = GuardState.look(self.state_dir, BOARD.name)
        assert found is not None
        return found

    def drives(self) -> bool:
        """Whether each output is away from its safe state."""
        wheel, arm = self.wires.pwm_state("wheel"), self.wires.pwm_state("arm")
        return self.wires.level("relay") == 0 and wheel.duty_ns == 25_000 and arm.duty_ns == 2_000_000

    def seconds_to_safe(self) -> float:
        """From now on until all are safe and nothing drives them any more."""
        began = time.monotonic()
        until(self.wires.is_safe)
        return time.monotonic() - began

    def decisions(self) -> list[Decision]:
        return sorted(self.state.journal.decisions(), key=lambda decision: decision.number)


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.0005)


@contextmanager
def victim(kind: str, state_dir: Path) -> Iterator[Victim]:
    state_dir.mkdir(exist_ok=True)
    command = [sys.executable, str(HERE / "victim.py"), kind, "--mock", "--real-time", "--engine", "interp"]
    environment = {**os.environ, "PYTHONPATH": str(HERE.parents[1])}
    with (state_dir / "said").open("wb") as said:
        process = subprocess.Popen(
            [*command, "--state", str(state_dir)], stdin=subprocess.PIPE, stderr=said, env=environment,
            start_new_session=True,
        )  # fmt: skip
    found = Victim(process, Wires(state_dir / f"{BOARD.name}.wires", BOARD), state_dir)
    try:
        yield found
    finally:
        process.kill()
        process.wait()
        if process.stdin is not None:
            process.stdin.close()
        until(found.wires.take)  # the supervisor is through
        found.wires.close()


@pytest.mark.parametrize("number", range(KILLS))
def test_a_killed_process_leaves_each_output_safe_within_200_ms(number: int, tmp_path: Path) -> None:
    dice = random.Random(number)
    with victim("drive", tmp_path) as found:
        until(found.drives)
        time.sleep(dice.random() / 50)  # at any moment of a write
        os.killpg(found.process.pid, signal.SIGKILL)  # as a terminal or a shell does
        seconds = found.seconds_to_safe()
    assert seconds < LIMIT_S
    print(f"safe after {seconds * 1000:.1f} ms")
    last = {one.output: one for one in found.decisions()}
    assert {last[output.name].source for output in BOARD.outputs} == {"supervisor"}
    assert "is gone without a word; outputs of kill-bench made safe" in (tmp_path / "said").read_text()
    assert not found.state.is_latched


@pytest.mark.parametrize("number", range(max(KILLS // 5, 1)))
def test_a_latched_stop_is_latched_still(number: int, tmp_path: Path) -> None:
    """Killed the moment the latch falls, perhaps before the disk has heard of it."""
    with victim("stop", tmp_path) as found:
        until(lambda: (tmp_path / "kill-bench.guard").exists() and found.wires.changes() > 4)
        until(lambda: found.state.is_latched)
        found.process.kill()
        assert found.seconds_to_safe() < LIMIT_S
    assert found.state.is_latched
    with victim("drive", tmp_path) as again:
        until(lambda: any(one.verdict is Verdict.STOPPED for one in again.decisions()))
        assert again.wires.is_safe()
        assert again.state.release("Ada")
        until(again.drives)  # the running process sees the release


def test_a_stop_from_outside_makes_a_running_process_safe(tmp_path: Path) -> None:
    with victim("drive", tmp_path) as found:
        until(found.drives)
        done = subprocess.run(
            [sys.executable, "-m", "axiom_hw", "stop", "now", "--reason", "smoke", "--state", str(tmp_path)],
            capture_output=True, text=True, check=True, cwd=HERE.parents[1],
        )  # fmt: skip
        assert f"by axiom-hw stop: smoke; process {found.process.pid} drives its outputs" in done.stdout
        until(found.wires.is_safe)
        assert found.process.poll() is None
        assert read_stop(tmp_path / "kill-bench.stop").reason == "smoke"


def test_a_process_that_hangs_is_stopped_then_killed(tmp_path: Path) -> None:
    with victim("drive", tmp_path) as found:
        until(found.drives)
        found.process.send_signal(signal.SIGSTOP)
        until(lambda: found.state.is_latched)
        assert found.process.wait(20) == -signal.SIGKILL
        until(found.wires.is_safe)
    assert "gave no heartbeat for" in read_stop(tmp_path / "kill-bench.stop").reason
    assert "is still silent: it is killed" in (tmp_path / "said").read_text()


def test_a_process_that_becomes_another_program_drives_nothing(tmp_path: Path) -> None:
    with victim("exec", tmp_path) as found:
        until(lambda: found.wires.changes() > 10)
        until(found.wires.is_safe)
        assert found.process.poll() is None


def test_a_process_that_ends_by_itself_leaves_nothing_to_do(tmp_path: Path) -> None:
    with victim("drive", tmp_path) as found:
        until(found.drives)
        found.process.terminate()
        assert found.process.wait(20) == 128 + signal.SIGTERM
        assert found.wires.is_safe()
        until(found.wires.take)
    assert (tmp_path / "said").read_text() == ""
    assert {one.source for one in found.decisions()[-4:]} == {"close"}
