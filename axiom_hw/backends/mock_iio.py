"""Sensors in memory, on any clock: each channel measures a signal, a function of time; faults are there to be had.

    bench.iio.set_signal("imu", "accel_x", lambda time_ns: 16384)
    bench.iio.lose("imu", 3)                    # the next three scans don't reach the buffer

What it obeys is what programs can tell: a buffer has a length and drops the newest, it is readable from its watermark
on, it is one process's, and a device that was unplugged is gone until somebody plugs it in.
"""

from __future__ import annotations

import errno
import os
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Final, Protocol

from axiom_hw.backends.iio import PLAIN, Capture, Crossing, Crossings, Unit, failed, no_such_device, unit_of
from axiom_hw.backends.scan_format import ElementType, ScanFormat, lay_out
from axiom_hw.board import Board
from axiom_hw.board.iio import IioDevice, Subsystem, Trigger
from axiom_hw.errors import BackendError, BoardError
from axiom_hw.events import Edge

Signal = Callable[[int], int]
"""The raw value at a time, in ns of the bench's clock."""

_OWN_PERIOD_NS: Final = 10_000_000  # of a device whose rate nobody asked for
_ELEMENT: Final = ElementType(False, True, 32, 4)
_TIMESTAMP: Final = ElementType(False, True, 64, 8)
_S32_MAX: Final = (1 << 31) - 1

# What one step is by default, in the unit of the kernel: as of an MPU-6050 at 2 g and 250 degrees a second, and of an
# ADS1015 at 4.096 V.
_SCALES: Final = {
    "accel": Fraction("0.000598"), "anglvel": Fraction("0.000133158"), "temp": Fraction(1), "voltage": Fraction(2),
}  # fmt: skip


class Time(Protocol):
    """What the mock needs of a clock."""

    def now_ns(self) -> int: ...


class Cancellable(Protocol):
    """A timer that was started."""

    def cancel(self) -> None: ...


class Timers(Protocol):
    """What the mock needs of a scheduler: buffers fill by it."""

    def every(self, period_ns: int, callback: Callable[[int, int, int], None], /) -> Cancellable: ...


class _World:
    """One device, as it is: present or not, what it measures, what is wrong with it."""

    def __init__(self, declared: IioDevice) -> None:
        self.declared = declared
        self.signals: list[Signal] = [lambda time_ns: 0 for _ in declared.channels]
        self.units = [_unit(declared, channel) for channel in declared.channels]
        self.is_present = True
        self.stuck_at: tuple[int, ...] | None = None
        self.errors: deque[int] = deque()
        self.losing = 0
        self.capture: MockCapture | None = None
        self.taken = 0  # scans that the device made, lost ones included

    def values(self, time_ns: int) -> tuple[int, ...]:
        """What it measures at a time."""
        if self.stuck_at is not None:
            return self.stuck_at
        return tuple(max(~_S32_MAX, min(signal(time_ns), _S32_MAX)) for signal in self.signals)


class MockIio:
    """The sensors that a board declares.

    Synchronization: none required by the caller; a lock stands for the kernel's. Signals are called with it.
    """

    def __init__(self, declared: Iterable[IioDevice], clock: Time, timers: Timers) -> None:
        self.clock = clock
        self.timers = timers
        self.lock = threading.RLock()  # a signal may ask the bench
        self._worlds = {device.name: _World(device) for device in declared}

    @classmethod
    def for_board(cls, board: Board, clock: Time, timers: Timers) -> MockIio:
        """The IIO and hwmon devices of a board."""
        return cls(board.iio, clock, timers)

    def open(self, declared: IioDevice) -> MockSensor:
        """See `IioBackend.open`."""
        world = self._worlds.get(declared.name)
        if world is None or not world.is_present:
            raise no_such_device(declared, (w.declared.device for w in self._worlds.values() if w.is_present))
        return MockSensor(self, world)

    # the world's side

    def set_signal(self, device: str, channel: str, signal: Signal) -> None:
        """Let a channel measure something else from now on. Raises `BoardError` for a name that isn't there."""
        world, at = self._at(device, channel)
        with self.lock:
            world.signals[at] = signal

    def set_unit(self, device: str, channel: str, scale: Fraction, offset: Fraction = Fraction(0)) -> None:
        """What a raw value of a channel means; for those who open the device later."""
        world, at = self._at(device, channel)
        world.units[at] = unit_of(scale, offset)

    def unit(self, device: str, channel: str) -> Unit:
        """What a raw value of a channel means. Raises `BoardError` for a name that isn't there."""
        world, at = self._at(device, channel)
        return world.units[at]

    def stick(self, device: str) -> None:
        """Let a device measure what it does now for ever, until `heal`."""
        world = self._world(device)
        with self.lock:
            world.stuck_at = world.values(self.clock.now_ns())

    def fail(self, device: str, number: int = errno.EIO, readings: int = 1) -> None:
        """Let its next readings fail: of a buffer these are scans, which are lost."""
        world = self._world(device)
        with self.lock:
            world.errors.extend([number] * readings)

    def lose(self, device: str, scans: int) -> None:
        """Let the next scans not reach the buffer."""
        world = self._world(device)
        with self.lock:
            world.losing += scans

    def heal(self, device: str) -> None:
        """Undo `stick`, `fail` and `lose`."""
        world = self._world(device)
        with self.lock:
            world.stuck_at, world.losing = None, 0
            world.errors.clear()

    def unplug(self, device: str) -> None:
        """Take a device away."""
        world = self._world(device)
        with self.lock:
            world.is_present = False
            if world.capture is not None:
                world.capture.gone()

    def plug(self, device: str) -> None:
        """Bring it back."""
        self._world(device).is_present = True

    def taken(self, device: str) -> int:
        """How many scans a device has made for its buffer, those that were lost included."""
        return self._world(device).taken

    def _world(self, name: str) -> _World:
        if name not in self._worlds:
            there = ", ".join(self._worlds) or "none"
            raise BoardError(name, f"is no IIO or hwmon device of this bench; there are: {there}")
        return self._worlds[name]

    def _at(self, device: str, channel: str) -> tuple[_World, int]:
        world = self._world(device)
        channels = world.declared.channels
        if channel not in channels:
            raise BoardError(f"{device}/{channel}", f"is no channel of it; it has {', '.join(channels)}")
        return world, channels.index(channel)


class MockSensor:
    """A sensor that is open. Synchronization: as `Sensor`."""

    def __init__(self, bench: MockIio, world: _World) -> None:
        self._bench = bench
        self._world = world
        self.units: tuple[Unit, ...] = tuple(world.units)

    def read(self, channel: int) -> int:
        """See `Sensor.read`."""
        world = self._world
        with self._bench.lock:
            if not world.is_present:
                raise _broken(world, errno.ENODEV)
            if world.errors:
                raise _broken(world, world.errors.popleft())
            return world.values(self._bench.clock.now_ns())[channel]

    def capture(self) -> Capture:
        """See `Sensor.capture`."""
        with self._bench.lock:
            if not self._world.is_present:
                raise _broken(self._world, errno.ENODEV)
            if self._world.capture is not None:
                raise failed(
                    _place(self._world), "its buffer is in use", errno.EBUSY, "close the other runtime of this bench"
                )
            self._world.capture = MockCapture(self._bench, self._world)
            return self._world.capture

    def crossings(self) -> Crossings:
        """See `Sensor.crossings`."""
        return MockCrossings(self._bench, self._world)

    def close(self) -> None:
        """See `Sensor.close`."""


class MockCapture:
    """A buffer. Synchronization: as `Capture`."""

    def __init__(self, bench: MockIio, world: _World) -> None:
        declared = world.declared
        self._bench = bench
        self._world = world
        self._scans: deque[bytes] = deque()
        self._bell = _Bell()
        self._pack = struct.Struct(f"<{len(declared.channels)}i{'4x' * (len(declared.channels) % 2)}q").pack
        self.format: ScanFormat = lay_out([_ELEMENT] * len(declared.channels), _TIMESTAMP)
        self.period_ns = declared.period_ns or _OWN_PERIOD_NS
        self.monotonic = True
        self.dropped = 0
        self._timer: Cancellable | None = None
        if declared.trigger is not Trigger.SYSFS:
            self._timer = bench.timers.every(self.period_ns, self._tick)

    def fileno(self) -> int:
        """See `Capture.fileno`."""
        return self._bell.fileno()

    def descriptor(self) -> int | None:
        """See `Capture.descriptor`: there is none."""
        return None

    def read(self, max_scans: int) -> bytes:
        """See `Capture.read`."""
        with self._bench.lock:
            if not self._scans and not self._world.is_present:
                raise _broken(self._world, errno.ENODEV)
            taken = b"".join(self._scans.popleft() for _ in range(min(max_scans, len(self._scans))))
            if len(self._scans) < self._world.declared.watermark and self._world.is_present:
                self._bell.quiet()
            return taken

    def check(self) -> None:
        """See `Capture.check`."""
        if not self._world.is_present:
            raise _broken(self._world, errno.ENODEV)

    def fire(self) -> None:
        """See `Capture.fire`."""
        self._take(self._bench.clock.now_ns())

    def close(self) -> None:
        """See `Capture.close`."""
        with self._bench.lock:
            if self._timer is not None:
                self._timer.cancel()
            if self._world.capture is self:
                self._world.capture = None
                self._bell.close()

    def gone(self) -> None:
        """The device was unplugged: who waits has to see it."""
        if self._timer is not None:
            self._timer.cancel()
        self._bell.ring()

    def _tick(self, due_ns: int, _count: int, overruns: int) -> None:
        for late in range(overruns, -1, -1):
            self._take(due_ns - late * self.period_ns)

    def _take(self, time_ns: int) -> None:
        world = self._world
        with self._bench.lock:
            if world.capture is not self or not world.is_present:
                return
            world.taken += 1
            if world.losing or world.errors:
                if world.losing:
                    world.losing -= 1
                else:
                    world.errors.popleft()
                return
            if len(self._scans) == world.declared.length:
                self.dropped += 1  # the kernel's FIFO keeps what it has
                return
            self._scans.append(self._pack(*world.values(time_ns), time_ns))
            if len(self._scans) >= world.declared.watermark:
                self._bell.ring()


class MockCrossings:
    """A device's own events: it looks at its thresholds at its rate. Synchronization: as `Crossings`."""

    def __init__(self, bench: MockIio, world: _World) -> None:
        self._bench = bench
        self._world = world
        self._queue: deque[Crossing] = deque()
        self._bell = _Bell()
        self._armed: dict[tuple[int, Edge], bool] = {
            (threshold.channel, edge): False for threshold in world.declared.thresholds for edge in Edge
        }
        self._timer: Cancellable | None = bench.timers.every(
            world.declared.period_ns or _OWN_PERIOD_NS, lambda due_ns, *_: self._look(due_ns)
        )

    def fileno(self) -> int:
        """See `Crossings.fileno`."""
        return self._bell.fileno()

    def read(self) -> tuple[Crossing, ...]:
        """See `Crossings.read`."""
        with self._bench.lock:
            if not self._queue and not self._world.is_present:
                raise _broken(self._world, errno.ENODEV)
            found = tuple(self._queue)
            self._queue.clear()
            self._bell.quiet()
            return found

    def close(self) -> None:
        """See `Crossings.close`."""
        with self._bench.lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
                self._bell.close()

    def _look(self, time_ns: int) -> None:
        with self._bench.lock:
            if self._timer is None or not self._world.is_present:
                return
            values = self._world.values(time_ns)
            for threshold in self._world.declared.thresholds:
                value, back = values[threshold.channel], threshold.hysteresis or 0
                if threshold.rising is not None:
                    beyond, rearm = value >= threshold.rising, value < threshold.rising - back
                    self._decide(threshold.channel, Edge.RISING, beyond, rearm, time_ns)
                if threshold.falling is not None:
                    beyond, rearm = value <= threshold.falling, value > threshold.falling + back
                    self._decide(threshold.channel, Edge.FALLING, beyond, rearm, time_ns)

    def _decide(self, channel: int, edge: Edge, beyond: bool, rearm: bool, time_ns: int) -> None:
        """A threshold raises its event once, and again only after the value was back."""
        if beyond and self._armed[channel, edge]:
            self._armed[channel, edge] = False
            self._queue.append(Crossing(channel, edge, time_ns))
            self._bell.ring()
        elif rearm:
            self._armed[channel, edge] = True


class _Bell:
    """A descriptor that polls readable while it rings."""

    def __init__(self) -> None:
        self._fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._rings = False

    def fileno(self) -> int:
        return self._fd

    def ring(self) -> None:
        if not self._rings:
            os.eventfd_write(self._fd, 1)
        self._rings = True

    def quiet(self) -> None:
        if self._rings:
            os.eventfd_read(self._fd)
        self._rings = False

    def close(self) -> None:
        os.close(self._fd)


def _unit(declared: IioDevice, channel: str) -> Unit:
    if declared.subsystem is Subsystem.HWMON:
        return PLAIN
    kind = next((kind for kind in _SCALES if channel.startswith(kind)), None)
    return unit_of(_SCALES[kind] if kind else Fraction(1, 1000), Fraction(0))


def _place(world: _World) -> str:
    return f"{world.declared.subsystem.value} {world.declared.name}"


def _broken(world: _World, number: int) -> BackendError:
    return failed(_place(world), "can't be read", number)
