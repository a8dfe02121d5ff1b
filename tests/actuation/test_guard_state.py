"""What outlives a guard: the latched stop, through restarts, versions and other processes; the decisions."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from axiom_hw.actuation import Decision, Guard, GuardState, Stop, Verdict, keep_stop, read_stop, state_directory
from axiom_hw.backends.mock_gpio import MockGpio
from axiom_hw.backends.mock_pwm import MockPwm
from axiom_hw.board import load_board
from axiom_hw.clock import MonotonicClock
from axiom_hw.errors import OutputError
from axiom_hw.scheduler import Scheduler

BOARD = load_board(Path(__file__).parents[2] / "boards/rpi5-bench.toml")
LED = 18


@dataclass
class Run:
    """One run of a process on the board."""

    state_dir: Path

    def __post_init__(self) -> None:
        self.clock = MonotonicClock()
        self.gpio = MockGpio.for_board(BOARD, self.clock, Scheduler(self.clock))
        self.guard = Guard.open(BOARD, self.gpio, MockPwm.for_board(BOARD), self.clock, state_dir=self.state_dir)

    @property
    def led(self) -> int:
        return self.gpio.open("pinctrl-rp1").level(LED)

    def kill(self) -> None:
        """The kernel closes what a killed process had open."""
        state = self.guard._state
        assert state is not None
        assert state._lock is not None
        os.close(state._lock)

    def look(self) -> GuardState:
        found = GuardState.look(self.state_dir, BOARD.name)
        assert found is not None
        return found


def test_a_latched_stop_survives_a_killed_process_and_an_ended_one(tmp_path: Path) -> None:
    first = Run(tmp_path)
    first.guard.emergency_stop("limit switch", "safety")
    first.kill()
    for _ in range(2):
        run = Run(tmp_path)
        stop = run.guard.stopped
        assert stop is not None
        assert (stop.reason, stop.source) == ("limit switch", "safety")
        assert stop.time.startswith("20")
        assert run.guard.set_gpio(LED, 1, "follow") == -errno.EPERM
        assert run.led == 0
        run.guard.close()
    run = Run(tmp_path)
    assert run.guard.release_stop("Ada")
    assert run.led == 0, "releasing restores nothing"
    run.guard.close()
    run = Run(tmp_path)
    assert run.guard.stopped is None
    assert run.guard.set_gpio(LED, 1, "follow") == 0
    run.guard.close()


def test_either_of_memory_and_text_is_enough(tmp_path: Path) -> None:
    """The text is missing after a kill in the wrong moment, the memory after a new version of this package."""
    Run(tmp_path).guard.emergency_stop("limit switch", "safety")
    text, memory = tmp_path / "rpi5-bench.stop", tmp_path / "rpi5-bench.guard"
    kept = text.read_bytes()
    for gone in (text, memory):
        text.write_bytes(kept)
        copy = tmp_path / gone.name.replace(".", "-")
        copy.mkdir()
        for file in (text, memory):
            if file is not gone:
                (copy / file.name).write_bytes(file.read_bytes())
        run = Run(copy)
        assert run.guard.stopped is not None
        assert run.guard.set_gpio(LED, 1, "follow") == -errno.EPERM
        run.guard.close()


def test_a_damaged_text_is_no_reason_to_go_on(tmp_path: Path) -> None:
    (tmp_path / "rpi5-bench.stop").write_bytes(b"\xff\x00 half a li")
    run = Run(tmp_path)
    stop = run.guard.stopped
    assert stop is not None
    assert "can't be read" in stop.reason
    run.guard.close()


def test_memory_of_another_layout_begins_anew(tmp_path: Path) -> None:
    (tmp_path / "rpi5-bench.guard").write_bytes(b"axguard0" + b"\xff" * 400_000)
    run = Run(tmp_path)
    assert run.guard.stopped is None
    assert run.guard.audit() == ()
    assert run.guard.set_gpio(LED, 1, "follow") == 0
    run.guard.close()


def test_text_survives_quotes_and_lines(tmp_path: Path) -> None:
    path = tmp_path / "x.stop"
    keep_stop(path, Stop('a "quoted"\nline \\ é \x7f', "p", 5))
    stop = read_stop(path)
    assert (stop.reason, stop.source, stop.timestamp_ns) == ('a "quoted"\nline \\ é \x7f', "p", 5)
    assert [file.name for file in tmp_path.iterdir()] == ["x.stop"]


def test_one_process_at_a_time_guards_a_board(tmp_path: Path) -> None:
    first = Run(tmp_path)
    assert first.look().owner == os.getpid()
    with pytest.raises(OutputError, match="the outputs of rpi5-bench: are guarded by another process") as caught:
        Run(tmp_path)
    assert caught.value.fix == "end that one first, or give this one a directory of its own: --state DIR"
    first.guard.close()
    assert first.look().owner is None
    Run(tmp_path).guard.close()


def test_a_directory_that_cant_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"rpi5-bench\.guard: can't be written: Not a directory") as caught:
        Run(tmp_path / "file/below")
    assert "--state DIR" in caught.value.fix


def test_decisions_go_on_where_the_last_process_left_them(tmp_path: Path) -> None:
    first = Run(tmp_path)
    first.guard.set_gpio(LED, 1, "first")
    first.guard.set_gpio(99, -5, "first")
    first.kill()
    second = Run(tmp_path)
    second.guard.set_gpio(LED, 1, "second")
    kept = [(d.number, d.source, d.output, d.wanted, d.written, d.errno) for d in second.guard.audit()]
    assert kept == [
        (1, "first", "led", 1, 1, 0), (2, "first", "gpio/0/line99", -5, None, errno.ENODEV),
        (3, "second", "led", 1, 1, 0),
    ]  # fmt: skip
    assert sorted(second.look().journal.decisions(), key=_number) == list(second.guard.audit())
    second.guard.close()


def _number(decision: Decision) -> int:
    return decision.number


def test_the_journal_keeps_the_last_256_and_any_number_of_names(tmp_path: Path) -> None:
    run = Run(tmp_path)
    for number in range(1_000):
        run.guard.set_gpio(LED, 1, f"program {number}")
    audit = run.guard.audit()
    assert [decision.number for decision in audit] == list(range(745, 1_001))
    assert run.guard.overwritten == 744
    assert {decision.source for decision in audit} == {"others"}, "510 have a name of their own"
    run.guard.close()


OTHER = """
import sys
from pathlib import Path
from axiom_hw.actuation import GuardState, Stop
state = GuardState.look(Path(sys.argv[1]), "rpi5-bench")
if sys.argv[2] == "stop":
    state.latch(Stop("from outside", "other", 1))
else:
    assert state.release("Ada")
"""


def test_another_process_stops_and_releases(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.guard.set_gpio(LED, 1, "follow")

    def other(what: str) -> None:
        subprocess.run([sys.executable, "-c", OTHER, str(tmp_path), what], check=True, cwd=Path(__file__).parents[2])

    other("stop")
    assert run.guard.set_gpio(LED, 1, "follow") == -errno.EPERM, "seen by the next order"
    run.guard.emergency_stop("inside too", "follow")
    other("release")
    assert run.guard.stopped is None
    assert run.guard.set_gpio(LED, 1, "follow") == 0
    other("stop")
    run.guard.beat()
    assert run.led == 0, "seen by the next heartbeat without any order"
    stop = run.guard.stopped
    assert stop is not None
    assert stop.reason == "from outside"
    told = [
        (d.source, d.output, d.verdict) for d in run.guard.audit() if d.verdict in (Verdict.LATCHED, Verdict.RELEASED)
    ]
    assert told == [
        ("other", "all outputs: from outside", Verdict.LATCHED), ("follow", "all outputs: inside too", Verdict.LATCHED),
        ("Ada", "all outputs", Verdict.RELEASED), ("other", "all outputs: from outside", Verdict.LATCHED),
    ]  # fmt: skip
    run.guard.close()


def test_a_heartbeat_is_the_time_and_ends_with_the_guard(tmp_path: Path) -> None:
    run = Run(tmp_path)
    assert run.look().last_beat_ns == 0
    before = time.monotonic_ns()
    run.guard.beat()
    assert before <= run.look().last_beat_ns <= time.monotonic_ns()
    run.guard.beats_no_more()
    assert run.look().last_beat_ns == 0, "an end takes its time, and is no silence"
    run.guard.beat()
    run.guard.close()
    assert run.look().last_beat_ns == 0, "nobody should look from here on"


def test_a_stop_that_cant_be_written_down_is_latched_all_the_same(tmp_path: Path) -> None:
    run = Run(tmp_path)
    (tmp_path / "rpi5-bench.stop").mkdir()
    run.guard.set_gpio(LED, 1, "follow")
    assert run.guard.emergency_stop("limit", "switch") == 0
    assert run.led == 0
    assert run.guard.audit()[-1].verdict is Verdict.FAILED
    run.kill()
    assert Run(tmp_path).guard.stopped is not None


def test_where_state_lies() -> None:
    assert state_directory({}, user=0) == Path("/var/lib/axiom_hw")
    assert state_directory({"HOME": "/home/ada"}, user=1000) == Path("/home/ada/.local/state/axiom_hw")
    assert state_directory({"HOME": "/h", "XDG_STATE_HOME": "/s"}, user=1000) == Path("/s/axiom_hw")
    assert state_directory({"STATE_DIRECTORY": "/var/lib/a:/var/lib/b", "HOME": "/h"}, user=0) == Path("/var/lib/a")
