"""Who follows an edge soonest on a real kernel: the order, not the figures, which `make bench-twin` judges.

It boots a twin of its own, whose time is what instructions take: so the order is the same on a busy machine.
"""

from __future__ import annotations

import pytest

from tests.bench.latency.__main__ import measure
from tests.bench.latency.figures import C_LOOP, GPIOD, GPIOZERO, NATIVE, table


@pytest.mark.llvm
def test_the_native_pump_is_before_gpiod_and_gpiod_before_gpiozero() -> None:
    report = measure(500, 2, only=(NATIVE, C_LOOP, GPIOD, GPIOZERO))
    print(f"\n{table(report.found)}")
    found = {one.name: one for one in report.found}
    assert {one.name: one.missed for one in report.found} == {NATIVE: 0, C_LOOP: 0, GPIOD: 0, GPIOZERO: 0}
    assert all(len(one.edges) == 500 for one in report.found)
    assert found[NATIVE].p50_ns < found[GPIOD].p50_ns < found[GPIOZERO].p50_ns
    assert found[C_LOOP].wakeups == 0, "a C loop that waits wakes up for edges only"
