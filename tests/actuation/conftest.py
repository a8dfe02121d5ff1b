"""`bench`: the demos' bench in memory, with a guard."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.actuation.guard_bench import Bench


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.guard.close()
    bench.adapter.close()
