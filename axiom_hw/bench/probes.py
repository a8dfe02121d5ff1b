"""What the sensors of a bench measure: `bench.sensor("imu/accel_x").sine(2.0, "1s").noise(0.05, seed=1)`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Self

from axiom_hw.backends.mock_i2c import MockI2c, MockSensor
from axiom_hw.backends.mock_iio import MockIio
from axiom_hw.backends.mock_parts import Model
from axiom_hw.bench import signals
from axiom_hw.bench.signals import Quantity, Signal
from axiom_hw.bench.times import Duration
from axiom_hw.board import Board
from axiom_hw.errors import BoardError

Put = Callable[[Quantity], None]
"""Makes a quantity what a channel measures from now on; it is asked for times of the bench's clock."""


class Probe:
    """The signal of one channel. The first verb replaces what it measured; each further one is added to it.

    Numbers are in the channel's unit, as `micro` of its events counts it in millionths: for temperatures of the kernel
    these are thousandths of a degree. Times count from the verb, or from the moment that `after` named.

    Synchronization: as the bench's.
    """

    def __init__(self, name: str, begin_ns: int, install: Callable[[Callable[[], None]], None], put: Put) -> None:
        self._name = name
        self._begin_ns = begin_ns
        self._install = install
        self._put = put
        self._signal: Signal | None = None

    def constant(self, value: float) -> Self:
        """Always the same."""
        return self.follow(signals.constant(value).at)

    def ramp(self, first: float, last: float, over: Duration) -> Self:
        """From one value to another in a straight line; afterwards the second."""
        return self.follow(signals.ramp(first, last, over).at)

    def sine(self, amplitude: float, period: Duration, offset: float = 0.0) -> Self:
        """Around `offset`, upwards at first."""
        return self.follow(signals.sine(amplitude, period, offset).at)

    def noise(self, sigma: float, seed: int = 0) -> Self:
        """Gaussian; the same at the same time in every run."""
        return self.follow(signals.noise(sigma, seed).at)

    def trace(self, source: Iterable[tuple[Duration, float]] | str | os.PathLike[str], column: str = "") -> Self:
        """Through points of time and value, of a list, a CSV file, or this channel of a recording (.axr)."""
        if not isinstance(source, str | os.PathLike):
            return self.follow(signals.trace(source).at)
        from axiom_hw.bench.traces import read_trace  # here: few runs have one, and all load this module

        return self.follow(signals.trace(read_trace(source, self._name, column)).at)

    def follow(self, quantity: Quantity) -> Self:
        """What a function says, of the ns since the signal began."""
        is_first = self._signal is None
        self._signal = Signal(quantity) if self._signal is None else self._signal + Signal(quantity)
        if is_first:
            self._install(self._begin)
        return self

    def _begin(self) -> None:
        self._put(lambda time_ns: self._signal.at(time_ns - self._begin_ns) if self._signal is not None else 0.0)


def channel_put(board: Board, iio: MockIio, i2c: MockI2c, now_ns: Callable[[], int], name: str) -> Put:
    """How to let a channel, `imu/accel_x`, measure something. Raises `BoardError`, with the channels there are."""
    there = [f"{device.name}/{channel}" for device in board.iio for channel in device.channels]
    there += [f"{sensor.name}/{channel.name}" for sensor in board.sensors for channel in sensor.channels]
    if name not in there:
        listed = ", ".join(there)
        raise BoardError(
            board.source, f"has no channel `{name}`; " + (f"it has {listed}" if listed else "it has no sensors"),
            "a channel is a sensor and a name: bench.sensor(\"imu/accel_x\")",
        )  # fmt: skip
    device, _, channel = name.partition("/")
    if any(device == declared.name for declared in board.iio):
        return lambda quantity: iio.set_signal(device, channel, _raw(iio, device, channel, quantity))
    found = i2c.device(device)
    if not isinstance(found.model, Followed):
        found.model = Followed(found, found.model, now_ns)
    followed = found.model
    return lambda quantity: followed.follow(channel, quantity)


class Followed:
    """A part on an I2C bus that measures what signals say at the time of each transfer.

    Synchronization: as `Model`.
    """

    def __init__(self, sensor: MockSensor, part: Model, now_ns: Callable[[], int]) -> None:
        self._sensor = sensor
        self._part = part
        self._now_ns = now_ns
        self._followed: dict[str, Quantity] = {}
        self._seen_ns = -1

    def follow(self, channel: str, quantity: Quantity) -> None:
        """Let a channel measure this from now on."""
        self._followed[channel] = quantity
        self._seen_ns = -1

    def read(self, register: int, length: int) -> bytes:
        """See `Model.read`."""
        now_ns = self._now_ns()
        if now_ns != self._seen_ns:
            self._seen_ns = now_ns
            for channel, quantity in self._followed.items():
                self._sensor.set(channel, Fraction(round(quantity(now_ns) * 1_000_000), 1_000_000))
        return self._part.read(register, length)

    def write(self, register: int, data: bytes) -> None:
        """See `Model.write`."""
        self._part.write(register, data)

    def put(self, channel: str, quantity: Fraction) -> None:
        """See `Model.put`."""
        self._part.put(channel, quantity)

    def power_up(self) -> None:
        """See `Model.power_up`."""
        self._part.power_up()


def _raw(iio: MockIio, device: str, channel: str, quantity: Quantity) -> Callable[[int], int]:
    def raw(time_ns: int) -> int:
        unit = iio.unit(device, channel)
        return round((quantity(time_ns) * 1_000_000_000 - unit.base_nano) / unit.scale_nano)

    return raw
