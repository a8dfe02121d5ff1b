"""Numbers of things, as a person says them."""

from __future__ import annotations

from pathlib import Path

from axiom_hw.cli.doctor import _examined

ONE_OF_EACH = """
[chip.header]
label = "pinctrl-rp1"
[input.button]
line = 17
[output.led]
line = 18
safe = "low"
[serial.gps]
port = "/dev/ttyAMA0"
baud = 9600
"""


def test_the_doctor_says_one_output_and_no_sensors(tmp_path: Path) -> None:
    path = tmp_path / "small.toml"
    path.write_text(ONE_OF_EACH)
    _, findings = _examined(str(path), tmp_path)
    texts = [finding.text for finding in findings]
    assert f"board small ({path}): 1 input, 1 output, 0 sensors, 1 serial port" in texts
