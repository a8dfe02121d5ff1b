"""`factory`: pins of the header in memory; `pi`: the factory on a fake kernel. Imports come late: modules may skip."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from axiom_hw.clock import VirtualClock

if TYPE_CHECKING:
    from axiom_hw.gpiozero_factory import AxiomFactory
    from tests.gpiozero_factory.headers import Pi


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def factory(clock: VirtualClock) -> Iterator[AxiomFactory]:
    """Pins of the header in memory, on a clock that stands still."""
    from axiom_hw.gpiozero_factory import AxiomFactory, MockHeader

    made = AxiomFactory(MockHeader(clock=clock))
    yield made
    made.close()


@pytest.fixture
def pi(tmp_path: Path) -> Iterator[Pi]:
    from tests.gpiozero_factory.headers import Pi

    made = Pi(tmp_path)
    yield made
    made.factory.close()
