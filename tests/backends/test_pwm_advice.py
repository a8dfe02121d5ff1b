"""What is advised where a PWM chip isn't there: the overlay of the channel's own pins, on the board that it is."""

from __future__ import annotations

import pytest

from axiom_hw.backends.pwm import no_such_device

WHERE = "write it under [all] in /boot/firmware/config.txt and reboot; elsewhere run with --mock"


@pytest.mark.parametrize(
    ("device", "channel", "lines"),
    [
        ("1f00098000.pwm", 0, "for GPIO12 dtoverlay=pwm,pin=12,func=4"),
        ("1f00098000.pwm", 3, "for GPIO19 dtoverlay=pwm,pin=19,func=2"),
        ("fe20c000.pwm", 1, "for GPIO13 dtoverlay=pwm,pin=13,func=4, or for GPIO19 dtoverlay=pwm,pin=19,func=2"),
    ],
)
def test_the_pin_is_the_channels(device: str, channel: int, lines: str) -> None:
    assert no_such_device(device, (), channel).fix == f"{lines}: {WHERE}"


def test_a_device_of_no_pi_gets_no_overlay_of_one() -> None:
    assert no_such_device("gpio-pwm", ["a.pwm"], 0).fix == (
        "is its driver loaded? `readlink /sys/class/pwm/pwmchip*/device` shows the chips; or run with --mock"
    )
