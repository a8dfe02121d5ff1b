"""What a program can be attached to: one frozen value per kind of hook.

Adapters keep the key of each source and hand it in with every event, so a key carries its hash: computing it
from the fields each time would cost a third of a dispatch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from axiom_hw.events import Edge


class _Key:
    """Keeps the hash. A key names `__hash__` again, or `dataclass` would make it one that computes."""

    __slots__ = ("_hash",)
    _hash: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash((type(self).__name__, *self._values())))

    def __hash__(self) -> int:
        return self._hash

    def __reduce__(self) -> tuple[type[_Key], tuple[object, ...]]:
        return type(self), self._values()  # made anew: another process hashes names otherwise

    def _values(self) -> tuple[object, ...]:
        return tuple(map(self.__getattribute__, self.__slots__))  # `dataclass` names those of the key alone


@dataclass(frozen=True, slots=True)
class GpioKey(_Key):
    """One edge of one line. A program on both edges is attached to two keys."""

    chip_id: int
    line: int  # offset on its chip
    edge: Edge
    __hash__ = _Key.__hash__

    def __str__(self) -> str:
        return f"gpio/{self.chip_id}/line{self.line}/{self.edge.name.lower()}"


@dataclass(frozen=True, slots=True)
class PwmKey(_Key):
    """The writes to one PWM channel."""

    chip_id: int
    channel: int
    __hash__ = _Key.__hash__

    def __str__(self) -> str:
        return f"pwm/{self.chip_id}/channel{self.channel}"


@dataclass(frozen=True, slots=True)
class TimerKey(_Key):
    """One periodic timer; `id` tells timers of the same period apart."""

    period_ns: int
    id: int
    __hash__ = _Key.__hash__

    def __str__(self) -> str:
        return f"timer/{self.period_ns}ns#{self.id}"


@dataclass(frozen=True, slots=True)
class IioKey(_Key):
    """The samples of one channel of an IIO device; or, with an `edge`, its crossings of a threshold."""

    device_id: int
    channel: int  # its place in the device's `channels`
    edge: Edge | None = None
    __hash__ = _Key.__hash__

    def __str__(self) -> str:
        edge = f"/{self.edge.name.lower()}" if self.edge is not None else ""
        return f"iio/{self.device_id}/{self.channel}{edge}"


@dataclass(frozen=True, slots=True)
class ScanKey(_Key):
    """The scans of an IIO device."""

    device_id: int
    __hash__ = _Key.__hash__

    def __str__(self) -> str:
        return f"scan/{self.device_id}"


@dataclass(frozen=True, slots=True)
class I2cKey(_Key):
    """The readings of one channel of a sensor on an I2C bus."""

    sensor_id: int
    channel: int
    __hash__ = _Key.__hash__

    def __str__(self) -> str:
        return f"i2c/{self.sensor_id}/{self.channel}"


@dataclass(frozen=True, slots=True)
class SerialKey(_Key):
    """The records of a serial port."""

    port_id: int
    __hash__ = _Key.__hash__

    def __str__(self) -> str:
        return f"serial/{self.port_id}"


@dataclass(frozen=True, slots=True)
class ServiceKey(_Key):
    """An event that a service raises itself, to see that events are handled. No section names it."""

    name: str
    __hash__ = _Key.__hash__

    def __str__(self) -> str:
        return f"service/{self.name}"


HookKey: TypeAlias = GpioKey | PwmKey | TimerKey | IioKey | ScanKey | I2cKey | SerialKey | ServiceKey
