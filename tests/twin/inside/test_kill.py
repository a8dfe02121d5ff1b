"""A process that is killed: the supervisor requests the real lines anew and drives them to their safe levels."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

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
    began = time.monotonic()
    os.kill(victim.pid, signal.SIGKILL)
    driven = False
    while not driven:  # the simulated chip lets a free line go to where it is pulled: down
        driven = lines.level(27) == 1
        assert time.monotonic() - began < 10, "the supervisor never drove the relay's line"
    seconds = time.monotonic() - began
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
