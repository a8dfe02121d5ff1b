"""What only counted time can show on a busy machine: that a sensor at its rate loses nothing."""

from __future__ import annotations

import pytest

from axiom_hw.twin import Twin
from tests.twin.running import pytest_in


@pytest.mark.usefixtures("compiled")
def test_sampling() -> None:
    """Time is what instructions take, and none passes while all wait."""
    with Twin.boot(counted=True, frozen=True, processors=1) as twin:
        pytest_in(twin, "tests/twin/inside/test_sampling.py", AXIOM_COUNTED="1")
