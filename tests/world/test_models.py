"""Closed loops: a heater and a fan move a temperature, a motor moves its encoder and its switch."""

from __future__ import annotations

import math

import pytest

from axiom_hw.actuation import Asker
from axiom_hw.bench import MockBench, MotorModel, ThermalModel
from axiom_hw.events import Edge, GpioEvent, I2cEvent
from axiom_hw.keys import GpioKey, I2cKey
from axiom_hw.runtime import Runtime
from tests.world.worlds import listen, new, refusal


def drive(runtime: Runtime, output: str, value: int) -> None:
    assert runtime.guard is not None
    assert runtime.guard.write(output, value, Asker("test")) == 0


def test_a_heater_warms_and_a_fan_cools_by_equations_of_the_first_order() -> None:
    bench = new()
    model = ThermalModel(
        bench, "climate/temperature", heater="heater", fan="fan", ambient=20, rise=40, cooling=3, time_constant="10s"
    )
    with bench.runtime() as runtime:
        seen = listen(runtime, I2cEvent, I2cKey(0, 0))
        bench.advance("5s")
        assert model.temperature == 20
        drive(runtime, "heater", 1)
        bench.advance("10s")
        warm = 60 - 40 * math.exp(-1)
        assert model.temperature == pytest.approx(warm)
        drive(runtime, "fan", 500_000)  # half: it loses heat 2.5 times as fast
        bench.advance("4s")
        aim = 20 + 40 / 2.5
        assert model.temperature == pytest.approx(aim + (warm - aim) * math.exp(-1))
        drive(runtime, "heater", 0)
        drive(runtime, "fan", 0)
        bench.advance("200s")
        assert model.temperature == pytest.approx(20)
    measured = {event.timestamp_ns // 10**9: event.micro / 1e6 for event in seen if not event.status}
    assert measured[5] == pytest.approx(20, abs=0.02)
    assert measured[15] == pytest.approx(warm, abs=0.02)


def follow(bench: MockBench, runtime: Runtime) -> MotorModel:
    model = MotorModel(bench, "wheel", encoder="encoder", top_speed=2000, limits={"limit": 500})
    drive(runtime, "wheel", 1000)
    return model


def test_a_motor_turns_its_encoder_and_meets_its_switch_and_comes_back() -> None:
    bench = new()
    with bench.runtime() as runtime:
        edges = listen(runtime, GpioEvent, *(GpioKey(0, line, edge) for line in (5, 6) for edge in Edge))
        switch = listen(runtime, GpioEvent, GpioKey(0, 22, Edge.RISING))
        model = follow(bench, runtime)
        bench.advance("1s")
        assert model.speed == pytest.approx(2000)
        assert model.position == pytest.approx(2000 * (1 - 0.05))
        assert len(edges) == model.steps == 1900 - 1, "the next step is a moment away"
        (reached,) = switch
        assert 0.25 < reached.timestamp_ns / 1e9 < 0.35
        drive(runtime, "wheel", -500)
        bench.advance("400ms")
        assert model.speed == pytest.approx(-1000, rel=0.01)
        drive(runtime, "wheel", 0)
        bench.advance("10s")
        assert model.speed == pytest.approx(0, abs=1e-6)
        assert abs(model.position - model.steps) <= 1, "a step of play"
        assert runtime.gpio is not None
        assert runtime.gpio.lost == 0
        turned = len(edges)
        bench.advance("100s")
        assert len(edges) == turned, "it stands still, and takes no time"


def test_a_model_is_the_same_in_every_run() -> None:
    def run() -> list[tuple[int, int, int]]:
        bench = new()
        with bench.runtime() as runtime:
            edges = listen(runtime, GpioEvent, *(GpioKey(0, line, edge) for line in (5, 6) for edge in Edge))
            follow(bench, runtime)
            bench.advance("200ms")
            drive(runtime, "wheel", -1000)
            bench.advance("200ms")
        return [(event.timestamp_ns, event.line, event.value) for event in edges]

    first = run()
    assert first == run()
    assert len(first) > 300


def test_models_of_what_isnt_there() -> None:
    bench = new()
    assert "`led` is a line; a motor turns by a PWM output" in refusal(lambda: MotorModel(bench, "led"))
    assert "did you mean `wheel`?" in refusal(lambda: MotorModel(bench, "wheels"))
    assert "has no input `encoders_a`" in refusal(lambda: MotorModel(bench, "wheel", encoder="encoders"))
    assert "has no channel `climate/temp`" in refusal(lambda: ThermalModel(bench, "climate/temp"))
    assert "did you mean `heater`?" in refusal(lambda: ThermalModel(bench, "climate/temperature", heater="heatr"))
    assert "the least is 1 us" in refusal(lambda: ThermalModel(bench, "cpu/temp1", time_constant=0))
