"""The systemd unit of an application: hardened as far as its board allows, and no further.

    unit_text(Unit(app="/opt/rover/app.py", command=("/opt/rover/venv/bin/axiom-hw",), board=load_board("rpi5-rover")))

What the board declares decides which devices are allowed, which groups are joined, and whether /sys may be written.
The units of one machine share a directory of state, /var/lib/axiom_hw, where `sudo axiom-hw stop now` finds all boards.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from axiom_hw.board import Board
from axiom_hw.board.iio import Trigger
from axiom_hw.errors import SpecError
from axiom_hw.service.exits import FINAL

DYNAMIC: Final = "axiom-hw"  # the dynamic user that units share, so that they share the directory of state too
STATE: Final = "axiom_hw"  # below /var/lib; `axiom-hw stop` of root looks there
_NAME: Final = re.compile(r"[A-Za-z0-9:_.\-]+")
_TTYS: Final = ("ttyAMA", "ttyS", "ttyUSB", "ttyACM")
_USB_TTYS: Final = ("ttyUSB", "ttyACM")
_HOMES: Final = ("/home/", "/root/")
_SHARED: Final = ("--gpio", "--state")
_TMPS: Final = ("/tmp/", "/var/tmp/")


@dataclass(frozen=True, slots=True)
class Unit:
    """What a unit is made of. `app` is the absolute path of what runs, `command` the argv that starts `axiom-hw`.

    `board` decides what the unit may reach; None for programs that use no hardware. `board_option` is what `--board`
    gets, of the run and of what makes outputs safe behind it. `options` go on to the run. Without a `user` the unit
    has a dynamic one. `network` lets the application speak to others; `reads` are more paths that it has to
    see, such as its interpreter's. The process that dispatches no event for
    `watchdog_s` is killed; one that failed is started again after `restart_s`, but not more than `starts` times in
    `starts_in_s`: then outputs stay safe until a person looks.
    """

    app: str
    command: tuple[str, ...]
    board: Board | None
    name: str = ""  # of the unit, without .service; by default as the app is called
    board_option: str = ""
    options: tuple[str, ...] = ()
    user: str = ""
    network: bool = False
    reads: tuple[str, ...] = ()
    watchdog_s: int = 10
    restart_s: int = 10
    starts: int = 10
    starts_in_s: int = 300

    @property
    def is_mock(self) -> bool:
        """Whether it runs on the mock bench, and so needs no device."""
        return "--mock" in self.options


@dataclass(frozen=True, slots=True)
class Access:
    """What a board needs of the machine: groups of device files as /proc/devices names them, and groups of users."""

    devices: tuple[str, ...]
    groups: tuple[str, ...]
    writes: tuple[str, ...]  # below /sys: PWM channels and sensors of the kernel are driven by files


_NOTHING: Final = Access((), (), ())


def access_of(board: Board | None) -> Access:
    """What a process needs that runs on a board."""
    if board is None:
        return _NOTHING
    pwm = any(chip.software_label is None for chip in board.pwm_chips)
    sensors = bool(board.iio)
    devices = [
        *(["char-gpiochip"] if board.chips else []),
        *(["char-iio"] if sensors else []),
        *(["char-i2c"] if board.i2c_buses else []),
    ]
    for port in board.serial_ports:
        devices += (f"char-{tty}" for tty in _ttys(port.port))
    groups = [
        *(["gpio"] if board.chips or pwm or sensors else []),
        *(["i2c"] if board.i2c_buses else []),
        *(["dialout"] if board.serial_ports else []),
    ]
    timers = any(sensor.trigger is Trigger.HRTIMER for sensor in board.iio)
    writes = ("/sys/devices", *(("-/sys/kernel/config",) if timers else ())) if pwm or sensors else ()
    return Access(tuple(dict.fromkeys(devices)), tuple(groups), writes)


def unit_name(app: str) -> str:
    """The name of an app's unit, without `.service`: that of its file. Raises `SpecError` where that can't be one."""
    name = os.path.basename(app).partition(".")[0].replace("_", "-")
    if not _NAME.fullmatch(name):
        raise SpecError(app, "can't give its name to a unit: that takes letters, digits and :_.-", "say one: --name")
    return name


def unit_text(unit: Unit) -> str:
    """The text of the unit file. Raises `SpecError` for a path that isn't absolute, and a name that can't be one."""
    for path in (unit.app, *unit.command[:1]):
        if not os.path.isabs(path):
            raise SpecError(path, "is no absolute path, and a unit starts in a directory of its own", "write it whole")
    name = unit.name or unit_name(unit.app)
    if not _NAME.fullmatch(name):
        raise SpecError(f"the unit `{name}`", "has a name that systemd doesn't take", "letters, digits and :_.-")
    access = _NOTHING if unit.is_mock else access_of(unit.board)
    blocks = (
        _head(unit, name), _process(unit), _failing(unit), _identity(unit, name, access), _devices(access),
        _sandbox(unit), _install(),
    )  # fmt: skip
    return "\n".join("\n".join(block) + "\n" for block in blocks)


def _head(unit: Unit, name: str) -> list[str]:
    on = f" on {unit.board.name}" if unit.board is not None else ""
    return [
        f"# {name}.service, made by `axiom-hw unit`.",
        "[Unit]",
        f"Description={_plain(f'{name}{on} (axiom_hw)')}",
        "# So many starts without luck: it stays off, its outputs safe, until a person looks (systemctl reset-failed).",
        f"StartLimitIntervalSec={unit.starts_in_s}",
        f"StartLimitBurst={unit.starts}",
        *(["Wants=network-online.target", "After=network-online.target"] if unit.network else []),
    ]


def _process(unit: Unit) -> list[str]:
    board = ("--board", unit.board_option) if unit.board_option else ()
    lines = [
        "[Service]",
        "# Ready when an event of its own has passed through the hooks; alive as long as such events do.",
        "Type=notify",
        "NotifyAccess=main",
        f"ExecStart={_argv((*unit.command, 'run', unit.app, '--systemd', *board, *unit.options))}",
    ]
    if unit.board is not None and not unit.is_mock:
        which = unit.board_option or unit.board.source
        lines += [
            "# Outputs stay driven behind a dead process: whatever killed it, they are made safe.",
            f"ExecStopPost={_argv((*unit.command, 'stop', 'safe', '--board', which, *_shared(unit.options)))}",
        ]
    return lines


def _shared(options: Sequence[str]) -> list[str]:
    """What making safe has to know of a run, too: where its state lies, and by what lines are reached."""
    return [word for name, value in pairwise(options) if name in _SHARED for word in (name, value)]


def _failing(unit: Unit) -> list[str]:
    return [
        f"WatchdogSec={unit.watchdog_s}",
        "TimeoutStartSec=120",
        "TimeoutStopSec=25",
        "# The process alone is told to end. Its supervisor, in the same unit, makes outputs safe where it can't.",
        "KillMode=mixed",
        "Restart=on-failure",
        f"RestartSec={unit.restart_s}",
        f"# Not where that changes nothing: {_FINAL_TOLD}.",
        f"RestartPreventExitStatus={' '.join(str(int(one)) for one in FINAL)}",
        "LimitCORE=0",
    ]


_FINAL_TOLD: Final = "a command line, a program, a permission or a board file that is wrong"


def _identity(unit: Unit, name: str, access: Access) -> list[str]:
    groups = [f"SupplementaryGroups={' '.join(access.groups)}"] if access.groups else []
    return [
        *([f"User={unit.user}"] if unit.user else [f"User={DYNAMIC}", "DynamicUser=yes"]),
        *groups,
        "UMask=0027",
        "# The latched emergency stop and the audit; compiled programs; a working directory that can be written.",
        f"StateDirectory={STATE}",
        f"CacheDirectory={STATE}",
        f"Environment=XDG_CACHE_HOME=%C/{STATE}",
        f"RuntimeDirectory={STATE}/{name}",
        f"WorkingDirectory=%t/{STATE}/{name}",
    ]


def _devices(access: Access) -> list[str]:
    return [
        "# Only these devices. PrivateDevices= would hide them too.",
        "DevicePolicy=closed",
        *(f"DeviceAllow={device} rw" for device in access.devices),
        "ProtectKernelTunables=yes",
        *(
            [
                "# ... makes all of /sys read-only; PWM channels and the kernel's sensors are driven by files there.",
                f"ReadWritePaths={' '.join(access.writes)}",
            ]
            if access.writes
            else []
        ),
    ]


def _sandbox(unit: Unit) -> list[str]:
    paths = (unit.app, *unit.command, unit.board_option, *unit.reads)
    at_home = any(path.startswith(_HOMES) for path in paths)
    in_tmp = any(path.startswith(_TMPS) for path in paths)
    network = (
        ["RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6"]
        if unit.network
        else ["RestrictAddressFamilies=AF_UNIX", "PrivateNetwork=yes", "IPAddressDeny=any"]
    )
    return [
        "NoNewPrivileges=yes",
        "CapabilityBoundingSet=",
        "AmbientCapabilities=",
        "ProtectSystem=strict",
        f"ProtectHome={'read-only' if at_home else 'yes'}",
        f"PrivateTmp={'no' if in_tmp else 'yes'}",
        *network,
        "ProtectClock=yes",
        "ProtectControlGroups=yes",
        "ProtectHostname=yes",
        "ProtectKernelLogs=yes",
        "ProtectKernelModules=yes",
        "ProtectProc=invisible",
        "RestrictNamespaces=yes",
        "RestrictRealtime=yes",
        "RestrictSUIDSGID=yes",
        "RemoveIPC=yes",
        "LockPersonality=yes",
        "# Native code is mapped from a file in memory, as libraries are: no page is ever writable and executable.",
        "MemoryDenyWriteExecute=yes",
        "SystemCallArchitectures=native",
        "SystemCallFilter=@system-service",
        "SystemCallFilter=~@privileged @resources",
        "SystemCallErrorNumber=EPERM",
    ]


def _install() -> list[str]:
    return ["[Install]", "WantedBy=multi-user.target"]


def _ttys(port: str) -> Sequence[str]:
    """The drivers whose port that is; any plug's, where it is found by what is plugged in."""
    known = [tty for tty in _TTYS if re.fullmatch(rf"/dev/{tty}\d+", port)]
    return known or (_USB_TTYS if not port or port.startswith("/dev/serial/") else _TTYS)


def _argv(words: Sequence[str]) -> str:
    return " ".join(_word(word) for word in words)


def _word(word: str) -> str:
    """Quoted as systemd.service(5) reads command lines. Raises `SpecError` for a line break."""
    if "\n" in word or not word:
        raise SpecError(repr(word), "can't stand in a unit's command line", "use a path without line breaks")
    escaped = _plain(word).replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return f'"{escaped}"' if re.search(r"[\s\"';\\]", word) else escaped


def _plain(text: str) -> str:
    return text.replace("%", "%%")
