"""Sensors that the kernel reads, I2C buses and serial ports: what is there, and what keeps it from being used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from axiom_hw.backends.survey_buses import I2cSeen, SensorKind, SensorSeen
from axiom_hw.board.iio import FoundBy, IioDevice, Subsystem
from axiom_hw.board.models import Model
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


def i2c(case: Case) -> Iterator[Finding]:
    """The header's bus, and addresses that a driver of the kernel has taken."""
    model = case.machine.found.model
    bus = next(iter(model.buses), None) if model is not None else None
    if bus is not None and not any(seen.number == bus.number for seen in case.machine.i2c):
        yield Finding(
            Status.NOTE, f"I2C bus {bus.number} (GPIO{bus.lines[0]}, GPIO{bus.lines[1]}) is switched off",
            f"if something is wired to it: {to_have(bus.enable, case.machine)}",
        )  # fmt: skip
    for seen in case.machine.i2c:
        yield from _bus(seen)


def serial(case: Case) -> Iterator[Finding]:
    """The header's serial port, and where `serial0` leads."""
    model, ports = case.machine.found.model, case.machine.ports
    if ports:
        yield Finding(Status.OK, f"serial ports here: {', '.join(ports)}")
    uart = next(iter(model.uarts), None) if model is not None else None
    if uart is None or model is None:
        return
    if uart.device not in ports:
        yield Finding(
            Status.NOTE, f"the header's serial port {uart.device} (GPIO14, GPIO15) is switched off",
            f"if something is wired to it: {to_have(uart.enable, case.machine)}",
        )  # fmt: skip
    if "serial0 -> ttyAMA10" in ports and _is_rp1(model):
        yield Finding(
            Status.NOTE, "serial0 is ttyAMA10, the debug connector between the HDMI sockets, not the header",
            f"name /dev/{uart.device} in board files",
        )  # fmt: skip


def _is_rp1(model: Model) -> bool:
    return model.chip == "pinctrl-rp1"


def _bus(seen: I2cSeen) -> Iterator[Finding]:
    if not seen.present:
        yield Finding(
            Status.NOTE, f"I2C bus {seen.number} has no file {seen.path}: the module i2c-dev isn't loaded",
            "sudo modprobe i2c-dev; for each start: echo i2c-dev | sudo tee /etc/modules-load.d/i2c-dev.conf",
        )  # fmt: skip
    elif not seen.usable:
        yield Finding(Status.NOTE, f"{seen.path} may not be opened", "sudo usermod -aG i2c $USER, and log in again")
    for client in seen.clients:
        if client.driver:
            at = f"0x{client.address:02x}"
            yield Finding(
                Status.NOTE,
                f"address {at} of I2C bus {seen.number} belongs to the kernel's driver {client.driver}: programs that "
                "speak to it themselves get EBUSY",
                f'read it as a sensor of the kernel, [iio.NAME] or [hwmon.NAME] with device = "{client.name}"; or take '
                f"it away: echo {at} | sudo tee /sys/bus/i2c/devices/i2c-{seen.number}/delete_device",
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
