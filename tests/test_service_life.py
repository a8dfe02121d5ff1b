"""Whether a run handles events: asked of its programs, its timers and the threads of its devices."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from axiom_hw.adapters.roll_call import Answering, RollCall
from axiom_hw.app import App
from axiom_hw.bpf.engine.choice import Engine
from axiom_hw.bpf.engine.llvm.available import why_not
from axiom_hw.errors import Fault
from axiom_hw.events import Edge
from axiom_hw.hooks import Link
from axiom_hw.keys import ServiceKey
from axiom_hw.options import Options
from axiom_hw.runtime import Runtime
from axiom_hw.service import SelfTestFailed, service
from axiom_hw.service.life import Life
from axiom_hw.service.notify import Notifier
from axiom_hw.service.self_test import HOOK
from axiom_hw.service.service import Service, Watchdog
from tests.pump_bench import PumpBench, key

ON_MOCK = Options(mock=True, real_time=True, engine=Engine.INTERP)


@contextmanager
def living(board: str = "rpi5-bench") -> Iterator[tuple[Runtime, Life]]:
    app = App("x", board=board)
    with app.running(ON_MOCK) as runtime:
        yield runtime, Life(runtime)


def soon(is_so: Callable[[], object]) -> bool:
    deadline = time.monotonic() + 10
    while not is_so() and time.monotonic() < deadline:
        time.sleep(0.001)
    return bool(is_so())


@dataclass
class Stuck:
    """A program that ends when it is let go."""

    name: str = "stuck"
    worst_case_insns: int | None = None

    def __post_init__(self) -> None:
        self.runs, self.over = threading.Event(), threading.Event()

    def run(self, ctx: bytes, slot: int) -> int:
        self.runs.set()
        assert self.over.wait(10)
        return 0


def test_an_event_of_its_own_passes_through_the_hooks() -> None:
    with living() as (runtime, life):
        assert life.silent() == ("no event passes through the timers' thread",), "nobody was asked yet"
        for number in (1, 2):
            life.ask()
            assert soon(lambda: not life.silent()), life.silent()
            assert runtime.executor.stats_of(HOOK).events == number
        assert runtime.attached == [], "it is none of the application's"
        life.close()
        assert runtime.registry.links(HOOK) == ()


@pytest.mark.parametrize(
    ("board", "threads"), [("rpi5-sensors", {"/dev/i2c-1", "serial gps"}), ("rpi5-bench", {"iio adc"})]
)
def test_every_thread_that_serves_devices_answers(board: str, threads: set[str]) -> None:
    with living(board) as (runtime, life):
        asked = [source for source in runtime.sources if isinstance(source, Answering)]
        assert asked == list(runtime.sources)
        life.ask()
        names = {call.name.removeprefix("the thread of ") for call in life._calls}
        assert names >= {"the GPIO lines", *threads}
        assert soon(lambda: not life.silent()), life.silent()


def test_a_program_that_doesnt_end_is_named_by_its_hook() -> None:
    stuck, hook = Stuck(), ServiceKey("of a test")
    with living() as (runtime, life):
        runtime.registry.attach(stuck, hook)
        thread = threading.Thread(target=runtime.executor.fire, args=(hook, b""))
        thread.start()
        assert stuck.runs.wait(10)
        life.ask()
        assert soon(lambda: len(life.silent()) == 1)
        assert life.silent() == ("a program on service/of a test doesn't end",)
        stuck.over.set()
        thread.join()
        assert life.silent() == (), "and all is well again"


@pytest.mark.parametrize("loop", ["plain", "native"])
def test_a_pump_that_waits_for_edges_is_well_and_a_program_in_it_is_named(loop: str) -> None:
    if loop == "native" and (why := why_not()):
        pytest.skip(why)
    enter = None
    if loop == "native":
        from axiom_hw.pump.native import compiled_loop

        enter = compiled_loop()
    stuck = Stuck()
    with living() as (runtime, life), PumpBench(enter, registry=runtime.registry) as bench:
        runtime.registry.attach(stuck, key(17, Edge.RISING))
        for _ in range(2):
            life.ask()
            assert soon(lambda: not life.silent()), life.silent()
        bench.wire.edge(17)
        assert stuck.runs.wait(10)
        life.ask()
        assert soon(lambda: len(life.silent()) == 1)
        assert life.silent() == ("a program on gpio/0/line17/rising doesn't end",)
        stuck.over.set()
        assert soon(lambda: not life.silent())


def test_timers_that_hang_let_no_event_through() -> None:
    over = threading.Event()
    with living() as (runtime, life):
        runtime.scheduler.after(0, lambda *_: over.wait(10) and None)
        life.ask()
        assert soon(lambda: len(life.silent()) == 1)
        assert life.silent() == ("no event passes through the timers' thread",)
        over.set()
        assert soon(lambda: not life.silent())


class Hung:
    """A source whose thread hangs in its device."""

    def __init__(self) -> None:
        self.call = RollCall("the thread of serial gps")

    def call_roll(self) -> tuple[RollCall, ...]:
        self.call.ask()
        return (self.call,)

    def stop(self) -> None:
        self.call.answer()

    close = stop


class Heard(Notifier):
    """A manager that writes down what it is told."""

    def __init__(self, watchdog_ns: int = 4_000_000_000) -> None:
        super().__init__()
        self.watchdog_ns = watchdog_ns
        self.words: list[str] = []

    def _send(self, *words: str) -> None:
        self.words.append(" ".join(words))


def test_pings_stop_while_a_thread_hangs_and_come_again_behind_it(capsys: pytest.CaptureFixture[str]) -> None:
    hung, heard, now_s = Hung(), Heard(), [0.0]
    with living() as (runtime, life):
        runtime.sources = (*runtime.sources, hung)  # type: ignore[arg-type]
        watchdog = Watchdog(heard, life, lambda: "fine", lambda: now_s[0])
        looks = []

        def wait(seconds: float) -> bool:
            looks.append(seconds)
            assert soon(lambda: len(life.silent()) <= 1)
            now_s[0] += 0.5
            if len(looks) == 10:
                assert heard.words == ["STATUS=hangs: the thread of serial gps doesn't come round"]
                hung.call.answer()
            return False

        watchdog.round(wait)
        assert heard.words[1:] == ["WATCHDOG=1 STATUS=fine"]
        runtime.sources = runtime.sources[:-1]
    assert capsys.readouterr().err == (
        "watchdog: the thread of serial gps doesn't come round; systemd is told nothing, and will end this process\n"
        "watchdog: all events are handled again\n"
    )


def test_a_service_that_is_stopped_waits_for_nobody() -> None:
    heard = Heard()
    with living() as (runtime, life):
        runtime.sources = (*runtime.sources, Hung())  # type: ignore[arg-type]
        Watchdog(heard, life, lambda: "fine").round(lambda seconds: True)
        assert heard.words == []
        runtime.sources = runtime.sources[:-1]


def test_a_service_is_ready_alive_and_stopping_in_this_order() -> None:
    heard = Heard(watchdog_ns=20_000_000)
    app = App("x", board="rpi5-bench")
    with app.running(ON_MOCK) as runtime, Service("x", heard).serving(runtime):
        assert heard.words[0].startswith("READY=1 MAINPID=")
        assert soon(lambda: len(heard.words) > 3)
        heard.words[1:-1] = []
    first, last = heard.words[0], heard.words[-1]
    assert first.endswith("STATUS=0 programs on rpi5-bench, 0 runs, 0 faults")
    assert last == "STOPPING=1 STATUS=making outputs safe"


def test_without_an_answer_in_time_it_is_never_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "TEST_S", 0.05)
    heard = Heard()
    app = App("x", board="rpi5-bench")
    with app.running(ON_MOCK) as runtime:
        runtime.sources = (*runtime.sources, Hung())  # type: ignore[arg-type]
        with pytest.raises(SelfTestFailed) as caught, Service("x", heard).serving(runtime):
            pytest.fail("it was ready")
        runtime.sources = runtime.sources[:-1]
    assert str(caught.value) == (
        "self-test: no answer within 0.05 s: the thread of serial gps doesn't come round\n"
        "    fix    what hangs there? Its device may; `axiom-hw doctor` looks at them"
    )
    assert heard.words == ["STOPPING=1 STATUS=making outputs safe"]


def test_the_status_tells_of_faults_and_of_a_stop() -> None:
    class Broken(Stuck):
        def run(self, ctx: bytes, slot: int) -> int:
            raise Fault("broken", 0, "reads nowhere")

    with living() as (runtime, _):
        hook = ServiceKey("of a test")
        link: Link = runtime.registry.attach(Broken("broken"), hook)
        runtime.attached.append(link)
        runtime.executor.fire(hook, b"")
        assert runtime.guard is not None
        runtime.guard.emergency_stop("limit switch", "safety")
        assert service._status(runtime) == (
            "1 program on rpi5-bench, 1 run, 1 fault; emergency stop latched by safety: limit switch"
        )
