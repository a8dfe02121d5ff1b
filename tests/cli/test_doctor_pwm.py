"""`axiom-hw doctor` on lines that software pulses: are they free, what pulses them, would a channel do."""

from __future__ import annotations

import pytest

from axiom_hw.board import parse_board
from axiom_hw.cli.diagnosis import Status
from axiom_hw.errors import MissingDependency
from tests.cli.pi_tree import GpioInfo

PULSED = parse_board(
    """
model = "Raspberry Pi 5"
[chip.header]
label = "pinctrl-rp1"
[output.dimmer]
line = 23
pwm = "software"
period = "10ms"
safe = "off"
[output.lamp]
line = 18
pwm = "software"
period = "10ms"
safe = "off"
""",
    "bench",
    "boards/bench.toml",
)


@pytest.fixture(autouse=True)
def no_lgpio(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent() -> None:
        raise MissingDependency("lgpio", "isn't there")

    monkeypatch.setattr("axiom_hw.backends.machine_pwm.LgpioBackend", absent)


def test_pulsed_lines_are_told_with_what_software_cant_do(pi) -> None:
    (found,) = (one for one in pi.findings(board=PULSED) if one.text.startswith("pulsed by"))
    assert found.text == "pulsed by a thread of this process: dimmer (line 23), lamp (line 18)"
    assert found.status is Status.OK
    assert found.details[1] == "pulses end with the process"
    assert "install lgpio for better" in found.details[-1]


def test_a_line_that_has_a_channel_is_a_note(pi) -> None:
    assert [note for note in pi.notes(board=PULSED) if "pulsed" in note[0]] == [(
        "lamp (line 18) is pulsed by software, where a PWM channel could come out",
        'GPIO18 has a PWM channel: in the board file, channel = 2 and pin = 18 of device "1f00098000.pwm"; '
        "in config.txt dtoverlay=pwm,pin=18,func=2",
    )]  # fmt: skip


def test_a_pulsed_line_in_use_is_a_problem(pi) -> None:
    pi.chips["gpiochip11"] = GpioInfo("pinctrl-rp1", 54, {23: "fan"})
    (text, _) = pi.problems(board=PULSED)[0]
    assert text == 'line 23 of pinctrl-rp1 (dimmer) is in use by "fan"'
