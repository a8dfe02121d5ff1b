"""A Pi 5 made of the fake kernel, with the factory on it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

gpiozero = pytest.importorskip("gpiozero")
pytest.importorskip("gpiod", reason="the fake kernel speaks gpiod's types")


from axiom_hw.backends.gpiod_gpio import GpiodBackend  # noqa: E402
from axiom_hw.backends.sysfs_pwm import SysfsPwm  # noqa: E402
from axiom_hw.clock import VirtualClock  # noqa: E402
from axiom_hw.gpiozero_factory import AxiomFactory  # noqa: E402
from axiom_hw.scheduler import Scheduler  # noqa: E402
from tests.backends.fake_gpiod import FakeDev, FakeWorld  # noqa: E402
from tests.backends.fake_sysfs import FakePwmTree  # noqa: E402

MS = 1_000_000
PI_5 = 0xD04170
PWM = "1f00098000.pwm"


class Pi:
    """A Pi 5 made of the fake kernel: its header, its PWM, and the factory on both."""

    def __init__(self, root: Path, overlay: bool = True) -> None:
        clock = VirtualClock()
        timers = Scheduler(clock)
        self.header = FakeWorld("pinctrl-rp1", 54, clock, timers)
        (root / "dev").mkdir()
        dev = FakeDev(root / "dev")
        dev.add("gpiochip11", self.header)
        (root / "pwm").mkdir()
        tree = FakePwmTree(root / "pwm")
        if overlay:
            self.chip = tree.add(0, PWM, 4)
        self.tree = tree
        self.gpio = GpiodBackend(root / "dev", dev.opener, dev.is_chip)
        pwm = SysfsPwm(root / "pwm", lambda ns: None, tree.write)
        self.factory = AxiomFactory(gpio=self.gpio, pwm=pwm, revision=PI_5)

    def channel(self, number: int) -> list[str]:
        return [self.tree.value(self.chip, number, name) for name in ("period", "duty_cycle", "enable")]


def reaches(condition) -> bool:
    """Wait for a thread, 5 s at most."""
    pause = threading.Event()
    return any(condition() or pause.wait(0.002) for _ in range(2500))
