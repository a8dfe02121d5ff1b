"""Tests on the twin: collected where AXIOM_TWIN=1 says so, because a boot takes seconds and QEMU must be there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
if os.environ.get("AXIOM_TWIN") != "1":
    collect_ignore_glob = ["test_*.py"]
else:  # before a fixture gives the tests a cache of their own: the twin's parts are built once
    CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    os.environ.setdefault("AXIOM_TWIN_CACHE", str(CACHE / "axiom-hw/twin"))


@pytest.fixture(scope="session")
def compiled() -> None:
    """Compile here what the twin imports: it sees these files, and would compile them itself in each process."""
    environment = {**os.environ, "AXIOM_INSIDE": "1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    collect = ("pytest", "-q", "--collect-only", "-p", "no:cacheprovider", "tests/backends", "tests/twin/inside")
    for command in (("compileall", "-q", "axiom_hw", "demos", "tests"), collect):  # pytest compiles its asserts itself
        subprocess.run(
            (sys.executable, "-m", *command), cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, check=False
        )
