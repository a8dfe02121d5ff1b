"""gpiozero's contract of pins, on the header in memory."""

from __future__ import annotations

import pytest

gpiozero = pytest.importorskip("gpiozero")
pytest.importorskip("gpiod", reason="the fake kernel speaks gpiod's types")

from gpiozero import LED, Button  # noqa: E402

from axiom_hw.backends.pwm import PwmState  # noqa: E402
from axiom_hw.gpiozero_factory import AxiomFactory  # noqa: E402
from tests.gpiozero_factory.headers import MS, PWM  # noqa: E402


def test_the_pins_are_those_of_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AXIOM_MOCK", "1")
    for revision, model, label in ((None, "5B", "pinctrl-rp1"), ("c03115", "4B", "pinctrl-bcm2711")):
        if revision is not None:
            monkeypatch.setenv("GPIOZERO_MOCK_REVISION", revision)
        made = AxiomFactory()
        assert made.bench is not None
        assert (made.board_info.model, made.bench.chip.label) == (model, label)
        assert made.pin("BOARD11") is made.pin(17) is made.pin("GPIO17")
        made.close()


def test_two_devices_dont_share_a_pin_until_one_is_closed(factory: AxiomFactory) -> None:
    led = LED(17, pin_factory=factory)
    with pytest.raises(gpiozero.GPIOPinInUse, match="GPIO17 is already in use by"):
        Button(17, pin_factory=factory)
    led.close()
    Button(17, pin_factory=factory).close()


def test_a_pull_decides_and_a_resistor_on_the_board_isnt_changed(factory: AxiomFactory) -> None:
    pin = factory.pin(17)
    pin.input_with_pull("up")
    assert (pin.function, pin.pull, pin.state) == ("input", "up", True)
    pin.pull = "down"
    assert (pin.pull, pin.state) == ("down", False)
    assert factory.pin(2).pull == "up"
    with pytest.raises(gpiozero.PinFixedPull, match="physical pull-up"):
        factory.pin(2).pull = "down"
    with pytest.raises(gpiozero.PinInvalidPull, match='"sideways"'):
        pin.pull = "sideways"


def test_what_a_pin_cant_be_is_refused_in_gpiozeros_words(factory: AxiomFactory) -> None:
    pin = factory.pin(12)
    with pytest.raises(gpiozero.PinInvalidFunction, match='"alt5"'):
        pin.function = "alt5"
    with pytest.raises(gpiozero.PinSetInput):
        pin.state = 1
    with pytest.raises(gpiozero.PinPWMFixedValue, match="is an input"):
        pin.frequency = 100
    with pytest.raises(gpiozero.PinInvalidBounce, match="bounce is -1 s"):
        pin.bounce = -1
    with pytest.raises(gpiozero.PinInvalidEdges, match='"sharp"'):
        pin.edges = "sharp"
    pin.function = "output"
    with pytest.raises(gpiozero.PinFixedPull, match="non-input"):
        pin.pull = "up"
    with pytest.raises(gpiozero.PinInvalidState, match=r'"1\.5"'):
        pin.state = 1.5
    with pytest.raises(gpiozero.PinPWMFixedValue, match="more than 0 Hz"):
        pin.frequency = -5
    with pytest.raises(gpiozero.PinInvalidPin):
        factory.pin(99)


def test_pwm_starts_at_nothing_keeps_its_duty_and_ends_low(factory: AxiomFactory) -> None:
    assert factory.bench is not None
    pin = factory.pin(18)
    pin.function = "output"
    pin.frequency = 100
    assert factory.bench.pwm.seen(PWM, 2) == PwmState(10 * MS, 0, True)
    pin.state = 0.25
    pin.frequency = 1000
    assert factory.bench.pwm.seen(PWM, 2) == PwmState(1 * MS, 250_000, True)
    assert (pin.frequency, pin.state) == (1000, 0.25)
    pin.frequency = None
    assert factory.bench.pwm.seen(PWM, 2) == PwmState(1 * MS, 0, False)
    assert (pin.frequency, pin.state, pin.function) == (None, False, "output")
    pin.state = 1
    assert factory.bench.chip.level(18) == 1, "a plain output from here on"


def test_spi_says_where_to_go(factory: AxiomFactory) -> None:
    with pytest.raises(gpiozero.PinSPIUnsupported, match="GPIOZERO_PIN_FACTORY=lgpio"):
        gpiozero.MCP3008(0, pin_factory=factory)
