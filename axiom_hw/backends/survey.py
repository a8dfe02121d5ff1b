"""What this machine has: its model, its GPIO and PWM chips, and whether they may be opened. Claims nothing."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType, ModuleType

from axiom_hw.errors import BackendError, MissingDependency


@dataclass(frozen=True, slots=True)
class GpioInfo:
    """What a GPIO chip says about itself: `used` is who holds a line, by offset ("" for one who gave no name)."""

    label: str
    lines: int
    used: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class GpioSeen:
    """A GPIO chip under /dev; `info` is None where it can't be opened, `problem` then says why."""

    path: str
    info: GpioInfo | None
    problem: str = ""
    refused: bool = False  # for want of permission


@dataclass(frozen=True, slots=True)
class PwmSeen:
    """A PWM chip under /sys/class/pwm."""

    path: str
    device: str
    channels: int
    writable: bool


@dataclass(frozen=True, slots=True)
class Machine:
    """`model` is empty where there is no device tree; `keeps_outputs` None where the kernel has no such parameter."""

    model: str
    gpio: tuple[GpioSeen, ...]
    pwm: tuple[PwmSeen, ...]
    keeps_outputs: bool | None


def gpiod_version() -> str:
    """The version of gpiod, the package that opens chips. Raises `MissingDependency`."""
    return str(_gpiod().__version__)


def ask_gpiod(path: str) -> GpioInfo:
    """Open a chip for a moment. Raises `OSError`, and `MissingDependency` without gpiod."""
    with _gpiod().Chip(path) as chip:
        info = chip.get_info()
        lines = [chip.get_line_info(offset) for offset in range(info.num_lines)]
        used = {line.offset: line.consumer or "" for line in lines if line.used}
        return GpioInfo(info.label, info.num_lines, MappingProxyType(used))


def survey(root: Path = Path("/"), ask: Callable[[str], GpioInfo] = ask_gpiod) -> Machine:
    """Look around below `root`. `ask` opens a chip; what it raises as `OSError` becomes part of the answer."""
    keeps = _text(root / "sys/module/pinctrl_rp1/parameters/persist_gpio_outputs")
    return Machine(
        model=_text(root / "proc/device-tree/model"),
        gpio=tuple(_gpio(path, ask) for path in _devices(root / "dev")),
        pwm=tuple(_pwm(path) for path in sorted((root / "sys/class/pwm").glob("pwmchip*"))),
        keeps_outputs=keeps == "Y" if keeps else None,
    )


def _devices(dev: Path) -> list[Path]:
    # udev links gpiochip4 to gpiochip0 on a Pi 5: one device, two names
    return sorted({path.resolve() for path in dev.glob("gpiochip*")})


def _gpio(path: Path, ask: Callable[[str], GpioInfo]) -> GpioSeen:
    try:
        return GpioSeen(str(path), ask(str(path)))
    except MissingDependency as error:
        return GpioSeen(str(path), None, error.problem)
    except OSError as error:
        number = error.errno or errno.EIO
        reason = error.problem if isinstance(error, BackendError) else os.strerror(number)
        return GpioSeen(str(path), None, reason, refused=number in (errno.EACCES, errno.EPERM))


def _pwm(path: Path) -> PwmSeen:
    channels = _text(path / "npwm")
    return PwmSeen(
        str(path),
        os.path.basename(os.path.realpath(path / "device")),
        int(channels) if channels.isdecimal() else 0,
        os.access(path / "export", os.W_OK),
    )


def _text(path: Path) -> str:
    """The text of a file of /proc or /sys, without what it ends in; empty where there is none."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").rstrip("\0\n ")
    except OSError:
        return ""


def _gpiod() -> ModuleType:
    # Here, not above: this file is for machines where something is missing.
    try:
        import gpiod
    except ImportError as error:
        raise MissingDependency(
            "GPIO on a real chip", f"needs the package gpiod, which can't be imported ({error})",
            "`pip install 'gpiod>=2.1'` on Linux, or run with --mock",
        ) from error  # fmt: skip
    return gpiod
