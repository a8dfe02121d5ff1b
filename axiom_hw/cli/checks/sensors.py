"""Sensors that the kernel reads: which are there, and what keeps them from being used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from axiom_hw.backends.survey_buses import SensorKind, SensorSeen
from axiom_hw.board.iio import FoundBy, IioDevice, Subsystem
from axiom_hw.cli.checks.config import to_have
from axiom_hw.cli.diagnosis import Case, Finding, Status

UDEV_RULE: Final = (
    'SUBSYSTEM=="iio", GROUP="gpio", MODE="0660", RUN+="/bin/sh -c \'chgrp -R gpio /sys%p && chmod -R g=u /sys%p\'"'
)
_UDEV: Final = (
    f"write {UDEV_RULE} into /etc/udev/rules.d/99-iio.rules, then: sudo udevadm control --reload && "
    "sudo udevadm trigger --subsystem-match=iio"
)
_OVERLAY: Final = "dtoverlay=i2c-sensor,{name}"
_KINDS: Final = {Subsystem.IIO: SensorKind.IIO, Subsystem.HWMON: SensorKind.HWMON}


def sensors(case: Case) -> Iterator[Finding]:
    """The board's sensors; where it has none, which ones there are."""
    seen = case.machine.sensors
    for kind in SensorKind:
        names = ", ".join(dict.fromkeys(sensor.name for sensor in seen if sensor.kind is kind))
        if names:
            yield Finding(Status.OK, f"{kind.value} devices here: {names}")
    for wanted in case.board.iio:
        yield from _sensor(case, wanted)
    closed = [sensor for sensor in seen if sensor.device and not sensor.readable]
    if closed:
        needed = any(device.subsystem is Subsystem.IIO for device in case.board.iio)
        devices = ", ".join(f"{sensor.device} ({sensor.name})" for sensor in closed)
        yield Finding(
            Status.PROBLEM if needed else Status.NOTE,
            f"only root may read {devices}: Raspberry Pi OS has no udev rule for IIO", _UDEV,
        )  # fmt: skip


def _sensor(case: Case, wanted: IioDevice) -> Iterator[Finding]:
    kind = _KINDS[wanted.subsystem]
    if any(_is(sensor, wanted) for sensor in case.machine.sensors if sensor.kind is kind):
        yield Finding(Status.OK, f"{kind.value} {wanted.name} is there: {wanted.device}")
        return
    status = Status.NOTE if wanted.optional else Status.PROBLEM
    names = ", ".join(sensor.name for sensor in case.machine.sensors if sensor.kind is kind) or "none"
    fix = (
        f"where it is on I2C: {to_have(_OVERLAY.format(name=wanted.device), case.machine)}"
        if kind is SensorKind.IIO
        else "correct `device` in the board file, or load the driver"
    )
    which = f"{_WORDS[wanted.found_by]} is {wanted.device}"
    text = f"{kind.value} {wanted.name}: no device whose {which}; there are {names}"
    yield Finding(status, f"{text}; it is optional" if wanted.optional else text, fix)


_WORDS: Final = {FoundBy.NAME: "name", FoundBy.LABEL: "label", FoundBy.OF_NODE: "place in the device tree"}


def _is(sensor: SensorSeen, wanted: IioDevice) -> bool:
    match wanted.found_by:
        case FoundBy.NAME:
            return sensor.name == wanted.device
        case FoundBy.LABEL:
            return sensor.label == wanted.device
        case FoundBy.OF_NODE:
            return sensor.of_node.endswith(wanted.device)
