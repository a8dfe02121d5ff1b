"""Edges as gpiozero hears them: those that are wanted, in order, and those that were lost."""

from __future__ import annotations

import threading

import pytest

gpiozero = pytest.importorskip("gpiozero")
pytest.importorskip("gpiod", reason="the fake kernel speaks gpiod's types")


from axiom_hw.clock import VirtualClock  # noqa: E402
from axiom_hw.gpiozero_factory import AxiomFactory  # noqa: E402
from tests.gpiozero_factory.headers import reaches  # noqa: E402


@pytest.mark.parametrize(
    ("edges", "expected"), [("both", [1, 0, 1, 0]), ("rising", [1, 1]), ("falling", [0, 0]), ("none", [])]
)
def test_only_the_edges_that_are_wanted_come(factory: AxiomFactory, edges: str, expected: list[int]) -> None:
    pin, seen = factory.pin(17), []

    def changed(ticks: int, state: int) -> None:
        seen.append(state)

    pin.input_with_pull("down")
    pin.edges = edges
    pin.when_changed = changed
    for _ in range(2):
        pin.drive_high()
        pin.drive_low()
    assert seen == expected
    pin.when_changed = None
    pin.drive_high()
    assert seen == expected


def test_a_handler_that_is_gone_isnt_called(factory: AxiomFactory) -> None:
    class Owner:
        def changed(self, ticks: int, state: int) -> None:
            raise AssertionError

    owner, pin = Owner(), factory.pin(17)
    pin.input_with_pull("down")
    pin.when_changed = owner.changed
    del owner
    pin.drive_high()


def test_a_handler_that_raises_doesnt_end_the_edges_of_others(
    factory: AxiomFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", told.append)
    assert factory.bench is not None
    came = threading.Event()

    def broken(ticks: int, state: int) -> None:
        raise ZeroDivisionError("mine")

    def fine(ticks: int, state: int) -> None:
        came.set()

    for line, handler in ((17, broken), (22, fine)):
        factory.pin(line).input_with_pull("down")
        factory.pin(line).when_changed = handler
    factory.bench.chip.drive(17, 1)
    assert reaches(lambda: len(told) == 1)
    factory.bench.chip.drive(22, 1)
    assert came.wait(5)
    assert [str(one.exc_value) for one in told] == ["mine"]


def test_edges_of_several_pins_come_in_the_order_of_their_times(factory: AxiomFactory, clock: VirtualClock) -> None:
    assert factory.bench is not None
    seen: list[tuple[int, int]] = []
    handlers = []
    for line in (17, 22):

        def changed(ticks: int, state: int, line: int = line) -> None:
            seen.append((ticks, line))
            if len(seen) == 1:  # while this one runs, both go on
                for _ in range(40):
                    for other in (17, 22):
                        clock.advance(1000)
                        assert factory.bench is not None
                        factory.bench.chip.drive(other, 1 - factory.bench.chip.level(other))

        handlers.append(changed)
        factory.pin(line).input_with_pull("down")
        factory.pin(line).when_changed = changed
    factory.pin(17).drive_high()
    factory.edges.deliver()
    assert seen == [(1000 * at, 17 if at % 2 else 22) if at else (0, 17) for at in range(81)]


def test_edges_that_the_kernel_dropped_are_counted_and_told_once(factory: AxiomFactory) -> None:
    assert factory.bench is not None
    chip, pin = factory.bench.chip, factory.pin(17)
    seen: list[int] = []

    def changed(ticks: int, state: int) -> None:
        seen.append(state)
        if len(seen) == 1:
            for _ in range(1500):
                chip.drive(17, 1 - chip.level(17))

    def deliver() -> None:
        pin.drive_high()
        factory.edges.deliver()

    pin.input_with_pull("down")
    pin.when_changed = changed
    with pytest.warns(
        RuntimeWarning, match="GPIO17: 476 edges were lost, because handlers took longer than 1024 edges"
    ):
        deliver()
    assert (len(seen), pin.lost) == (1 + 1024, 476)
