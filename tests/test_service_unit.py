"""The unit of an application: what a board needs is allowed, and systemd's own tools like the rest."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from axiom_hw.board import Board, load_board, parse_board
from axiom_hw.cli import main
from axiom_hw.errors import SpecError
from axiom_hw.service import Access, Unit, access_of, unit_name, unit_text

ROOT = Path(__file__).parents[1]
LED = parse_board('[chip.header]\nlabel = "pinctrl-rp1"\n[output.led]\nline = 18\nsafe = "low"\n', "led", "led.toml")
EXPOSURE_MOST = 1.0  # of 10, as `systemd-analyze security` counts


def settings(text: str) -> dict[str, list[str]]:
    """Every key of a unit, with its values."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


def unit(board: Board | None = LED, **more: object) -> Unit:
    return Unit("/opt/lamp/lamp.py", ("/opt/lamp/venv/bin/axiom-hw",), board, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "access"),
    [
        ("rpi5-rover", Access(("char-gpiochip",), ("gpio",), ("/sys/devices",))),
        ("rpi5-bench", Access(("char-gpiochip", "char-iio"), ("gpio",), ("/sys/devices", "-/sys/kernel/config"))),
        (
            "rpi5-sensors",
            Access(("char-i2c", "char-ttyAMA"), ("gpio", "i2c", "dialout"), ("/sys/devices",)),
        ),
    ],
)
def test_a_board_needs_what_it_declares(name: str, access: Access) -> None:
    assert access_of(load_board(ROOT / f"boards/{name}.toml")) == access


@pytest.mark.parametrize(
    ("port", "devices"),
    [
        ('port = "/dev/ttyS0"', ("char-ttyS",)),
        ('port = "/dev/serial/by-id/usb-gps"', ("char-ttyUSB", "char-ttyACM")),
        ('usb = "067b:2303"', ("char-ttyUSB", "char-ttyACM")),
        ('port = "/dev/mine"', ("char-ttyAMA", "char-ttyS", "char-ttyUSB", "char-ttyACM")),
    ],
)
def test_ports_are_allowed_by_their_drivers(port: str, devices: tuple[str, ...]) -> None:
    board = parse_board(f"[serial.gps]\nbaud = 9600\n{port}\n", "gps", "gps.toml")
    assert access_of(board) == Access(devices, ("dialout",), ())


def test_lines_alone_leave_sys_read_only() -> None:
    found = settings(unit_text(unit()))
    assert found["DeviceAllow"] == ["char-gpiochip rw"]
    assert found["DevicePolicy"] == ["closed"]
    assert found["ProtectKernelTunables"] == ["yes"]
    assert "ReadWritePaths" not in found
    assert found["SupplementaryGroups"] == ["gpio"]
    assert "PrivateDevices" not in found, "it would hide the chips"


def test_pwm_needs_a_sys_that_can_be_written() -> None:
    found = settings(unit_text(unit(load_board(ROOT / "boards/rpi5-rover.toml"))))
    assert (found["ProtectKernelTunables"], found["ReadWritePaths"]) == (["yes"], ["/sys/devices"])


def test_a_trigger_is_made_in_configfs() -> None:
    board = parse_board(
        '[iio.adc]\ndevice = "ads1015"\nchannels = ["voltage0"]\nrate = "100 Hz"\ntrigger = "hrtimer"\n',
        "adc",
        "adc.toml",
    )
    assert settings(unit_text(unit(board)))["ReadWritePaths"] == ["/sys/devices -/sys/kernel/config"]


def test_what_runs_and_what_makes_outputs_safe_behind_it() -> None:
    found = settings(unit_text(unit(board_option="/etc/axiom/lamp.toml", options=("--trace",))))
    assert found["ExecStart"] == [
        "/opt/lamp/venv/bin/axiom-hw run /opt/lamp/lamp.py --systemd --board /etc/axiom/lamp.toml --trace"
    ]
    assert found["ExecStopPost"] == ["/opt/lamp/venv/bin/axiom-hw stop safe --board /etc/axiom/lamp.toml"]
    assert (found["Type"], found["NotifyAccess"], found["KillMode"]) == (["notify"], ["main"], ["mixed"])
    assert found["RestartPreventExitStatus"] == ["2 65 77 78"]


def test_what_makes_safe_reaches_the_lines_as_the_run_did() -> None:
    found = settings(unit_text(unit(options=("--trace", "--gpio", "lgpio", "--state", "/srv/state"))))
    assert found["ExecStopPost"][0].endswith(" --board led.toml --gpio lgpio --state /srv/state")


def test_the_mock_needs_no_device_and_a_user_is_no_dynamic_one() -> None:
    found = settings(unit_text(unit(options=("--mock", "--real-time"), user="pi")))
    assert not {"DeviceAllow", "SupplementaryGroups", "ExecStopPost", "DynamicUser"} & set(found)
    assert found["User"] == ["pi"]


def test_the_network_is_there_for_who_asks() -> None:
    alone, spoken = settings(unit_text(unit())), settings(unit_text(unit(network=True)))
    assert (alone["RestrictAddressFamilies"], alone["PrivateNetwork"]) == (["AF_UNIX"], ["yes"])
    assert spoken["RestrictAddressFamilies"] == ["AF_UNIX AF_INET AF_INET6"]
    assert "PrivateNetwork" not in spoken
    assert spoken["After"] == ["network-online.target"]


def test_an_app_at_home_is_seen() -> None:
    assert settings(unit_text(unit()))["ProtectHome"] == ["yes"]
    assert settings(unit_text(unit(reads=("/home/pi/.local/bin/python3",))))["ProtectHome"] == ["read-only"]


def test_words_of_a_command_are_quoted_as_systemd_reads_them() -> None:
    text = unit_text(unit(board_option='/srv/100% "my" $board.toml'))
    assert 'run /opt/lamp/lamp.py --systemd --board "/srv/100%% \\"my\\" $$board.toml"' in text


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (Unit("lamp.py", ("/bin/axiom-hw",), None), "lamp.py: is no absolute path"),
        (Unit("/lamp.py", ("axiom-hw",), None), "axiom-hw: is no absolute path"),
        (Unit("/lamp.py", ("/bin/axiom-hw",), None, name="my lamp"), "the unit `my lamp`: has a name that systemd"),
        (Unit("/my lamp.py", ("/bin/axiom-hw",), None), "/my lamp.py: can't give its name to a unit"),
        (Unit("/lamp.py", ("/bin/axiom-hw",), None, board_option="a\nb"), r"'a\nb': can't stand in a unit's"),
    ],
)
def test_what_cant_be_in_a_unit_is_refused(made: Unit, told: str) -> None:
    with pytest.raises(SpecError) as caught:
        unit_text(made)
    assert str(caught.value).startswith(told)


def test_a_unit_is_called_as_its_file() -> None:
    assert unit_name("/opt/reaction_timer.bpf.o") == "reaction-timer"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd isn't installed")
@pytest.mark.parametrize("name", ["rpi5-rover", "rpi5-sensors"])
def test_systemd_takes_it_and_calls_it_safe(name: str, tmp_path: Path) -> None:
    path = tmp_path / "lamp.service"
    board = load_board(ROOT / f"boards/{name}.toml")
    path.write_text(unit_text(Unit("/bin/true", ("/bin/true",), board, board_option="a board")))
    verified = subprocess.run(["systemd-analyze", "verify", path], capture_output=True, text=True, check=False)
    assert [line for line in verified.stderr.splitlines() if "lamp.service" in line] == []
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", path]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    exposure = re.search(r"Overall exposure level for lamp.service: ([\d.]+)", told.stdout)
    assert exposure is not None, told.stderr
    assert float(exposure[1]) <= EXPOSURE_MOST


def test_the_command_prints_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    app = tmp_path / "lamp.py"
    app.write_text("import axiom_hw as hw\napp = hw.App('lamp', board='rpi5-bench')\n")
    with pytest.raises(SystemExit):
        main(["unit", str(app), "--user", "pi"])
    found = settings(capsys.readouterr().out)
    (start,) = found["ExecStart"]
    assert f" run {app} --systemd --board {ROOT}/boards/rpi5-bench.toml" in start, "the unit starts elsewhere"
    assert found["User"] == ["pi"]


def test_a_directory_that_a_dynamic_user_cant_enter_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    app = home / "tick.bpf.s"
    app.write_text('.section "timer/1s"\ntick:\nr0 = 0\nexit\n')
    with pytest.raises(SystemExit):
        main(["unit", str(app), "--mock"])
    told = capsys.readouterr().err
    assert "is closed to the user that systemd makes for this unit; say whose it is, --user NAME" in told
