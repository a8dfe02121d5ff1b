"""Sensors on I2C buses as events: each is read at its rate while a program wants it, and a failure is an event too.

A reading that nobody answers is tried once more at once: some parts don't answer while they convert. What still fails
makes events with its errno as `status`; the next one begins with waking the part again, as after it was unplugged.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol, cast

from axiom_hw.adapters.i2c_drivers import Reading, driver_of
from axiom_hw.adapters.roll_call import RollCall
from axiom_hw.backends.i2c import NO_ANSWER, I2cBackend, I2cPort, place_of
from axiom_hw.board import Board
from axiom_hw.board.i2c import Sensor, SensorBus
from axiom_hw.bpf.layout import Struct
from axiom_hw.errors import AxiomError, BackendError
from axiom_hw.events import I2cEvent
from axiom_hw.keys import HookKey, I2cKey

_PACK: Final = struct.Struct(cast(type[Struct], I2cEvent).LAYOUT.format).pack
_U32: Final = 0xFFFF_FFFF
_QUIET_NS: Final = 10_000_000_000  # a sensor that was well for so long is told of again


class Time(Protocol):
    """What the source needs of a clock."""

    def now_ns(self) -> int: ...


class Cancellable(Protocol):
    """A timer that was started."""

    def cancel(self) -> None: ...


class Timers(Protocol):
    """What serves the timers of a bus: a scheduler."""

    def every(self, period_ns: int, callback: Callable[[int, int, int], None], /) -> Cancellable: ...

    def after(self, delay_ns: int, callback: Callable[[int, int, int], None], /) -> Cancellable: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...


@dataclass(frozen=True, slots=True)
class SensorCounters:
    """What became of the readings of one sensor: `lost` were due, but the one before took too long."""

    made: int
    failed: int
    lost: int


class _Bus:
    """A bus, opened when it is first needed, and again after it went away."""

    def __init__(self, backend: I2cBackend, declared: SensorBus) -> None:
        self._backend = backend
        self._declared = declared
        self._port: I2cPort | None = None

    def port(self) -> I2cPort:
        if self._port is None:
            self._port = self._backend.open(self._declared)
        return self._port

    def close(self) -> None:
        port, self._port = self._port, None
        if port is not None:
            port.close()


class _Sensor:
    """One sensor, its driver and its last good readings.

    Synchronization: read by the thread that serves its bus.
    """

    def __init__(self, declared: Sensor, sensor_id: int, bus: _Bus, path: str) -> None:
        self.declared = declared
        self.bus = bus
        self.place = f"sensor {declared.name}, {place_of(path, declared.address)}"
        self.driver = driver_of(declared, self.place)
        self.keys = tuple(I2cKey(sensor_id, at) for at in range(len(declared.channels)))
        self.last: Sequence[Reading] = [Reading(0, 0)] * len(self.keys)
        self.timer: Cancellable | None = None
        self.begun = False
        self.made = self.failed = self.lost = self.seqno = 0
        self.last_error: BackendError | None = None
        self.failed_ns: int | None = None  # when a reading failed last

    def begin(self) -> None:
        """Wake the part. Raises `BackendError`."""
        self.driver.begin(self.bus.port())
        self.begun = True

    def read(self) -> None:
        """Read all channels. Raises `BackendError`."""
        try:
            self._attempt()
        except BackendError as error:
            if error.errno not in NO_ANSWER:
                raise
            self._attempt()

    def _attempt(self) -> None:
        fresh = not self.begun
        try:
            if fresh:
                self.begin()
            self.last = self.driver.read(self.bus.port())
        except BackendError as error:
            # A part that hasn't measured yet was just woken; one that was awake before has lost its settings.
            self.begun = fresh and self.begun and error.errno == errno.EAGAIN
            if error.errno in (errno.ENODEV, errno.EBADF, errno.EPERM):
                self.bus.close()
            raise


class I2cSource:
    """The sensors of a board on I2C buses, as events of I2C hooks.

    `fire(key, ctx)` is called for each channel of a reading, with the bytes of an `I2cEvent`. `timers` serves each bus,
    by its index; in real time each has its own, whose thread starts and stops with the source. Only what is `wanted` is
    read; `rearm` looks again. Raises `BackendError` where a sensor that isn't optional can't be had.

    Synchronization: `rearm` by one thread at a time; a bus is read by the thread that serves its timers.
    """

    def __init__(
        self,
        backend: I2cBackend,
        board: Board,
        fire: Callable[[I2cKey, bytes], object],
        clock: Time,
        timers: Mapping[int, Timers],
        *,
        real_time: bool,
        wanted: Callable[[HookKey], bool] = lambda key: True,
        on_error: Callable[[AxiomError], object] | None = None,
        on_trouble: Callable[[AxiomError], object] = lambda error: None,
    ) -> None:
        self._board = board
        self._fire = fire
        self._clock = clock
        self._timers = timers
        self._real_time = real_time
        self._running = not real_time  # virtual time is served from its first moment on
        self._wanted = wanted
        self._on_error = on_error
        self._on_trouble = on_trouble
        self._buses = [_Bus(backend, bus) for bus in board.i2c_buses]
        self._calls = tuple(RollCall(f"the thread of {_path(board.i2c_buses[at])}") for at in timers)
        self._sensors = [
            _Sensor(sensor, at, self._buses[sensor.bus_id], _path(board.i2c_buses[sensor.bus_id]))
            for at, sensor in enumerate(board.sensors)
        ]
        for sensor in self._sensors:
            try:
                sensor.begin()
            except BackendError as error:
                if not sensor.declared.optional:
                    self.close()
                    raise _about(sensor, error) from error

    def start(self) -> None:
        """See `Source.start`: one thread a bus."""
        self._running = True
        self.rearm()
        for timers in self._timers.values():
            timers.start()

    def stop(self) -> None:
        """See `Source.stop`."""
        self._running = False
        self.rearm()
        if self._real_time:
            for timers in self._timers.values():
                timers.stop()

    def close(self) -> None:
        """See `Source.close`."""
        self.stop()
        for bus in self._buses:
            bus.close()

    def call_roll(self) -> tuple[RollCall, ...]:
        """See `Answering.call_roll`."""
        for call, timers in zip(self._calls, self._timers.values(), strict=True):
            call.ask()
            timers.after(0, lambda *_, call=call: call.answer())
        return self._calls

    def ready(self) -> bool:
        """See `Source.ready`: readings are made by timers."""
        return False

    def pump(self) -> int:
        """See `Source.pump`."""
        return 0

    def rearm(self) -> None:
        """Read from now on what is wanted now, and nothing else. Returns at once."""
        for sensor in self._sensors:
            wanted = self._running and any(self._wanted(key) for key in sensor.keys)
            if wanted and sensor.timer is None:
                timers = self._timers[sensor.declared.bus_id]
                sensor.timer = timers.every(sensor.declared.period_ns, partial(self._poll, sensor))
            elif not wanted and sensor.timer is not None:
                sensor.timer.cancel()
                sensor.timer = None

    def counters(self, name: str) -> SensorCounters:
        """The counters of one sensor. Raises `BoardError` for a name that the board doesn't have."""
        sensor = self._sensors[self._board.sensors.index(self._board.sensor(name))]
        return SensorCounters(sensor.made, sensor.failed, sensor.lost)

    def losses(self) -> tuple[str, ...]:
        """See `Losing.losses`."""
        told = []
        for sensor in self._sensors:
            due = sensor.made + sensor.failed
            if sensor.failed:
                last = f"; the last: {sensor.last_error.problem}" if sensor.last_error else ""
                told.append(f"sensor {sensor.declared.name}: {sensor.failed} of {due} readings failed{last}")
            if sensor.lost:
                told.append(
                    f"sensor {sensor.declared.name}: {sensor.lost} readings were due, but weren't made in time; "
                    "lower its rate, or raise the clock of the bus: dtparam=i2c_arm_baudrate=400000"
                )
        return tuple(told)

    def _poll(self, sensor: _Sensor, _due_ns: int, _count: int, overruns: int) -> None:
        status = 0
        try:
            sensor.read()
        except BackendError as error:
            status = error.errno or errno.EIO
            self._failed(sensor, error)
        else:
            sensor.made += 1
        now_ns = self._clock.now_ns()
        sensor.lost += overruns
        sensor.seqno = sensor.seqno + 1 & _U32
        try:
            for channel, (key, reading) in enumerate(zip(sensor.keys, sensor.last, strict=True)):
                ctx = _PACK(
                    now_ns, key.sensor_id, channel, reading.value, status, sensor.seqno, min(overruns, _U32),
                    reading.micro, 0,
                )  # fmt: skip
                self._fire(key, ctx)
        except AxiomError as error:
            if self._on_error is None:
                raise
            self._on_error(error)

    def _failed(self, sensor: _Sensor, error: BackendError) -> None:
        """Count it, and tell the first of a series: a sensor with a loose wire fails many times."""
        now_ns, before_ns = self._clock.now_ns(), sensor.failed_ns
        sensor.failed += 1
        sensor.failed_ns = now_ns
        sensor.last_error = error
        if before_ns is None or now_ns - before_ns > max(_QUIET_NS, 2 * sensor.declared.period_ns):
            self._on_trouble(_about(sensor, error))


def _path(bus: SensorBus) -> str:
    return bus.path or bus.adapter


def _about(sensor: _Sensor, error: BackendError) -> BackendError:
    """The same error, with the name that the board gives to the sensor."""
    place = error.place if error.place.startswith("i2c bus") else sensor.place
    if sensor.declared.optional:
        place = f"without {sensor.declared.name}, which is optional and tried again: {place}"
    return BackendError(place, error.problem, error.fix, error.errno or errno.EIO)
