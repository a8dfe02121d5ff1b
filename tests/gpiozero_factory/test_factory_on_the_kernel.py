"""The pin factory `axiom` on the real backends, over a fake kernel."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

gpiozero = pytest.importorskip("gpiozero")
pytest.importorskip("gpiod", reason="the fake kernel speaks gpiod's types")

from gpiozero import LED, PWMLED, DigitalInputDevice, PWMSoftwareFallback  # noqa: E402

from axiom_hw.backends.gpio import LineOutput  # noqa: E402
from axiom_hw.gpiozero_factory import AxiomFactory  # noqa: E402
from tests.gpiozero_factory.headers import MS, PWM, Pi, reaches  # noqa: E402


def test_an_led_is_an_output_of_the_header_and_an_input_when_it_is_closed(pi: Pi) -> None:
    led = LED(17, initial_value=True, pin_factory=pi.factory)
    (request,) = pi.header.requests
    assert (list(request.settings), request.consumer, pi.header.level(17)) == ([17], "gpiozero", 1)
    led.off()
    assert pi.header.level(17) == 0
    led.on()
    led.close()
    assert 17 not in pi.header.latch, "the chip lets go: a Pi 5 would keep the level of an output"
    assert pi.header.requests == []


def test_edges_bring_the_kernels_time(pi: Pi) -> None:
    seen: list[tuple[int, int]] = []
    came = threading.Event()

    def changed(ticks: int, state: int) -> None:
        seen.append((ticks, state))
        came.set()

    pi.header.clock.advance(1234 * MS)
    button = DigitalInputDevice(17, pull_up=True, bounce_time=0.005, pin_factory=pi.factory)
    button.pin.when_changed = changed
    (request,) = pi.header.requests
    assert request.settings[17].bias.name == "PULL_UP"
    assert request.settings[17].debounce_period.total_seconds() == 0.005
    pi.header.timers.start()
    pi.header.drive(17, 0)
    pi.header.clock.advance(6 * MS)
    assert came.wait(5)
    assert seen == [(1239 * MS, 0)], "when the level had settled"
    assert pi.factory.ticks_diff(1_500_000_000, 250_000_000) == 1.25
    button.close()


def test_pwm_comes_from_the_channel_at_nanoseconds_and_the_line_isnt_claimed(pi: Pi) -> None:
    led = PWMLED(12, frequency=333, initial_value=0.12345, pin_factory=pi.factory)
    assert pi.header.requests == [], "a plain GPIO would be no PWM pin any more"
    assert pi.channel(0) == ["3003003", "370721", "1"]
    led.frequency = 50
    assert pi.channel(0) == ["20000000", "2469000", "1"]
    assert led.value == 0.12345
    led.close()
    assert not (pi.chip / "pwm0").exists(), "given back"
    assert (pi.chip / ".pwm0/enable").read_text().strip() == "0"


def test_without_the_overlay_a_thread_pulses_and_says_so_once(tmp_path: Path) -> None:
    pi = Pi(tmp_path, overlay=False)
    with pytest.warns(PWMSoftwareFallback, match="GPIO12 is pulsed by a thread") as told:
        led = PWMLED(12, pin_factory=pi.factory)
    other = PWMLED(13, pin_factory=pi.factory)  # a second warning would be an error
    assert len(told) == 1
    assert f"pwm {PWM} isn't there" in str(told[0].message)
    assert "dtoverlay=pwm,pin=12,func=4" in str(told[0].message)
    led.value = 1
    assert reaches(lambda: pi.header.level(12) == 1)
    led.close()
    assert 12 not in pi.header.latch
    other.close()
    pi.factory.close()


def test_a_pin_without_a_channel_is_pulsed_by_a_thread(pi: Pi) -> None:
    levels: list[int] = []
    play = pi.header.play
    pi.header.play = lambda offset, change: (play(offset, change), levels.append(pi.header.level(17)))  # type: ignore[func-returns-value]
    with pytest.warns(
        PWMSoftwareFallback, match=r"no PWM channel comes out there, but on GPIO12, GPIO13, GPIO18, GPIO19"
    ):
        led = PWMLED(17, frequency=1000, initial_value=0.5, pin_factory=pi.factory)
    assert reaches(lambda: sum(levels) >= 3)
    led.off()
    assert reaches(lambda: pi.header.level(17) == 0)
    led.close()
    assert not [one for one in threading.enumerate() if one.name == "axiom-pwm-17"]


def test_a_plain_gpio_is_no_pwm_pin_any_more(pi: Pi) -> None:
    LED(12, pin_factory=pi.factory).close()
    with pytest.warns(PWMSoftwareFallback, match="it was a plain GPIO in this process"):
        PWMLED(12, pin_factory=pi.factory).close()


def test_a_busy_line_says_who_holds_it(pi: Pi) -> None:
    chip = pi.gpio.open("pinctrl-rp1")
    mine = chip.request_outputs([LineOutput(17)], "axiom_hw")
    with pytest.raises(gpiozero.GPIOPinInUse, match='line 17 of pinctrl-rp1: is in use by "axiom_hw"'):
        LED(17, pin_factory=pi.factory)
    mine.release()
    LED(17, pin_factory=pi.factory).close()


def test_closing_the_factory_leaves_no_output_driven(pi: Pi) -> None:
    leds = [LED(17, initial_value=True, pin_factory=pi.factory), PWMLED(13, initial_value=1, pin_factory=pi.factory)]
    pi.factory.close()
    pi.factory.close()
    assert (pi.header.latch, pi.header.requests) == ({}, [])
    assert (pi.chip / ".pwm1/enable").read_text().strip() == "0"
    with pytest.raises(gpiozero.PinSetInput):
        leds[0].on()
    for led in leds:
        led.close()


def test_where_this_is_no_pi_the_mock_is_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing() -> int:
        raise gpiozero.PinUnknownPi("unable to locate Pi revision")

    monkeypatch.setattr("axiom_hw.gpiozero_factory.factory.get_pi_revision", nothing)
    monkeypatch.delenv("AXIOM_MOCK", raising=False)
    with pytest.raises(gpiozero.PinUnknownPi, match="AXIOM_MOCK=1 gives scripts a header in memory"):
        AxiomFactory()
