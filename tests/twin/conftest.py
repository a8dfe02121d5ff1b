"""Tests on the twin: collected where AXIOM_TWIN=1 says so, because a boot takes seconds and QEMU must be there."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest

from axiom_hw.twin import Twin

if os.environ.get("AXIOM_TWIN") != "1":
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="session")
def twin() -> Iterator[Twin]:
    """The twin, booted once: tests leave its lines and registers as they should be for the next."""
    with Twin.boot(say=lambda line: print(line, file=sys.stderr)) as booted:
        yield booted
