"""`axiom-hw doctor`: each finding says what to do, on machines made of files."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest

from axiom_hw.backends.survey import GpioInfo, Machine, survey
from axiom_hw.board import load_board
from axiom_hw.cli.diagnosis import Person, Status, examine

BOARD = load_board(Path(__file__).parents[2] / "boards/rpi5-bench.toml")
MEMBER = Person(frozenset({"gpio"}), frozenset({"gpio"}))
NOBODY = Person(frozenset(), frozenset())
JUST_ADDED = Person(frozenset(), frozenset({"gpio"}))
FINE = {"gpiochip0": GpioInfo("gpio-brcmstb@107d508500", 32, {}), "gpiochip11": GpioInfo("pinctrl-rp1", 54, {})}


class Tree:
    """A Raspberry Pi 5 below a directory, and what its chips say."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.chips: dict[str, GpioInfo | OSError] = dict(FINE)
        (root / "proc/device-tree").mkdir(parents=True)
        (root / "proc/device-tree/model").write_bytes(b"Raspberry Pi 5 Model B Rev 1.0\0")
        (root / "dev").mkdir()
        self.pwm(2, "107d517a80.pwm")
        self.pwm(0, "1f00098000.pwm")

    def pwm(self, number: int, device: str) -> None:
        target = self.root / "sys/devices" / device
        target.mkdir(parents=True)
        chip = self.root / f"sys/class/pwm/pwmchip{number}"
        chip.mkdir(parents=True)
        (chip / "device").symlink_to(target)
        (chip / "npwm").write_text("4\n")
        (chip / "export").touch()

    def look(self) -> Machine:
        for name in self.chips:
            (self.root / "dev" / name).touch()
        return survey(self.root, self.ask)

    def ask(self, path: str) -> GpioInfo:
        answer = self.chips[os.path.basename(path)]
        if isinstance(answer, OSError):
            raise answer
        return answer

    def problems(self, person: Person = MEMBER) -> list[tuple[str, str]]:
        findings = list(examine(BOARD, self.look(), person))
        assert all(finding.fix for finding in findings if finding.status is not Status.OK)
        return [(finding.text, finding.fix) for finding in findings if finding.status is Status.PROBLEM]


@pytest.fixture
def pi(tmp_path):
    return Tree(tmp_path)


def test_a_bench_where_all_is_fine(pi):
    findings = list(examine(BOARD, pi.look(), MEMBER))
    assert [finding.text for finding in findings] == [
        "this is a Raspberry Pi 5 Model B Rev 1.0",
        f"chip pinctrl-rp1 is {pi.root}/dev/gpiochip11; its lines for this board are free: "
        "button 17, limit 22, led 18, relay 27",
        f"pwm 1f00098000.pwm is {pi.root}/sys/class/pwm/pwmchip0; its channels for this board: servo 0",
    ]
    assert {finding.status for finding in findings} == {Status.OK}


def test_two_names_of_one_chip_are_one_chip(pi):
    pi.look()
    (pi.root / "dev/gpiochip4").symlink_to("gpiochip11")
    assert len(pi.look().gpio) == 2


def test_another_machine(pi):
    (pi.root / "proc/device-tree/model").write_bytes(b"Raspberry Pi 4 Model B Rev 1.4\0")
    ((text, fix),) = pi.problems()
    assert text == f"this is a Raspberry Pi 4 Model B Rev 1.4; {BOARD.source} is for a Raspberry Pi 5"
    assert "--board" in fix


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
        (MEMBER, "you are in the group gpio, which should own it: look at `ls -l`, and at the rules of udev"),
    ],
)  # fmt: skip
def test_chips_that_may_not_be_opened(pi, person, fix):
    pi.chips = {name: PermissionError(errno.EACCES, "no") for name in FINE}
    ((text, found),) = pi.problems(person)
    assert text == (
        f"chip pinctrl-rp1 may be {pi.root}/dev/gpiochip0, {pi.root}/dev/gpiochip11, but: Permission denied"
    )
    assert found == fix


def test_a_line_that_somebody_holds(pi):
    pi.chips["gpiochip11"] = GpioInfo("pinctrl-rp1", 54, {18: "blink", 2: "i2c", 27: ""})
    texts = [text for text, _ in pi.problems()]
    assert texts == [
        'line 18 of pinctrl-rp1 (led) is in use by "blink"',
        "line 27 of pinctrl-rp1 (relay) is in use by somebody who gave no name",
    ]


def test_pwm_whose_overlay_isnt_loaded(pi):
    (pi.root / "sys/class/pwm/pwmchip0/device").unlink()
    assert pi.problems() == []
    (note,) = (f for f in examine(BOARD, pi.look(), MEMBER) if f.status is Status.NOTE)
    assert note.text.startswith("pwm 1f00098000.pwm: isn't there; the PWM devices here are 107d517a80.pwm")
    assert note.text.endswith("servo is optional, the rest works")
    needed = replace(
        BOARD, outputs=tuple(replace(o, optional=False) if o.name == "servo" else o for o in BOARD.outputs)
    )
    (problem,) = (f for f in examine(needed, pi.look(), MEMBER) if f.status is Status.PROBLEM)
    assert problem.text.startswith("pwm 1f00098000.pwm: isn't there")
    assert "dtoverlay=pwm,pin=12,func=4" in problem.fix == note.fix


def test_pwm_that_may_not_be_written(pi, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write anything
    ((text, fix),) = pi.problems(NOBODY)
    assert text == f"pwm 1f00098000.pwm: {pi.root}/sys/class/pwm/pwmchip0/export may not be written"
    assert "usermod" in fix


def test_a_kernel_that_keeps_outputs_driven(pi):
    folder = pi.root / "sys/module/pinctrl_rp1/parameters"
    folder.mkdir(parents=True)
    (folder / "persist_gpio_outputs").write_text("Y\n")
    (note,) = (f for f in examine(BOARD, pi.look(), MEMBER) if f.status is Status.NOTE)
    assert "keeps the level of an output after its program has died" in note.text
    assert "dtparam=strict_gpiod" in note.fix
    (folder / "persist_gpio_outputs").write_text("N\n")
    assert not [f for f in examine(BOARD, pi.look(), MEMBER) if f.status is Status.NOTE]


def test_the_command_on_a_machine_without_pins(cli, tmp_path):
    result = cli("doctor", "--root", tmp_path, "--board", BOARD.source)
    assert (result.code, result.err) == (1, "")
    rows = result.out.splitlines()
    assert rows[0].startswith("ok    Python 3.")
    assert "no    this machine isn't a Raspberry Pi: /proc/device-tree/model is missing" in rows
    assert "no    chip pinctrl-rp1: isn't there; there is no GPIO chip on this machine" in rows
    assert rows[-1] == "2 to mend before a program runs on this board."


def test_the_command_where_all_is_fine(cli, pi, monkeypatch):
    from axiom_hw.backends import survey as module

    pi.look()
    monkeypatch.setattr(module.survey, "__defaults__", (pi.root, pi.ask))
    result = cli("doctor", "--root", pi.root)
    assert result.code == 0
    assert result.out.endswith("\nAll fine: axiom-hw run PROGRAM --board rpi5-bench\n")


def test_a_board_file_with_a_slip_is_a_finding(cli, tmp_path):
    file = tmp_path / "my.toml"
    file.write_text("modle = 'x'\n")
    result = cli("doctor", "--board", file)
    assert result.code == 1
    assert f"no    {file}:1: `modle` isn't a key of a board file\n      fix    did you mean `model`?" in result.out
