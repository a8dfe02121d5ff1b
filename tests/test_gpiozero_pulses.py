"""gpiozero's PWM on a pin without a channel, in virtual time: the pulses are the same as a board file's."""

from __future__ import annotations

import threading

import pytest

pytest.importorskip("gpiozero", reason="pip install gpiozero")

from gpiozero import PWMLED, PWMSoftwareFallback

from axiom_hw.clock import VirtualClock
from axiom_hw.gpiozero_factory import AxiomFactory
from axiom_hw.gpiozero_factory.mock import MockHeader

MS = 1_000_000


def test_a_pin_without_a_channel_is_pulsed_as_the_clock_moves() -> None:
    clock = VirtualClock()
    header = MockHeader(clock=clock)
    factory = AxiomFactory(header)
    with pytest.warns(PWMSoftwareFallback, match="no PWM channel comes out there"):
        led = PWMLED(17, frequency=100, initial_value=0.3, pin_factory=factory)

    def high_ms(duration_ms: int) -> int:
        seen = 0
        for _ in range(duration_ms):
            clock.advance(MS // 2)
            seen += header.chip.level(17)
            clock.advance(MS - MS // 2)
        return seen

    assert high_ms(100) == 30
    led.value = 0.8
    assert high_ms(10) == 3, "the period under way ends as it began"
    assert high_ms(100) == 80
    led.off()
    assert high_ms(20) == 0
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("axiom-pwm")]
    led.close()
    factory.close()
