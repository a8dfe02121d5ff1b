"""What every GPIO backend does alike: the mock, and the real ones on fakes; gpiod also on gpio-sim where there is one.

What a backend can't do is known from its row in `backends/limits.py`, and the row is held to.
"""

from __future__ import annotations

import errno
import select
from collections.abc import Iterator
from pathlib import Path

import pytest

from axiom_hw.backends.gpio import LineInput, LineOutput
from axiom_hw.backends.limits import GpioChoice
from axiom_hw.backends.mock_gpio import MockChip, MockGpio
from axiom_hw.board import Bias, Drive, EdgeDetection
from axiom_hw.clock import VirtualClock
from axiom_hw.errors import BackendError
from axiom_hw.events import Edge
from axiom_hw.scheduler import Scheduler
from tests.backends.rigs import Rig, gpiozero_rig, sim_rig

BOTH = EdgeDetection.BOTH
MS = 1_000_000


ON_SIM = {f"{choice} on gpio-sim": choice for choice in (GpioChoice.GPIOD, GpioChoice.LGPIO)}
REAL = [pytest.param(name, marks=pytest.mark.real) for name in ON_SIM]


@pytest.fixture(params=["mock", "gpiod on a fake chip", "lgpio on a fake module", "gpiozero on its mock", *REAL])
def rig(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    clock = VirtualClock()
    timers = Scheduler(clock)
    timers.start()
    if request.param == "mock":
        chip = MockChip("pinctrl-rp1", 54, clock, timers)
        return Rig(MockGpio([chip]), "pinctrl-rp1", chip, clock)
    if request.param == "gpiozero on its mock":
        return gpiozero_rig(clock, monkeypatch)
    pytest.importorskip("gpiod", reason="the package gpiod is for Linux")
    from axiom_hw.backends.gpiod_gpio import GpiodBackend
    from tests.backends.fake_gpiod import FakeDev, FakeWorld

    if request.param == "gpiod on a fake chip":
        world = FakeWorld("pinctrl-rp1", 54, clock, timers)
        dev = FakeDev(tmp_path)
        dev.add("gpiochip11", world)
        return Rig(GpiodBackend(tmp_path, dev.opener, dev.is_chip), "pinctrl-rp1", world, clock)
    if request.param == "lgpio on a fake module":
        from axiom_hw.backends.lgpio_gpio import LgpioBackend
        from tests.backends.fake_lgpio import FakeLgpio

        world = FakeWorld("pinctrl-rp1", 54, clock, timers)
        (tmp_path / "gpiochip11").touch()
        return Rig(
            LgpioBackend(FakeLgpio({11: world}, clock, timers), tmp_path), "pinctrl-rp1", world, clock, GpioChoice.LGPIO
        )
    return sim_rig(ON_SIM[request.param])


@pytest.fixture
def chip(rig: Rig) -> Iterator:
    opened = rig.backend.open(rig.label)
    yield opened
    opened.close()


@pytest.fixture
def inputs(chip) -> Iterator:
    """Request inputs; they are released after the test."""
    made = []

    def request(*lines: LineInput, size: int = 0):
        made.append(chip.request_inputs(lines, "contract", size))
        return made[-1]

    yield request
    for one in made:
        one.release()


@pytest.fixture
def outputs(chip) -> Iterator:
    """Request outputs; they are released after the test."""
    made = []

    def request(*lines: LineOutput):
        made.append(chip.request_outputs(lines, "contract"))
        return made[-1]

    yield request
    for one in made:
        one.release()


def readable(request) -> bool:
    poll = select.poll()
    poll.register(request.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def test_a_chip_is_found_by_its_label(rig: Rig, chip) -> None:
    assert chip.label == rig.label


def test_a_label_that_isnt_there_lists_those_that_are(rig: Rig) -> None:
    with pytest.raises(BackendError) as caught:
        rig.backend.open("pinctrl-nothing")
    assert caught.value.errno == errno.ENODEV
    assert rig.label in caught.value.problem
    assert "--mock" in caught.value.fix


def test_a_press_and_a_release(rig: Rig, inputs) -> None:
    button = inputs(LineInput(17, BOTH))
    rig.advance(3 * MS)
    pressed_ns = rig.now_ns()
    rig.world.drive(17, 1)
    rig.advance(2 * MS)
    rig.world.drive(17, 0)
    rig.arrive()
    assert readable(button)
    first, second = button.read_events()
    assert (first.offset, first.edge, first.line_seqno, first.global_seqno) == (17, Edge.RISING, 1, 1)
    assert (second.offset, second.edge, second.line_seqno, second.global_seqno) == (17, Edge.FALLING, 2, 2)
    assert first.timestamp_ns >= pressed_ns
    assert second.timestamp_ns >= first.timestamp_ns + 2 * MS
    if rig.exact_time:
        assert (first.timestamp_ns, second.timestamp_ns) == (pressed_ns, pressed_ns + 2 * MS)


def test_reading_never_waits(inputs) -> None:
    button = inputs(LineInput(17, BOTH))
    assert not readable(button)
    assert button.read_events() == []


def test_events_stay_readable_until_all_are_taken(rig: Rig, inputs) -> None:
    button = inputs(LineInput(17, BOTH))
    for level in (1, 0, 1):
        rig.world.drive(17, level)
    rig.arrive()
    assert len(button.read_events(2)) == 2
    assert readable(button)
    assert len(button.read_events(2)) == 1
    assert not readable(button)


def test_the_same_level_again_is_no_edge(rig: Rig, inputs) -> None:
    button = inputs(LineInput(17, BOTH))
    rig.world.drive(17, 1)
    rig.world.drive(17, 1)
    rig.arrive()
    assert len(button.read_events()) == 1


@pytest.mark.parametrize(("edges", "expected"), [
    (EdgeDetection.RISING, [Edge.RISING, Edge.RISING]),
    (EdgeDetection.FALLING, [Edge.FALLING]),
    (EdgeDetection.NONE, []),
])  # fmt: skip
def test_only_the_wanted_edges_make_events_and_are_numbered(rig: Rig, inputs, edges, expected) -> None:
    button = inputs(LineInput(17, edges))
    for level in (1, 0, 1):
        rig.world.drive(17, level)
    rig.arrive()
    events = button.read_events()
    assert [event.edge for event in events] == expected
    assert [event.line_seqno for event in events] == list(range(1, len(expected) + 1))


def test_active_low_turns_values_and_edges_round(rig: Rig, inputs) -> None:
    rig.world.drive(17, 1)
    button = inputs(LineInput(17, BOTH, active_low=True))
    assert button.get(17) == 0
    rig.world.drive(17, 0)
    assert button.get(17) == 1
    rig.arrive()
    assert [event.edge for event in button.read_events()] == [Edge.RISING]


@pytest.mark.parametrize(("bias", "level"), [(Bias.PULL_UP, 1), (Bias.PULL_DOWN, 0)])
def test_bias_decides_the_level_of_a_line_that_floats(inputs, bias: Bias, level: int) -> None:
    assert inputs(LineInput(20, BOTH, bias)).get(20) == level


def test_each_line_counts_for_itself_and_the_request_for_all(rig: Rig, inputs) -> None:
    both = inputs(LineInput(17, BOTH), LineInput(22, BOTH))
    for offset, level in ((17, 1), (22, 1), (17, 0)):
        rig.world.drive(offset, level)
        rig.advance(1 * MS)
    rig.arrive()
    rows = [(event.offset, event.line_seqno, event.global_seqno) for event in both.read_events()]
    assert rows == [(17, 1, 1), (22, 1, 2), (17, 2, 3)]


def test_a_buffer_drops_the_oldest_and_the_numbers_tell(rig: Rig, inputs) -> None:
    button = inputs(LineInput(17, BOTH))
    for edge in range(100):
        rig.world.drive(17, (edge + 1) % 2)
    rig.arrive()
    events = button.read_events(100)
    if not rig.limits.counts_losses:
        numbers = [event.line_seqno for event in events]
        if rig.exact_time:
            assert numbers == list(range(1, len(events) + 1)), "what came is numbered"
        else:
            assert numbers == sorted(set(numbers)), "what can't be counted is guessed from two edges alike"
        return
    if not rig.exact_time:  # edges of gpio-sim may coalesce before the kernel numbers them
        last = events[-1].line_seqno
        assert last > 80
        assert [(event.line_seqno, event.global_seqno) for event in events] == [
            (n, n) for n in range(last - 15, last + 1)
        ]
        return
    assert [event.line_seqno for event in events] == list(range(85, 101))
    assert [event.global_seqno for event in events] == list(range(85, 101))
    assert not readable(button)


@pytest.mark.parametrize(("asked", "kept"), [(0, 32), (8, 8), (20, 32), (100_000, 1024)])
def test_a_buffer_has_a_size_rounded_up_to_a_power_of_two(rig: Rig, inputs, asked: int, kept: int) -> None:
    if not rig.exact_time:
        pytest.skip("1100 edges of gpio-sim take too long")
    if not rig.limits.sets_event_buffer:
        assert "event_buffer_size" in " ".join(rig.limits.shortfalls)
        return
    lines = inputs(LineInput(17, BOTH), LineInput(22, BOTH), size=asked)
    for edge in range(1100):
        rig.world.drive(17, (edge + 1) % 2)
    events = [event for _ in range(40) for event in lines.read_events(64)]
    assert [event.line_seqno for event in events] == list(range(1101 - kept, 1101))


def test_debounce_reports_a_press_once_when_it_has_settled(rig: Rig, inputs) -> None:
    if not rig.limits.debounces:
        pytest.skip("the table says that this one doesn't wait until the level has settled")
    button = inputs(LineInput(17, BOTH, debounce_ns=rig.debounce_ns))
    start_ns = rig.now_ns()
    for level in (1, 0, 1, 0, 1):
        rig.world.drive(17, level)
        rig.advance(1 * MS)
    assert button.read_events() == []
    assert button.get(17) == int(not rig.limits.reads_settled), "a debounced line shows its settled level"
    rig.advance(rig.debounce_ns + 10 * MS)
    (event,) = button.read_events()
    assert (event.edge, event.line_seqno) == (Edge.RISING, 1)
    assert event.timestamp_ns >= start_ns + rig.debounce_ns + 4 * MS, "the stamp is that of the expiry"
    if rig.exact_time:
        assert event.timestamp_ns == start_ns + rig.debounce_ns + 4 * MS
    assert button.get(17) == 1


def test_debounce_swallows_a_spike(rig: Rig, inputs) -> None:
    if not rig.limits.debounces:
        pytest.skip("the table says that this one doesn't wait until the level has settled")
    button = inputs(LineInput(17, BOTH, debounce_ns=rig.debounce_ns))
    rig.world.drive(17, 1)
    rig.advance(1 * MS)
    rig.world.drive(17, 0)
    rig.advance(2 * rig.debounce_ns)
    assert button.read_events() == []


def test_an_output_drives_from_the_first_moment_and_reads_back(rig: Rig, outputs) -> None:
    led = outputs(LineOutput(18, value=1))
    assert rig.world.level(18) == 1
    assert led.get(18) == 1
    led.set(18, 0)
    assert rig.world.level(18) == 0
    assert led.get(18) == 0


def test_an_active_low_output_is_low_when_it_is_on(rig: Rig, outputs) -> None:
    relay = outputs(LineOutput(27, value=0, active_low=True))
    assert rig.world.level(27) == 1
    relay.set(27, 1)
    assert rig.world.level(27) == 0
    assert relay.get(27) == 1


def test_an_open_drain_output_lets_the_world_pull_up(rig: Rig, outputs) -> None:
    if not rig.exact_time:
        pytest.skip("gpio-sim doesn't model what drives a wire from outside")
    if Drive.OPEN_DRAIN not in rig.limits.drives:
        with pytest.raises(BackendError, match="can't be open-drain outputs") as caught:
            outputs(LineOutput(23, value=0, drive=Drive.OPEN_DRAIN))
        assert caught.value.errno == errno.ENOTSUP
        return
    bus = outputs(LineOutput(23, value=0, drive=Drive.OPEN_DRAIN))
    rig.world.drive(23, 1)
    assert bus.get(23) == 0
    bus.set(23, 1)
    assert bus.get(23) == 1
    rig.world.drive(23, 0)
    assert bus.get(23) == 0


def test_a_line_has_one_owner_who_is_named(rig: Rig, chip, inputs) -> None:
    button = inputs(LineInput(17))
    with pytest.raises(BackendError) as caught:
        chip.request_inputs([LineInput(16), LineInput(17)], "latecomer")
    assert caught.value.errno == errno.EBUSY
    assert caught.value.place == f"line 17 of {rig.label}"
    assert f'"{rig.limits.consumer or "contract"}"' in caught.value.problem
    inputs(LineInput(16))  # the refused request took nothing
    button.release()
    inputs(LineInput(17))


def test_only_requested_lines_can_be_used(inputs, outputs) -> None:
    button, led = inputs(LineInput(17)), outputs(LineOutput(18))
    for refused in (lambda: button.get(22), lambda: led.set(22, 1), lambda: button.set(17, 1)):
        with pytest.raises(BackendError) as caught:
            refused()
        assert caught.value.errno == errno.EPERM


def test_after_release_nothing_works_and_nothing_happens(rig: Rig, inputs) -> None:
    button = inputs(LineInput(17, BOTH, debounce_ns=5 * MS))
    rig.world.drive(17, 1)
    button.release()
    button.release()
    rig.advance(10 * MS)
    for refused in (lambda: button.get(17), button.read_events, button.fileno):
        with pytest.raises(BackendError, match="were released"):
            refused()


def test_a_request_takes_1_to_64_lines_of_the_chip_each_once(chip) -> None:
    for offsets in ([], [5000], [-1], [3, 3]):
        with pytest.raises(BackendError):
            chip.request_inputs([LineInput(offset) for offset in offsets], "contract")


def test_a_value_is_0_or_1(chip, outputs) -> None:
    led = outputs(LineOutput(18))
    with pytest.raises(BackendError, match="the value 2; it takes 0 or 1"):
        led.set(18, 2)
    with pytest.raises(BackendError, match="the value 7"):
        chip.request_outputs([LineOutput(19, value=7)], "contract")
