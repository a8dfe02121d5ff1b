"""`axiom-hw doctor`: each finding says what to do, on machines made of files."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from axiom_hw.backends import survey as survey_module
from axiom_hw.backends.survey import GpioInfo
from axiom_hw.board import load_board, parse_board
from axiom_hw.cli.checks import software
from axiom_hw.cli.diagnosis import Person, Status
from tests.cli.pi_tree import BOARD, FINE, MEMBER

NOBODY = Person(frozenset(), frozenset())
JUST_ADDED = Person(frozenset(), frozenset({"gpio"}))


def test_a_bench_where_all_is_fine(pi):
    findings = pi.findings()
    assert [finding.text for finding in findings] == [
        "this is a Raspberry Pi 5 Model B Rev 1.0",
        f"chip pinctrl-rp1 is {pi.root}/dev/gpiochip11; its lines for this board are free: "
        "button 17, limit 22, led 18, relay 27",
        f"pwm 1f00098000.pwm is {pi.root}/sys/class/pwm/pwmchip0; its channels for this board: servo 0",
        "serial ports here: ttyAMA0",
    ]
    assert {finding.status for finding in findings} == {Status.OK}


def test_two_names_of_one_chip_are_one_chip(pi):
    pi.look()
    (pi.root / "dev/gpiochip4").symlink_to("gpiochip11")
    assert len(pi.look().gpio) == 2


def test_another_machine(pi):
    pi.write("proc/device-tree/model", "Raspberry Pi 4 Model B Rev 1.4\0")
    pi.write("proc/device-tree/compatible", "raspberrypi,4-model-b\0brcm,bcm2711\0")
    (text, fix) = pi.problems()[0]
    assert text == f"this is a Raspberry Pi 4 Model B Rev 1.4; {BOARD.source} is for a Raspberry Pi 5"
    assert fix == "--board rpi4-bench is for this machine; if the wiring is the same, correct `model` in the file"


def test_a_machine_with_the_same_header(pi):
    pi.write("proc/device-tree/model", "Raspberry Pi Compute Module 5 Rev 1.0\0")
    pi.write("proc/device-tree/compatible", "raspberrypi,5-compute-module\0brcm,bcm2712\0")
    (pi.root / "proc/device-tree/system").mkdir()
    (pi.root / "proc/device-tree/system/linux,revision").write_bytes((0xD04180).to_bytes(4, "big"))
    assert pi.problems() == []
    assert pi.findings()[0].text == (
        "this is a Raspberry Pi Compute Module 5 Rev 1.0 with 8 GB; its header is that of a Raspberry Pi 5"
    )


def test_a_machine_that_is_newer_than_the_table(pi):
    pi.write("proc/device-tree/model", "Raspberry Pi 6000\0")
    pi.write("proc/device-tree/compatible", "raspberrypi,6000\0brcm,bcm2712\0")
    assert pi.problems() == []
    assert "isn't known yet; by its processor it is taken for a Raspberry Pi 5" in pi.findings()[0].text


def test_no_chip_of_that_label(pi):
    del pi.chips["gpiochip11"]
    ((text, fix),) = pi.problems()
    assert text == "chip pinctrl-rp1: isn't there; the chips here are gpio-brcmstb@107d508500"
    assert "--mock" in fix


def test_the_same_label_twice(pi):
    pi.chips["gpiochip12"] = FINE["gpiochip11"]
    ((text, _),) = pi.problems()
    assert text.startswith("chip pinctrl-rp1 is there twice: ")


@pytest.mark.parametrize(
    ("person", "fix"),
    [
        (NOBODY, "add yourself to the group that owns it, and log in again: sudo usermod -aG gpio $USER"),
        (JUST_ADDED, "you are in the group gpio, but this session began before that: log in again"),
        (MEMBER, "you are in the group gpio, which owns it: look at `ls -l`, and at the rules of udev"),
    ],
)  # fmt: skip
def test_chips_that_may_not_be_opened(pi, person, fix):
    pi.chips = {name: PermissionError(errno.EACCES, "no") for name in FINE}
    ((text, found),) = pi.problems(person)
    assert text == (
        f"chip pinctrl-rp1 may be {pi.root}/dev/gpiochip0, {pi.root}/dev/gpiochip11, but: Permission denied"
    )
    assert found == fix


def test_chips_that_belong_to_root(pi, monkeypatch):
    monkeypatch.setattr(survey_module, "_group", lambda path: "root")
    pi.chips = {name: PermissionError(errno.EACCES, "no") for name in FINE}
    ((_, fix),) = pi.problems()
    assert fix.startswith("only root may open it; udev's rules of Raspberry Pi OS give it to a group")


def test_a_line_that_somebody_holds(pi):
    pi.chips["gpiochip11"] = GpioInfo("pinctrl-rp1", 54, {18: "blink", 2: "i2c", 27: ""})
    (led, fix), (relay, _) = pi.problems()
    assert led == 'line 18 of pinctrl-rp1 (led) is in use by "blink"'
    assert relay == "line 27 of pinctrl-rp1 (relay) is in use by somebody who gave no name"
    assert fix.startswith("no process holds it, so a kernel driver does: it lets go when its overlay is removed")


def test_a_line_that_a_process_holds(pi):
    pi.chips["gpiochip11"] = GpioInfo("pinctrl-rp1", 54, {18: "blink"})
    pi.process(71, "python3 other.py", "anon_inode:gpio-line", "pos:\t0\ngpio-chip:\tgpiochip0\ngpio-line:\t18\n")
    pi.process(72, "python3 blink.py", "anon_inode:gpio-line",
               "pos:\t0\ngpio-chip:\tgpiochip11\ngpio-line:\t4\ngpio-line:\t18\n")  # fmt: skip
    pi.process(73, "sleep 1", "socket:[4]", "pos:\t0\n")
    assert pi.problems() == [
        (
            'line 18 of pinctrl-rp1 (led) is in use by "blink": process 72, python3 blink.py',
            "end it (kill 72), or give this one another line",
        )
    ]


def test_a_line_that_one_of_some_processes_holds(pi):
    pi.chips["gpiochip11"] = GpioInfo("pinctrl-rp1", 54, {18: "blink"})
    pi.process(74, "old-tool", "anon_inode:gpio-linehandle", "pos:\t0\n")
    ((_, fix),) = pi.problems()
    assert fix == "one of these processes may hold it, which this kernel doesn't tell: 74 (old-tool); end it"


def test_a_line_that_a_driver_holds(pi):
    pi.chips["gpiochip11"] = GpioInfo("pinctrl-rp1", 54, {17: "spi0 CS0", 22: "sysfs", 27: "onewire@0"})
    fixes = {text.split("(")[1].split(")")[0]: fix for text, fix in pi.problems()}
    assert fixes["button"].startswith("SPI's chip select: take dtparam=spi=on out of config.txt")
    assert "/sys/class/gpio" in fixes["limit"]
    assert "w1-gpio" in fixes["relay"]


def test_for_people_who_arent_root_processes_of_others_are_hidden(pi, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    pi.chips["gpiochip11"] = GpioInfo("pinctrl-rp1", 54, {18: "blink"})
    ((_, fix),) = pi.problems()
    assert fix.startswith("no process of yours holds it: `sudo axiom-hw doctor` sees those of others")


def test_the_lines_of_a_motor_count_too(pi):
    board = parse_board(
        '[chip.header]\nlabel = "pinctrl-rp1"\n[pwm_chip.header]\ndevice = "1f00098000.pwm"\n'
        '[output.wheel]\nkind = "motor"\nchannel = 1\nperiod = "50us"\ndirection = 23\nsafe = "off"\n',
        "x", "x.toml",
    )  # fmt: skip
    pi.chips["gpiochip11"] = GpioInfo("pinctrl-rp1", 54, {23: "blink"})
    ((text, _),) = pi.problems(board=board)
    assert text.startswith("line 23 of pinctrl-rp1 (wheel's direction) is in use")


def test_a_kernel_that_numbers_chips_from_ten(pi):
    pi.chips = {f"gpiochip{n}": GpioInfo(f"gpio-brcmstb@{n}", 4, {}) for n in (12, 13, 14, 15)}
    pi.chips["gpiochip11"] = FINE["gpiochip11"]
    assert pi.problems() == []
    ((text, fix),) = pi.notes()
    assert text == (
        "this kernel has no gpiochip0 and no gpiochip4, only gpiochip11, gpiochip12, gpiochip13, gpiochip14, "
        "gpiochip15: board files find chips by label and don't mind, but gpiozero's lgpio factory opens one of those "
        "two, and fails"
    )
    assert "GPIOZERO_PIN_FACTORY=axiom" in fix


def test_a_directory_in_which_lgpio_cant_be_imported(pi, monkeypatch):
    monkeypatch.setattr(software, "find_spec", lambda name: object())
    monkeypatch.delenv("LG_WD", raising=False)
    assert pi.notes() == []
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != pi.root)  # root may write anywhere
    ((text, fix),) = pi.notes()
    assert text.startswith(f"lgpio can't be imported in {pi.root}: it makes a file .lgd-nfy0 in the working directory")
    assert "WorkingDirectory=/run/axiom" in fix
    monkeypatch.setenv("LG_WD", "/tmp")
    assert pi.notes() == []
    monkeypatch.delenv("LG_WD")
    monkeypatch.setattr(software, "find_spec", lambda name: None)
    assert pi.notes() == []


def test_a_supply_that_is_too_weak(pi):
    pi.write("sys/class/hwmon/hwmon1/name", "rpi_volt\n")
    alarm = pi.write("sys/class/hwmon/hwmon1/in0_lcrit_alarm", "0\n")
    assert pi.notes() == []
    alarm.write_text("1\n")
    ((text, _),) = pi.notes()
    assert text == "the supply voltage was too low since this machine started"
    pi.write("usr/bin/vcgencmd", "#!/bin/sh\necho throttled=0x50000\n").chmod(0o755)
    assert [text for text, _ in pi.notes()] == [
        "the supply voltage was too low since this machine started",
        "the processor was slowed down since this machine started: it was throttled",
    ]


def test_python_that_has_no_wheels():
    (old,) = software.python((3, 9), "linux", 64)
    assert (old.status, "3.11 is the oldest that there are wheels for" in old.text) == (Status.PROBLEM, True)
    (narrow,) = software.python((3, 13), "linux", 32)
    assert (narrow.status, "64-bit Raspberry Pi OS" in narrow.fix) == (Status.NOTE, True)
    (other,) = software.python((3, 13), "darwin", 64)
    assert (other.status, other.fix) == (Status.PROBLEM, "run with --mock here")
    (fine,) = software.python((3, 13), "linux", 64)
    assert fine.status is Status.OK


def test_without_llvmlite(monkeypatch):
    monkeypatch.setattr("axiom_hw.engines.why_not", lambda: "llvmlite isn't installed")
    (finding,) = software.engine()
    assert finding.status is Status.NOTE
    assert finding.text == "programs run on the interpreter: llvmlite isn't installed"
    assert "llvmlite" in finding.fix


def test_pwm_that_may_not_be_written(pi, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write anything
    ((text, fix),) = pi.problems(NOBODY)
    assert text == f"pwm 1f00098000.pwm: {pi.root}/sys/class/pwm/pwmchip0/export may not be written"
    assert "usermod" in fix


def test_a_kernel_that_keeps_outputs_driven(pi):
    folder = pi.root / "sys/module/pinctrl_rp1/parameters"
    folder.mkdir(parents=True)
    (folder / "persist_gpio_outputs").write_text("Y\n")
    ((text, fix),) = pi.notes()
    assert "keeps the level of an output after its program has died" in text
    assert "dtparam=strict_gpiod" in fix
    (folder / "persist_gpio_outputs").write_text("N\n")
    assert pi.notes() == []


def test_the_command_on_a_machine_without_pins(cli, tmp_path):
    result = cli("doctor", "--root", tmp_path, "--board", "rpi5-bench")
    assert (result.code, result.err) == (1, "")
    rows = result.out.splitlines()
    assert rows[0].startswith("ok    Python 3.")
    assert f"no    this is a PC; {load_board('rpi5-bench').source} is for a Raspberry Pi 5" in rows
    assert "no    chip pinctrl-rp1: isn't there; there is no GPIO chip on this machine" in rows
    assert rows[-1] == "2 to mend before a program runs on this board."
    assert "config.txt and reboot; elsewhere run with --mock" in result.out


def test_the_command_on_a_machine_with_nothing(cli, tmp_path):
    result = cli("doctor", "--root", tmp_path)
    assert result.code == 0
    assert result.out.endswith(
        "ok    this is a PC\n"
        "note  it has no pins: programs on lines and PWM run on the mock bench\n"
        "      fix    axiom-hw run PROGRAM --mock --board rpi5-bench\n"
        "\nAll fine: axiom-hw run PROGRAM --board pc\n"
    )


def test_the_command_where_all_is_fine(cli, pi, monkeypatch):
    pi.look()
    monkeypatch.setattr(survey_module.survey, "__defaults__", (pi.root, pi.ask))
    result = cli("doctor", "--root", pi.root)
    assert result.code == 0
    assert result.out.endswith("\nAll fine: axiom-hw run PROGRAM --board rpi5-bench\n")


def test_the_command_for_programs(cli, tmp_path):
    result = cli("doctor", "--root", tmp_path, "--json", "--board", "rpi5-bench")
    rows = json.loads(result.out)
    assert result.code == 1
    assert [row["status"] for row in rows].count("no") == 2
    assert all(row["fix"] for row in rows if row["status"] != "ok")


def test_a_machine_that_no_board_is_for(cli, tmp_path):
    (tmp_path / "proc/device-tree").mkdir(parents=True)
    (tmp_path / "proc/device-tree/model").write_bytes(b"Orange Pi 3\0")
    result = cli("doctor", "--root", tmp_path)
    assert result.code == 1
    assert "no    board auto: there is none for this Orange Pi 3\n      fix    write boards/NAME.toml" in result.out


def test_a_board_file_with_a_slip_is_a_finding(cli, tmp_path):
    file = tmp_path / "my.toml"
    file.write_text("modle = 'x'\n")
    result = cli("doctor", "--board", file)
    assert result.code == 1
    assert f"no    {file}:1: `modle` isn't a key of a board file\n      fix    did you mean `model`?" in result.out
