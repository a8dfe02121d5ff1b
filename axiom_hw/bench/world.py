"""The mock bench: a board's devices in memory, on a clock of its own, and the hands of somebody who uses them.

    bench = MockBench(load_board("rpi5-bench"))
    with bench.runtime() as runtime:
        bench.press("button", bounces=3)
        bench.settle()                          # virtual time: debounce and timers run, nothing sleeps
        assert bench.value("led") == 1

A scenario says what happens when: each `after` counts from the step before.

    bench.after("300ms").press("button", bounces=3)
    bench.after("120ms").release("button")
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from axiom_hw.backends.mock_gpio import MockChip, MockGpio
from axiom_hw.backends.mock_i2c import MockI2c, Quantity
from axiom_hw.backends.mock_iio import MockIio
from axiom_hw.backends.mock_pwm import MockPwm
from axiom_hw.backends.mock_serial import MockSerial
from axiom_hw.backends.pwm import PwmState
from axiom_hw.board import Board, InputLine, PwmChannel
from axiom_hw.board.units import parse_duration_ns
from axiom_hw.clock import US, Clock, VirtualClock
from axiom_hw.errors import BoardError, ClockError
from axiom_hw.runtime import Runtime
from axiom_hw.scheduler import Scheduler
from axiom_hw.sources import Devices

BOUNCE_NS: Final = 400 * US  # a switch's contact opens and closes again in about this time


class MockBench:
    """A board's mock devices. Without `clock`, on a virtual one that starts at 0.

    Synchronization: as the clock's: one thread at a time moves a virtual clock, everything else from any thread.
    """

    def __init__(self, board: Board, clock: Clock | None = None) -> None:
        self.board = board
        self.clock: Clock = clock if clock is not None else VirtualClock()
        self.scheduler = Scheduler(self.clock)
        self.gpio = MockGpio.for_board(board, self.clock, self.scheduler)
        self.pwm = MockPwm.for_board(board)
        self.iio = MockIio.for_board(board, self.clock, self.scheduler)
        self.i2c = MockI2c.for_board(board, self.clock.now_ns)
        self.serial = MockSerial.for_board(board)
        self.devices = Devices(self.gpio, self.pwm, self.iio, self.i2c, self.serial)
        self._cursor_ns = 0
        self._at_rest_ns = 0

    def runtime(self, **options: Any) -> Runtime:
        """A runtime on these devices; `options` as for `Runtime`."""
        return Runtime(self.board, self.clock, self.devices, scheduler=self.scheduler, **options)

    # now

    def press(self, name: str, bounces: int = 0) -> None:
        """Bring an input to its active value, after so many bounces of its contact."""
        self._switch(name, 1, bounces)

    def release(self, name: str, bounces: int = 0) -> None:
        """Bring an input to its inactive value."""
        self._switch(name, 0, bounces)

    def value(self, name: str) -> int:
        """The logical value of a line, input or output, as a meter on its wire would tell: 0 or 1."""
        line = self.board.line(name)
        return self._chip(line.chip_id).level(line.line) ^ line.active_low

    def pwm_state(self, name: str) -> PwmState:
        """What a PWM output puts out."""
        channel = self.board.output(name)
        if not isinstance(channel, PwmChannel):
            raise BoardError(self.board.source, f"`{name}` is a GPIO line, not a PWM channel", "ask for value()")
        return self.pwm.seen(self.board.pwm_chips[channel.chip_id].device, channel.channel)

    def measure(self, sensor: str, channel: str, quantity: Quantity) -> None:
        """What a sensor on an I2C bus measures from now on: "22.5", in the channel's unit."""
        self.i2c.device(sensor).set(channel, quantity)

    def feed(self, port: str, data: bytes) -> None:
        """Bytes come in on a serial port."""
        self.serial.feed(port, data)

    def advance(self, duration: str | int) -> None:
        """Let virtual time pass: "10ms", or ns. Raises `ClockError` on a real clock, which nobody can push."""
        if not isinstance(self.clock, VirtualClock):
            raise ClockError("advance", "this bench runs on a real clock, which passes by itself")
        self.clock.advance(_ns(duration))

    def settle(self) -> None:
        """Let virtual time pass until contacts have stopped bouncing and debounced inputs show it."""
        self.advance(max(self._at_rest_ns - self.clock.now_ns(), 0))

    # later

    def after(self, delay: str | int) -> Later:
        """The time `delay` after the step before (the first counts from now): do there what comes behind the dot."""
        self._cursor_ns = max(self._cursor_ns, self.clock.now_ns()) + _ns(delay)
        return Later(self, self._cursor_ns)

    @property
    def last_step_ns(self) -> int:
        """The time of the last step that `after` was asked for."""
        return max(self._cursor_ns, self.clock.now_ns())

    def _switch(self, name: str, value: int, bounces: int) -> None:
        line = self.board.input(name)
        chip, level, now = self._chip(line.chip_id), value ^ line.active_low, self.clock.now_ns()
        for i in range(2 * bounces):
            self._later(now + i * BOUNCE_NS, chip, line, level ^ i % 2)
        self._at_rest_ns = max(self._at_rest_ns, now + 2 * bounces * BOUNCE_NS + line.debounce_ns)
        if bounces:
            self._later(now + 2 * bounces * BOUNCE_NS, chip, line, level)
        else:
            chip.drive(line.line, level)

    def _later(self, due_ns: int, chip: MockChip, line: InputLine, level: int) -> None:
        self.scheduler.at(due_ns, lambda *_: chip.drive(line.line, level))

    def _chip(self, chip_id: int) -> MockChip:
        return self.gpio.open(self.board.chips[chip_id].label)


@dataclass(frozen=True, slots=True)
class Later:
    """A moment of a scenario."""

    bench: MockBench
    due_ns: int

    def press(self, name: str, bounces: int = 0) -> None:
        """As `MockBench.press`, then."""
        self.bench.board.input(name)  # a misspelt name is told now, not then
        self.bench.scheduler.at(self.due_ns, lambda *_: self.bench.press(name, bounces))

    def release(self, name: str, bounces: int = 0) -> None:
        """As `MockBench.release`, then."""
        self.bench.board.input(name)
        self.bench.scheduler.at(self.due_ns, lambda *_: self.bench.release(name, bounces))

    def measure(self, sensor: str, channel: str, quantity: Quantity) -> None:
        """As `MockBench.measure`, then."""
        self.bench.i2c.device(sensor)
        self.bench.scheduler.at(self.due_ns, lambda *_: self.bench.measure(sensor, channel, quantity))

    def feed(self, port: str, data: bytes) -> None:
        """As `MockBench.feed`, then."""
        self.bench.serial.line(port)
        self.bench.scheduler.at(self.due_ns, lambda *_: self.bench.feed(port, data))


def _ns(duration: str | int) -> int:
    if isinstance(duration, int):
        return duration
    try:
        return parse_duration_ns(duration)
    except ValueError as error:
        raise ClockError("duration", str(error)) from None
