"""`axiom-hw boards`: which board is for this machine, and the header, drawn."""

from __future__ import annotations

import sys

import pytest

from axiom_hw.backends import survey as survey_module
from axiom_hw.backends.survey import GpioInfo, GpioSeen
from axiom_hw.board import find, load_board, machine, parse_board
from axiom_hw.board.functions import COLUMNS, FUNCTIONS
from axiom_hw.board.machine import Found, KnownBy
from axiom_hw.board.models import MODELS, model_named
from axiom_hw.board.pins import PWMS
from axiom_hw.cli import pinout
from axiom_hw.errors import BoardError

PI5 = Found("Raspberry Pi 5 Model B Rev 1.0", model_named("Raspberry Pi 5"), KnownBy.COMPATIBLE)
PC = Found("PC (LENOVO 20XW)", model_named("PC"), KnownBy.FIRMWARE)


@pytest.fixture
def here(monkeypatch):
    """`here(found)`: this machine is another one."""

    def be(found):
        monkeypatch.setattr(find, "detect", lambda root: found)
        monkeypatch.setattr(machine, "detect", lambda: found)

    return be


def test_the_header_with_what_the_board_file_claims(cli):
    assert (
        cli("boards", "rpi4-bench", "--pinout").out
        == """\
rpi4-bench: Raspberry Pi 4, pinctrl-bcm2711

                3V3   1  2   5V
              GPIO2   3  4   5V
              GPIO3   5  6   GND
              GPIO4   7  8   GPIO14
                GND   9  10  GPIO15
button (in)  GPIO17  11  12  GPIO18  led (out)
relay (out)  GPIO27  13  14  GND
 limit (in)  GPIO22  15  16  GPIO23
                3V3  17  18  GPIO24
             GPIO10  19  20  GND
              GPIO9  21  22  GPIO25
             GPIO11  23  24  GPIO8
                GND  25  26  GPIO7
              GPIO0  27  28  GPIO1
              GPIO5  29  30  GND
              GPIO6  31  32  GPIO12  servo (PWM 0)
             GPIO13  33  34  GND
             GPIO19  35  36  GPIO16
             GPIO26  37  38  GPIO20
                GND  39  40  GPIO21
"""
    )


def test_who_holds_a_line(cli, here, monkeypatch):
    here(PI5)
    info = GpioInfo("pinctrl-rp1", 54, {18: "blink", 8: "spi0 CS0", 27: ""})
    seen = survey_module.Machine(PI5, (GpioSeen("/dev/gpiochip0", info),))
    monkeypatch.setattr(survey_module, "survey", lambda: seen)
    rows = cli("boards", "cm5-bench", "--live").out.splitlines()
    assert "           button (in)  GPIO17  11  12  GPIO18  led (out) [blink]" in rows
    assert "                        GPIO11  23  24  GPIO8   [spi0 CS0]" in rows
    assert "relay (out) [somebody]  GPIO27  13  14  GND" in rows


def test_who_holds_a_line_wfittingnothing_can_be_opened(cli):
    closed = GpioSeen("/dev/gpiochip0", None, "Permission denied", refused=True)
    with pytest.raises(BoardError, match="/dev/gpiochip0 can't be opened: Permission denied"):
        pinout.held((closed,), "pinctrl-rp1")
    with pytest.raises(BoardError, match="pinctrl-rp1 isn't on this machine"):
        pinout.held((), "pinctrl-rp1")


def test_what_else_a_line_can_be(cli):
    out = cli("boards", "rpi4-bench", "--functions").out
    assert "rpi4-bench: Raspberry Pi 4, pinctrl-bcm2711\n" in out
    assert "GPIO12  32   PWM0       SD4    DPI_D8   SPI5_CE0    TXD5       SDA5\n" in out


def test_the_table_of_functions_agrees_with_the_ones_of_pwm_and_ports():
    for label, rows in FUNCTIONS.items():
        assert [len(row) for row in rows] == [len(COLUMNS[label])] * 28
    for pwm in PWMS:
        for pin in pwm.pins:
            assert f"PWM{pin.channel}" in FUNCTIONS[pwm.label][pin.line]
    for model in MODELS:
        for uart in model.uarts:
            kinds = [{name[:3] for name in FUNCTIONS[model.chip][line]} for line in uart.lines]
            assert "TXD" in kinds[0]
            assert "RXD" in kinds[1]
        for bus in model.buses:
            assert f"SDA{bus.number}" in FUNCTIONS[model.chip][bus.lines[0]]
            assert f"SCL{bus.number}" in FUNCTIONS[model.chip][bus.lines[1]]


def test_without_a_name_it_is_the_header_of_this_machine(cli, here):
    here(PI5)
    assert cli("boards", "--pinout").out.startswith("rpi5-bench: Raspberry Pi 5, pinctrl-rp1\n")
    here(PC)
    out = cli("boards", "--pinout").out
    assert out.startswith("The header of a Raspberry Pi 5, pinctrl-rp1. For what is claimed: axiom-hw boards BOARD")
    assert "led" not in out


def test_a_board_without_a_header(cli):
    result = cli("boards", "--pinout", "pc")
    assert result.code == 1
    assert "declares no chip with a 40-pin header, so there is nothing to draw" in result.err


def test_lines_of_another_chip_arent_on_the_header():
    board = parse_board(
        '[chip.expander]\nlabel = "pcf8574"\nlines = 8\n[chip.header]\nlabel = "pinctrl-rp1"\n'
        '[input.here]\nchip = "header"\nline = 3\n[input.there]\nchip = "expander"\nline = 3\n',
        "x", "x.toml",
    )  # fmt: skip
    assert pinout.header_of(board).label == "pinctrl-rp1"
    assert pinout.claims(board, "pinctrl-rp1") == {3: ("here (in)",)}


def test_buses_ports_and_motors_take_pins_too():
    text = (
        'model = "Raspberry Pi 5"\n[chip.header]\nlabel = "pinctrl-rp1"\n[pwm_chip.header]\ndevice = "1f00098000.pwm"\n'
        '[i2c_bus.air]\npath = "/dev/i2c-1"\n[i2c_bus.other]\nadapter = "i915 gmbus dpb"\n'
        '[serial.gps]\nport = "/dev/ttyAMA0"\nbaud = 9600\n'
        '[output.wheel]\nkind = "motor"\nchannel = 1\nperiod = "50us"\nforward = 23\nbackward = 24\nsafe = "off"\n'
        '[output.fan]\nkind = "motor"\nchannel = 0\nperiod = "50us"\ndirection = 25\nsafe = "off"\n'
    )
    assert pinout.claims(parse_board(text, "x", "x.toml"), "pinctrl-rp1") == {
        2: ("air (SDA)",), 3: ("air (SCL)",), 14: ("gps (TXD)",), 15: ("gps (RXD)",),
        13: ("wheel (PWM 1)",), 23: ("wheel (forward)",), 24: ("wheel (backward)",),
        12: ("fan (PWM 0)",), 25: ("fan (direction)",),
    }  # fmt: skip
    elsewhere = parse_board(text.replace("Raspberry Pi 5", "Orange Pi"), "x", "x.toml")
    assert 2 not in pinout.claims(elsewhere, "pinctrl-rp1"), "nobody knows where its bus comes out"


def test_in_colours_it_says_the_same(monkeypatch, capsys):
    board = load_board("rpi4-bench")
    names = pinout.claims(board, "pinctrl-bcm2711")
    pinout.draw("A title", names, {18: "blink"})
    plain = capsys.readouterr().out
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "dumb")
    pinout.draw("A title", names, {18: "blink"})
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == plain.splitlines()


def test_the_list_says_which_board_is_for_this_machine(cli, here):
    here(PI5)
    out = cli("boards").out
    assert out.endswith("\nThis machine: Raspberry Pi 5 Model B Rev 1.0\nIts board:    rpi5-bench (--board auto)\n")
    fitting = [row.split()[0] for row in out.splitlines() if "  fits  " in row]
    assert {"cm5-bench", "rpi5-bench"} <= set(fitting)
    assert not {"pc", "qemu", "rpi4-bench"} & set(fitting)
    here(Found("Orange Pi 3", None, KnownBy.NOTHING))
    assert cli("boards").out.endswith("Its board:    there is none for this Orange Pi 3\n")


def test_a_board_with_all_kinds_of_rows(cli, tmp_path):
    file = tmp_path / "all.toml"
    file.write_text(
        '[chip.header]\nlabel = "pinctrl-rp1"\n[pwm_chip.header]\ndevice = "1f00098000.pwm"\n'
        '[output.arm]\nkind = "servo"\nchannel = 0\nsafe = "off"\n'
        '[output.wheel]\nkind = "motor"\nchannel = 1\nperiod = "50us"\ndirection = 23\nsafe = "off"\n'
        '[hwmon.cpu]\ndevice = "cpu_thermal"\nchannels = ["temp1"]\nrate = "1Hz"\n'
        '[i2c_bus.header]\npath = "/dev/i2c-1"\n[sensor.air]\naddress = 0x76\nrate = "500ms"\n'
        '[sensor.air.channel.raw]\nregister = 0xFA\nformat = "be:u16"\n'
        '[serial.gps]\nport = "/dev/ttyAMA0"\nbaud = 9600\nchecksum = "nmea"\n'
    )
    rows = [" ".join(row.split()) for row in cli("boards", file).out.splitlines()]
    assert "arm header channel 0 (line 12) duty 500us to 2500us of 20ms, -90 to 90 degrees - off" in rows
    assert "wheel header channel 1 (line 13) duty 0ns to 50us of 50us, turns both ways by line 23 - off" in rows
    assert "cpu hwmon device cpu_thermal temp1 1s none" in rows
    assert "air /dev/i2c-1 0x76 raw 500ms -" in rows
    assert "gps /dev/ttyAMA0 9600 line nmea" in rows
