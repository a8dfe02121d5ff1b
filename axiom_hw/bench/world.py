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

from typing import Any

from axiom_hw.backends.mock_gpio import MockGpio
from axiom_hw.backends.mock_i2c import MockI2c, Quantity
from axiom_hw.backends.mock_iio import MockIio
from axiom_hw.backends.mock_pwm import MockPwm
from axiom_hw.backends.mock_serial import MockSerial
from axiom_hw.backends.pwm import PwmState
from axiom_hw.bench.faults import Fault, Mocks
from axiom_hw.bench.hands import Later
from axiom_hw.bench.history import Histories, History, Watch
from axiom_hw.bench.probes import Probe
from axiom_hw.bench.times import Duration, ns_of
from axiom_hw.board import Board, PwmChannel
from axiom_hw.clock import Clock, VirtualClock
from axiom_hw.errors import BoardError, ClockError
from axiom_hw.runtime import Runtime
from axiom_hw.scheduler import Scheduler
from axiom_hw.sources import Devices


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
        self.mocks = Mocks(board, self.gpio, self.pwm, self.iio, self.i2c, self.serial, {})
        self.devices = Devices(
            self.gpio, self.pwm, self.iio, self.i2c, self.serial, is_served=lambda: not self._is_stalled
        )
        self.now = Later(self, None)
        self._histories = Histories(board, self.gpio, self.pwm, self.clock.now_ns)
        self._cursor_ns = 0
        self._at_rest_ns = 0
        self._last_ns = 0
        self._stalled_until_ns = 0
        self._is_stalled = False

    def runtime(self, **options: Any) -> Runtime:
        """A runtime on these devices; `options` as for `Runtime`."""
        return Runtime(self.board, self.clock, self.devices, scheduler=self.scheduler, **options)

    # what is seen

    def value(self, name: str) -> int:
        """The logical value of a line, input or output, as a meter on its wire would tell: 0 or 1."""
        line = self.board.line(name)
        return self.gpio.chip(self.board.chips[line.chip_id].label).level(line.line) ^ line.active_low

    def pwm_state(self, name: str) -> PwmState:
        """What a PWM output puts out."""
        channel = self.board.output(name)
        if not isinstance(channel, PwmChannel):
            raise BoardError(self.board.source, f"`{name}` is a GPIO line, not a PWM channel", "ask for value()")
        return self.pwm.seen(self.board.pwm_chips[channel.chip_id].device, channel.channel)

    def history(self, name: str, since: Duration = 0) -> History:
        """What an output did since a time: `history("led") == [(0, 0), ("300ms", 1)]`. First what it was then."""
        return self._histories.of(name, max(ns_of(since), 0))

    def watch(self, name: str, watcher: Watch) -> None:
        """Call `watcher(time_ns, value)` after each change of an output: hands that react to what they see."""
        self._histories.watch(name, watcher)

    def unsafe(self) -> tuple[str, ...]:
        """The outputs that aren't in their safe states, each with what it is, as sentences."""
        found = []
        for output in self.board.outputs:
            if isinstance(output, PwmChannel):
                state = self.pwm_state(output.name)
                is_safe = state.enabled is output.safe_enabled
                if not is_safe or (state.enabled and state.duty_ns != output.safe_duty_ns):
                    safe = f"{output.safe_duty_ns} ns" if output.safe_enabled else "off"
                    is_now = f"{state.duty_ns} ns" if state.enabled else "off"
                    found.append(f"{output.name} is {is_now}; safe is {safe}")
            elif self.value(output.name) != output.safe_value:
                found.append(f"{output.name} is {self.value(output.name)}; safe is {output.safe_value}")
        return tuple(found)

    def edges(self, name: str) -> int:
        """The edges that an input had while somebody listened; what the kernel lost is among them."""
        line = self.board.input(name)
        return self.gpio.chip(self.board.chips[line.chip_id].label).faults(line.line).sent

    # what hands do now; docs of each in `Later`

    def press(self, name: str, bounces: int = 0) -> None:
        """Bring an input to its active value, after so many bounces of its contact."""
        self.now.press(name, bounces)

    def release(self, name: str, bounces: int = 0) -> None:
        """Bring an input to its inactive value."""
        self.now.release(name, bounces)

    def drive(self, name: str, value: int | None) -> None:
        """Drive an input to a logical value; None lets go of the wire."""
        self.now.drive(name, value)

    def turn(self, name: str, steps: int, rate: int = 1000) -> None:
        """Turn the encoder on the inputs `NAME_a` and `NAME_b`, by so many steps at `rate` a second."""
        self.now.turn(name, steps, rate)

    def feed(self, port: str, data: bytes | str) -> None:
        """Bytes come in on a serial port; a text as UTF-8."""
        self.now.feed(port, data)

    def sensor(self, name: str) -> Probe:
        """What a channel measures from now on: `bench.sensor("imu/accel_x").sine(2.0, period="1s")`."""
        return self.now.sensor(name)

    def measure(self, sensor: str, channel: str, quantity: Quantity) -> None:
        """What a sensor on an I2C bus measures from now on: "22.5", in the channel's unit."""
        self.now.measure(sensor, channel, quantity)

    def fault(self, name: str) -> Fault:
        """What breaks: `bench.fault("button").drop(3)`."""
        return self.now.fault(name)

    def stall(self, duration: Duration) -> None:
        """Nobody serves the devices for so long: buffers fill, and overflow as the kernel's do."""
        self.now.stall(duration)

    def jump(self, duration: Duration) -> None:
        """The clock jumps forward: timers learn what they missed."""
        self.now.jump(duration)

    # time

    def advance(self, duration: Duration) -> None:
        """Let virtual time pass: "10ms", or ns. Raises `ClockError` on a real clock, which nobody can push."""
        if not isinstance(self.clock, VirtualClock):
            raise ClockError("advance", "this bench runs on a real clock, which passes by itself")
        self.clock.advance(ns_of(duration))

    def settle(self) -> None:
        """Let virtual time pass until contacts stop bouncing and encoders turning, and debounced inputs show it."""
        self.advance(max(self._at_rest_ns - self.clock.now_ns(), 0))

    def after(self, delay: Duration) -> Later:
        """The time `delay` after the step before (the first counts from now): do there what comes behind the dot."""
        self._cursor_ns = max(self._cursor_ns, self.clock.now_ns()) + ns_of(delay)
        return Later(self, self._cursor_ns)

    @property
    def last_step_ns(self) -> int:
        """The time of the last step that `after` was asked for, or of the end of what goes on."""
        return max(self._cursor_ns, self._last_ns, self.clock.now_ns())

    # for hands

    def busy_until(self, time_ns: int) -> None:
        """Something goes on until then."""
        self._at_rest_ns = max(self._at_rest_ns, time_ns)

    def goes_on_until(self, time_ns: int) -> None:
        """Something was asked for that will end then."""
        self._last_ns = max(self._last_ns, time_ns)

    def read_again_at(self, time_ns: int) -> None:
        """Nobody serves the devices until then."""
        self._stalled_until_ns = max(self._stalled_until_ns, time_ns)
        self._is_stalled = True
        self.scheduler.at(self._stalled_until_ns, self._serve_again)

    def _serve_again(self, *_: int) -> None:
        if self.clock.now_ns() >= self._stalled_until_ns:
            self._is_stalled = False
