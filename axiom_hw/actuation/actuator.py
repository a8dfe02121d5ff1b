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
from axiom_hw.board.model import Motor
from axiom_hw.errors import BackendError, OutputError

CONSUMER: Final = "axiom_hw"


@dataclass(frozen=True, slots=True)
class Actuator:
    """An output and its device. `write(level, enabled)` takes a value, or a duty in ns, below 0 for a motor backwards.

    All three raise `BackendError`.

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

    def refuse_without_timers(self) -> None:
        """Raise `OutputError` where the output needs timers."""
        if self.output.watchdog_ns or (isinstance(self.output, PwmChannel) and self.output.slew_ns_per_s):
            raise OutputError(
                f"output {self.output.name}", "has a slew rate or a watchdog, and there are no timers to see to it",
                "give the guard a scheduler on its clock",
            )  # fmt: skip


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
            try:
                taken.append(open_actuator(board, output, gpio, pwm, consumer))
            except BackendError as error:
                if not isinstance(output, PwmChannel) or not output.optional or error.errno != errno.ENODEV:
                    raise
                if on_missing is not None:
                    on_missing(output, error)
    except BaseException:  # Ctrl-C too: somebody else may want the lines
        for actuator in taken:
            actuator.release()
        raise
    return tuple(taken)


def open_actuator(
    board: Board, output: OutputLine | PwmChannel, gpio: GpioBackend, pwm: PwmBackend | None, consumer: str = CONSUMER
) -> Actuator:
    """Take one output of the board, in its safe state from the first moment. Raises `BackendError`."""
    if isinstance(output, PwmChannel):
        return _open_channel(board, output, gpio, pwm, consumer)
    return _open_line(board, output, gpio, consumer)


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


def _open_channel(
    board: Board, channel: PwmChannel, gpio: GpioBackend, pwm: PwmBackend | None, consumer: str
) -> Actuator:
    device = board.pwm_chips[channel.chip_id].device
    if pwm is None:
        raise BackendError(f"output {channel.name}", f"needs {device}, and there is no PWM here", errno=errno.ENODEV)
    output = pwm.open(device, channel.channel)
    try:
        turn, let_go = _open_direction(board, channel.motor, gpio, consumer)
    except BackendError:
        output.close()
        raise

    def apply(duty_ns: int, enabled: bool) -> None:
        output.apply(PwmState(channel.period_ns, duty_ns, enabled, channel.polarity))

    def write(level: int, enabled: bool) -> None:
        turn(level if enabled else 0, lambda: apply(0, enabled))
        apply(abs(level), enabled)

    def release() -> None:
        try:
            output.close()
        finally:
            let_go()

    actuator = Actuator(channel, write, lambda: output.state().duty_ns, release)
    try:
        actuator.write(*actuator.safe)
    except BackendError:
        release()
        raise
    return actuator


def _open_direction(
    board: Board, motor: Motor | None, gpio: GpioBackend, consumer: str
) -> tuple[Callable[[int, Callable[[], None]], None], Callable[[], None]]:
    """What turns a motor round, `turn(way, stand_still)`, and what gives its lines back.

    A driver must not be turned round under power: the duty is 0 before a line changes.
    """
    if motor is None or not motor.lines:
        return (lambda way, stand_still: None), (lambda: None)
    chip = gpio.open(board.chips[motor.chip_id].label)
    try:
        lines = [LineOutput(line, value) for line, value in zip(motor.lines, motor.values(0), strict=True)]
        request = chip.request_outputs(lines, consumer)
    finally:
        chip.close()
    now = list(motor.values(0))

    def turn(way: int, stand_still: Callable[[], None]) -> None:
        wanted = motor.values(way)
        if tuple(now) == wanted:
            return
        stand_still()
        # What goes to 0 goes first: both inputs at 1 is a state of its own, often a brake.
        for at in sorted(range(len(wanted)), key=lambda at: wanted[at]):
            request.set(motor.lines[at], wanted[at])
            now[at] = wanted[at]

    return turn, request.release
