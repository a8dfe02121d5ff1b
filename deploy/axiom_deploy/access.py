"""What a bench needs of the board around the application: groups, rules of udev, lines of config.txt."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from axiom_deploy.checks import found_machine
from axiom_deploy.observing import Observed
from axiom_deploy.shared import without_block
from axiom_hw.backends.survey_boot import read_config
from axiom_hw.board import Board
from axiom_hw.board.models import overlay_for
from axiom_hw.board.pins import known_pwm
from axiom_hw.service import access_of

_OWN: Final = 'SUBSYSTEM=="{subsystem}", KERNEL=="{kernel}", GROUP="{group}", MODE="0660"'
_SYS: Final = (
    'SUBSYSTEM=="{subsystem}", ACTION!="remove", '
    "RUN+=\"/bin/sh -c 'chgrp -R {group} /sys%p && chmod -R g=u /sys%p'\""
)  # fmt: skip
_TRIGGERS: Final = (
    'SUBSYSTEM=="iio", ACTION!="remove", '
    "RUN+=\"/bin/sh -c 'cd /sys/kernel/config/iio/triggers/hrtimer && chgrp gpio . && chmod g+rwx . || true'\""
)
_PWM_PINS: Final = 2  # no overlay brings more of them out


def groups_of(board: Board | None) -> tuple[str, ...]:
    """The groups that the unit joins."""
    return access_of(board).groups


def rules_text(name: str, board: Board | None) -> str:
    """Rules of udev, by which these groups may open the bench's devices; empty where it has none.

    Raspberry Pi OS has most of them. It has none for IIO, whose devices and files only root may use.
    """
    if board is None:
        return ""
    lines = []
    if board.chips:
        lines.append(_OWN.format(subsystem="gpio", kernel="gpiochip*", group="gpio"))
    if any(chip.software_label is None for chip in board.pwm_chips):
        lines.append(_SYS.format(subsystem="pwm", group="gpio"))
    if board.iio:
        lines += [
            _OWN.format(subsystem="iio", kernel="iio:device*", group="gpio"),
            _SYS.format(subsystem="iio", group="gpio"), _TRIGGERS,
        ]  # fmt: skip
    if board.i2c_buses:
        lines.append(_OWN.format(subsystem="i2c-dev", kernel="i2c-[0-9]*", group="i2c"))
    if board.serial_ports:
        lines.append(_OWN.format(subsystem="tty", kernel="tty[AU]*[0-9]", group="dialout"))
    return "\n".join([f"# What axiom-{name}.service may open: made by its deploy.", *lines, ""]) if lines else ""


def overlay_lines(name: str, board: Board | None, seen: Observed) -> tuple[str, ...]:
    """The lines that config.txt of this board lacks for the bench; those that are in force already are left out."""
    if board is None or seen.config is None:
        return ()
    found = found_machine(seen)
    if found.model is None:
        return ()
    wanted = []
    for chip in board.pwm_chips:
        channels = [one for one in board.pwm_channels if board.pwm_chips[one.chip_id] is chip]
        known = known_pwm(chip.device)
        carried = [(one.channel, one.pin) for one in channels]
        pins = [pin for pin in (known.pins if known else ()) if (pin.channel, pin.line) in carried]
        if chip.device == found.model.pwm and 0 < len(pins) <= _PWM_PINS:
            wanted.append(overlay_for(tuple(pins)))
    for bus in board.i2c_buses:
        wanted += [one.enable for one in found.model.buses if bus.path == f"/dev/i2c-{one.number}"]
    for port in board.serial_ports:
        wanted += [one.enable for one in found.model.uarts if port.port == f"/dev/{one.device}"]
    with TemporaryDirectory() as scratch:
        path = Path(scratch) / "boot/firmware/config.txt"
        path.parent.mkdir(parents=True)
        path.write_text(without_block(seen.config, name))
        config = read_config(Path(scratch), found)
    assert config is not None
    there = (config.find(line) for line in wanted)
    return tuple(
        line for line, at in zip(wanted, there, strict=True) if at is None or at.commented or not at.in_force
    )  # fmt: skip
