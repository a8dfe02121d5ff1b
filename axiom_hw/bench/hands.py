"""The hands of somebody at the bench, now or at a moment of a scenario: they press, turn, feed, and break things."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

from axiom_hw.backends.mock_gpio import MockChip
from axiom_hw.backends.mock_i2c import Quantity
from axiom_hw.bench.faults import Fault, Mocks, ways_of
from axiom_hw.bench.probes import Probe, channel_put
from axiom_hw.bench.times import Duration, ns_of
from axiom_hw.board import InputLine
from axiom_hw.clock import US, Clock, S, VirtualClock
from axiom_hw.errors import BackendError, BoardError, ClockError
from axiom_hw.scheduler import Scheduler

BOUNCE_NS: Final = 400 * US  # a switch's contact opens and closes again in about this time


class World(Protocol):
    """What hands need of a bench."""

    clock: Clock
    scheduler: Scheduler
    mocks: Mocks

    def busy_until(self, time_ns: int) -> None:
        """Something goes on until then."""
        ...

    def goes_on_until(self, time_ns: int) -> None:
        """Something was asked for that will end then."""
        ...

    def read_again_at(self, time_ns: int) -> None:
        """Nobody serves the devices until then."""
        ...


class Later:
    """A moment of a scenario: what is asked of it happens then, but a misspelt name is told at once.

    Synchronization: as the bench's.
    """

    def __init__(self, world: World, due_ns: int | None) -> None:
        """None is now."""
        self._world = world
        self._due_ns = due_ns

    @property
    def due_ns(self) -> int:
        """When it is."""
        return self._world.clock.now_ns() if self._due_ns is None else self._due_ns

    # inputs

    def press(self, name: str, bounces: int = 0) -> None:
        """Bring an input to its active value, after so many bounces of its contact."""
        self._switch(name, 1, bounces)

    def release(self, name: str, bounces: int = 0) -> None:
        """Bring an input to its inactive value."""
        self._switch(name, 0, bounces)

    def drive(self, name: str, value: int | None) -> None:
        """Drive an input to a logical value, at once and without a bounce; None lets go of the wire."""
        line = self._world.mocks.board.input(name)
        if value not in (0, 1, None):
            raise BackendError(f"input {name}", f"can't be driven to {value!r}; a value is 0, 1 or None")
        level = None if value is None else value ^ line.active_low
        self._busy(line.debounce_ns)
        self.do(lambda: self._chip(line).drive(line.line, level))

    def turn(self, name: str, steps: int, rate: int = 1000) -> None:
        """Turn an encoder by so many steps, `rate` of them a second; below 0 the other way round.

        It is two inputs, `NAME_a` and `NAME_b`: each step is an edge of one of them, `a` first on the way up. Raises
        `BoardError` where one is missing.
        """
        board = self._world.mocks.board
        names = [line.name for line in board.inputs]
        if not {f"{name}_a", f"{name}_b"} <= set(names):
            raise BoardError(
                board.source, f"has no encoder `{name}`; its inputs are {', '.join(names) or 'none'}",
                f"an encoder is two inputs: [input.{name}_a] and [input.{name}_b]",
            )  # fmt: skip
        if rate < 1:
            raise ClockError("rate", f"{rate} steps a second never arrive", "give 1 or more")
        a, b = board.input(f"{name}_a"), board.input(f"{name}_b")
        begin_ns, count, forwards = self.due_ns, abs(steps), steps > 0
        length_ns = count * S // rate
        self._world.goes_on_until(begin_ns + length_ns)
        self._busy(length_ns + max(a.debounce_ns, b.debounce_ns))

        def step(number: int) -> None:
            self.step(a, b, forwards)
            if number < count:
                self._world.scheduler.at(begin_ns + (number + 1) * S // rate, lambda *_: step(number + 1))

        if count:
            self._world.scheduler.at(begin_ns + S // rate, lambda *_: step(1))

    def step(self, a: InputLine, b: InputLine, forwards: bool) -> None:
        """One step of an encoder, now: of two inputs in quadrature, the one whose turn it is changes."""
        values = [self._chip(line).level(line.line) ^ line.active_low for line in (a, b)]
        turns = a if (values[0] == values[1]) is forwards else b
        self._chip(turns).drive(turns.line, values[0 if turns is a else 1] ^ 1 ^ turns.active_low)

    # ports and sensors

    def feed(self, port: str, data: bytes | str) -> None:
        """Bytes come in on a serial port; a text as UTF-8."""
        wire = self._world.mocks.serial.line(port)
        raw = data.encode() if isinstance(data, str) else data
        self.do(lambda: wire.feed(raw))

    def sensor(self, name: str) -> Probe:
        """What a channel measures from then on: `sensor("imu/accel_x").constant(9.81)`."""
        mocks, clock = self._world.mocks, self._world.clock
        put = channel_put(mocks.board, mocks.iio, mocks.i2c, clock.now_ns, name)
        return Probe(name, self.due_ns, self.do, put)

    def measure(self, sensor: str, channel: str, quantity: Quantity) -> None:
        """What a sensor on an I2C bus measures from then on: "22.5", in the channel's unit."""
        device = self._world.mocks.i2c.device(sensor)
        self.do(lambda: device.set(channel, quantity))

    # trouble

    def fault(self, name: str) -> Fault:
        """What breaks: `fault("button").drop(3)`. Raises `BoardError` for a name that isn't on the board."""
        mocks = self._world.mocks
        return Fault(mocks.board.source, name, ways_of(mocks, name), self)

    def stall(self, duration: Duration) -> None:
        """Nobody serves the devices for so long, as in a process that gets no processor: buffers fill, and overflow.

        Raises `ClockError` on a real clock, where the process would have to stand still itself.
        """
        length_ns = ns_of(duration)
        self._virtual("stall")
        self.do(lambda: self._world.read_again_at(self._world.clock.now_ns() + length_ns))

    def jump(self, duration: Duration) -> None:
        """The clock jumps forward, as on a machine that was suspended: timers learn what they missed."""
        length_ns, clock = ns_of(duration), self._virtual("jump")
        self.do(lambda: clock.jump(length_ns))

    # anything

    def do(self, action: Callable[[], object]) -> None:
        """Call a function then."""
        if self._due_ns is None:
            action()
        else:
            self._world.scheduler.at(self._due_ns, partial(_call, action))

    def do_later(self, delay_ns: int, action: Callable[[], object]) -> None:
        """Call a function so many ns behind that."""
        self._world.scheduler.at(self.due_ns + delay_ns, partial(_call, action))

    def _switch(self, name: str, value: int, bounces: int) -> None:
        line = self._world.mocks.board.input(name)

        def switch() -> None:
            times = max(bounces, self._world.mocks.worn.get(name, 0))
            chip, level, now_ns = self._chip(line), value ^ line.active_low, self._world.clock.now_ns()
            for i in range(2 * times):
                self._drive_at(now_ns + i * BOUNCE_NS, chip, line, level ^ i % 2)
            self._world.busy_until(now_ns + 2 * times * BOUNCE_NS + line.debounce_ns)
            if times:
                self._drive_at(now_ns + 2 * times * BOUNCE_NS, chip, line, level)
            else:
                chip.drive(line.line, level)

        self.do(switch)

    def _drive_at(self, due_ns: int, chip: MockChip, line: InputLine, level: int) -> None:
        self._world.scheduler.at(due_ns, lambda *_: chip.drive(line.line, level))

    def _busy(self, length_ns: int) -> None:
        due_ns = self.due_ns
        self.do(lambda: self._world.busy_until(due_ns + length_ns))

    def _chip(self, line: InputLine) -> MockChip:
        return self._world.mocks.gpio.chip(self._world.mocks.board.chips[line.chip_id].label)

    def _virtual(self, what: str) -> VirtualClock:
        clock = self._world.clock
        if not isinstance(clock, VirtualClock):
            raise ClockError(what, "this bench runs on a real clock, which passes by itself")
        return clock


def _call(action: Callable[[], object], *_expiration: int) -> None:
    action()
