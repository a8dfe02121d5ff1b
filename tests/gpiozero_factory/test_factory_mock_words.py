"""The words of gpiozero's mock pins, for tests that were written with them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

gpiozero = pytest.importorskip("gpiozero")
pytest.importorskip("gpiod", reason="the fake kernel speaks gpiod's types")

from gpiozero import LED, PWMLED, Button  # noqa: E402
from gpiozero.pins.mock import MockFactory  # noqa: E402

from axiom_hw.clock import VirtualClock  # noqa: E402
from axiom_hw.gpiozero_factory import AxiomFactory  # noqa: E402
from tests.gpiozero_factory.headers import MS  # noqa: E402


def test_tests_written_for_gpiozeros_mock_run_here(factory: AxiomFactory) -> None:
    for made in (factory, MockFactory("d04170")):
        with LED(17, pin_factory=made) as led:
            led.pin.clear_states()
            led.on()
            led.off()
            led.toggle()
            led.pin.assert_states([False, True, False, True])
        with Button(22, hold_time=0.01, pin_factory=made) as button:
            assert not button.is_pressed
            button.pin.drive_low()
            assert button.wait_for_press(0)
        made.reset()


def test_states_have_times(factory: AxiomFactory, clock: VirtualClock) -> None:
    led = PWMLED(12, pin_factory=factory)
    led.pin.clear_states()
    clock.advance(100 * MS)
    led.value = 0.5
    clock.advance(200 * MS)
    led.off()
    led.pin.assert_states_and_times([(0.0, 0.0), (0.1, 0.5), (0.2, 0.0)])
    with pytest.raises(AssertionError, match="GPIO12"):
        led.pin.assert_states_and_times([(0.0, 0.0), (0.4, 0.5)])
    led.close()


def test_a_pin_that_floats_again_follows_its_pull(factory: AxiomFactory) -> None:
    pin = factory.pin(17)
    pin.input_with_pull("up")
    pin.drive_low()
    assert not pin.state
    pin.drive_floating()
    assert pin.state


def test_debounce_follows_the_clock(factory: AxiomFactory, clock: VirtualClock) -> None:
    button = Button(17, bounce_time=0.005, hold_time=0.01, pin_factory=factory)
    button.pin.drive_low()
    assert not button.is_pressed
    clock.advance(5 * MS)
    factory.edges.deliver()
    assert button.is_pressed
    button.close()


def test_the_test_of_the_page_passes() -> None:
    page = (Path(__file__).parents[2] / "docs/gpiozero.md").read_text()
    (code,) = re.findall(r"^```python\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
