"""I2C: are the board's buses there, may they be opened, and are its sensors' addresses free."""

from __future__ import annotations

from collections.abc import Iterator

from axiom_hw.backends.survey_buses import I2cSeen
from axiom_hw.board.i2c import Sensor, SensorBus
from axiom_hw.cli.checks.config import to_have
from axiom_hw.cli.diagnosis import Case, Finding, Status

_MODULE = "sudo modprobe i2c-dev; for each start: echo i2c-dev | sudo tee /etc/modules-load.d/i2c-dev.conf"


def i2c(case: Case) -> Iterator[Finding]:
    """The board's buses and the sensors on them."""
    for bus_id, bus in enumerate(case.board.i2c_buses):
        wanted = [sensor for sensor in case.board.sensors if sensor.bus_id == bus_id]
        yield from _bus(case, bus, wanted)


def _bus(case: Case, bus: SensorBus, wanted: list[Sensor]) -> Iterator[Finding]:
    seen = next((seen for seen in case.machine.i2c if bus.path == seen.path or bus.adapter in seen.names), None)
    missing = Status.NOTE if wanted and all(sensor.optional for sensor in wanted) else Status.PROBLEM
    if seen is None:
        there = ", ".join(f"i2c-{one.number}" for one in case.machine.i2c) or "none"
        text = f"I2C bus {bus.name}: {bus.path or bus.adapter} isn't there; there are {there}"
        yield Finding(missing, text, _switch_on(case, bus))
    elif not seen.present:
        text = f"I2C bus {bus.name}: bus {seen.number} has no file {seen.path}, as the module i2c-dev isn't loaded"
        yield Finding(missing, text, _MODULE)
    elif not seen.usable:
        text = f"I2C bus {bus.name}: {seen.path} may not be opened"
        yield Finding(missing, text, "sudo usermod -aG i2c $USER, and log in again")
    else:
        bound = [finding for sensor in wanted for finding in _bound(seen, sensor)]
        yield from bound
        if not bound:
            names = ", ".join(f"{sensor.name} 0x{sensor.address:02x}" for sensor in wanted) or "its sensors"
            yield Finding(Status.OK, f"I2C bus {bus.name} is {seen.path}; no driver has the addresses of {names}")


def _bound(seen: I2cSeen, sensor: Sensor) -> Iterator[Finding]:
    for client in seen.clients:
        if client.address == sensor.address and client.driver:
            at = f"0x{client.address:02x}"
            yield Finding(
                Status.NOTE if sensor.optional else Status.PROBLEM,
                f"sensor {sensor.name}: address {at} of {seen.path} belongs to the kernel's driver {client.driver}, so "
                "that nobody else may speak to it",
                f'read it as a sensor of the kernel, [iio.NAME] or [hwmon.NAME] with device = "{client.name}"; or take '
                f"it away: echo {at} | sudo tee /sys/bus/i2c/devices/i2c-{seen.number}/delete_device",
            )


def _switch_on(case: Case, bus: SensorBus) -> str:
    model = case.machine.found.model
    known = next((one for one in model.buses if bus.path == f"/dev/i2c-{one.number}"), None) if model else None
    if known is None:
        return "`i2cdetect -l` lists the buses; correct `path` or `adapter` in the board file"
    return f"{to_have(known.enable, case.machine)} (it is on GPIO{known.lines[0]} and GPIO{known.lines[1]})"
