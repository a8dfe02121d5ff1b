"""What a program can be attached to: one frozen value per kind of hook.

Adapters keep the key of each source and hand it in with every event, so a key carries its hash: computing it
from the fields each time would cost a third of a dispatch.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from axiom_hw.events import Edge


@dataclass(frozen=True, slots=True)
class GpioKey:
    """One edge of one line. A program on both edges is attached to two keys."""

    chip_id: int
    line: int  # offset on its chip
    edge: Edge
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash(("gpio", self.chip_id, self.line, self.edge)))

    def __hash__(self) -> int:
        return self._hash

    def __str__(self) -> str:
        return f"gpio/{self.chip_id}/line{self.line}/{self.edge.name.lower()}"


@dataclass(frozen=True, slots=True)
class PwmKey:
    """The writes to one PWM channel."""

    chip_id: int
    channel: int
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash(("pwm", self.chip_id, self.channel)))

    def __hash__(self) -> int:
        return self._hash

    def __str__(self) -> str:
        return f"pwm/{self.chip_id}/channel{self.channel}"


@dataclass(frozen=True, slots=True)
class TimerKey:
    """One periodic timer; `id` tells timers of the same period apart."""

    period_ns: int
    id: int
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash(("timer", self.period_ns, self.id)))

    def __hash__(self) -> int:
        return self._hash

    def __str__(self) -> str:
        return f"timer/{self.period_ns}ns#{self.id}"


@dataclass(frozen=True, slots=True)
class IioKey:
    """The samples of one channel of an IIO device; or, with an `edge`, its crossings of a threshold."""

    device_id: int
    channel: int  # its place in the device's `channels`
    edge: Edge | None = None
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash(("iio", self.device_id, self.channel, self.edge)))

    def __hash__(self) -> int:
        return self._hash

    def __str__(self) -> str:
        edge = f"/{self.edge.name.lower()}" if self.edge is not None else ""
        return f"iio/{self.device_id}/{self.channel}{edge}"


@dataclass(frozen=True, slots=True)
class ScanKey:
    """The scans of an IIO device."""

    device_id: int
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash(("scan", self.device_id)))

    def __hash__(self) -> int:
        return self._hash

    def __str__(self) -> str:
        return f"scan/{self.device_id}"


@dataclass(frozen=True, slots=True)
class I2cKey:
    """The readings of one channel of a sensor on an I2C bus."""

    sensor_id: int
    channel: int
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash(("i2c", self.sensor_id, self.channel)))

    def __hash__(self) -> int:
        return self._hash

    def __str__(self) -> str:
        return f"i2c/{self.sensor_id}/{self.channel}"


@dataclass(frozen=True, slots=True)
class SerialKey:
    """The records of a serial port."""

    port_id: int
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash(("serial", self.port_id)))

    def __hash__(self) -> int:
        return self._hash

    def __str__(self) -> str:
        return f"serial/{self.port_id}"


HookKey: TypeAlias = GpioKey | PwmKey | TimerKey | IioKey | ScanKey | I2cKey | SerialKey
