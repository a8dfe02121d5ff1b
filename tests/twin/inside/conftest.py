"""Tests that run inside of the twin, as root: `tests/twin/running.py` starts them there, with AXIOM_INSIDE=1."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.backends.rigs import USED, SimWorld, simulated_chip

if os.environ.get("AXIOM_INSIDE") != "1":
    collect_ignore_glob = ["test_*.py"]
elif os.environ.get("AXIOM_COUNTED") != "1":
    collect_ignore_glob = ["test_sampling.py"]


@pytest.fixture
def lines() -> SimWorld:
    """The world's side of the header. Each line that tests use is pulled down."""
    bank = simulated_chip()
    assert bank is not None, "the twin has a simulated chip"
    world = SimWorld(bank)
    for offset in USED:
        world.drive(offset, 0)
    return world


@pytest.fixture
def pi_5(tmp_path: Path) -> Iterator[None]:
    """/proc/cpuinfo has the revision code of a Raspberry Pi 5, from which gpiozero knows the header."""
    text = Path("/proc/cpuinfo").read_text()
    if "Revision" in text:
        yield
        return
    (tmp_path / "cpuinfo").write_text(f"{text}\nRevision\t: d04170\n")
    assert os.system(f"mount --bind {tmp_path}/cpuinfo /proc/cpuinfo") == 0
    yield
    assert os.system("umount /proc/cpuinfo") == 0
