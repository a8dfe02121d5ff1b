"""A slice of the soak that `make soak` is, in a process of its own, whose memory nothing else uses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.thorough import tries

ROOT = Path(__file__).parents[4]


@pytest.mark.thorough
def test_programs_are_replaced_under_load() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bpf.engine.llvm.soak", "--known", str(tries(200, 600)),
         "--unseen", str(tries(15, 40))],
        capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    assert done.stdout.count("all counted: True") == 2
