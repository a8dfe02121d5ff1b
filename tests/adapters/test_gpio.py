"""The GPIO adapter: edges become contexts of the right hooks, losses are counted and told, errors come out."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from axiom_hw.adapters.gpio import GpioAdapter, LineCounters
from axiom_hw.backends.gpio import LineEvent
from axiom_hw.backends.mock_gpio import MockChip, MockGpio, MockRequest
from axiom_hw.board import Board, load_board, parse_board
from axiom_hw.clock import MonotonicClock, VirtualClock
from axiom_hw.errors import BackendError, BoardError, HookError
from axiom_hw.events import Edge, GpioEvent
from axiom_hw.hooks import GpioKey
from axiom_hw.scheduler import Scheduler

MS = 1_000_000
BOARDS = Path(__file__).parents[2] / "boards"
PLAIN = """\
[chip.header]
label = "pinctrl-rp1"
[input.sensor]
line = 4
[input.tick]
line = 5
edges = "rising"
"""


@dataclass
class Bench:
    """A board on mock chips and a virtual clock; `seen` is what came out of the adapter."""

    board: Board
    clock: VirtualClock = field(default_factory=VirtualClock)
    seen: list[tuple[GpioKey, GpioEvent]] = field(default_factory=list)

    def __post_init__(self) -> None:
        timers = Scheduler(self.clock)
        timers.start()
        self.gpio = MockGpio.for_board(self.board, self.clock, timers)
        self.chip = self.gpio.open("pinctrl-rp1")
        self.adapter = GpioAdapter(self.gpio, self.board, self.fire, self.clock)

    def fire(self, key: GpioKey, ctx: bytes) -> None:
        self.seen.append((key, GpioEvent.unpack(ctx)))  # type: ignore[attr-defined]

    def toggle(self, line: int, times: int) -> None:
        for _ in range(times):
            self.chip.drive(line, 1 - self.chip.level(line))


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench(load_board("rpi5-bench", search=(BOARDS,)))
    yield bench
    bench.adapter.close()


@pytest.fixture
def plain() -> Iterator[Bench]:
    bench = Bench(parse_board(PLAIN, "plain", "plain.toml"))
    yield bench
    bench.adapter.close()


def test_a_press_is_one_event_however_much_it_bounces(bench: Bench) -> None:
    bench.clock.advance(100 * MS)
    for level in (0, 1, 0, 1, 0):
        bench.chip.drive(17, level)
        bench.clock.advance(MS)
    bench.clock.advance(20 * MS)
    assert bench.adapter.pump() == 1
    ((key, event),) = bench.seen
    assert key == GpioKey(0, 17, Edge.RISING), "pressed is low on the wire, and the line is active low"
    assert event == GpioEvent(109 * MS, 0, 17, Edge.RISING, 1, 1, 0)


def test_a_press_and_a_release_go_to_two_hooks(bench: Bench) -> None:
    bench.chip.drive(22, 0)
    bench.clock.advance(10 * MS)
    bench.chip.drive(22, None)  # the pull-up takes over
    bench.clock.advance(10 * MS)
    bench.adapter.pump()
    assert [str(key) for key, _ in bench.seen] == ["gpio/0/line22/rising", "gpio/0/line22/falling"]
    assert [(event.value, event.seqno, event.timestamp_ns) for _, event in bench.seen] == [
        (1, 1, 1 * MS),
        (0, 2, 11 * MS),
    ]


def test_nothing_happened_is_nothing_fired(bench: Bench) -> None:
    assert bench.adapter.pump() == 0
    assert bench.seen == []


def test_ready_tells_whether_pumping_is_worth_it(plain: Bench) -> None:
    assert not plain.adapter.ready()
    plain.toggle(4, 1)
    assert plain.adapter.ready()
    plain.adapter.pump()
    assert not plain.adapter.ready()
    plain.adapter.close()
    assert not plain.adapter.ready()


def test_lost_edges_are_told_by_the_next_event_and_counted(plain: Bench) -> None:
    plain.toggle(4, 100)  # two lines have room for 32 events
    plain.adapter.pump()
    events = [event for _, event in plain.seen]
    assert [event.seqno for event in events] == list(range(69, 101))
    assert [event.lost for event in events] == [68] + [0] * 31
    assert plain.adapter.counters("sensor") == LineCounters(received=32, lost=68, caught_up=0)
    assert plain.adapter.counters("tick") == LineCounters(0, 0, 0)
    assert (plain.adapter.received, plain.adapter.lost) == (32, 68)
    plain.toggle(4, 1)
    plain.adapter.pump()
    assert plain.seen[-1][1].lost == 0, "a loss is told once"


def test_seen_plus_lost_is_what_happened(plain: Bench) -> None:
    for burst in (3, 50, 1, 0, 33, 32, 7):
        plain.toggle(4, burst)
        plain.adapter.pump()
    counters = plain.adapter.counters("sensor")
    assert counters.received + counters.lost == 126
    assert sum(event.lost for _, event in plain.seen) == counters.lost
    assert len(plain.seen) == counters.received


def test_a_buffer_of_the_board_file_keeps_more(bench: Bench) -> None:
    big = Bench(
        parse_board(PLAIN.replace("\n[input.sensor]", "\nevent_buffer_size = 512\n[input.sensor]"), "x", "x.toml")
    )
    big.toggle(4, 500)
    assert big.adapter.pump() == 500
    assert big.adapter.lost == 0
    big.adapter.close()


def test_a_value_that_no_event_told_of_is_caught_up_after_a_loss(plain: Bench, monkeypatch) -> None:
    plain.toggle(4, 3)
    plain.adapter.pump()
    real = MockRequest.read_events

    def deaf(self: MockRequest, max_events: int = 64) -> list[LineEvent]:
        """The kernel numbered the edges, lost two, and never saw the last one."""
        return [event for event in real(self, max_events) if event.line_seqno in (6, 9)]

    monkeypatch.setattr(MockRequest, "read_events", deaf)
    plain.toggle(4, 4)
    plain.clock.advance(MS)
    plain.adapter.pump()
    (_, sixth), (key, made) = plain.seen[3:]
    assert (sixth.seqno, sixth.lost, sixth.value) == (6, 2, 0)
    assert (key.edge, made.value, made.seqno, made.lost) == (Edge.RISING, 1, 6, 0)
    assert made.timestamp_ns == plain.clock.now_ns()
    assert plain.adapter.counters("sensor") == LineCounters(received=4, lost=2, caught_up=1)


def test_one_sided_detection_is_never_caught_up(plain: Bench) -> None:
    plain.toggle(5, 101)  # 51 rising edges, 32 are kept
    plain.toggle(5, 1)
    plain.adapter.pump()
    assert plain.adapter.counters("tick") == LineCounters(received=32, lost=19, caught_up=0)


def test_reading_a_line(bench: Bench) -> None:
    assert bench.adapter.read(0, 17) == 0
    bench.chip.drive(22, 0)
    bench.clock.advance(10 * MS)
    assert bench.adapter.read(0, 22) == 1
    with pytest.raises(BackendError) as caught:
        bench.adapter.read(0, 18)
    assert caught.value.errno == errno.ENODEV
    with pytest.raises(BoardError, match="did you mean `button`"):
        bench.adapter.counters("buttn")


def test_a_line_that_is_taken_is_an_error_and_leaves_nothing_behind() -> None:
    bench = Bench(parse_board(PLAIN, "plain", "plain.toml"))
    with pytest.raises(BackendError, match='line 4 of pinctrl-rp1: is in use by "axiom_hw"'):
        GpioAdapter(bench.gpio, bench.board, bench.fire, bench.clock)
    bench.adapter.close()
    assert bench.chip.consumer(4) is None
    GpioAdapter(bench.gpio, bench.board, bench.fire, bench.clock).close()


def test_when_the_second_chip_is_missing_the_first_is_given_back() -> None:
    two = parse_board(
        PLAIN + '[chip.other]\nlabel = "mcp23017"\nlines = 16\n[input.far]\nchip = "other"\nline = 0\n', "x", "x.toml"
    )
    clock = VirtualClock()
    chip = MockChip("pinctrl-rp1", 54, clock, Scheduler(clock))
    with pytest.raises(BackendError, match=r"chip mcp23017: isn't there; the chips here are pinctrl-rp1"):
        GpioAdapter(MockGpio([chip]), two, lambda key, ctx: None, clock)
    assert chip.consumer(4) is None


def test_chip_ids_are_the_order_in_the_board() -> None:
    text = PLAIN + '[chip.other]\nlabel = "mcp23017"\nlines = 16\n[input.far]\nchip = "other"\nline = 3\n'
    bench = Bench(parse_board(text, "x", "x.toml"))
    bench.gpio.open("mcp23017").drive(3, 1)
    bench.adapter.pump()
    ((key, event),) = bench.seen
    assert (key.chip_id, event.chip_id, event.line) == (1, 1, 3)
    bench.adapter.close()


@dataclass
class Threaded:
    """A board in real time, read by the adapter's thread; no test here waits for time to pass, only for events."""

    fire: Callable[[GpioKey, bytes], object]

    def __post_init__(self) -> None:
        self.failed = threading.Event()
        self.clock = MonotonicClock()
        self.chip = MockChip("pinctrl-rp1", 54, self.clock, Scheduler(self.clock))
        board = parse_board(PLAIN, "plain", "plain.toml")
        self.adapter = GpioAdapter(
            MockGpio([self.chip]), board, self.fire, self.clock, on_error=lambda error: self.failed.set()
        )


def test_the_thread_fires_what_comes_in() -> None:
    seen, arrived = [], threading.Event()

    def fire(key: GpioKey, ctx: bytes) -> None:
        seen.append((key.line, threading.current_thread().name))
        arrived.set()

    bench = Threaded(fire)
    bench.adapter.start()
    bench.chip.drive(4, 1)
    assert arrived.wait(10)
    arrived.clear()
    bench.chip.drive(4, 0)
    assert arrived.wait(10)
    bench.adapter.stop()
    assert seen == [(4, "axiom-gpio")] * 2
    bench.chip.drive(4, 1)
    assert bench.adapter.pump() == 1, "what comes in after a stop waits"
    bench.adapter.close()


def test_the_thread_can_be_stopped_from_an_event_and_started_again() -> None:
    done = threading.Event()

    def fire(key: GpioKey, ctx: bytes) -> None:
        bench.adapter.stop()
        done.set()

    bench = Threaded(fire)
    for _ in range(2):
        bench.adapter.start()
        bench.chip.drive(4, 1 - bench.chip.level(4))
        assert done.wait(10)
        done.clear()
        bench.adapter.stop()
    bench.adapter.close()


def test_there_is_one_reader() -> None:
    bench = Threaded(lambda key, ctx: None)
    bench.adapter.start()
    with pytest.raises(HookError, match="running already"):
        bench.adapter.start()
    with pytest.raises(HookError, match="read by the adapter's own thread"):
        bench.adapter.pump()
    bench.adapter.close()


def test_an_error_in_the_thread_is_kept_and_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: MockRequest, max_events: int = 64) -> list[LineEvent]:
        raise BackendError("line 4 of pinctrl-rp1", "has no readable events: No such device", errno=errno.ENODEV)

    bench = Threaded(lambda key, ctx: None)
    monkeypatch.setattr(MockRequest, "read_events", broken)
    bench.adapter.start()
    bench.chip.drive(4, 1)
    assert bench.failed.wait(10)
    bench.adapter.stop()
    assert isinstance(bench.adapter.error, BackendError)
    assert bench.adapter.error.errno == errno.ENODEV
    bench.adapter.close()
