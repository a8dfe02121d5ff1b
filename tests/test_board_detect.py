"""Which machine this is, and which board file is for it: on machines made of files."""

from __future__ import annotations

from errno import ENODEV
from pathlib import Path

import pytest

from axiom_hw import app, composing, console
from axiom_hw.backends.gpio import no_such_chip
from axiom_hw.bench import MockBench
from axiom_hw.board import load_board
from axiom_hw.board.find import SHIPPED, fits, fitting_board, other_machine
from axiom_hw.board.machine import Found, KnownBy, detect
from axiom_hw.board.models import MODELS, model_named, overlay_for
from axiom_hw.board.pins import HEADER
from axiom_hw.bpf.engine.choice import Engine
from axiom_hw.errors import BackendError, BoardError
from axiom_hw.options import Options
from axiom_hw.sources import Devices


def machine(root: Path, text: str = "", compatible: str = "", revision: int | None = None) -> Path:
    """A machine with a device tree."""
    tree = root / "proc/device-tree"
    (tree / "system").mkdir(parents=True)
    if text:
        (tree / "model").write_bytes(text.encode() + b"\0")
    if compatible:
        (tree / "compatible").write_bytes("".join(f"{part}\0" for part in compatible.split()).encode())
    if revision is not None:
        (tree / "system/linux,revision").write_bytes(revision.to_bytes(4, "big"))
    return root


def pc(root: Path, vendor: str, product: str) -> Path:
    dmi = root / "sys/class/dmi/id"
    dmi.mkdir(parents=True)
    (dmi / "sys_vendor").write_text(vendor + "\n")
    (dmi / "product_name").write_text(product + "\n")
    return root


@pytest.mark.parametrize(
    ("text", "compatible", "name", "bench"),
    [
        ("Raspberry Pi 5 Model B Rev 1.0", "raspberrypi,5-model-b brcm,bcm2712", "Raspberry Pi 5", "rpi5-bench"),
        ("Raspberry Pi 500 Rev 1.0", "raspberrypi,500 brcm,bcm2712", "Raspberry Pi 500", "rpi5-bench"),
        ("Raspberry Pi Compute Module 5 Lite Rev 1.0", "raspberrypi,5-compute-module brcm,bcm2712",
         "Raspberry Pi Compute Module 5", "cm5-bench"),
        ("Raspberry Pi 4 Model B Rev 1.4", "raspberrypi,4-model-b brcm,bcm2711", "Raspberry Pi 4", "rpi4-bench"),
        ("Raspberry Pi 400 Rev 1.0", "raspberrypi,400 brcm,bcm2711", "Raspberry Pi 400", "rpi4-bench"),
        ("Raspberry Pi Compute Module 4 Rev 1.1", "raspberrypi,4-compute-module brcm,bcm2711",
         "Raspberry Pi Compute Module 4", "rpi4-bench"),
        ("Raspberry Pi Zero 2 W Rev 1.0", "raspberrypi,model-zero-2-w brcm,bcm2837", "Raspberry Pi Zero 2 W",
         "zero2w-bench"),
        ("linux,dummy-virt", "linux,dummy-virt", "QEMU", "qemu"),
    ],
)  # fmt: skip
def test_a_machine_is_known_by_compatible(tmp_path, text, compatible, name, bench):
    found = detect(machine(tmp_path, text, compatible))
    assert (found.text, found.by) == (text, KnownBy.COMPATIBLE)
    assert found.model is not None
    assert found.model.name == name
    assert fitting_board(found, (SHIPPED,)) == bench
    board = load_board(bench, search=(SHIPPED,))
    assert fits(board.model, found)
    assert [chip.label for chip in board.chips] == [found.model.chip]
    assert {chip.device for chip in board.pwm_chips} <= {found.model.pwm}


@pytest.mark.parametrize(
    ("revision", "name", "memory_mb"),
    [
        (0xC04170, "Raspberry Pi 5", 4096),
        (0xE04171, "Raspberry Pi 5", 16384),
        (0xD041A0, "Raspberry Pi Compute Module 5", 8192),
        (0xD04190, "Raspberry Pi 500", 8192),
        (0xA03111, "Raspberry Pi 4", 1024),
        (0x902120, "Raspberry Pi Zero 2 W", 512),
    ],
)
def test_then_by_the_revision_code(tmp_path, revision, name, memory_mb):
    found = detect(machine(tmp_path, "A board of somebody's", revision=revision))
    assert (found.by, found.memory_mb, found.revision) == (KnownBy.REVISION, memory_mb, revision)
    assert found.model is model_named(name)


def test_the_revision_code_of_cpuinfo(tmp_path):
    machine(tmp_path, "Somebody's")
    (tmp_path / "proc/cpuinfo").write_text("processor\t: 0\n\nRevision\t: c03114\nModel\t\t: Raspberry Pi 4\n")
    assert detect(tmp_path).model is model_named("Raspberry Pi 4")


def test_a_board_that_is_newer_than_the_table(tmp_path):
    found = detect(machine(tmp_path, "Raspberry Pi 6000", "raspberrypi,6000 brcm,bcm2712", 0xC04FF0))
    assert (found.by, found.model) == (KnownBy.SOC, model_named("Raspberry Pi 5"))
    assert fitting_board(found, (SHIPPED,)) == "rpi5-bench"


def test_a_board_of_another_maker(tmp_path):
    found = detect(machine(tmp_path, "Orange Pi 3", "xunlong,orangepi-zero2 allwinner,sun50i-h616"))
    assert (found.by, found.model) == (KnownBy.NOTHING, None)
    assert not fits("Raspberry Pi 5", found)
    assert fits("Orange Pi 3", found)
    with pytest.raises(BoardError) as caught:
        fitting_board(found, (SHIPPED,))
    assert str(caught.value) == (
        "board auto: there is none for this Orange Pi 3\n"
        '    fix    write boards/NAME.toml with model = "Orange Pi 3" in it, or run with --mock and --board rpi5-bench'
    )


def test_a_pc_and_a_virtual_machine(tmp_path):
    found = detect(pc(tmp_path / "a", "LENOVO", "20XW004AGE"))
    assert (found.text, found.by) == ("PC (LENOVO 20XW004AGE)", KnownBy.FIRMWARE)
    assert fitting_board(found, (SHIPPED,)) == "pc"
    assert not fits("Raspberry Pi 5", found)
    found = detect(pc(tmp_path / "b", "QEMU", "Standard PC (Q35 + ICH9, 2009)"))
    assert found.text == "QEMU (Standard PC (Q35 + ICH9, 2009))"
    assert fitting_board(found, (SHIPPED,)) == "qemu"
    assert fits("Raspberry Pi 5", found), "gpio-sim is labelled as the header of a Pi 5"
    assert detect(tmp_path / "nothing").text == "PC"


def test_a_header_that_is_the_same_fits(tmp_path):
    found = detect(machine(tmp_path, "Raspberry Pi Compute Module 5 Rev 1.0", "raspberrypi,5-compute-module"))
    assert fits("Raspberry Pi 5", found)
    assert fits("", found)
    assert not fits("Raspberry Pi 4", found)
    assert not fits("PC", found)


def test_ones_own_board_comes_before_the_ones_that_are_shipped(tmp_path):
    root = machine(tmp_path, "Raspberry Pi 5 Model B Rev 1.0", "raspberrypi,5-model-b brcm,bcm2712")
    boards = tmp_path / "boards"
    boards.mkdir()
    (boards / "unsaid.toml").write_text('description = "for any machine"\n')
    (boards / "slip.toml").write_text("model = [\n")
    (boards / "desk.toml").write_text('model = "Raspberry Pi Compute Module 5"\n')
    assert fitting_board(detect(root), (boards, SHIPPED)) == "desk", "the same header"
    (boards / "robot.toml").write_text('model = "Raspberry Pi 5"\n')
    assert fitting_board(detect(root), (boards, SHIPPED)) == "robot", "better: the same machine"
    (boards / "arm.toml").write_text('model = "Raspberry Pi 5"\n')
    with pytest.raises(BoardError) as caught:
        fitting_board(detect(root), (boards, SHIPPED))
    assert caught.value.problem == "arm and robot are both for this Raspberry Pi 5 Model B Rev 1.0"


def test_every_board_that_comes_with_the_package_is_known_as_such():
    five = Found("Raspberry Pi 5 Model B Rev 1.0", model_named("Raspberry Pi 5"), KnownBy.COMPATIBLE)
    assert fitting_board(five, (SHIPPED,)) == "rpi5-bench", "begin its name with that of a machine: rpi5-..."


def test_ones_own_board_may_be_called_as_the_ones_of_the_package(tmp_path):
    five = Found("Raspberry Pi 5 Model B Rev 1.0", model_named("Raspberry Pi 5"), KnownBy.COMPATIBLE)
    (tmp_path / "rpi5-robot.toml").write_text('model = "Raspberry Pi 5"\n')
    assert fitting_board(five, (tmp_path, SHIPPED)) == "rpi5-robot"


def test_auto_is_a_name_of_a_board(monkeypatch, tmp_path):
    from axiom_hw.board import find

    found = detect(pc(tmp_path, "LENOVO", "20XW004AGE"))
    monkeypatch.setattr(find, "detect", lambda root: found)
    assert load_board("auto", search=(SHIPPED,)).name == "pc"


def test_the_table_of_models_agrees_with_the_one_of_chips():
    for model in MODELS:
        assert bool(model.chip) == (model.header is not None), f"{model.name}: a chip that pins.py doesn't know"
        assert bool(model.pwm) == (model.pwm_chip is not None)
        assert model_named(f"{model.name} Rev 1.0") is model, "a longer name stands before the one it begins with"
        for place in (*model.uarts, *model.buses):
            assert {*place.lines} <= {pin.line for pin in HEADER}
        if model.pwm_chip:
            assert model.pwm_chip.label == model.chip


def test_the_header():
    assert len(HEADER) == 40
    assert sorted(pin.line for pin in HEADER if pin.line is not None) == list(range(28))
    assert [pin.number for pin in HEADER if pin.name == "GND"] == [6, 9, 14, 20, 25, 30, 34, 39]
    assert [pin.number for pin in HEADER if pin.name == "3V3"] == [1, 17]
    assert [pin.number for pin in HEADER if pin.name == "5V"] == [2, 4]
    assert {pin.number: pin.line for pin in HEADER if pin.number in (11, 12, 13, 15, 27, 32, 40)} == {
        11: 17, 12: 18, 13: 27, 15: 22, 27: 0, 32: 12, 40: 21,
    }  # fmt: skip


def test_the_overlay_of_pwm_outputs():
    rp1 = model_named("Raspberry Pi 5").pwm_chip
    assert overlay_for(rp1.of_channel(0)) == "dtoverlay=pwm,pin=12,func=4"
    both = (*rp1.of_channel(2), *rp1.of_channel(1))
    assert overlay_for(both) == "dtoverlay=pwm-2chan,pin=13,func=4,pin2=18,func2=2"


class TestABoardForAnotherMachine:
    """What counts is which chips there are; the board file's word explains why one isn't."""

    PC = Found("PC (LENOVO 20XW)", model_named("PC"), KnownBy.FIRMWARE)
    PI3 = Found("Raspberry Pi 3 Model B Rev 1.2", None, KnownBy.NOTHING)

    @pytest.fixture
    def board(self):
        return load_board("rpi5-bench", search=(SHIPPED,))

    def test_a_device_that_isnt_there_is_explained(self, board, monkeypatch, capsys):
        monkeypatch.setattr(console, "detect", lambda: self.PC)
        none = Devices(NoChips(), MockBench(board).devices.pwm)
        monkeypatch.setattr(composing, "_real_devices", lambda gpio, pulser: none)
        with pytest.raises(BackendError) as caught, app.App("x", board=board).running():
            pytest.fail("it ran")
        assert caught.value.errno == ENODEV
        assert str(caught.value) == (
            "chip pinctrl-rp1: isn't there; there is no GPIO chip on this machine; "
            f"{board.source} is for a Raspberry Pi 5, and this is a PC (LENOVO 20XW)\n"
            "    fix    run with --mock for a bench in memory"
        )
        assert capsys.readouterr().err == ""

    def test_one_that_is_there_is_used_and_the_difference_told(self, board, monkeypatch, capsys):
        monkeypatch.setattr(console, "detect", lambda: self.PI3)
        monkeypatch.setattr(composing, "_real_devices", lambda gpio, pulser: MockBench(board).devices)
        with app.App("x", board=board).running(Options(engine=Engine.INTERP)):
            pass
        assert capsys.readouterr().err.startswith(
            f"{board.source}: is for a Raspberry Pi 5, and this is a Raspberry Pi 3 Model B Rev 1.2\n"
        )

    def test_nothing_is_said_on_the_mock_or_where_it_fits(self, board, monkeypatch, capsys):
        monkeypatch.setattr(console, "detect", lambda: self.PI3)
        with app.App("x", board=board).running(Options(mock=True, engine=Engine.INTERP)):
            pass
        five = Found("Raspberry Pi 5 Model B Rev 1.0", model_named("Raspberry Pi 5"), KnownBy.COMPATIBLE)
        monkeypatch.setattr(console, "detect", lambda: five)
        monkeypatch.setattr(composing, "_real_devices", lambda gpio, pulser: MockBench(board).devices)
        with app.App("x", board=board).running(Options(engine=Engine.INTERP)):
            pass
        assert capsys.readouterr().err == ""

    def test_the_way_out_names_the_board_of_this_machine(self, board):
        four = Found("Raspberry Pi 4 Model B Rev 1.4", model_named("Raspberry Pi 4"), KnownBy.COMPATIBLE)
        error = other_machine(board, four, (SHIPPED,))
        assert error is not None
        assert error.fix == "--board rpi4-bench is for this machine"
        assert other_machine(board, self.PI3, (SHIPPED,)).fix.startswith('write boards/NAME.toml with model = "Rasp')


class NoChips:
    """A machine without GPIO."""

    def open(self, label):
        raise no_such_chip(label, [])
