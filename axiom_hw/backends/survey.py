"""What this machine has: its model, chips, buses, ports and sensors, and whether they may be opened. Claims nothing.

survey_boot.py     config.txt, and when the machine started
survey_buses.py    I2C, serial ports, IIO and hwmon
survey_holders.py  which process holds a line
"""

from __future__ import annotations

import errno
import grp
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType, ModuleType

from axiom_hw.backends.survey_boot import Config, boot_time_s, read_config, throttled
from axiom_hw.backends.survey_buses import I2cSeen, PortSeen, SensorSeen, consoles, i2c_buses, sensors, serial_ports
from axiom_hw.backends.survey_holders import Holder, line_holders
from axiom_hw.board import Found, detect
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
    group: str = ""  # that owns it


@dataclass(frozen=True, slots=True)
class PwmSeen:
    """A PWM chip under /sys/class/pwm."""

    path: str
    device: str
    channels: int
    writable: bool
    group: str = ""  # that owns it


@dataclass(frozen=True, slots=True)
class Machine:
    """All that was found.

    `keeps_outputs` is None where the kernel has no such parameter. `config` is None where there is no config.txt.
    `started_s` is when the machine started, in seconds since 1970, 0 where nothing says it. `under_voltage`: the
    power supply has been too weak since then. `throttled` are the bits of `vcgencmd get_throttled`, 0 without it.
    """

    found: Found
    gpio: tuple[GpioSeen, ...] = ()
    pwm: tuple[PwmSeen, ...] = ()
    keeps_outputs: bool | None = None
    i2c: tuple[I2cSeen, ...] = ()
    ports: tuple[PortSeen, ...] = ()
    consoles: tuple[str, ...] = ()
    sensors: tuple[SensorSeen, ...] = ()
    holders: tuple[Holder, ...] = ()
    config: Config | None = None
    started_s: int = 0
    under_voltage: bool = False
    throttled: int = 0


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
    keeps = [_text(path) for path in (root / "sys/module").glob("pinctrl_*/parameters/persist_gpio_outputs")]
    found = detect(root)
    return Machine(
        found=found,
        gpio=tuple(_gpio(path, ask) for path in _devices(root / "dev")),
        pwm=tuple(_pwm(path) for path in sorted((root / "sys/class/pwm").glob("pwmchip*"))),
        keeps_outputs="Y" in keeps if keeps else None,
        i2c=i2c_buses(root),
        ports=serial_ports(root),
        consoles=consoles(root),
        sensors=sensors(root),
        holders=line_holders(root),
        config=read_config(root, found),
        started_s=boot_time_s(root),
        under_voltage=_under_voltage(root),
        throttled=throttled(root),
    )


def _devices(dev: Path) -> list[Path]:
    # udev links gpiochip4 to gpiochip0 on a Pi 5: one device, two names
    return sorted({path.resolve() for path in dev.glob("gpiochip*")}, key=lambda path: (len(path.name), path.name))


def _gpio(path: Path, ask: Callable[[str], GpioInfo]) -> GpioSeen:
    try:
        return GpioSeen(str(path), ask(str(path)), group=_group(path))
    except MissingDependency as error:
        return GpioSeen(str(path), None, error.problem, group=_group(path))
    except OSError as error:
        number = error.errno or errno.EIO
        reason = error.problem if isinstance(error, BackendError) else os.strerror(number)
        return GpioSeen(str(path), None, reason, number in (errno.EACCES, errno.EPERM), _group(path))


def _pwm(path: Path) -> PwmSeen:
    channels = _text(path / "npwm")
    return PwmSeen(
        str(path),
        os.path.basename(os.path.realpath(path / "device")),
        int(channels) if channels.isdecimal() else 0,
        os.access(path / "export", os.W_OK),
        _group(path / "export"),
    )


def _group(path: Path) -> str:
    """The name of the group that owns a file; its number where it has no name, empty where there is no file."""
    try:
        number = path.stat().st_gid
    except OSError:
        return ""
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def _under_voltage(root: Path) -> bool:
    """The alarm of the driver raspberrypi-hwmon, which stays on once it came on."""
    for chip in (root / "sys/class/hwmon").glob("hwmon*"):
        if _text(chip / "name") == "rpi_volt":
            return _text(chip / "in0_lcrit_alarm") == "1"
    return False


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
