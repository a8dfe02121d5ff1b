"""A process that is killed: the supervisor requests the real lines anew and drives them to their safe levels."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import gpiod
from gpiod.line import Direction

from axiom_hw.actuation import GuardState
from tests.backends.rigs import SimWorld
from tests.twin.inside.bench import Demo, until
from tests.twin.inside.victim import BOARD

VICTIM = "../tests/twin/inside/victim"
LISTING = Path("/sys/kernel/debug/pwm")


def test_sigkill_leaves_each_output_safe(lines: SimWorld, tmp_path: Path) -> None:
    victim = Demo(VICTIM, "--state", str(tmp_path))
    victim.expect("driving")
    assert (lines.level(18), lines.level(27)) == (1, 0)
    assert "duty: 1500000 ns" in LISTING.read_text()
    with gpiod.Chip(f"/dev/{lines.chip.name}") as chip:
        chip.watch_line_info(27)
        began = time.monotonic()
        os.kill(victim.pid, signal.SIGKILL)
        # The simulated chip lets a line go when it is released, where a Pi's keeps its level: who had it is what can be
        # seen afterwards.
        while True:
            assert chip.wait_info_event(20.0), "the supervisor never requested the relay's line"
            event = chip.read_info_event()
            if event.event_type is gpiod.InfoEvent.Type.LINE_REQUESTED:
                break
        seconds = time.monotonic() - began
        assert event.line_info.direction is Direction.OUTPUT
    until(lambda: lines.level(18) == 0, 10)
    until(lambda: "duty: 1500000 ns" not in LISTING.read_text() or " enabled" not in LISTING.read_text(), 10)
    state = GuardState.look(tmp_path, BOARD.name)
    assert state is not None
    until(lambda: {"supervisor"} <= {one.source for one in state.journal.decisions()}, 10)
    last = {one.output: one.source for one in sorted(state.journal.decisions(), key=lambda one: one.number)}
    assert set(last.values()) == {"supervisor"}
    assert set(last) == {"led", "relay", "servo"}
    said = victim.finish()
    assert "is gone without a word; outputs of victim made safe" in said
    print(f"safe after {seconds * 1000:.0f} ms")
