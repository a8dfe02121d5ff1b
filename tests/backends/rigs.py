"""What the GPIO contract runs on: one chip of 32 lines or more, the world's side of its wires, and a clock."""

from __future__ import annotations

import os
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import pytest

from axiom_hw.backends.gpio import GpioBackend
from axiom_hw.backends.limits import GpioChoice, limits_of, open_gpio

SIM = Path("/sys/devices/platform")
USED = (16, 17, 18, 19, 20, 22, 23, 27)  # lines of the contract


class World(Protocol):
    def drive(self, offset: int, level: int | None) -> None: ...

    def level(self, offset: int) -> int: ...


class Rig:
    """A backend, its chip's label, and how to play the world on it."""

    exact_time = True  # the clock stands still but for `advance`
    debounce_ns = 50_000_000

    def __init__(
        self, backend: GpioBackend, label: str, world: World, clock, choice: GpioChoice = GpioChoice.GPIOD
    ) -> None:
        self.backend = backend
        self.label = label
        self.world = world
        self.clock = clock
        self.limits = limits_of(choice)

    def arrive(self) -> None:
        """Let pass the time that edges are late by."""
        if not self.exact_time:
            time.sleep(0.3 if self.limits.added_latency_ns else 0.05)  # a library's threads, on a machine that is slow
        elif self.limits.added_latency_ns:
            self.advance(self.limits.added_latency_ns)

    def advance(self, duration_ns: int) -> None:
        self.clock.advance(duration_ns)

    def now_ns(self) -> int:
        return self.clock.now_ns()


class SimWorld:
    """Lines of gpio-sim, through sysfs (Documentation/admin-guide/gpio/gpio-sim.rst)."""

    def __init__(self, chip: Path) -> None:
        self.chip = chip

    def drive(self, offset: int, level: int | None) -> None:
        (self.chip / f"sim_gpio{offset}" / "pull").write_text("pull-up" if level else "pull-down")
        time.sleep(0.002)  # the simulated interrupt runs in an irq_work, and bursts coalesce

    def level(self, offset: int) -> int:
        return int((self.chip / f"sim_gpio{offset}" / "value").read_text())


class SimRig(Rig):
    """A simulated chip in a real kernel, in real time. Its lines outlive a test: each finds them low."""

    exact_time = False
    debounce_ns = 500_000_000  # far over what a machine under load takes for a test's next step

    def __init__(self, bank: Path, label: str, choice: GpioChoice) -> None:
        world = SimWorld(bank)
        for offset in USED:
            world.drive(offset, 0)
        super().__init__(open_gpio(choice), label, world, None, choice)

    def advance(self, duration_ns: int) -> None:
        time.sleep(duration_ns / 1e9 + 0.01)

    def now_ns(self) -> int:
        return time.monotonic_ns()


def simulated_chip() -> Path | None:
    """The directory of a gpio-sim bank, if this kernel has one: on a twin (`make test-twin`) it has."""
    return next(iter(sorted(SIM.glob("gpio-sim.*/gpiochip*"))), None)


def sim_rig(choice: GpioChoice) -> Rig:
    """The real backend on the simulated chip of this kernel; skips where there is none."""
    bank = simulated_chip()
    if bank is None:
        pytest.skip("this kernel has no gpio-sim chip (`make test-twin` boots one that has)")
    if not os.access(f"/dev/{bank.name}", os.R_OK | os.W_OK):
        pytest.skip(f"/dev/{bank.name} may not be opened by this user")
    if find_spec(choice.value) is None:
        pytest.skip(f"{choice.value} isn't installed")
    import gpiod

    with gpiod.Chip(f"/dev/{bank.name}") as sim:
        label = sim.get_info().label
    return SimRig(bank, label, choice)


class MockPins:
    """The pins of gpiozero's own mock factory."""

    def __init__(self, factory) -> None:
        self.factory = factory

    def drive(self, offset: int, level: int | None) -> None:
        pin = self.factory.pin(f"GPIO{offset}")
        (pin.drive_high if level else pin.drive_low)()

    def level(self, offset: int) -> int:
        return int(self.factory.pin(f"GPIO{offset}").state)


def gpiozero_rig(clock, monkeypatch: pytest.MonkeyPatch) -> Rig:
    """The pins of a Pi 5, on a clock that stands still."""
    pytest.importorskip("gpiozero")
    from gpiozero.pins import mock

    from axiom_hw.backends.gpiozero_gpio import GpiozeroBackend

    monkeypatch.setattr(mock, "monotonic", lambda: clock.now_ns() / 1e9)
    factory = mock.MockFactory("d04170")
    backend = GpiozeroBackend(factory, clock.now_ns)
    return Rig(backend, "pinctrl-rp1", MockPins(factory), clock, GpioChoice.GPIOZERO)
