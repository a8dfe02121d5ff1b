"""The demos' bench in memory with a guard over its outputs, and devices that fail."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from axiom_hw.actuation import Actuator, Guard, Verdict
from axiom_hw.adapters.gpio import GpioAdapter
from axiom_hw.backends.mock_gpio import MockGpio
from axiom_hw.backends.mock_pwm import MockPwm
from axiom_hw.backends.pwm import PwmState
from axiom_hw.board import Board, OutputLine, load_board
from axiom_hw.clock import VirtualClock
from axiom_hw.errors import BackendError
from axiom_hw.scheduler import Scheduler

MS = 1_000_000
DEVICE = "1f00098000.pwm"
BUTTON, LED, LIMIT, RELAY = 17, 18, 22, 27
OFF = PwmState(20 * MS, 0, enabled=False)


@dataclass
class Bench:
    """The demos' bench in memory, with a guard over its outputs."""

    board: Board = field(default_factory=lambda: _with(("led", "relay", "servo")))

    def __post_init__(self) -> None:
        self.clock = VirtualClock()
        self.gpio = MockGpio.for_board(self.board, self.clock, Scheduler(self.clock))
        self.chip = self.gpio.open("pinctrl-rp1")
        self.pwm = MockPwm.for_board(self.board)
        self.adapter = GpioAdapter(self.gpio, self.board, lambda key, ctx: None, self.clock)
        self.guard = Guard.open(self.board, self.gpio, self.pwm, self.clock, read_input=self.adapter.read)

    @property
    def servo(self) -> PwmState:
        return self.pwm.seen(DEVICE, 0)

    def verdicts(self) -> list[Verdict]:
        return [decision.verdict for decision in self.guard.audit()]


def _with(outputs: tuple[str, ...]) -> Board:
    board = load_board(Path(__file__).parents[2] / "boards/rpi5-bench.toml")
    return replace(board, outputs=tuple(board.output(name) for name in outputs))


class Device:
    """A line whose writes can be made to fail or to take long."""

    def __init__(self, name: str, line: int, before: Callable[[int], None] = lambda value: None) -> None:
        self.written: list[int] = []
        self.before = before
        self.released = 0
        self.actuator = Actuator(OutputLine(name, 0, line, 0), self.write, lambda: self.written[-1], self.release)

    def write(self, value: int, enabled: bool) -> None:
        self.before(value)
        self.written.append(value)

    def release(self) -> None:
        self.released += 1


def fail(value: int) -> None:
    raise BackendError("line 1", "can't be set: Input/output error", errno=errno.EIO)
