"""A tree like /sys/class/pwm whose writes obey the kernel: the check of the whole state, export, EBUSY, ENODEV."""

from __future__ import annotations

import errno
import os
from pathlib import Path


class FakePwmTree:
    """`write` goes into `SysfsPwm`; `log` keeps the order of writes below a channel."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.log: list[tuple[str, str]] = []
        self.late: set[str] = set()  # files that udev hands over only after `hand_over`

    def add(self, number: int, device: str, npwm: int) -> Path:
        target = self.root / "devices" / device
        target.mkdir(parents=True)
        chip = self.root / f"pwmchip{number}"
        chip.mkdir()
        (chip / "device").symlink_to(target)
        (chip / "npwm").write_text(f"{npwm}\n")
        for name in ("export", "unexport"):
            (chip / name).touch()
        return chip

    def write(self, path: Path, text: str) -> None:
        match path.name:
            case "export":
                self._export(path.parent, int(text))
            case "unexport":
                self._unexport(path.parent, int(text))
            case _:
                self._set(path, text)

    def value(self, chip: Path, channel: int, name: str) -> str:
        return (chip / f"pwm{channel}" / name).read_text().strip()

    def _export(self, chip: Path, channel: int) -> None:
        if channel >= int((chip / "npwm").read_text()):
            raise _error(errno.ENODEV)
        files = chip / f"pwm{channel}"
        if files.exists():
            raise _error(errno.EBUSY)
        kept = chip / f".pwm{channel}"  # the hardware goes on between unexport and export
        if kept.exists():
            kept.rename(files)
            return
        files.mkdir()
        for name, text in (("period", "0"), ("duty_cycle", "0"), ("polarity", "normal"), ("enable", "0")):
            (files / name).write_text(text + "\n")

    def _unexport(self, chip: Path, channel: int) -> None:
        files = chip / f"pwm{channel}"
        if not files.exists():
            raise _error(errno.ENODEV)
        files.rename(chip / f".pwm{channel}")

    def _set(self, path: Path, text: str) -> None:
        if not path.exists():
            raise _error(errno.ENOENT)
        state = {name: (path.parent / name).read_text().strip() for name in ("period", "duty_cycle")}
        if path.name in state:
            state[path.name] = text
        if path.name == "polarity" and (path.parent / "enable").read_text().strip() == "1":
            raise _error(errno.EBUSY)  # some drivers refuse it, so nobody should try
        # enable=0 on a channel that is off changes nothing, and is the one write that isn't checked.
        idle = path.name == "enable" and text == "0" and (path.parent / "enable").read_text().strip() == "0"
        if not idle and (int(state["period"]) == 0 or int(state["duty_cycle"]) > int(state["period"])):
            raise _error(errno.EINVAL)
        self.log.append((path.name, text))
        path.write_text(text + "\n")


def _error(number: int) -> OSError:
    return OSError(number, os.strerror(number))
