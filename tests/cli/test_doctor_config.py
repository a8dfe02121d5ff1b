"""`axiom-hw doctor` on overlays, sensors and buses: what config.txt says already, and what to write into it."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from axiom_hw.backends.survey import GpioInfo
from axiom_hw.board import load_board, parse_board
from axiom_hw.cli.checks.sensors import UDEV_RULE
from tests.cli.pi_tree import BOARD, BOARDS

MOVE_IT = "which isn't for here: move it under [all], and reboot"
REBOOT = "has LINE, written since this machine started: sudo reboot"


def test_pwm_whose_overlay_isnt_loaded(pi):
    pi.no_pwm()
    assert pi.problems() == []
    ((note, fix),) = pi.notes()
    assert note.startswith("pwm 1f00098000.pwm: isn't there; the PWM devices here are 107d517a80.pwm")
    assert note.endswith("servo is optional, the rest works")
    needed = replace(
        BOARD, outputs=tuple(replace(o, optional=False) if o.name == "servo" else o for o in BOARD.outputs)
    )
    ((problem, same),) = pi.problems(board=needed)
    assert problem.startswith("pwm 1f00098000.pwm: isn't there")
    assert fix == same == "write dtoverlay=pwm,pin=12,func=4 under [all] in /boot/firmware/config.txt, and reboot"


@pytest.mark.parametrize(
    ("config", "later_s", "fix"),
    [
        ("[all]\nenable_uart=1\n", 0, "write LINE under [all] at the end of PATH, and reboot"),
        ("# LINE\n", 0, "take the # away in front of LINE, PATH:1, and reboot"),
        ("[pi4]\nLINE\n[all]\n", 0, f"PATH:2 has LINE, but under [pi4], {MOVE_IT}"),
        ("[none]\nLINE\n", 0, f"PATH:2 has LINE, but under [none], {MOVE_IT}"),
        ("[gpio4=1]\n[pi0]\nLINE\n", 0, f"PATH:3 has LINE, but under [gpio4=1] [pi0], {MOVE_IT}"),
        ("[pi4]\n[pi5]\nLINE\n", 3600, f"PATH:3 {REBOOT}"),
        ("[board-type=0x17]\nLINE  # the servo\n", 3600, f"PATH:2 {REBOOT}"),
        ("[pi4]\nLINE\n[all]\nLINE\n", 3600, f"PATH:4 {REBOOT}"),
        ("LINE\n", -3600, "PATH:1 has LINE, and it was read at the start: "
                         "`sudo vclog --msg` and `dmesg` say why it had no effect"),
    ],
)  # fmt: skip
def test_what_config_txt_says_of_an_overlay(pi, config, later_s, fix):
    line = "dtoverlay=pwm,pin=12,func=4"
    pi.no_pwm()
    pi.config(config.replace("LINE", line), later_s)
    ((_, found),) = pi.notes()
    assert found == fix.replace("LINE", line).replace("PATH", f"{pi.root}/boot/firmware/config.txt")


def test_an_overlay_in_a_file_that_is_included(pi):
    pi.no_pwm()
    pi.config("include mine.txt\ninclude none.txt\n", 3600)
    pi.write("boot/firmware/mine.txt", "[pi4]\ndtoverlay=pwm,pin=12,func=4\n")
    ((_, fix),) = pi.notes()
    assert fix.startswith(f"{pi.root}/boot/firmware/mine.txt:2 has dtoverlay=pwm,pin=12,func=4, but under [pi4]")


def test_two_outputs_need_the_overlay_of_two_channels(pi):
    pi.no_pwm()
    text = "".join(f'[output.{name}]\nchannel = {n}\nperiod = "20ms"\nsafe = "off"\n' for n, name in enumerate("abc"))
    board = parse_board(f'[pwm_chip.header]\ndevice = "1f00098000.pwm"\n{text}', "x", "x.toml")
    ((_, fix),) = pi.problems(board=board)
    assert fix == (
        "write dtoverlay=pwm-2chan,pin=12,func=4,pin2=13,func2=4 under [all] in /boot/firmware/config.txt, and reboot; "
        "that overlay brings out two pins, the other 1 need one of your own"
    )


def test_pwm_that_comes_out_elsewhere(pi):
    pi.config("dtoverlay=pwm-2chan\n")
    ((text, fix),) = pi.notes()
    assert text == (
        f"pwm 1f00098000.pwm comes out on GPIO18 and GPIO19, says {pi.root}/boot/firmware/config.txt; "
        "servo is on GPIO12: there will be no signal"
    )
    assert fix == "replace dtoverlay=pwm-2chan by dtoverlay=pwm,pin=12,func=4, and reboot"
    pi.config("dtoverlay=pwm-2chan,pin=12,func=4,pin2=13,func2=4\n")
    assert pi.notes() == []
    pi.config("dtoverlay=i2c-rtc,ds3231\n")
    assert pi.notes() == []


def test_pwm_of_a_pi_4_that_sound_may_have_taken(pi):
    pi.write("proc/device-tree/model", "Raspberry Pi 4 Model B Rev 1.4\0")
    pi.write("proc/device-tree/compatible", "raspberrypi,4-model-b\0brcm,bcm2711\0")
    pi.chips = {"gpiochip0": GpioInfo("pinctrl-bcm2711", 58, {})}
    fix = next(fix for text, fix in pi.notes(load_board(BOARDS / "rpi4-bench.toml")) if "fe20c000.pwm" in text)
    assert "dtoverlay=pwm,pin=12,func=4" in fix
    assert "dtparam=audio=off" in fix


def test_a_sensor_that_only_root_may_read(pi, monkeypatch):
    pi.write("sys/bus/iio/devices/iio:device0/name", "bmp280\n")
    pi.write("dev/iio:device0")
    monkeypatch.setattr(os, "access", lambda path, mode: "iio" not in str(path))
    ((text, fix),) = pi.notes()
    assert text == "only root may read /dev/iio:device0 (bmp280): Raspberry Pi OS has no udev rule for IIO"
    assert UDEV_RULE in fix
    board = parse_board('[iio.air]\ndevice = "bmp280"\nchannels = ["temp"]\nrate = "1Hz"\n', "x", "x.toml")
    assert [text for text, _ in pi.problems(board=board)] == [text], "this one needs it"


def test_a_sensor_that_isnt_there(pi):
    pi.write("sys/bus/iio/devices/iio:device0/name", "ads1015\n")
    pi.write("sys/class/hwmon/hwmon0/name", "cpu_thermal\n")
    board = parse_board(
        '[iio.air]\ndevice = "bmp280"\nchannels = ["temp"]\nrate = "1Hz"\n'
        '[iio.adc]\ndevice = "ads1015"\nchannels = ["voltage0"]\nrate = "1Hz"\n'
        '[hwmon.cpu]\ndevice = "cpu_thermal"\nchannels = ["temp1"]\nrate = "1Hz"\n'
        '[hwmon.fan]\ndevice = "pwmfan"\nchannels = ["fan1"]\nrate = "1Hz"\noptional = true\n',
        "x", "x.toml",
    )  # fmt: skip
    texts = [finding.text for finding in pi.findings(board=board)]
    assert "iio devices here: ads1015" in texts
    assert "hwmon devices here: cpu_thermal" in texts
    assert "iio adc is there: ads1015" in texts
    assert "hwmon cpu is there: cpu_thermal" in texts
    assert pi.problems(board=board) == [
        (
            "iio air: no device whose name is bmp280; there are ads1015",
            "where it is on I2C: write dtoverlay=i2c-sensor,bmp280 under [all] in /boot/firmware/config.txt, "
            "and reboot",
        )
    ]
    ((text, _),) = pi.notes(board)
    assert text == "hwmon fan: no device whose name is pwmfan; there are cpu_thermal; it is optional"


SENSOR = (
    '[i2c_bus.header]\npath = "/dev/i2c-1"\n[sensor.air]\naddress = 0x76\nrate = "1Hz"\n'
    '[sensor.air.channel.raw]\nregister = 0xFA\nformat = "be:u16"\n'
)
GPS = '[serial.gps]\nport = "/dev/ttyAMA0"\nbaud = 9600\n'


def test_i2c_where_all_is_fine(pi):
    board = parse_board(SENSOR, "x", "x.toml")
    assert pi.problems(board=board) == []
    texts = [finding.text for finding in pi.findings(board=board)]
    assert "I2C bus header is /dev/i2c-1; no driver has the addresses of air 0x76" in texts


def test_i2c_that_is_switched_off(pi, monkeypatch):
    board = parse_board(SENSOR, "x", "x.toml")
    (pi.root / "dev/i2c-1").unlink()
    ((text, fix),) = pi.problems(board=board)
    assert text == "I2C bus header: bus 1 has no file /dev/i2c-1, as the module i2c-dev isn't loaded"
    assert fix.startswith("sudo modprobe i2c-dev")
    (pi.root / "sys/bus/i2c/devices/i2c-1").rmdir()
    pi.i2c(6)
    pi.config("dtparam=audio=on\n#dtparam=i2c_arm=on\n")
    ((text, fix),) = pi.problems(board=board)
    assert text == "I2C bus header: /dev/i2c-1 isn't there; there are i2c-6"
    assert "take the # away in front of dtparam=i2c_arm=on" in fix
    assert fix.endswith("(it is on GPIO2 and GPIO3)")
    pi.config("dtparam=audio=on,i2c_arm=on\n", 3600)
    ((_, fix),) = pi.problems(board=board)
    assert "written since this machine started: sudo reboot" in fix
    assert pi.problems() == pi.notes() == [], "a board without I2C doesn't mind"


def test_a_bus_by_its_adapter_that_may_not_be_opened(pi, monkeypatch):
    board = parse_board(SENSOR.replace('path = "/dev/i2c-1"', 'adapter = "i915 gmbus dpb"'), "x", "x.toml")
    pi.write("sys/bus/i2c/devices/i2c-1/name", "i915 gmbus dpb\n")
    monkeypatch.setattr(os, "access", lambda path, mode: "i2c" not in str(path))
    assert pi.problems(board=board) == [
        ("I2C bus header: /dev/i2c-1 may not be opened", "sudo usermod -aG i2c $USER, and log in again")
    ]
    lost = parse_board(SENSOR.replace('path = "/dev/i2c-1"', 'adapter = "another"'), "x", "x.toml")
    ((_, fix),) = pi.problems(board=lost)
    assert fix.startswith("`i2cdetect -l` lists the buses")


def test_an_address_that_a_driver_has(pi):
    pi.write("sys/bus/i2c/devices/1-0076/name", "bmp280\n")
    pi.write("sys/bus/i2c/devices/1-0048/name", "ads1015\n")
    (pi.root / "sys/bus/i2c/drivers/bmp280").mkdir(parents=True)
    (pi.root / "sys/bus/i2c/devices/1-0076/driver").symlink_to("../../drivers/bmp280")
    ((text, fix),) = pi.problems(board=parse_board(SENSOR, "x", "x.toml"))
    assert text.startswith("sensor air: address 0x76 of /dev/i2c-1 belongs to the kernel's driver bmp280")
    assert 'device = "bmp280"' in fix
    assert "echo 0x76 | sudo tee /sys/bus/i2c/devices/i2c-1/delete_device" in fix


def test_a_serial_port_that_is_switched_off(pi):
    board = parse_board(GPS, "x", "x.toml")
    assert pi.findings(board=board)[-1].text == "serial port gps: /dev/ttyAMA0 is there"
    (pi.root / "dev/ttyAMA0").unlink()
    pi.write("dev/ttyAMA10")
    (pi.root / "dev/serial0").symlink_to("ttyAMA10")
    assert pi.problems(board=board) == [
        (
            "serial port gps: /dev/ttyAMA0 isn't there; there are serial0 -> ttyAMA10, ttyAMA10",
            "write dtparam=uart0=on under [all] in /boot/firmware/config.txt, and reboot (it is on GPIO14 and GPIO15). "
            "serial0 is ttyAMA10, the debug connector, not this one",
        )
    ]


def test_a_serial_port_that_is_the_console(pi):
    (pi.root / "dev/serial0").symlink_to("ttyAMA0")
    pi.write("proc/cmdline", "console=serial0,115200 console=tty1 root=/dev/mmcblk0p2\n")
    ((text, fix),) = pi.problems(board=parse_board(GPS, "x", "x.toml"))
    assert text == "serial port gps: /dev/ttyAMA0 is the console: the kernel prints there, and a login waits"
    assert fix.startswith("sudo raspi-config nonint do_serial_cons 1")


def test_a_serial_port_on_usb(pi, monkeypatch):
    board = parse_board('[serial.gps]\nusb = "067b:2303"\nbaud = 9600\n', "x", "x.toml")
    assert pi.problems(board=board) == [
        (
            "serial port gps: the USB port 067b:2303 isn't there; there are ttyAMA0",
            "plug it in; `lsusb` shows what is there",
        )
    ]
    plug = "sys/devices/usb1/1-1"
    pi.write(f"{plug}/idVendor", "067b\n")
    pi.write(f"{plug}/idProduct", "2303\n")
    pi.write(f"{plug}/serial", "A1\n")
    (pi.root / plug / "1-1:1.0/ttyUSB0").mkdir(parents=True)
    (pi.root / "sys/class/tty/ttyUSB0").mkdir(parents=True)
    (pi.root / "sys/class/tty/ttyUSB0/device").symlink_to(pi.root / plug / "1-1:1.0/ttyUSB0")
    pi.write("dev/ttyUSB0")
    assert pi.problems(board=board) == []
    assert pi.findings(board=board)[-1].text == "serial port gps: the USB port 067b:2303 is there: /dev/ttyUSB0"
    monkeypatch.setattr(os, "access", lambda path, mode: "ttyUSB" not in str(path))
    assert pi.problems(board=board) == [
        (
            "serial port gps: the USB port 067b:2303 may not be opened",
            "sudo usermod -aG dialout $USER, and log in again",
        )
    ]
