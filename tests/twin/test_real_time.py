"""One twin in this machine's time: pytest inside, then applications, with the world driven from outside by a test.

pytest runs there as seldom as can be: to start Python takes longer on an emulated processor than most tests.
"""

from __future__ import annotations

import runpy
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from axiom_hw.errors import TwinError
from axiom_hw.twin import Twin
from tests.twin.running import ROOT, pytest_in

PATIENCE_S = 180.0  # Python starts slowly on an emulated processor, twice: the application and its supervisor
SENTENCE = runpy.run_path(str(ROOT / "demos/serial_gps.py"))["sentence"]
pytestmark = pytest.mark.usefixtures("compiled")


@pytest.fixture(scope="module")
def twin() -> Iterator[Twin]:
    """Tests leave its lines and registers as they should be for the next. It is off when other twins are timed."""
    with Twin.boot(frozen=True, say=lambda line: print(line, file=sys.stderr)) as booted:
        yield booted


@pytest.mark.parametrize(
    "what", [("-m", "real", "tests/backends"), ("tests/twin/inside",)], ids=["contracts", "inside"]
)
def test_inside(twin: Twin, what: tuple[str, ...]) -> None:
    """The contract suites on its devices, and what only a kernel can show."""
    pytest_in(twin, *what)


@contextmanager
def axiom(twin: Twin, *words: str) -> Iterator:
    """A command of `axiom-hw`."""
    environment = {"HOME": "/tmp", "TMPDIR": "/tmp", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}
    with twin.start((sys.executable, "-m", "axiom_hw", *words), cwd=ROOT, env=environment) as running:
        yield running


def test_a_button_that_is_pressed_outside_lights_the_led(twin: Twin) -> None:
    twin.world.pull(17, 1)
    with axiom(twin, "run", "demos/button.py", "--for", "600s") as button:
        button.expect("button runs on the board rpi5-bench", PATIENCE_S)
        twin.world.pull(17, 0)
        button.expect("button pressed", PATIENCE_S)
        assert twin.world.value(18) == 1
        twin.world.pull("GPIO17", 1)
        button.expect("button released  led off  presses 1", PATIENCE_S)
        assert twin.world.value("GPIO18") == 0
        twin.world.pull(17, 0)
        button.expect("presses 2", PATIENCE_S)
        assert twin.world.value(18) == 1
        button.signal(2)
        done = button.wait(PATIENCE_S)
    assert "Traceback" not in done.stderr
    assert twin.world.value(18) == 0, "safe at its end"
    twin.world.pull(17, 1)


def test_a_receiver_outside_talks_to_a_program(twin: Twin) -> None:
    with axiom(twin, "run", "demos/serial_gps.py", "--for", "600s") as gps:
        gps.expect("serial_gps runs on the board rpi5-sensors", PATIENCE_S)
        place = SENTENCE("GPGGA,120000.00,4807.03800,N,01131.00000,E,1,8,0.9,45.0,M,46.9,M,,")
        course = SENTENCE("GPRMC,120000.00,A,4807.03800,N,01131.00000,E,0.5,90.0,221126,,,A")
        end = time.monotonic() + PATIENCE_S
        while "latitude" not in gps.stdout and time.monotonic() < end:  # as a receiver does, each second
            twin.world.feed("ttyAMA0", place + course)
            with suppress(TwinError):
                gps.expect("latitude", 1.0)
        gps.expect("latitude +48.1173000  longitude +11.5166666  satellites  8  lost 0", 10.0)
        gps.signal(2)
        assert "Traceback" not in gps.wait(PATIENCE_S).stderr


def test_the_doctor_finds_the_bench(twin: Twin) -> None:
    with axiom(twin, "doctor", "--board", "rpi5-bench") as doctor:
        doctor.end_input()
        done = doctor.wait(PATIENCE_S)
    print(done.stdout)
    assert "pinctrl-rp1" in done.stdout
    assert "Traceback" not in done.stderr
