"""A recorded run replays to the same maps, records and outputs, every time, on both engines."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import axiom_hw as hw
from axiom_hw.app import App
from axiom_hw.board import parse_board
from axiom_hw.bpf.engine.choice import Engine
from axiom_hw.clock import MonotonicClock
from axiom_hw.errors import RecordingError
from axiom_hw.options import Options
from axiom_hw.recorder.entries import What
from axiom_hw.recorder.reading import Recording, read_recording, told_damage
from axiom_hw.replay import Outcome, differences_to_record, doubts, replay
from tests.bpf.engines import ENGINES
from tests.recorder.sessions import press, written
from tests.thorough import tries

BOARD = parse_board(
    """\
[chip.header]
label = "pinctrl-rp1"
[pwm_chip.pwm]
device = "1f00098000.pwm"
channels = 4
[input.button]
line = 17
[input.probe]
line = 22
edges = "none"
[output.led]
line = 27
safe = "low"
[output.fan]
pwm_chip = "pwm"
channel = 2
period = "1ms"
safe = "off"
""",
    "exact",
    "exact.toml",
)
pytestmark = [pytest.mark.llvm, pytest.mark.thorough]  # programs in Python are compiled
TIMES = tries(5, 20)


class Session:
    """An application on three kinds of hooks, whose programs use time, chance and the level of a line without edges."""

    def __init__(self) -> None:
        self.app = app = App("session", BOARD)
        self.totals = totals = app.array("totals", hw.u64, 8)
        self.seen = seen = app.hash("seen", hw.u32, hw.u64, 64)
        self.log = log = app.ringbuf("log", hw.TimerEvent)

        @app.on("gpio/button")
        def follow(ctx: hw.GpioEvent) -> int:
            totals[0] += 1
            totals[1] += hw.now_ns()
            seen[hw.random_u32() % 16] = ctx.seqno + hw.slot()
            hw.gpio_set("led", ctx.value)
            hw.pwm_write("fan", ctx.seqno % 100)
            return ctx.seqno

        @app.on("timer/10ms")
        def tick(ctx: hw.TimerEvent) -> int:
            totals[2] += ctx.timestamp_ns
            totals[3] += hw.gpio_get("button") + 2 * hw.gpio_get("probe")
            log.output(ctx)
            if hw.gpio_get("probe") == 1:
                hw.gpio_set("led", 0)
            return 0

        @app.on("pwm/fan")
        def observe(ctx: hw.PwmEvent) -> int:
            totals[4] += ctx.duty_ns
            totals[5] ^= ctx.timestamp_ns
            return 0

    def run(self, path: Path, play: Callable[[hw.MockBench], None], options: Options) -> Outcome:
        """The maps and records of a live run, which is recorded."""
        with self.app.running(options):
            assert self.app.bench is not None
            play(self.app.bench)
            self.app.wait()
        # Only now: in real time a tick may still come between the end of the wait and the stop of the timers.
        return self.contents(), [record.pack() for record in self.log.consume()]

    def contents(self):
        return dict(self.totals), dict(self.seen)


def fingers(bench: hw.MockBench) -> None:
    for pause, hold, bounces in (("7ms", "31ms", 2), ("13ms", "9ms", 0), ("25ms", "40ms", 3)):
        bench.after(pause).press("button", bounces)
        bench.after(hold).release("button", bounces)
    bench.after("3ms").press("probe")


def real_fingers(bench: hw.MockBench) -> None:
    """In real time, from another thread than the timers'."""

    def play() -> None:
        for turn in range(40):
            (bench.press if turn % 2 == 0 else bench.release)("button")
            (bench.press if turn % 3 == 0 else bench.release)("probe")
            pause.wait(0.002)

    pause = threading.Event()
    player = threading.Thread(target=play)
    player.start()
    player.join()


@pytest.fixture(scope="module", params=["virtual time", "real time"])
def session(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    """A recording, and what the maps held and the ring brought when it was made."""
    path = tmp_path_factory.mktemp("session") / "a.axr"
    real = request.param == "real time"
    options = Options(
        mock=True, real_time=real, duration_ns=150_000_000, engine=Engine.INTERP, cache=False, record=str(path)
    )
    contents, records = Session().run(path, real_fingers if real else fingers, options)
    return read_recording(str(path)), contents, records


@pytest.mark.parametrize("engine", ENGINES)
def test_a_session_replays_identically_every_time(session, engine: str) -> None:
    recording, contents, records = session
    assert isinstance(recording, Recording)
    kinds = {str(key).partition("/")[0] for key in recording.counts()}
    assert kinds == {"gpio", "timer", "pwm"}
    for _ in range(TIMES):
        again = Session()
        outcome = replay(recording, again.app, BOARD, Engine(engine), cache=True)
        assert again.contents() == contents
        assert [record for _, record in outcome.rings[0].records] == records
        assert differences_to_record(recording, outcome) == ()
        assert doubts(recording, outcome) == ()
    assert contents[0][0] > 4
    assert contents[0][3] > 0
    assert len(records) > 4
    assert any(output.name == "led" for output in outcome.outputs)
    assert any(output.name == "fan" for output in outcome.outputs)


def test_an_application_runs_on_a_recording_unchanged(session) -> None:
    recording, contents, records = session
    again = Session()
    found: list[bytes] = []
    with again.app.running(Options(replay=recording.name, engine=Engine.INTERP)) as runtime:
        for record in again.log:
            found.append(record.pack())
        assert runtime.gpio is not None
        assert runtime.gpio.received == sum(n for key, n in recording.counts().items() if key.startswith("gpio/"))
    assert again.contents() == contents
    assert found == records


def test_the_engine_that_recorded_doesnt_matter(tmp_path: Path) -> None:
    pytest.importorskip("llvmlite")
    path = tmp_path / "a.axr"
    options = Options(mock=True, duration_ns=150_000_000, engine=Engine.LLVM, record=str(path))
    contents, _ = Session().run(path, fingers, options)
    recording = read_recording(str(path))
    again = Session()
    outcome = replay(recording, again.app, BOARD, Engine.INTERP)
    assert again.contents() == contents
    assert differences_to_record(recording, outcome) == ()


def test_what_the_recording_has_no_timer_for_runs_on_the_virtual_clock(session) -> None:
    recording, _, _ = session
    app = App("other", BOARD)
    ticks = app.array("ticks", hw.u64)

    @app.on("timer/50ms")
    def slow(ctx: hw.TimerEvent) -> int:
        ticks[0] += 1
        return 0

    outcome = replay(recording, app, BOARD, Engine.INTERP)
    assert ticks[0] == (recording.end_ns - recording.header.start_ns) // 50_000_000
    assert "slow didn't run when this was recorded" in doubts(recording, outcome)


def test_a_program_that_asks_for_another_line_learns_what_edges_told_of_it(session) -> None:
    recording, _, _ = session
    app = App("other", BOARD)
    wrong = app.array("wrong", hw.u64)

    @app.on("gpio/button")
    def look(ctx: hw.GpioEvent) -> int:
        if hw.gpio_get("button") != ctx.value:
            wrong[0] += 1
        return 0

    replay(recording, app, BOARD, Engine.INTERP)
    assert wrong[0] == 0


def test_two_threads_are_recorded_one_event_at_a_time(session) -> None:
    recording, _, _ = session
    times = [event.time_ns for event in recording.events if not event.is_caused]
    assert times == sorted(times)
    if recording.header.clock == "monotonic":
        assert len({event.slot for event in recording.events}) > 1, "edges and timers come from threads of their own"


def test_a_killed_process_leaves_what_was_written(tmp_path: Path) -> None:
    script = f"""
import os, signal
from axiom_hw.clock import MonotonicClock
from axiom_hw.events import Edge
from axiom_hw.keys import GpioKey
from axiom_hw.recorder.recorder import Recorder
from axiom_hw.runtime import Runtime

recorder = Recorder({str(tmp_path / "a.axr")!r}, interval_s=3600)
with Runtime(None, MonotonicClock(), None, tap=recorder) as runtime:
    for n in range(5000):
        runtime.fire(GpioKey(0, 17, Edge.RISING), n.to_bytes(32, "little"))
    recorder.stream.flush()
    for n in range(10):
        runtime.fire(GpioKey(0, 17, Edge.RISING), bytes(32))
    os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", script], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    found = read_recording(str(tmp_path / "a.axr"))
    assert [int.from_bytes(event.ctx, "little") for event in found.events] == list(range(5000))
    assert "it wasn't closed: the process was killed, or the disk full; it ends after 5000 events" in told_damage(found)


def counting_app() -> tuple[App, hw.ArrayView]:
    app = App("counting", BOARD)
    seen = app.array("seen", hw.u64, 4)

    @app.on("gpio/button")
    def count(ctx: hw.GpioEvent) -> int:
        seen[0] += 1
        seen[1] += ctx.lost
        seen[2] = ctx.value
        seen[3] += ctx.timestamp_ns * ctx.seqno
        return 0

    return app, seen


def test_lost_edges_and_what_was_found_out_after_them_replay_both_ways(tmp_path: Path) -> None:
    """The adapter had looked at the line after a loss, and told of a level that no edge had: with the last number."""
    edges = [press(1000, 1, 1), press(2000, 0, 5, lost=3), press(2500, 1, 5), press(9000, 0, 6)]
    path = written(tmp_path / "a.axr", edges)
    app, seen = counting_app()
    replay(read_recording(str(path)), app, BOARD, Engine.INTERP)
    again, seen_again = counting_app()
    with again.running(Options(replay=str(path), engine=Engine.INTERP)) as runtime:
        again.wait()
        assert runtime.gpio is not None
        assert runtime.gpio.lost == 3
    assert dict(seen) == dict(seen_again) == {0: 4, 1: 3, 2: 0, 3: 1000 + 10_000 + 12_500 + 54_000}


def test_real_time_keeps_the_pauses(tmp_path: Path) -> None:
    path = written(tmp_path / "a.axr", [press(1000, 1, 1), press(30_000_000, 0, 2)])
    app, seen = counting_app()
    began_ns = MonotonicClock().now_ns()
    replay(read_recording(str(path)), app, BOARD, Engine.INTERP, real_time=True)
    assert MonotonicClock().now_ns() - began_ns >= 29_000_000
    assert seen[0] == 2


def test_programs_that_cant_be_recorded_leave_no_lines_taken(tmp_path: Path) -> None:
    path = tmp_path / "a.axr"
    path.touch()
    app, _ = counting_app()
    with (
        pytest.raises(RecordingError, match="overwrites nothing"),
        app.running(Options(mock=True, record=str(path), engine=Engine.INTERP)),
    ):
        pass
    assert path.stat().st_size == 0


def stopping_app() -> tuple[App, hw.ArrayView]:
    app = App("stopping", BOARD)
    driven = app.array("driven", hw.u64, 4)

    @app.on("gpio/button/rising")
    def stop(ctx: hw.GpioEvent) -> int:
        hw.emergency_stop(7)
        driven[0] += 1
        return 0

    @app.on("timer/5ms")
    def drive(ctx: hw.TimerEvent) -> int:
        if hw.gpio_set("led", ctx.count % 2) == 0:
            driven[1] += 1
        else:
            driven[2] += 1
        return 0

    return app, driven


def test_a_stop_of_a_program_and_its_release_by_a_person_replay(tmp_path: Path) -> None:
    path = tmp_path / "a.axr"
    app, driven = stopping_app()
    options = Options(mock=True, duration_ns=100_000_000, engine=Engine.INTERP, record=str(path))
    with app.running(options) as runtime:
        assert runtime.guard is not None
        guard = runtime.guard
        app.bench.after("22ms").press("button")
        runtime.scheduler.after(52_000_000, lambda *_: guard.release_stop("Ada"))
        runtime.scheduler.after(82_000_000, lambda *_: guard.emergency_stop("enough", "Ada"))
        app.wait()
    assert driven[0] == 1
    assert driven[1] > 6
    assert driven[2] > 6
    recording = read_recording(str(path))
    assert [value.value for value in recording.values if value.what is What.STOP] == [0, 1]
    again, driven_again = stopping_app()
    outcome = replay(recording, again, BOARD, Engine.INTERP)
    assert dict(driven_again) == dict(driven)
    assert differences_to_record(recording, outcome) == ()
