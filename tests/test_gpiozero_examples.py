"""gpiozero's documented examples, in our own words: each file of gpiozero_examples runs on the mock header."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

gpiozero = pytest.importorskip("gpiozero")

from gpiozero import Device, PWMSoftwareFallback  # noqa: E402  # after importorskip
from gpiozero.pins.mock import MockFactory  # noqa: E402

from axiom_hw.backends.pwm import PwmState  # noqa: E402
from axiom_hw.clock import VirtualClock  # noqa: E402
from axiom_hw.gpiozero_factory import AxiomFactory, MockHeader  # noqa: E402

EXAMPLES = Path(__file__).parent / "gpiozero_examples"
PWM = "1f00098000.pwm"
# A knob's contacts are closed one after the other, and opened in the same order.
CLOCKWISE = ((20, 0), (21, 0), (20, 1), (21, 1))
QUICK_S = 5.0  # for a thread of this process to come round


@pytest.fixture
def header() -> MockHeader:
    return MockHeader()


@pytest.fixture
def factory(header: MockHeader, monkeypatch: pytest.MonkeyPatch) -> Iterator[AxiomFactory]:
    made = AxiomFactory(header)
    monkeypatch.setattr(Device, "pin_factory", made)
    yield made
    made.close()


@pytest.fixture
def play(factory: AxiomFactory) -> Iterator[Any]:
    """Run an example; its devices are closed after the test."""
    played: list[dict[str, Any]] = []

    def run(name: str) -> dict[str, Any]:
        played.append(runpy.run_path(str(EXAMPLES / f"{name}.py")))
        return played[-1]

    yield run
    for names in played:
        for made in names.values():
            if isinstance(made, Device):
                made.close()


def soon(condition: Any) -> bool:
    """Wait for a thread of gpiozero's."""
    pause = threading.Event()
    return any(condition() or pause.wait(0.002) for _ in range(int(QUICK_S / 0.002)))


def test_each_example_is_played_by_a_test_here() -> None:
    mine = Path(__file__).read_text()
    for example in EXAMPLES.glob("*.py"):
        assert f'play("{example.stem}")' in mine or f'"{example.stem}.py"' in mine, example.stem


def test_a_button_switches_an_led(play: Any, header: MockHeader) -> None:
    button = play("button_led")["button"]
    assert header.chip.level(17) == 1, "pulled up"
    button.pin.drive_low()
    assert (button.is_pressed, header.chip.level(18)) == (True, 1)
    button.pin.drive_high()
    assert (button.is_pressed, header.chip.level(18)) == (False, 0)


def test_an_led_blinks(play: Any) -> None:
    led = play("blink")["led"]
    led.pin.assert_states([False, True, False, True, False, True, False])


def test_a_button_is_held_after_it_has_bounced(play: Any, factory: AxiomFactory) -> None:
    names = play("hold_button")
    pin = names["button"].pin
    for _ in range(3):
        pin.drive_low()
        pin.drive_high()
    pin.drive_low()
    assert not names["button"].is_pressed, "the kernel waits until it has settled"
    assert names["held"].wait(QUICK_S)
    assert names["button"].is_pressed


def test_an_led_has_257_brightnesses_of_which_gpiozeros_own_pins_would_show_101(play: Any, header: MockHeader) -> None:
    duties: list[int] = []
    header.pwm.watch(lambda device, channel, state: duties.append(state.duty_ns))
    play("fading_led")
    assert sorted(set(duties)) == [round(level * 1_000_000 / 256) for level in range(257)]


def test_a_servo_goes_to_its_marks_and_is_let_go(play: Any, header: MockHeader) -> None:
    seen: list[PwmState] = []
    header.pwm.watch(lambda device, channel, state: seen.append(state))
    servo = play("servo")["servo"]
    assert [state.duty_ns for state in seen if state.enabled and state.duty_ns] == [
        1_500_000, 1_000_000, 1_500_000, 2_000_000, 1_750_000,
    ]  # fmt: skip
    assert {state.period_ns for state in seen} == {20_000_000}
    assert PwmState(20_000_000, 0, enabled=False) in seen
    assert servo.value == pytest.approx(0.5)
    servo.close()
    assert not header.pwm.seen(PWM, 1).enabled


def test_181_angles_are_181_duties(play: Any, header: MockHeader) -> None:
    duties: list[int] = []
    header.pwm.watch(lambda device, channel, state: duties.append(state.duty_ns))
    play("angular_servo")
    angles = [duty for duty in duties if duty][1:]  # the first is where it begins
    assert angles == [round(1_000_000 + (angle + 90) * 1_000_000 / 180) for angle in range(-90, 91)]
    assert len(set(angles)) == 181


def test_a_knob_is_counted_as_on_gpiozeros_own_mock(play: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def turn() -> tuple[int, list[int]]:
        names = play("rotary_encoder")
        encoder = names["encoder"]
        pins = {20: encoder.a.pin, 21: encoder.b.pin}
        for moves in (CLOCKWISE * 20, tuple(reversed(CLOCKWISE)) * 5):
            for line, level in moves:
                (pins[line].drive_high if level else pins[line].drive_low)()
        found = encoder.steps, names["turns"]
        encoder.close()
        return found

    ours = turn()
    assert abs(ours[0]) >= 14
    monkeypatch.setattr(Device, "pin_factory", MockFactory("d04170"))
    assert turn() == ours


def test_no_step_is_lost_where_the_knob_is_quicker_than_python(play: Any, header: MockHeader) -> None:
    encoder = play("rotary_encoder")["encoder"]
    for line, level in CLOCKWISE * 100:  # 400 edges of two pins, with nobody waiting for handlers
        header.chip.drive(line, level)
    assert soon(lambda: abs(encoder.steps) == 100), encoder.steps


def test_an_echo_is_timed_by_the_chip(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = VirtualClock()
    header = MockHeader(clock=clock)
    factory = AxiomFactory(header)
    monkeypatch.setattr(Device, "pin_factory", factory)
    echo_ns = round(2 * 0.75 / 343.26 * 1e9)  # 0.75 m there and back

    def answer(timestamp_ns: int, line: int, level: int) -> None:
        if (line, level) == (23, 0):
            clock.advance(500_000)
            header.chip.drive(24, 1)
            clock.advance(echo_ns)
            header.chip.drive(24, 0)

    header.chip.watch(answer)
    with pytest.warns(PWMSoftwareFallback, match="pigpio"):  # gpiozero's advice to whoever isn't on pigpio
        sensor = runpy.run_path(str(EXAMPLES / "distance_sensor.py"))["sensor"]
    assert sensor.distance == pytest.approx(0.75, abs=1e-6)
    sensor.close()
    factory.close()


def test_traffic_lights(play: Any, header: MockHeader) -> None:
    play("traffic_lights")
    assert [header.chip.level(line) for line in (25, 8, 7)] == [0, 0, 1]


def test_a_motor_turns_round(play: Any, header: MockHeader) -> None:
    seen: list[tuple[int, int]] = []
    header.pwm.watch(lambda device, channel, state: seen.append((channel, state.duty_ns)))
    motor = play("motor")["motor"]
    driven = [row for row in seen if row[1]]
    assert driven == [(0, 5_000_000), (1, 5_000_000)]
    assert motor.value == 0
    assert [header.pwm.seen(PWM, channel).duty_ns for channel in (0, 1)] == [0, 0]


def test_a_lamp_follows_a_motion_sensor(play: Any, header: MockHeader) -> None:
    names = play("motion_light")
    names["motion"].pin.drive_high()
    assert soon(lambda: header.chip.level(16) == 1)
    names["motion"].pin.drive_low()
    assert soon(lambda: header.chip.level(16) == 0)


def test_a_script_runs_unchanged_by_two_variables() -> None:
    env = {**os.environ, "GPIOZERO_PIN_FACTORY": "axiom", "AXIOM_MOCK": "1"}
    for name in ("button_led.py", "angular_servo.py"):
        command = [sys.executable, "-W", "error", str(EXAMPLES / name)]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
