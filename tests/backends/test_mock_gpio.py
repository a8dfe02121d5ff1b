"""What is special about the mock: the world's side of the wires, and what a release leaves behind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from axiom_hw.backends.gpio import LineInput, LineOutput
from axiom_hw.backends.mock_gpio import MockChip, MockGpio
from axiom_hw.board import Bias, EdgeDetection, load_board
from axiom_hw.clock import VirtualClock
from axiom_hw.errors import BackendError
from axiom_hw.events import Edge
from axiom_hw.scheduler import Scheduler

MS = 1_000_000


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def timers(clock: VirtualClock) -> Iterator[Scheduler]:
    timers = Scheduler(clock)
    timers.start()
    yield timers
    timers.stop()


@pytest.fixture
def chip(clock: VirtualClock, timers: Scheduler) -> MockChip:
    return MockChip("pinctrl-rp1", 54, clock, timers)


def test_the_chips_of_a_board() -> None:
    board = load_board(Path(__file__).parents[2] / "boards/rpi5-bench.toml")
    clock = VirtualClock()
    chip = MockGpio.for_board(board, clock, Scheduler(clock)).open("pinctrl-rp1")
    assert (chip.label, chip.num_lines) == ("pinctrl-rp1", 54)


@pytest.mark.parametrize(("persist", "level"), [(True, 1), (False, 0)])
def test_what_a_released_output_leaves_behind(clock, timers, persist: bool, level: int) -> None:
    chip = MockChip("pinctrl-rp1", 54, clock, timers, persist_outputs=persist)
    chip.request_inputs([LineInput(18, bias=Bias.PULL_DOWN)], "before").release()
    chip.request_outputs([LineOutput(18, 1)], "led").release()
    assert chip.level(18) == level, "a Pi 5 goes on driving; other kernels let the line float"
    assert chip.consumer(18) is None
    again = chip.request_inputs([LineInput(18)], "after")
    assert again.get(18) == 0, "the pull-down is still switched on"
    again.release()


def test_a_line_that_nothing_drives_keeps_its_level_or_follows_its_bias(chip: MockChip) -> None:
    chip.drive(4, 1)
    chip.drive(4, None)
    assert chip.level(4) == 1
    pulled = chip.request_inputs([LineInput(4, EdgeDetection.BOTH, Bias.PULL_DOWN)], "x")
    assert chip.level(4) == 0
    assert pulled.read_events() == [], "a level that the request itself brought about is no edge"
    pulled.release()


def test_a_watcher_sees_each_change_of_a_wire_with_its_time(chip: MockChip, clock: VirtualClock) -> None:
    seen: list[tuple[int, int, int]] = []
    chip.watch(lambda timestamp_ns, offset, level: seen.append((timestamp_ns, offset, level)))
    led = chip.request_outputs([LineOutput(18)], "led")
    for value in (1, 1, 0):
        clock.advance(MS)
        led.set(18, value)
    chip.drive(17, 1)
    led.release()
    assert seen == [(MS, 18, 1), (3 * MS, 18, 0), (3 * MS, 17, 1)]


def test_a_watcher_may_play_the_world(chip: MockChip) -> None:
    """A jumper from line 18 to line 17."""
    chip.watch(lambda timestamp_ns, offset, level: chip.drive(17, level) if offset == 18 else None)
    loop_in = chip.request_inputs([LineInput(17, EdgeDetection.BOTH)], "in")
    loop_out = chip.request_outputs([LineOutput(18)], "out")
    loop_out.set(18, 1)
    loop_out.set(18, 0)
    assert [event.edge for event in loop_in.read_events()] == [Edge.RISING, Edge.FALLING]
    loop_in.release()
    loop_out.release()


def test_our_output_wins_over_the_world_until_it_is_an_input_again(chip: MockChip) -> None:
    chip.drive(18, 1)
    led = chip.request_outputs([LineOutput(18, 0)], "led")
    assert chip.level(18) == 0
    led.release()
    back = chip.request_inputs([LineInput(18)], "in")
    assert back.get(18) == 1
    back.release()


def test_dropped_events_are_counted_where_a_test_can_see_them(chip: MockChip) -> None:
    request = chip.request_inputs([LineInput(17, EdgeDetection.BOTH)], "x")
    for edge in range(20):
        chip.drive(17, (edge + 1) % 2)
    assert request.dropped == 4
    request.release()


def test_the_world_has_two_levels_and_the_lines_of_the_chip(chip: MockChip) -> None:
    with pytest.raises(BackendError, match="line 17 of pinctrl-rp1: can't be driven to 5; a level is 0, 1 or None"):
        chip.drive(17, 5)
    with pytest.raises(BackendError, match="line 54 of pinctrl-rp1: isn't there; its lines are 0 to 53"):
        chip.drive(54, 1)
    with pytest.raises(BackendError, match="line -1"):
        chip.level(-1)
