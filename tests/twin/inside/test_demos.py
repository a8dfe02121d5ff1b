"""Demos on the devices of the twin, as a person would run them on a Pi: without --mock."""

from __future__ import annotations

import re
import signal
import time
from pathlib import Path

from axiom_hw.parts.bme280 import CHIP_ID, DATA, Calibration, registers_of
from tests.backends.iio_rigs import RealRig
from tests.backends.rigs import SimWorld
from tests.twin.inside.bench import DEMOS, Demo, until

PLAIN = ("--engine", "interp")  # native code takes an emulated processor long to make, and has its own tests
LISTING = Path("/sys/kernel/debug/pwm")


def test_pwm_observer_turns_a_servo_on_the_kernel_s_pwm() -> None:
    demo = Demo("pwm_observer", *PLAIN)
    demo.expect("18 states")
    said = demo.finish()
    assert "18 states; time stamps rise: yes; each duty is the one ordered: yes" in said
    assert "enabled" not in LISTING.read_text()


def test_iio_filter_on_an_ads1015(tmp_path: Path) -> None:
    rig = RealRig(tmp_path)
    rig.set(1650, 0)  # mV
    demo = Demo("iio_filter", *PLAIN, "--for", "15s")
    demo.expect("1.650 V")
    rig.set(1550, 0)
    time.sleep(1)
    rig.set(1610, 0)
    demo.expect("1.610 V")
    said = demo.finish()
    told = re.search(r"seen (\d+) = passed (\d+) \+ dropped (\d+); lost \d+; shown (\d+)", said)
    assert told is not None, said
    seen, passed, dropped, shown = map(int, told.groups())
    assert seen == passed + dropped
    assert passed == shown > 0
    assert set(re.findall(r"[\d.]+ V", said)) == {"1.610 V", "1.650 V"}
    assert dropped > 0


def test_encoder_counts_a_shaft(lines: SimWorld, tmp_path: Path) -> None:
    rover = (DEMOS.parent / "boards/rpi5-rover.toml").read_text()
    slow = tmp_path / "rover.toml"  # an emulated processor may be silent for longer than a motor's watchdog takes
    slow.write_text("\n".join(line for line in rover.splitlines() if not line.startswith("watchdog")))
    demo = Demo("encoder", "--board", str(slow), *PLAIN)
    demo.expect("steps      0")
    for _ in range(10):
        for line, level in ((5, 0), (6, 0), (5, 1), (6, 1)):  # pulled up, as the board says
            lines.drive(line, level)
            time.sleep(0.01)
    demo.expect("position     40  steps     40  errors 0")
    assert "Traceback" not in demo.finish(signal.SIGINT)


# Of the data sheet's example; the humidity is what many chips have.
CHIP = Calibration(
    (27504, 26435, -1000), (36477, -10685, 3024, 2855, 140, -7, 15500, -14600, 6000), (75, 370, 0, 313, 50, 30)
)
WARM, COOL = 539_000, 510_000  # about 31 and 22 °C


def bme280(raw: int) -> dict[int, bytes]:
    """The registers of a chip that reads so."""
    data = (415148 << 4).to_bytes(3, "big") + (raw << 4).to_bytes(3, "big") + (30_000).to_bytes(2, "big")
    return {CHIP_ID: b"\x60", **registers_of(CHIP), DATA: data}


def test_climate_switches_a_fan(tmp_path: Path) -> None:
    rig = RealRig(tmp_path)
    bus = rig.client.parent

    def show(registers: dict[int, bytes]) -> None:
        for register, content in registers.items():
            for at, byte in enumerate(content):
                rig.bus.write_byte_data(0x76, register + at, byte, force=True)

    before = bytes(rig.bus.read_byte_data(0x76, register, force=True) for register in range(256))
    (bus / "delete_device").write_text("0x76")  # the board's BME280 is read by us, not by a driver
    try:
        show(bme280(WARM))
        demo = Demo("climate", *PLAIN)
        demo.expect("degC: fan on")
        assert "duty: 28000 ns" in LISTING.read_text()
        show(bme280(COOL))
        demo.expect("degC: fan off")
        until(lambda: "duty: 28000 ns" not in LISTING.read_text(), 10)
        assert "Traceback" not in demo.finish(signal.SIGINT)
    finally:
        show({0: before})
        (bus / "new_device").write_text("bmp280 0x76")
