"""How it ends: signals, exit, and lines that somebody else has."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

gpiozero = pytest.importorskip("gpiozero")
pytest.importorskip("gpiod", reason="the fake kernel speaks gpiod's types")

from gpiozero import LED, Button, Device  # noqa: E402

from axiom_hw.backends.gpio import LineInput  # noqa: E402
from axiom_hw.gpiozero_factory import AxiomFactory  # noqa: E402

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


def test_a_line_of_another_program_is_seen_by_the_header_in_memory_too(factory: AxiomFactory) -> None:
    assert factory.bench is not None
    other = factory.bench.chip.request_inputs([LineInput(17)], "somebody")
    with pytest.raises(gpiozero.GPIOPinInUse, match='in use by "somebody"'):
        Button(17, pin_factory=factory)
    other.release()


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
