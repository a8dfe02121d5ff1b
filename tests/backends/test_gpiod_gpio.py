"""What is special about the character device: finding the chip, and the errors of the machine around it."""

from __future__ import annotations

import builtins
import errno
import importlib
import inspect
import os
import sys
from pathlib import Path

import pytest

gpiod = pytest.importorskip("gpiod", reason="the package gpiod is for Linux")

from axiom_hw.backends.gpio import LineInput, LineOutput  # noqa: E402  # after importorskip
from axiom_hw.backends.gpiod_gpio import GpiodBackend  # noqa: E402
from axiom_hw.board import Bias, Drive, EdgeDetection  # noqa: E402
from axiom_hw.clock import VirtualClock  # noqa: E402
from axiom_hw.errors import BackendError, MissingDependency  # noqa: E402
from axiom_hw.scheduler import Scheduler  # noqa: E402
from tests.backends.fake_gpiod import FakeChip, FakeDev, FakeRequest, FakeWorld  # noqa: E402

LABELS = ("gpio-brcmstb@107d508500", "gpio-brcmstb@107d508520", "pinctrl-rp1")


def world(label: str) -> FakeWorld:
    clock = VirtualClock()
    return FakeWorld(label, 54, clock, Scheduler(clock))


@pytest.fixture
def dev(tmp_path: Path) -> FakeDev:
    dev = FakeDev(tmp_path)
    for number, label in zip((11, 12, 13), LABELS, strict=True):
        dev.add(f"gpiochip{number}", world(label))
    return dev


def backend(dev: FakeDev) -> GpiodBackend:
    return GpiodBackend(dev.path, dev.opener, dev.is_chip)


@pytest.mark.parametrize("fake", [FakeChip, FakeRequest])
def test_the_stand_in_takes_the_arguments_of_the_real_thing(fake: type) -> None:
    real = {FakeChip: gpiod.Chip, FakeRequest: gpiod.LineRequest}[fake]
    for name in ("get_info", "request_lines", "close", "release", "wait_edge_events", "read_edge_events"):
        if hasattr(fake, name):
            expected = list(inspect.signature(getattr(real, name)).parameters)[: None if name != "request_lines" else 4]
            assert list(inspect.signature(getattr(fake, name)).parameters) == expected, name


def test_the_number_of_the_chip_doesnt_matter(dev: FakeDev) -> None:
    assert backend(dev).open("pinctrl-rp1").label == "pinctrl-rp1"
    assert [chip.open for chip in dev.opened] == [False, False, True], "the chips that weren't meant are closed"


def test_a_link_is_the_same_chip(dev: FakeDev) -> None:
    dev.link("gpiochip4", "gpiochip13")
    assert backend(dev).open("pinctrl-rp1").label == "pinctrl-rp1"
    assert len(dev.opened) == 3


def test_two_chips_of_one_label_are_refused(dev: FakeDev) -> None:
    dev.add("gpiochip14", world("pinctrl-rp1"))
    with pytest.raises(BackendError, match="chip pinctrl-rp1: is there twice"):
        backend(dev).open("pinctrl-rp1")
    assert not any(chip.open for chip in dev.opened)


def test_no_chip_at_all_offers_the_mock(tmp_path: Path) -> None:
    with pytest.raises(BackendError) as caught:
        GpiodBackend(tmp_path).open("pinctrl-rp1")
    assert str(caught.value) == (
        "chip pinctrl-rp1: isn't there; there is no GPIO chip on this machine\n"
        "    fix    run with --mock for a bench in memory, or correct `label` in the board file; "
        "`axiom-hw doctor` looks closer"
    )


def test_a_chip_that_may_not_be_opened_names_the_group(dev: FakeDev) -> None:
    dev.errors[str(dev.path / "gpiochip13")] = errno.EACCES
    with pytest.raises(BackendError) as caught:
        backend(dev).open("pinctrl-rp1")
    assert caught.value.errno == errno.EACCES
    assert caught.value.problem == f"may be one of {dev.path}/gpiochip13, which may not be opened"
    assert "usermod -aG gpio" in caught.value.fix


def test_a_chip_that_breaks_on_opening_is_named(dev: FakeDev) -> None:
    dev.errors[str(dev.path / "gpiochip12")] = errno.EIO
    with pytest.raises(BackendError, match=r"gpiochip12: can't be opened: Input/output error \(EIO\)"):
        backend(dev).open("pinctrl-rp1")


def test_settings_reach_the_kernel(dev: FakeDev) -> None:
    chip = backend(dev).open("pinctrl-rp1")
    request = chip.request_inputs(
        [LineInput(17, EdgeDetection.RISING, Bias.PULL_UP, active_low=True, debounce_ns=5_000_000)], "me"
    )
    relay = chip.request_outputs([LineOutput(27, 1, active_low=True, drive=Drive.OPEN_DRAIN)], "me")
    first, second = dev.worlds[str(dev.path / "gpiochip13")].requests
    assert (first.consumer, second.consumer) == ("me", "me")
    button, out = first.settings[17], second.settings[27]
    assert (button.direction, button.edge_detection) == (gpiod.line.Direction.INPUT, gpiod.line.Edge.RISING)
    assert (button.bias, button.active_low) == (gpiod.line.Bias.PULL_UP, True)
    assert button.debounce_period.total_seconds() == 0.005
    assert button.event_clock is gpiod.line.Clock.MONOTONIC
    assert (out.direction, out.drive) == (gpiod.line.Direction.OUTPUT, gpiod.line.Drive.OPEN_DRAIN)
    assert (out.output_value, out.active_low) == (gpiod.line.Value.ACTIVE, True)
    request.release()
    relay.release()


def test_an_error_of_the_kernel_keeps_its_number(dev: FakeDev, monkeypatch: pytest.MonkeyPatch) -> None:
    chip = backend(dev).open("pinctrl-rp1")
    led = chip.request_outputs([LineOutput(18)], "me")

    def gone(self: FakeRequest, offset: int, value: object) -> None:
        raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))

    monkeypatch.setattr(FakeRequest, "set_value", gone)
    with pytest.raises(BackendError) as caught:
        led.set(18, 1)
    led.release()
    assert caught.value.errno == errno.ENODEV
    assert str(caught.value).startswith("line 18 of pinctrl-rp1: can't be set to 1: No such device (ENODEV)")


def test_without_gpiod_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real_import = builtins.__import__

    def no_gpiod(name: str, *args: object, **kwargs: object) -> object:
        if name.partition(".")[0] == "gpiod":
            raise ImportError("No module named 'gpiod'")
        return real_import(name, *args, **kwargs)

    monkeypatch.delitem(sys.modules, "axiom_hw.backends.gpiod_gpio")
    monkeypatch.setattr(builtins, "__import__", no_gpiod)
    with pytest.raises(MissingDependency, match="GPIO on a real chip: needs the package gpiod") as caught:
        importlib.import_module("axiom_hw.backends.gpiod_gpio")
    assert "pip install 'gpiod>=2.1'" in caught.value.fix
