"""A slice of `make test-loss`: 5,000 edges on each path, and what a library without numbers can't tell."""

from __future__ import annotations

from pathlib import Path

import pytest

from axiom_hw.bpf.engine.choice import Engine
from tests.bpf.engines import ENGINES
from tests.loss.paths import Tally, library_path, mock_path, pump_path, replayed_path

EDGES = 5_000


def check(tally: Tally, edges: int) -> None:
    assert tally.is_exact, tally
    assert tally.sent >= edges, "edges were sent"
    assert 0 < tally.lost < tally.sent - tally.sent // 4, "some were lost, not all"


@pytest.mark.parametrize("engine", ENGINES)
def test_the_mock_and_a_replay_of_it(engine: str, tmp_path: Path) -> None:
    recording = tmp_path / "loss.axr"
    tally = mock_path(EDGES, 1, Engine(engine), recording)
    check(tally, EDGES)
    assert replayed_path(recording, tally, Engine(engine)) == tally


@pytest.mark.llvm
def test_the_native_pump() -> None:
    check(pump_path(EDGES, 2), EDGES)


def test_a_library_whose_queue_overflows() -> None:
    check(library_path(EDGES, 3, dropping=False), EDGES)


def test_a_library_that_drops_edges_tells_what_can_be_known() -> None:
    """Two edges of one kind in a row prove a loss between them: an odd number of lost ones counts as one."""
    tally = library_path(EDGES, 4, dropping=True)
    assert tally.told == tally.lost
    missing = tally.sent - tally.received
    assert missing // 2 < tally.lost < missing, "most losses are of one edge; never is more told than there was"


def test_a_number_that_is_wrong_is_found() -> None:
    assert not Tally(10, 8, 1, 0, 8, 1).is_exact
    assert not Tally(10, 8, 2, 1, 8, 2).is_exact
    assert Tally(10, 8, 2, 1, 9, 2).is_exact
