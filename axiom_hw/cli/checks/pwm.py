"""PWM: is the device there, on the pins that the board file says, and may it be written to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from axiom_hw.backends.pwm import no_such_channel, no_such_device
from axiom_hw.backends.survey import Machine
from axiom_hw.board import PwmChannel, PwmChip
from axiom_hw.board.models import overlay_for
from axiom_hw.board.pins import PwmPin, known_pwm
from axiom_hw.cli.checks.config import to_have
from axiom_hw.cli.diagnosis import Case, Finding, Status, from_error, permission

_OVERLAYS: Final = ("pwm", "pwm-2chan")
_PINS: Final = re.compile(r",pin2?=(\d+)")
_DEFAULT_PINS: Final = {"pwm": (18,), "pwm-2chan": (18, 19)}  # of the overlays, where a line names none
_OVERLAY_PINS: Final = 2  # no overlay brings more of them out


def pwm(case: Case) -> Iterator[Finding]:
    """The board's PWM chips that it has channels on."""
    for chip in case.board.pwm_chips:
        channels = [c for c in case.board.pwm_channels if case.board.pwm_chips[c.chip_id] is chip]
        if channels and chip.software_label is None:
            yield from _chip(case, chip, channels)


def pulsed(case: Case) -> Iterator[Finding]:
    """The lines that software pulses: what that can't do, and which have a channel."""
    from axiom_hw.backends.machine_pwm import find_pulser, pulsed_lines

    pulser = find_pulser(case.board)
    if pulser is None:
        return
    lines = tuple(pulsed_lines(case.board))
    names = ", ".join(name for name, _ in lines)
    yield Finding(Status.OK, f"pulsed by {pulser}: {names}", details=pulser.shortfalls)
    for name, hint in lines:
        if hint:
            yield Finding(Status.NOTE, f"{name} is pulsed by software, where a PWM channel could come out", hint)


def _chip(case: Case, chip: PwmChip, channels: list[PwmChannel]) -> Iterator[Finding]:
    machine = case.machine
    seen = next((seen for seen in machine.pwm if seen.device == chip.device), None)
    if seen is None:
        yield _absent(case, chip, channels)
        return
    missing = [c for c in channels if c.channel >= seen.channels]
    if missing:
        yield from_error(no_such_channel(chip.device, missing[0].channel, seen.channels))
    elif not seen.writable:
        text = f"pwm {chip.device}: {seen.path}/export may not be written"
        yield Finding(Status.PROBLEM, text, permission(case.person, seen.group))
    else:
        names = ", ".join(f"{c.name} {c.channel}" for c in channels)
        yield Finding(Status.OK, f"pwm {chip.device} is {seen.path}; its channels for this board: {names}")
        yield from _elsewhere(machine, chip, channels)


def _absent(case: Case, chip: PwmChip, channels: list[PwmChannel]) -> Finding:
    error = no_such_device(chip.device, [other.device for other in case.machine.pwm], channels[0].channel)
    text = f"{error.place}: {error.problem}"
    pins = _pins(chip, channels)
    model = case.machine.found.model
    on_a_pi = model is not None and model.pwm == chip.device
    fix = to_have(overlay_for(pins), case.machine) if pins and on_a_pi else error.fix
    if len(pins) > _OVERLAY_PINS and on_a_pi:
        fix += f"; that overlay brings out two pins, the other {len(pins) - _OVERLAY_PINS} need one of your own"
    if model is not None and model.pwm == chip.device and model.notes and "PWM" in model.notes[0]:
        fix += f". {model.notes[0]}"
    if all(channel.optional for channel in channels):
        names = ", ".join(channel.name for channel in channels)
        return Finding(Status.NOTE, f"{text}; {names} is optional, the rest works", fix)
    return Finding(Status.PROBLEM, text, fix)


def _elsewhere(machine: Machine, chip: PwmChip, channels: list[PwmChannel]) -> Iterator[Finding]:
    """A PWM that runs, but on pins that nothing is wired to: the overlays have defaults."""
    config = machine.config
    lines = config.overlays(*_OVERLAYS) if config is not None else ()
    if config is None or not lines:
        return
    out = {pin for line in lines for pin in _brought_out(line)}
    lost = [channel for channel in channels if channel.pin is not None and channel.pin not in out]
    if lost:
        names = " and ".join(f"{channel.name} is on GPIO{channel.pin}" for channel in lost)
        pins = " and ".join(f"GPIO{pin}" for pin in sorted(out))
        yield Finding(
            Status.NOTE, f"pwm {chip.device} comes out on {pins}, says {config.path}; {names}: there will be no signal",
            f"replace {lines[0]} by {overlay_for(_pins(chip, channels))}, and reboot",
        )  # fmt: skip


def _brought_out(line: str) -> tuple[int, ...]:
    named = tuple(int(pin) for pin in _PINS.findall(line))
    kind = line.partition("=")[2].partition(",")[0]
    defaults = _DEFAULT_PINS[kind]
    return named + defaults[len(named) :]


def _pins(chip: PwmChip, channels: list[PwmChannel]) -> tuple[PwmPin, ...]:
    known = known_pwm(chip.device)
    if known is None:
        return ()
    return tuple(pin for channel in channels for pin in known.of_channel(channel.channel) if pin.line == channel.pin)
