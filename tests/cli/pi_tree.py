"""A Raspberry Pi made of files, for the doctor: it has all that a board can need, until a test takes some away."""

from __future__ import annotations

import os
from pathlib import Path

from axiom_hw.backends.survey import GpioInfo, Machine, survey
from axiom_hw.board import Board, parse_board
from axiom_hw.cli.checks import examine
from axiom_hw.cli.diagnosis import Case, Finding, Person, Status

BOARDS = Path(__file__).parents[2] / "boards"
BOARD = parse_board(
    """
model = "Raspberry Pi 5"
[chip.header]
label = "pinctrl-rp1"
[pwm_chip.header]
device = "1f00098000.pwm"
[input.button]
line = 17
[input.limit]
line = 22
[output.led]
line = 18
safe = "low"
[output.relay]
line = 27
safe = "high"
[output.servo]
channel = 0
period = "20ms"
safe = "off"
optional = true
""",
    "bench",
    "boards/bench.toml",
)
MEMBER = Person(frozenset({"gpio"}), frozenset({"gpio"}))
FINE = {"gpiochip0": GpioInfo("gpio-brcmstb@107d508500", 32, {}), "gpiochip11": GpioInfo("pinctrl-rp1", 54, {})}
STARTED_S = 1_790_000_000


class Tree:
    """A Raspberry Pi 5 below a directory, and what its chips say."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.chips: dict[str, GpioInfo | OSError] = dict(FINE)
        self.write("proc/device-tree/model", "Raspberry Pi 5 Model B Rev 1.0\0")
        self.write("proc/device-tree/compatible", "raspberrypi,5-model-b\0brcm,bcm2712\0")
        self.write("proc/stat", f"cpu 1 2 3\nbtime {STARTED_S}\n")
        self.pwm(2, "107d517a80.pwm")
        self.pwm(0, "1f00098000.pwm")
        self.i2c(1)
        self.write("dev/ttyAMA0")

    def write(self, name: str, text: str = "") -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def config(self, text: str, later_s: int = -1000) -> None:
        path = self.write("boot/firmware/config.txt", text)
        os.utime(path, (STARTED_S + later_s,) * 2)

    def pwm(self, number: int, device: str) -> None:
        target = self.root / "sys/devices" / device
        target.mkdir(parents=True)
        chip = self.root / f"sys/class/pwm/pwmchip{number}"
        chip.mkdir(parents=True)
        (chip / "device").symlink_to(target)
        (chip / "npwm").write_text("4\n")
        (chip / "export").touch()

    def no_pwm(self) -> None:
        (self.root / "sys/class/pwm/pwmchip0/device").unlink()

    def i2c(self, number: int) -> None:
        (self.root / f"sys/bus/i2c/devices/i2c-{number}").mkdir(parents=True)
        self.write(f"dev/i2c-{number}")

    def process(self, pid: int, command: str, link: str, info: str) -> None:
        self.write(f"proc/{pid}/cmdline", command.replace(" ", "\0"))
        self.write(f"proc/{pid}/fdinfo/5", info)
        (self.root / f"proc/{pid}/fd").mkdir()
        (self.root / f"proc/{pid}/fd/5").symlink_to(link)

    def look(self) -> Machine:
        for name in self.chips:
            self.write(f"dev/{name}")
        return survey(self.root, self.ask)

    def ask(self, path: str) -> GpioInfo:
        answer = self.chips[os.path.basename(path)]
        if isinstance(answer, OSError):
            raise answer
        return answer

    def findings(self, person: Person = MEMBER, board: Board = BOARD) -> list[Finding]:
        found = list(examine(Case(board, self.look(), person, self.root)))
        assert all(finding.fix for finding in found if finding.status is not Status.OK)
        return found

    def problems(self, person: Person = MEMBER, board: Board = BOARD) -> list[tuple[str, str]]:
        return [(f.text, f.fix) for f in self.findings(person, board) if f.status is Status.PROBLEM]

    def notes(self, board: Board = BOARD) -> list[tuple[str, str]]:
        return [(f.text, f.fix) for f in self.findings(board=board) if f.status is Status.NOTE]
