"""gpiozero's callbacks, on its own factory for the Pi 5. `python by_gpiozero.py LABEL INPUT OUTPUT`."""

from __future__ import annotations

import signal
import sys

from gpiozero import LED, Button
from gpiozero.pins.lgpio import LGPIOFactory

from tests.bench.latency.lines import find_chip

PI_5 = 0xD04170


class Pi5Factory(LGPIOFactory):  # type: ignore[misc]  # gpiozero has no types
    """Says that this is a Pi 5, where there is no device tree to say it."""

    def _get_revision(self) -> int:
        return PI_5


def main(label: str, line: int, led: int) -> None:
    """Follow for ever."""
    factory = Pi5Factory(chip=find_chip(label).number)
    button = Button(line, pull_up=False, pin_factory=factory)
    lamp = LED(led, pin_factory=factory)
    button.when_pressed = lamp.on
    button.when_released = lamp.off
    print("ready", flush=True)
    signal.pause()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
