"""I2C buses in memory: the sensors of a board as models, and the faults that a bench can make them have."""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Callable
from fractions import Fraction

from axiom_hw.backends.i2c import address_busy, check_transfer, closed_bus, no_such_bus, transfer_failed
from axiom_hw.backends.mock_parts import Model, model_of
from axiom_hw.board import Board
from axiom_hw.board.i2c import Sensor, SensorBus
from axiom_hw.errors import BoardError

Quantity = int | float | str | Fraction


class MockSensor:
    """A sensor on a mock bus, and the hands of somebody who changes its world or pulls its wires.

    Synchronization: any thread.
    """

    def __init__(self, sensor: Sensor, model: Model) -> None:
        self.sensor = sensor
        self.model = model
        self.present = True
        self.reads = 0  # transfers that were answered
        self._frozen = False
        self._failures: deque[int] = deque()
        self._bound = ""

    def set(self, channel: str, quantity: Quantity) -> None:
        """What it measures from now on: "22.5", in the channel's unit. A frozen one doesn't notice."""
        names = [one.name for one in self.sensor.channels]
        if channel not in names:
            raise BoardError(
                f"sensor {self.sensor.name}",
                f"has no channel `{channel}`; it has {', '.join(names)}",
                "use one of these",
            )
        if not self._frozen:
            self.model.put(channel, Fraction(quantity if isinstance(quantity, Fraction) else str(quantity)))

    def fail(self, number: int = errno.EREMOTEIO, times: int = 1) -> None:
        """Let so many of the next transfers fail with an errno: EREMOTEIO is a NACK, EIO a disturbance."""
        self._failures.extend([number] * times)

    def unplug(self) -> None:
        """Pull its wires: nobody answers."""
        self.present = False

    def plug(self) -> None:
        """Plug it in again: it has forgotten what was written to it."""
        if not self.present:
            self.model.power_up()
            self.present = True

    def freeze(self) -> None:
        """Let it be stuck: it answers, with the numbers that it had."""
        self._frozen = True

    def heal(self) -> None:
        """Undo `freeze` and `fail`; it measures again with the next `set`, and answers if it was silent."""
        self._frozen = False
        self._failures.clear()

    def bind(self, driver: str) -> None:
        """Let a driver of the kernel have its address; "" lets it go."""
        self._bound = driver

    def answer(self, bus: str, address: int) -> Model:
        """What a transfer meets. Raises `BackendError`, as the kernel would fail it."""
        if self._bound:
            raise address_busy(bus, address, self._bound)
        if not self.present:
            raise transfer_failed(bus, address, errno.EREMOTEIO)
        if self._failures:
            raise transfer_failed(bus, address, self._failures.popleft())
        self.reads += 1
        return self.model


class MockI2c:
    """The buses that a board declares, with its sensors on them.

    Synchronization: as `I2cBackend` and `I2cPort` say; `device` and `hang` from any thread.
    """

    def __init__(self, buses: tuple[SensorBus, ...], sensors: tuple[Sensor, ...], now_ns: Callable[[], int]) -> None:
        self._buses = buses
        self._sensors = {sensor.name: MockSensor(sensor, model_of(sensor, now_ns)) for sensor in sensors}
        self._hung: dict[str, int] = {}  # bus to the errno of all its transfers

    @classmethod
    def for_board(cls, board: Board, now_ns: Callable[[], int]) -> MockI2c:
        """The buses and sensors that a board declares."""
        return cls(board.i2c_buses, board.sensors, now_ns)

    def open(self, bus: SensorBus) -> MockI2cPort:
        """See `I2cBackend.open`."""
        if bus not in self._buses:
            raise no_such_bus(bus.path or bus.adapter, ", ".join(one.path or one.adapter for one in self._buses))
        return MockI2cPort(self, bus)

    def device(self, name: str) -> MockSensor:
        """A sensor by its name on the board. Raises `BoardError`."""
        if name not in self._sensors:
            there = ", ".join(self._sensors) or "none"
            raise BoardError("mock i2c", f"has no sensor `{name}`; it has {there}", f"add [sensor.{name}] to the board")
        return self._sensors[name]

    def hang(self, bus: str, number: int = errno.ETIMEDOUT) -> None:
        """Let every transfer of a bus fail; with 0 no longer."""
        self._hung[bus] = number

    def answer(self, bus: SensorBus, where: str, address: int) -> Model:
        """What a transfer meets."""
        number = self._hung.get(bus.name, 0)
        if number:
            raise transfer_failed(where, address, number)
        for one in self._sensors.values():
            if one.sensor.address == address and self._buses[one.sensor.bus_id] == bus:
                return one.answer(where, address)
        raise transfer_failed(where, address, errno.EREMOTEIO)


class MockI2cPort:
    """An open mock bus.

    Synchronization: one thread at a time.
    """

    def __init__(self, bench: MockI2c, bus: SensorBus) -> None:
        self._bench = bench
        self._bus = bus
        self._where = bus.path or bus.adapter
        self._is_closed = False

    def read(self, address: int, register: int, length: int) -> bytes:
        """See `I2cPort.read`."""
        check_transfer(self._where, address, length, 1)
        return self._model(address).read(register, length)

    def write(self, address: int, register: int, data: bytes) -> None:
        """See `I2cPort.write`."""
        check_transfer(self._where, address, len(data), 0)
        self._model(address).write(register, data)

    def close(self) -> None:
        """See `I2cPort.close`."""
        self._is_closed = True

    def _model(self, address: int) -> Model:
        if self._is_closed:
            raise closed_bus(self._where)
        return self._bench.answer(self._bus, self._where, address)
