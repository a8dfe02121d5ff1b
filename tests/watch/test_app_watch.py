"""app.watch, end to end on the mock bench: firings, intervals, outputs, stops, and what a mistake is told."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import axiom_hw as hw
from axiom_hw.board import parse_board
from axiom_hw.bpf.engine.choice import Engine
from axiom_hw.errors import BoardError, HookError, SpecError
from axiom_hw.options import Options
from tests.bpf.engines import ENGINES

TEXT = """
[chip.header]
label = "pinctrl-rp1"
[pwm_chip.header]
device = "1f00098000.pwm"
[input.button]
line = 17
[output.led]
line = 18
safe = "low"
[output.fan]
channel = 0
period = "40us"
safe = "off"
[i2c_bus.main]
path = "/dev/i2c-1"
[sensor.climate]
bus = "main"
address = 0x76
driver = "bme280"
rate = "1s"
"""
WATCH = """
[watch.cold]
on = "i2c/climate/temperature"
field = "micro"
below = 5_000_000
drive = { led = 1 }
"""
CLIMATE = "i2c/climate/temperature"


def desk(more: str = "") -> hw.App:
    return hw.App("desk", parse_board(TEXT + more, "desk", "boards/desk.toml"))


def options(engine: str = "interp", seconds: int = 12) -> Options:
    return Options(mock=True, engine=Engine(engine), cache=False, duration_ns=seconds * 10**9)


def day(app: hw.App, *readings: float) -> None:
    """Readings of the sensor, once a second, from 0.5 s on; it is read on the second."""

    @app.scenario
    def play(bench: hw.MockBench) -> None:
        for number, celsius in enumerate(readings):
            bench.after("1s" if number else "500ms").measure("climate", "temperature", str(celsius))


def degrees(fired: hw.WatchEvent) -> float:
    return round(fired.value / 1e6, 1)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_watcher_fires_once_until_it_is_back_beyond_the_hysteresis(engine: str) -> None:
    app = desk()
    hot = app.watch("hot", CLIMATE, "micro", hw.above(30_000_000, hysteresis=1_000_000), ends=True)
    day(app, 25, 30.5, 29.5, 30.5, 28.5, 31)
    with app.running(options(engine)):
        seen = [(degrees(fired), fired.became) for fired in hot]
    assert seen == [(30.5, 1), (28.5, 0), (31.0, 1)]


def test_firings_within_the_interval_are_counted_and_the_last_is_told_at_its_end() -> None:
    app = desk()
    moved = app.watch("moved", CLIMATE, "micro", hw.changed(), interval="3s")
    day(app, 20, 21, 22, 23, 24, 24, 24, 24, 25)
    with app.running(options()):
        seen = [(degrees(fired), fired.coalesced) for fired in moved]
    assert seen == [(21.0, 0), (24.0, 2), (25.0, 0)]


def test_what_an_interval_kept_at_the_end_of_the_run_is_told_of(capsys: pytest.CaptureFixture[str]) -> None:
    app = desk()
    moved = app.watch("moved", CLIMATE, "micro", hw.changed(), interval="60s")
    day(app, 20, 21, 22, 23)
    app.main(lambda: list(moved), ["--mock", "--for", "5s", "--engine", "interp"])
    assert "watch moved: its last 2 firings fell into an interval that didn't end" in capsys.readouterr().err


@pytest.mark.parametrize("engine", ENGINES)
def test_outputs_follow_the_condition_from_the_first_event_on(engine: str) -> None:
    app = desk()
    app.watch(
        "cooling", CLIMATE, "micro", hw.above(30_000_000, hysteresis=1_000_000),
        drive={"fan": 60, "led": 0}, otherwise={"fan": 25, "led": 1},
    )  # fmt: skip
    seen: list[tuple[int, int]] = []
    day(app, 25, 31, 29.5, 28)
    with app.running(options(engine)) as runtime:
        bench = app.bench
        assert bench is not None
        runtime.scheduler.every(10**9, lambda *_: seen.append((bench.pwm_state("fan").duty_ns, bench.value("led"))))
        app.wait()
    assert seen[:4] == [(10_000, 1), (24_000, 0), (24_000, 0), (10_000, 1)]


def test_a_watcher_stops_the_bench() -> None:
    app = desk()
    app.watch("burning", CLIMATE, "micro", hw.at_least(60_000_000), stop=7)
    day(app, 25, 61)
    with app.running(options()) as runtime:
        app.wait()
        assert runtime.guard is not None
        assert runtime.guard.is_stopped


def test_watchers_of_all_hooks_share_a_ring_and_are_told_apart_by_their_ids() -> None:
    app = desk()
    fired = app.ringbuf("fired", hw.WatchEvent)
    pressed = app.watch("pressed", "gpio/button/rising", "value", hw.equal(1), into=fired)
    cold = app.watch("cold", CLIMATE, "micro", hw.below(5_000_000), into=fired)

    @app.scenario
    def play(bench: hw.MockBench) -> None:
        bench.after("100ms").press("button")
        bench.after("500ms").measure("climate", "temperature", "4")

    with app.running(options()):
        seen = [one.watcher for one in fired]
    assert seen == [pressed.id, cold.id]


def test_the_boards_watchers_run_with_every_app_and_tell_it_by_name() -> None:
    app = desk(WATCH)
    cold = app.watch("cold")
    day(app, 25, 4)
    with app.running(options()):
        assert [degrees(one) for one in cold] == [4.0]
        assert app.bench is not None
        assert app.bench.value("led") == 1
    mute = desk(WATCH)
    day(mute, 25, 4)
    with mute.running(options()):
        mute.wait()
        assert mute.bench is not None
        assert mute.bench.value("led") == 1


def test_a_verifier_sees_them() -> None:
    (spec,) = desk(WATCH).specs()
    assert (spec.name, spec.section) == ("watch_i2c_climate_temperature", CLIMATE)


def declared(app: hw.App, *said: object, **more: object) -> str:
    with pytest.raises((SpecError, HookError)) as caught:
        app.watch(*said, **more)  # type: ignore[arg-type]
    return str(caught.value)


def test_mistakes_are_told_with_the_watchers_name() -> None:
    app = desk(WATCH)
    assert declared(app, "hot", "gpio/button", "valve", hw.equal(1)) == (
        "watch hot: GpioEvent, the event of gpio/button, has no field `valve`\n    fix    did you mean `value`?"
    )
    assert declared(app, "hot", "button", "value", hw.equal(1)).startswith("watch hot: section 'button': names no hook")
    assert declared(app, "hot", CLIMATE, "micro") == (
        "watch hot: doesn't say what it looks for on i2c/climate/temperature\n"
        '    fix    watch("hot", "i2c/climate/temperature", "micro", when=hw.above(30_000_000))'
    )
    assert declared(app, "hot", interval="1s").startswith("watch hot: doesn't say which events")
    edges = app.ringbuf("edges", hw.GpioEvent)
    assert declared(app, "hot", "gpio/button", "value", hw.equal(1), into=edges) == (
        "watch hot: can't tell through the ring edges, whose records are something else\n"
        '    fix    declare it with app.ringbuf("edges", hw.WatchEvent)'
    )
    lamp = app.watch("lamp", "gpio/button", "value", hw.equal(1), drive={"led": 1})
    assert declared(app, "lamp", "gpio/button", "value", hw.equal(1)).startswith("watch lamp: is declared already")
    with pytest.raises(SpecError, match="watch lamp: drives outputs, and tells nobody"):
        iter(lamp)


@pytest.mark.parametrize(
    ("declare", "told"),
    [
        (
            lambda app: app.watch("warm"),
            "boards/desk.toml: has no watcher `warm`; it has cold\n    fix    add [watch.warm]",
        ),
        (
            lambda app: app.watch("cold", CLIMATE, "micro", hw.below(1)),
            "watch cold: is declared by the application, and by boards/desk.toml",
        ),
        (
            lambda app: app.watch("hot", CLIMATE, "micro", hw.above(1), drive={"lamp": 1}),
            "watch hot: drives `lamp`, which is no output; there are: led, fan",
        ),
        (
            lambda app: app.watch("hot", "gpio/knob", "value", hw.equal(1)),
            "watch hot: watch_gpio_knob, section 'gpio/knob' on boards/desk.toml: has no input `knob`",
        ),
    ],
)  # fmt: skip
def test_what_the_board_doesnt_have_is_told_when_the_app_runs(declare: Callable[[hw.App], object], told: str) -> None:
    app = desk(WATCH)
    declare(app)
    with pytest.raises((BoardError, SpecError, HookError)) as caught, app.running(options()):
        pass
    assert str(caught.value).startswith(told)
