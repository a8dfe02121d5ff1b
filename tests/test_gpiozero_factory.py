"""The pin factory `axiom`: gpiozero's contract of pins, on the real backends over fakes and on the header in memory."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

gpiozero = pytest.importorskip("gpiozero")
pytest.importorskip("gpiod", reason="the fake kernel speaks gpiod's types")

from gpiozero import LED, PWMLED, Button, Device, DigitalInputDevice, PWMSoftwareFallback  # noqa: E402
from gpiozero.pins.mock import MockFactory  # noqa: E402

from axiom_hw.backends.gpio import LineInput, LineOutput  # noqa: E402
from axiom_hw.backends.gpiod_gpio import GpiodBackend  # noqa: E402
from axiom_hw.backends.pwm import PwmState  # noqa: E402
from axiom_hw.backends.sysfs_pwm import SysfsPwm  # noqa: E402
from axiom_hw.clock import VirtualClock  # noqa: E402
from axiom_hw.gpiozero_factory import AxiomFactory, MockHeader  # noqa: E402
from axiom_hw.scheduler import Scheduler  # noqa: E402
from tests.backends.fake_gpiod import FakeDev, FakeWorld  # noqa: E402
from tests.backends.fake_sysfs import FakePwmTree  # noqa: E402

MS = 1_000_000
PI_5 = 0xD04170
PWM = "1f00098000.pwm"


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def factory(clock: VirtualClock) -> Iterator[AxiomFactory]:
    """Pins of the header in memory, on a clock that stands still."""
    made = AxiomFactory(MockHeader(clock=clock))
    yield made
    made.close()


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


@pytest.fixture
def pi(tmp_path: Path) -> Iterator[Pi]:
    made = Pi(tmp_path)
    yield made
    made.factory.close()


# on the kernel's interfaces


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


# gpiozero's contract of pins


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


@pytest.mark.parametrize(
    ("edges", "expected"), [("both", [1, 0, 1, 0]), ("rising", [1, 1]), ("falling", [0, 0]), ("none", [])]
)
def test_only_the_edges_that_are_wanted_come(factory: AxiomFactory, edges: str, expected: list[int]) -> None:
    pin, seen = factory.pin(17), []

    def changed(ticks: int, state: int) -> None:
        seen.append(state)

    pin.input_with_pull("down")
    pin.edges = edges
    pin.when_changed = changed
    for _ in range(2):
        pin.drive_high()
        pin.drive_low()
    assert seen == expected
    pin.when_changed = None
    pin.drive_high()
    assert seen == expected


def test_a_handler_that_is_gone_isnt_called(factory: AxiomFactory) -> None:
    class Owner:
        def changed(self, ticks: int, state: int) -> None:
            raise AssertionError

    owner, pin = Owner(), factory.pin(17)
    pin.input_with_pull("down")
    pin.when_changed = owner.changed
    del owner
    pin.drive_high()


def test_a_handler_that_raises_doesnt_end_the_edges_of_others(
    factory: AxiomFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", told.append)
    assert factory.bench is not None
    came = threading.Event()

    def broken(ticks: int, state: int) -> None:
        raise ZeroDivisionError("mine")

    def fine(ticks: int, state: int) -> None:
        came.set()

    for line, handler in ((17, broken), (22, fine)):
        factory.pin(line).input_with_pull("down")
        factory.pin(line).when_changed = handler
    factory.bench.chip.drive(17, 1)
    assert reaches(lambda: len(told) == 1)
    factory.bench.chip.drive(22, 1)
    assert came.wait(5)
    assert [str(one.exc_value) for one in told] == ["mine"]


def test_edges_of_several_pins_come_in_the_order_of_their_times(factory: AxiomFactory, clock: VirtualClock) -> None:
    assert factory.bench is not None
    seen: list[tuple[int, int]] = []
    handlers = []
    for line in (17, 22):

        def changed(ticks: int, state: int, line: int = line) -> None:
            seen.append((ticks, line))
            if len(seen) == 1:  # while this one runs, both go on
                for _ in range(40):
                    for other in (17, 22):
                        clock.advance(1000)
                        assert factory.bench is not None
                        factory.bench.chip.drive(other, 1 - factory.bench.chip.level(other))

        handlers.append(changed)
        factory.pin(line).input_with_pull("down")
        factory.pin(line).when_changed = changed
    factory.pin(17).drive_high()
    factory.edges.deliver()
    assert seen == [(1000 * at, 17 if at % 2 else 22) if at else (0, 17) for at in range(81)]


def test_edges_that_the_kernel_dropped_are_counted_and_told_once(factory: AxiomFactory) -> None:
    assert factory.bench is not None
    chip, pin = factory.bench.chip, factory.pin(17)
    seen: list[int] = []

    def changed(ticks: int, state: int) -> None:
        seen.append(state)
        if len(seen) == 1:
            for _ in range(1500):
                chip.drive(17, 1 - chip.level(17))

    def deliver() -> None:
        pin.drive_high()
        factory.edges.deliver()

    pin.input_with_pull("down")
    pin.when_changed = changed
    with pytest.warns(
        RuntimeWarning, match="GPIO17: 476 edges were lost, because handlers took longer than 1024 edges"
    ):
        deliver()
    assert (len(seen), pin.lost) == (1 + 1024, 476)


def test_spi_says_where_to_go(factory: AxiomFactory) -> None:
    with pytest.raises(gpiozero.PinSPIUnsupported, match="GPIOZERO_PIN_FACTORY=lgpio"):
        gpiozero.MCP3008(0, pin_factory=factory)


# the words of gpiozero's mock pins


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


# the end


def test_a_line_of_another_program_is_seen_by_the_header_in_memory_too(factory: AxiomFactory) -> None:
    assert factory.bench is not None
    other = factory.bench.chip.request_inputs([LineInput(17)], "somebody")
    with pytest.raises(gpiozero.GPIOPinInUse, match='in use by "somebody"'):
        Button(17, pin_factory=factory)
    other.release()


SCRIPT = """
import atexit, signal, sys
from gpiozero import LED, Device
Device.ensure_pin_factory()
chip = Device.pin_factory.bench.chip
chip.watch(lambda at, line, level: print(line, level, flush=True))
close = chip.request_inputs
chip.request_inputs = lambda lines, *more: (print("input", lines[0].offset, flush=True), close(lines, *more))[1]
led = LED(17)
led.blink(on_time=60)
signal.pause()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_script_that_is_ended_lets_its_outputs_go(number: signal.Signals) -> None:
    env = {**os.environ, "GPIOZERO_PIN_FACTORY": "axiom", "AXIOM_MOCK": "1"}
    script = subprocess.Popen([sys.executable, "-c", SCRIPT], env=env, stdout=subprocess.PIPE, text=True)
    assert script.stdout is not None
    assert script.stdout.readline() == "17 1\n"
    script.send_signal(number)
    assert script.stdout.read().splitlines()[-1] == "input 17"
    assert script.wait(30) == 128 + number
    script.stdout.close()


def test_signal_handlers_are_given_back(factory: AxiomFactory) -> None:
    assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    factory.close()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_factory_that_isnt_gpiozeros_default_closes_itself_at_exit(
    factory: AxiomFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert factory.bench is not None
    led = LED(17, initial_value=True, pin_factory=factory)
    monkeypatch.setattr(Device, "pin_factory", factory)
    factory._at_exit()
    assert led.pin.function == "output", "gpiozero's own end comes later"
    monkeypatch.setattr(Device, "pin_factory", None)
    factory._at_exit()
    assert led.pin.function == "input"
    led.close()


def test_the_test_of_the_page_passes() -> None:
    page = (Path(__file__).parents[1] / "docs/gpiozero.md").read_text()
    (code,) = re.findall(r"^```python\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def reaches(condition) -> bool:
    """Wait for a thread, 5 s at most."""
    pause = threading.Event()
    return any(condition() or pause.wait(0.002) for _ in range(2500))
