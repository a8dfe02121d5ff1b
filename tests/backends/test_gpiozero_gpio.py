"""What is special about gpiozero's pin factories: one header, times of their own, and who holds a pin."""

from __future__ import annotations

import sys

import pytest

gpiozero = pytest.importorskip("gpiozero")

from gpiozero.pins.mock import MockFactory  # noqa: E402  # after importorskip

from axiom_hw.backends.gpio import LineInput, LineOutput  # noqa: E402
from axiom_hw.backends.gpiozero_gpio import GpiozeroBackend, header_label  # noqa: E402
from axiom_hw.backends.limits import GpioChoice, open_gpio  # noqa: E402
from axiom_hw.board import Bias, EdgeDetection  # noqa: E402
from axiom_hw.errors import BackendError, MissingDependency  # noqa: E402
from axiom_hw.events import Edge  # noqa: E402


@pytest.fixture
def factory() -> MockFactory:
    return MockFactory("d04170")


@pytest.mark.parametrize(
    ("revision", "label"),
    [("d04170", "pinctrl-rp1"), ("c03115", "pinctrl-bcm2711"), ("902120", "pinctrl-bcm2835")],
)
def test_the_chip_is_that_of_the_factorys_model(revision: str, label: str) -> None:
    factory = MockFactory(revision)
    assert header_label(factory.board_info.soc) == label
    assert GpiozeroBackend(factory).open(label).label == label
    with pytest.raises(BackendError, match=f"isn't there; the chips here are {label}"):
        GpiozeroBackend(factory).open("gpio-brcmstb@107d508500")


def test_a_pin_that_a_device_of_gpiozeros_has_is_busy(factory: MockFactory) -> None:
    led = gpiozero.LED(17, pin_factory=factory)
    chip = GpiozeroBackend(factory).open("pinctrl-rp1")
    with pytest.raises(BackendError, match=r"is in use by .*gpiozero\.LED object on pin GPIO17"):
        chip.request_inputs([LineInput(16), LineInput(17)], "me")
    led.close()
    mine = chip.request_inputs([LineInput(16), LineInput(17)], "me")
    with pytest.raises(gpiozero.GPIOPinInUse, match="already in use by me"):
        gpiozero.LED(17, pin_factory=factory)
    mine.release()
    gpiozero.LED(17, pin_factory=factory).close()


def test_ticks_of_the_factory_become_monotonic_time(factory: MockFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MockFactory, "ticks", staticmethod(lambda: 1000.25))  # counts from elsewhere
    monkeypatch.setattr("gpiozero.pins.mock.monotonic", lambda: 1000.0)
    backend = GpiozeroBackend(factory, now_ns=lambda: 5_000_000_000)
    request = backend.open("pinctrl-rp1").request_inputs([LineInput(17, EdgeDetection.BOTH)], "me")
    factory.pin(17).drive_high()
    (event,) = request.read_events()
    assert (event.timestamp_ns, event.edge) == (4_750_000_000, Edge.RISING)
    request.release()


def test_an_active_low_line_that_wants_rising_edges_watches_for_falling_levels(factory: MockFactory) -> None:
    request = (
        GpiozeroBackend(factory)
        .open("pinctrl-rp1")
        .request_inputs([LineInput(17, EdgeDetection.RISING, Bias.PULL_UP, active_low=True)], "me")
    )
    factory.pin(17).drive_low()
    factory.pin(17).drive_high()
    assert [event.edge for event in request.read_events()] == [Edge.RISING]
    request.release()


def test_a_pull_that_a_resistor_on_the_board_decides_is_refused(factory: MockFactory) -> None:
    chip = GpiozeroBackend(factory).open("pinctrl-rp1")
    with pytest.raises(BackendError, match=r"line 2 of pinctrl-rp1: gpiozero says: .* fixed pull resistor"):
        chip.request_inputs([LineInput(2, bias=Bias.PULL_DOWN)], "me")
    chip.request_inputs([LineInput(2)], "me").release()


def test_outputs_become_inputs_when_they_are_released(factory: MockFactory) -> None:
    request = GpiozeroBackend(factory).open("pinctrl-rp1").request_outputs([LineOutput(18, 1)], "me")
    assert factory.pin(18).state
    request.release()
    assert factory.pin(18).function == "input"


def test_the_default_factory_is_gpiozeros(monkeypatch: pytest.MonkeyPatch, factory: MockFactory) -> None:
    monkeypatch.setattr(gpiozero.Device, "pin_factory", factory)
    assert open_gpio(GpioChoice.GPIOZERO).open("pinctrl-rp1").label == "pinctrl-rp1"


def test_no_factory_that_works_says_where_to_name_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpiozero.Device, "pin_factory", None)
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "nosuch")
    with pytest.raises(MissingDependency, match=r"finds no pin factory that works here .*'nosuch'") as caught:
        open_gpio(GpioChoice.GPIOZERO)
    assert "GPIOZERO_PIN_FACTORY" in caught.value.fix


def test_without_gpiozero_the_option_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gpiozero", None)
    with pytest.raises(MissingDependency, match="needs the package gpiozero") as caught:
        open_gpio(GpioChoice.GPIOZERO)
    assert "pip install gpiozero" in caught.value.fix


def test_a_pin_that_fails_at_the_end_keeps_no_other_from_it(
    factory: MockFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = GpiozeroBackend(factory).open("pinctrl-rp1").request_outputs([LineOutput(18, 1), LineOutput(23, 1)], "me")

    def broken() -> None:
        raise ConnectionResetError(104, "Connection reset by peer")

    monkeypatch.setattr(factory.pin(23), "close", broken)
    with pytest.raises(BackendError, match=r"lines of pinctrl-rp1: gpiozero says: .*Connection reset by peer"):
        request.release()
    assert factory.pin(18).function == "input"
    gpiozero.LED(18, pin_factory=factory).close()  # nobody has it
