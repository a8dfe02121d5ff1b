"""ns from an edge to a guarded output, p50 and p99: the native pump against gpiod, gpiozero and a loop of Python.

Edges come one at a time, from a socket that gives the kernel's records, when whoever waits for them sleeps; see
`edge_feed.py`. Programs drive the output through the guard; the others write it themselves, without a limit, a latch
or an audit. gpiozero runs on this project's pin factory: its own factories take a chip of the kernel's, not a socket.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from statistics import median, quantiles
from unittest.mock import patch

from axiom_hw.backends.mock_pwm import MockPwm
from axiom_hw.board import parse_board
from axiom_hw.bpf.asm import assemble_insns
from axiom_hw.bpf.engine.choice import Engine
from axiom_hw.bpf.engine.llvm import symbols
from axiom_hw.bpf.engine.llvm.available import why_not
from axiom_hw.bpf.spec import ProgramSpec
from axiom_hw.bpf.verifier import verify
from axiom_hw.clock import MonotonicClock
from axiom_hw.events import ctx_of
from axiom_hw.runtime import Runtime
from axiom_hw.sources import Devices
from tests.bench.edge_feed import LED, LINE, EdgeFeed, FeedGpio, gpiods_request
from tests.bench.rows import Row
from tests.pump_bench import RECORD

ROUNDS = 7
PAUSE_S = 0.0003  # between edges, so that whoever waits sleeps
BOARD = f"""
[chip.header]
label = "pinctrl-rp1"
[input.button]
line = {LINE}
[output.led]
line = {LED}
safe = "low"
"""
PROGRAM = f"""
    r2 = *(u32 *)(r1 + 20)          ; value
    r1 = {LED}
    call gpio_set
    r0 = 0
    exit
"""
PI_5 = 0xD04170
AGAINST = "gpiod"
Way = Callable[[], int]


@contextmanager
def programmed(engine: Engine) -> Iterator[Way]:
    """A program on the button's hook: by the native pump, or in Python by the interpreter."""
    feed, native = EdgeFeed(), engine is Engine.LLVM
    with ExitStack() as stack:
        stack.callback(feed.close)
        if native:
            library = feed.native_write()
            real: Callable[[str], int] = symbols._address
            output = library.addresses["output"]
            stack.enter_context(
                patch.object(symbols, "_address", lambda name: output if name == "ioctl" else real(name))
            )
        board = parse_board(BOARD, "bench", "tests/bench/edge.py")
        devices = Devices(FeedGpio(feed, native), MockPwm.for_board(board))
        runtime = stack.enter_context(Runtime(board, MonotonicClock(), devices, engine=engine))
        link = runtime.attach(
            verify(ProgramSpec("follow", assemble_insns(PROGRAM), ctx=ctx_of("gpio/button"))), (), "gpio/button"
        )
        assert runtime.loader.settle()  # optimised
        yield feed.edge
        assert link.faults == 0
        assert runtime.guard is not None
        assert runtime.guard.audit()[-1].source == "follow", "the guard has written"


@contextmanager
def by_gpiozero() -> Iterator[Way]:
    """A device's callbacks."""
    from gpiozero import DigitalInputDevice

    from axiom_hw.gpiozero_factory import AxiomFactory

    feed = EdgeFeed()
    factory = AxiomFactory(gpio=FeedGpio(feed, native=False), revision=PI_5)
    try:
        button = DigitalInputDevice(LINE, pin_factory=factory)
        button.when_activated = lambda: feed.write(1)
        button.when_deactivated = lambda: feed.write(0)
        yield feed.edge
    finally:
        factory.close()
        feed.close()


@contextmanager
def by_gpiod() -> Iterator[Way]:
    """A thread in gpiod's `read_edge_events`, as in its examples."""
    feed = EdgeFeed()
    request = gpiods_request(os.dup(feed.ours.fileno()))
    rising = _rising()

    def follow() -> None:
        while True:
            try:
                events = request.read_edge_events()
            except OSError:  # the end of the file
                return
            for event in events:
                feed.write(int(event.event_type is rising))

    with _thread(feed, follow):
        yield feed.edge
    request.release()
    feed.close()


@contextmanager
def looped() -> Iterator[Way]:
    """A thread that reads and unpacks the records itself."""
    feed = EdgeFeed()
    fd = feed.ours.fileno()

    def follow() -> None:
        while data := os.read(fd, 64 * RECORD.size):
            for _, edge, _, _, _ in RECORD.iter_unpack(data):
                feed.write(2 - edge)

    with _thread(feed, follow):
        yield feed.edge
    feed.close()


def run(edges: int = 200, rounds: int = ROUNDS) -> list[Row]:
    """Rounds of so many edges each, interleaved; each figure is the median of its rounds' figures."""
    with ExitStack() as stack:
        ways: dict[str, Way] = {}
        if why := why_not():
            print(f"  no native pump here: {why}")
        else:
            ways["a program, native pump"] = stack.enter_context(programmed(Engine.LLVM))
        ways["a program, interpreter"] = stack.enter_context(programmed(Engine.INTERP))
        for name, way in ((AGAINST, by_gpiod), ("gpiozero's callback", by_gpiozero), ("os.read, struct", looped)):
            try:
                ways[name] = stack.enter_context(way())
            except (ImportError, AttributeError) as error:
                print(f"  {name} isn't measured: {error}")
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        for edge in ways.values():
            edge()  # the first one takes a slot and fills caches
        for _ in range(rounds):
            for name, edge in ways.items():
                times[name].append(_figures(edge, edges))
    rows = []
    for at, title in enumerate(("p50", "p99")):
        ns = {name: median(cells[at] for cells in found) for name, found in times.items()}
        base = ns.get(AGAINST)
        rows += [
            Row(f"edge to output, {title}: {name}", value, "ns", value / base if base else None, AGAINST)
            for name, value in ns.items()
        ]
    return rows


def _figures(edge: Way, edges: int) -> tuple[float, float]:
    found = []
    for _ in range(edges):
        time.sleep(PAUSE_S)
        found.append(edge())
    cuts = quantiles(found, n=100, method="inclusive")
    return cuts[49], cuts[98]


def _rising() -> object:
    import gpiod

    return gpiod.EdgeEvent.Type.RISING_EDGE


@contextmanager
def _thread(feed: EdgeFeed, work: Callable[[], None]) -> Iterator[None]:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        feed.end()
        thread.join()
