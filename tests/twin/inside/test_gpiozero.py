"""GPIOZERO_PIN_FACTORY=axiom: a plain gpiozero script blinks and reads lines of a chip in the kernel."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.backends.rigs import SimWorld
from tests.twin.inside.bench import Demo, until

SCRIPT = "../tests/twin/inside/gpiozero_script"


@pytest.mark.usefixtures("pi_5")
def test_a_plain_script_blinks_and_reads(lines: SimWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "axiom")
    script = Demo(SCRIPT)
    script.expect("ready")
    assert lines.level(17) == 1, "gpiozero's buttons are pulled up, and the simulator's line goes with it"
    for _ in range(2):
        until(lambda: lines.level(18) == 1)
        lines.drive(17, 0)
        until(lambda: lines.level(18) == 0)
        lines.drive(17, 1)
    levels = []
    while "done" not in script.said and len(levels) < 100_000:
        levels.append(lines.level(18))
        script._read(0)
    said = script.finish()
    assert said.split("\n") == [
        "ready", "on 1", "off 0 pressed True", "released", "on 1", "off 0 pressed True", "released", "done", ""
    ]  # fmt: skip
    assert sum(old < new for old, new in pairwise(levels)) == 3, "three blinks"
