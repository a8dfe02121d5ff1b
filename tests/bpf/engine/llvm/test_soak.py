"""A slice of the soak that `make soak` is, in a process of its own, whose memory nothing else uses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[4]


def test_programs_are_replaced_under_load() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bpf.engine.llvm.soak", "--known", "600", "--unseen", "40"],
        capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    assert done.stdout.count("all counted: True") == 2
