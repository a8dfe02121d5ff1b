"""Serial ports: are the board's ports there, may they be opened, and does nobody else talk on them."""

from __future__ import annotations

from collections.abc import Iterator

from axiom_hw.backends.survey_buses import PortSeen
from axiom_hw.board.serial import SerialPort
from axiom_hw.cli.checks.config import to_have
from axiom_hw.cli.diagnosis import Case, Finding, Status

_CONSOLE = "sudo raspi-config nonint do_serial_cons 1, and reboot; or take console= out of the kernel's command line"


def serial(case: Case) -> Iterator[Finding]:
    """The board's ports; where it has none, which ones there are."""
    if case.machine.ports and not case.board.serial_ports:
        yield Finding(Status.OK, f"serial ports here: {', '.join(map(str, case.machine.ports))}")
    for wanted in case.board.serial_ports:
        yield _port(case, wanted)


def _port(case: Case, wanted: SerialPort) -> Finding:
    seen = next((seen for seen in case.machine.ports if _is(seen, wanted)), None)
    status = Status.NOTE if wanted.optional else Status.PROBLEM
    text = f"serial port {wanted.name}: {wanted.where}"
    if seen is None:
        there = ", ".join(map(str, case.machine.ports)) or "none"
        return Finding(status, f"{text} isn't there; there are {there}", _switch_on(case, wanted))
    real = seen.target or seen.name
    if not {seen.name, real}.isdisjoint(_consoles(case)):
        return Finding(status, f"{text} is the console: the kernel prints there, and a login waits", _CONSOLE)
    if not seen.usable:
        return Finding(status, f"{text} may not be opened", "sudo usermod -aG dialout $USER, and log in again")
    return Finding(Status.OK, f"{text} is there" + (f": /dev/{seen.name}" if wanted.usb else ""))


def _is(seen: PortSeen, wanted: SerialPort) -> bool:
    if wanted.usb is None:
        return wanted.port == f"/dev/{seen.name}"
    return bool(seen.usb) and f"{seen.usb.lower()}:".startswith(f"{str(wanted.usb).lower()}:")


def _consoles(case: Case) -> set[str]:
    """The ports of the kernel's console; `serial0` is what it leads to."""
    links = {seen.name: seen.target for seen in case.machine.ports if seen.target}
    return {links.get(name, name) for name in case.machine.consoles}


def _switch_on(case: Case, wanted: SerialPort) -> str:
    if wanted.usb is not None:
        return "plug it in; `lsusb` shows what is there"
    model = case.machine.found.model
    uart = next((one for one in model.uarts if wanted.port == f"/dev/{one.device}"), None) if model else None
    if uart is None:
        return "`ls -l /dev/serial/by-id` shows what is plugged in; correct `port` in the board file"
    note = f". {uart.note}" if uart.note else ""
    lines = f"(it is on GPIO{uart.lines[0]} and GPIO{uart.lines[1]})"
    return f"{to_have(uart.enable, case.machine)} {lines}{note}"
