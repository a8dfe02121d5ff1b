"""An output with the device behind it, and how a board's outputs are taken, each in its safe state."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from axiom_hw.backends.gpio import GpioBackend, LineOutput
from axiom_hw.backends.pwm import PwmBackend, PwmState
from axiom_hw.board import Board, OutputLine, PwmChannel
from axiom_hw.errors import BackendError

CONSUMER: Final = "axiom_hw"


@dataclass(frozen=True, slots=True)
class Actuator:
    """An output and its device. `write(level, enabled)` takes a value, or a duty in ns; all three raise `BackendError`.

    Synchronization: the guard never lets two writes of one actuator overlap, but for a safe state that can't wait.
    """

    output: OutputLine | PwmChannel
    write: Callable[[int, bool], None]
    read: Callable[[], int]
    release: Callable[[], None]
    fd: int | None = None  # of the kernel, for a line: `GpioRequest.descriptor`

    @property
    def safe(self) -> tuple[int, bool]:
        """The arguments of `write` that make it safe."""
        if isinstance(self.output, PwmChannel):
            return self.output.safe_duty_ns, self.output.safe_enabled
        return self.output.safe_value, True


def open_actuators(
    board: Board,
    gpio: GpioBackend,
    pwm: PwmBackend | None,
    consumer: str = CONSUMER,
    on_missing: Callable[[PwmChannel, BackendError], object] | None = None,
) -> tuple[Actuator, ...]:
    """Take every output of the board, each in its safe state from the first moment.

    Raises `BackendError` for one that can't be had; those taken before it are given back then. An optional one whose
    device is missing is told to `on_missing`, and requests for it are refused as for any output that isn't there.
    """
    taken: list[Actuator] = []
    try:
        for output in board.outputs:
            if not isinstance(output, PwmChannel):
                taken.append(_open_line(board, output, gpio, consumer))
                continue
            try:
                taken.append(_open_channel(board, output, pwm))
            except BackendError as error:
                if not output.optional or error.errno != errno.ENODEV:
                    raise
                if on_missing is not None:
                    on_missing(output, error)
    except BackendError:
        for actuator in taken:
            actuator.release()
        raise
    return tuple(taken)


def _open_line(board: Board, line: OutputLine, gpio: GpioBackend, consumer: str) -> Actuator:
    chip = gpio.open(board.chips[line.chip_id].label)
    try:
        wanted = LineOutput(line.line, line.safe_value, line.active_low, line.drive)
        request = chip.request_outputs([wanted], consumer)
    finally:
        chip.close()

    def write(value: int, _enabled: bool) -> None:
        request.set(line.line, value)

    return Actuator(line, write, partial(request.get, line.line), request.release, request.descriptor())


def _open_channel(board: Board, channel: PwmChannel, pwm: PwmBackend | None) -> Actuator:
    device = board.pwm_chips[channel.chip_id].device
    if pwm is None:
        raise BackendError(f"output {channel.name}", f"needs {device}, and there is no PWM here", errno=errno.ENODEV)
    output = pwm.open(device, channel.channel)

    def write(duty_ns: int, enabled: bool) -> None:
        output.apply(PwmState(channel.period_ns, duty_ns, enabled, channel.polarity))

    actuator = Actuator(channel, write, lambda: output.state().duty_ns, output.close)
    try:
        actuator.write(*actuator.safe)
    except BackendError:
        output.close()
        raise
    return actuator
