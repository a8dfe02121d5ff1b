"""`App.main`, in this process: exit codes, and what is said of faults, losses and failing devices."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import axiom_hw as hw
from axiom_hw import console
from axiom_hw.app import App
from axiom_hw.backends.gpio import LineEvent
from axiom_hw.backends.mock_gpio import MockRequest
from axiom_hw.board import parse_board
from axiom_hw.bpf.asm import assemble
from axiom_hw.errors import BackendError
from tests.programs import FAULTY, forged, ticks

HEARTBEAT = Path(__file__).parents[1] / "demos/heartbeat/heartbeat.bpf.o"


def run(app: App, body: Callable[[], object] | None, *argv: str) -> int:
    try:
        app.main(body, argv)
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def test_ctrl_c_ends_cleanly(capsys: pytest.CaptureFixture[str]) -> None:
    app = App("button", board="rpi5-bench")

    def body() -> None:
        assert app.runtime is not None
        assert app.runtime.guard is not None
        app.runtime.guard.set_gpio(18, 1, "test")
        raise KeyboardInterrupt

    assert run(app, body, "--mock") == 0
    assert capsys.readouterr() == ("", "")
    assert app.bench is not None
    assert app.bench.value("led") == 0


def test_a_fault_is_told_once_and_counted_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    app = App("x")

    def body() -> None:
        assert app.runtime is not None
        app.runtime.attach(forged(FAULTY, "timer/1ms", "broken"), (), "timer/1ms")
        app.wait()

    assert run(app, body, "--mock", "--for", "5ms") == 0
    first, last = capsys.readouterr().err.splitlines()
    assert first.startswith("fault: broken at pc 0: reads 8 bytes at ")
    assert last == "broken: 5 of 5 runs faulted"


def test_an_application_that_prints_nothing_says_on_hardware_that_it_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(App("x"), None, "--for", "5ms") == 0
    assert capsys.readouterr() == ("", "x runs\n")
    console.tell_running("lamp", parse_board("", "desk", "desk.toml"), None)
    assert capsys.readouterr() == ("", "lamp runs on the board desk; Ctrl-C ends it\n")


def test_records_that_found_no_room_are_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    app = App("x")
    app.load(ticks(tmp_path, entries=64))
    app.ringbuf("ticks", hw.u32)
    assert run(app, None, "--mock", "--for", "100ms") == 0
    assert capsys.readouterr().err == (
        "ring ticks: 7 records were dropped, because it was full; read it more often, or declare it larger\n"
    )


def test_edges_that_the_kernel_dropped_are_reported(capsys: pytest.CaptureFixture[str]) -> None:
    board = parse_board(
        '[chip.header]\nlabel = "pinctrl-rp1"\n[input.sensor]\nline = 4\n', "quick", "boards/quick.toml"
    )
    app = App("x", board=board)

    @app.scenario
    def noise(bench: hw.MockBench) -> None:
        for _ in range(10):
            bench.press("sensor")
            bench.release("sensor")

    assert run(app, None, "--mock") == 0
    assert capsys.readouterr().err == (
        "gpio: the kernel dropped 4 edges, because its buffer was full; "
        "raise event_buffer_size of the chip in the board file\n"
    )


def test_trace_shows_what_programs_print(capsys: pytest.CaptureFixture[str]) -> None:
    app = App("heartbeat")
    app.load(HEARTBEAT)
    assert run(app, None, "--mock", "--trace", "--for", "250ms") == 0
    assert capsys.readouterr().err == "    0.100000  heartbeat: tick 1\n    0.200000  heartbeat: tick 2\n"


def test_a_device_that_fails_ends_the_run_with_1(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(request: MockRequest, most: int) -> list[LineEvent]:
        raise BackendError("chip pinctrl-rp1", "went away")

    app = App("x", board="rpi5-bench")

    def body() -> None:
        assert app.bench is not None
        monkeypatch.setattr(MockRequest, "read_events", gone)
        app.bench.press("button")
        app.wait()

    assert run(app, body, "--mock", "--real-time") == 1
    assert capsys.readouterr().err == "chip pinctrl-rp1: went away\n"


def test_a_users_mistake_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(App("x"), None, "--mock", "--board", "nowhere.toml") == 1
    assert capsys.readouterr().err == (
        "nowhere.toml: there is no such board file\n    fix    `axiom-hw boards` lists the boards there are\n"
    )


def test_a_thread_that_dies_ends_the_run_with_1_and_safe_outputs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug in what the timers call must not leave a run that looks alive, with outputs that nobody controls."""
    monkeypatch.setattr(threading, "excepthook", threading.__excepthook__)  # pytest has put its own there
    app = App("x", board="rpi5-bench")

    def body() -> None:
        assert app.runtime is not None
        assert app.runtime.guard is not None
        app.runtime.guard.set_gpio(18, 1, "test")

        def stumble(*_: int) -> None:
            raise ZeroDivisionError("a bug")

        app.runtime.scheduler.after(1, stumble)
        app.wait()  # without an end of its own

    assert run(app, body, "--mock", "--real-time") == 1
    assert "ZeroDivisionError: a bug" in capsys.readouterr().err
    assert app.bench is not None
    assert app.bench.value("led") == 0


def test_without_a_body_outputs_are_shown_in_a_scenario_too(capsys: pytest.CaptureFixture[str]) -> None:
    app = hw.App("x", board="rpi5-bench")
    app.load(HEARTBEAT.parents[1] / "button.bpf.s")

    @app.scenario
    def finger(bench: hw.MockBench) -> None:
        bench.after("100ms").press("button")
        bench.after("100ms").release("button")

    app.main(argv=["--mock", "--engine", "interp"])
    out = capsys.readouterr().out
    assert out == "    0.105 s  led    on\n    0.205 s  led    off\n"


def test_a_scenario_beside_a_timer_ends_10_s_behind_its_last_step(capsys: pytest.CaptureFixture[str]) -> None:
    app = App("x", board="rpi5-bench")
    app.load(assemble("r0 = 0\nexit").programs[0].insns, on="timer/3s")

    @app.scenario
    def play(bench: hw.MockBench) -> None:
        bench.after("1s").press("button")

    assert run(app, app.wait, "--mock") == 0
    assert capsys.readouterr().err == "10s of virtual time; --for TIME sets another end\n"
    assert app.now_ns() == 11_000_000_000
    assert [link.runs for link in app.links] == [3]


def test_a_hook_that_the_board_doesnt_have_is_told_with_the_line(capsys: pytest.CaptureFixture[str]) -> None:
    app = App("x", board="rpi5-bench")

    @app.on("gpio/buton")
    def follow(ctx: hw.GpioEvent) -> int:
        return 0

    line = follow.__code__.co_firstlineno
    assert run(app, None, "--mock") == 1
    assert capsys.readouterr().err == (
        f"{__file__}:{line}: follow, section 'gpio/buton' on boards/rpi5-bench.toml: "
        f"has no input `buton`; it has {', '.join(row.name for row in hw.load_board('rpi5-bench').inputs)}\n"
        "    fix    did you mean `button`?\n"
    )
