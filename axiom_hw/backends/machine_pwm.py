"""The PWM of a machine: the channels of its chips, through sysfs, and lines that software pulses; what that can't do.

A line is pulsed by lgpio's thread where lgpio can be imported, else by one of this process, on any GPIO backend.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import assert_never

from axiom_hw.backends.gpio import GpioBackend
from axiom_hw.backends.lgpio_gpio import LgpioBackend
from axiom_hw.backends.lgpio_pwm import LgpioPwm
from axiom_hw.backends.pwm import PwmBackend, PwmOutput
from axiom_hw.backends.software_pwm import SoftwarePwm
from axiom_hw.backends.sysfs_pwm import SysfsPwm
from axiom_hw.board import Board
from axiom_hw.board.model import SOFTWARE
from axiom_hw.board.models import overlay_for
from axiom_hw.board.software_pwm import better_channel
from axiom_hw.errors import MissingDependency


class Pulser(StrEnum):
    """What pulses lines that have no channel."""

    LGPIO = "lgpio"
    THREAD = "a thread of this process"

    @property
    def shortfalls(self) -> tuple[str, ...]:
        """What it can't do that a PWM channel can, a phrase each."""
        common = (
            "pulses jitter: each edge is late by what Linux takes to wake a thread, more under load",
            "pulses end with the process",
            "periods are 100us and longer",
        )
        match self:
            case Pulser.LGPIO:
                return (*common, "pulses are whole microseconds")
            case Pulser.THREAD:
                return (
                    *common,
                    "edges wait for Python, too, 5 ms and more beside a thread that computes; install lgpio for better",
                )
            case _:
                assert_never(self)


class MachinePwm:
    """Channels by sysfs, pulsed lines by what `pulsed` makes when the first one is opened.

    Synchronization: none required by the caller but to open one output at a time.
    """

    def __init__(self, channels: PwmBackend, pulsed: Callable[[], PwmBackend]) -> None:
        self._channels = channels
        self._make_pulsed = pulsed
        self._pulsed: PwmBackend | None = None

    def open(self, device: str, channel: int) -> PwmOutput:
        """See `PwmBackend.open`."""
        if not device.startswith(SOFTWARE):
            return self._channels.open(device, channel)
        if self._pulsed is None:
            self._pulsed = self._make_pulsed()
        return self._pulsed.open(device, channel)


def open_pwm(gpio: GpioBackend, pulser: Pulser = Pulser.THREAD, channels: PwmBackend | None = None) -> MachinePwm:
    """The PWM of this machine. `channels` is there for a tree of another root."""
    return MachinePwm(
        channels if channels is not None else SysfsPwm(),
        (lambda: LgpioPwm(LgpioBackend())) if pulser is Pulser.LGPIO else lambda: SoftwarePwm(gpio),
    )


def find_pulser(board: Board) -> Pulser | None:
    """What pulses lines here; None where the board has no such line, and nobody has to look."""
    if not any(chip.software_label for chip in board.pwm_chips):
        return None
    try:
        LgpioBackend()
    except MissingDependency:
        return Pulser.THREAD
    return Pulser.LGPIO


def pulsed_lines(board: Board) -> Iterator[tuple[str, str]]:
    """The outputs that software pulses, for people; each with a hint where its line has a channel, else with ""."""
    for output in board.pwm_channels:
        label = board.pwm_chips[output.chip_id].software_label
        if label is None:
            continue
        better = better_channel(label, output.channel)
        hint = ""
        if better is not None:
            known, pin = better
            hint = (
                f"GPIO{pin.line} has a PWM channel: in the board file, channel = {pin.channel} and pin = {pin.line} of "
                f'device "{known.device}"; in config.txt {overlay_for((pin,))}'
            )
        yield f"{output.name} (line {output.channel})", hint
