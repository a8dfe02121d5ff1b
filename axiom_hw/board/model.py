"""What a board says, as frozen values: chips, inputs, outputs, and the state in which each output is safe.

The words are libgpiod's for GPIO and the kernel's for PWM. A *level* is what a meter on the wire shows (0 or 1); a
*value* is the logical one, which `active_low` turns round. Programs and the guard speak of values only.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum, IntEnum
from typing import Final

from axiom_hw.board.i2c import Sensor, SensorBus
from axiom_hw.board.iio import IioDevice
from axiom_hw.board.serial import SerialPort
from axiom_hw.board.watch import Watch
from axiom_hw.errors import BoardError

SOFTWARE: Final = "software:"  # begins the device of lines that software pulses; the label of their chip follows


class Bias(Enum):
    """The resistor inside the chip that decides the level of a line that nothing drives."""

    AS_IS = "as-is"
    DISABLED = "disabled"
    PULL_UP = "pull-up"
    PULL_DOWN = "pull-down"


class EdgeDetection(Enum):
    """Which changes of a line's value make events."""

    NONE = "none"
    RISING = "rising"
    FALLING = "falling"
    BOTH = "both"


class Drive(Enum):
    """How an output makes its levels."""

    PUSH_PULL = "push-pull"
    OPEN_DRAIN = "open-drain"
    OPEN_SOURCE = "open-source"


class Polarity(IntEnum):
    """Whether a PWM period starts high (normal) or low (inversed), as `enum pwm_polarity` numbers it."""

    NORMAL = 0
    INVERSED = 1


class Authority(IntEnum):
    """Who gives an order: a program on a hook, the application around it, or a person."""

    PROGRAM = 0
    APPLICATION = 1
    OPERATOR = 2


@dataclass(frozen=True, slots=True)
class Servo:
    """The angles of a servo, in thousandths of a degree, at the least and the greatest duty of its channel."""

    min_mdeg: int
    max_mdeg: int

    def duty_ns(self, mdeg: int, least_ns: int, most_ns: int) -> int:
        """The duty of an angle, to the nearest ns; beyond the range it goes on as a straight line."""
        span = self.max_mdeg - self.min_mdeg
        return least_ns + ((mdeg - self.min_mdeg) * (most_ns - least_ns) + span // 2) // span


@dataclass(frozen=True, slots=True)
class Motor:
    """What turns a motor round: no line (it turns one way), one that is 1 for backwards, or (forward, backward)."""

    chip_id: int = 0
    lines: tuple[int, ...] = ()

    def values(self, way: int) -> tuple[int, ...]:
        """Of the lines: forwards for a positive `way`, backwards for a negative one, standing still for 0."""
        return (int(way < 0),) if len(self.lines) == 1 else (int(way > 0), int(way < 0))[: len(self.lines)]


@dataclass(frozen=True, slots=True)
class Chip:
    """A GPIO chip, found by its label. Its index in the board is the `chip_id` of contexts.

    `event_buffer_size` is what to ask the kernel for, in events; 0 leaves it at 16 for each line. `line_names` are
    those of its lines, from 0 on, that the board file gives.
    """

    name: str
    label: str
    lines: int
    event_buffer_size: int = 0
    line_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PwmChip:
    """A PWM chip, found by the name of its device. Its index in the board is the `chip_id` of PWM contexts.

    Or the lines of a GPIO chip, which software pulses: each is a channel of its number.
    """

    name: str
    device: str
    channels: int

    @property
    def software_label(self) -> str | None:
        """The GPIO chip whose lines software pulses; None of a chip that makes pulses itself."""
        return self.device.removeprefix(SOFTWARE) if self.device.startswith(SOFTWARE) else None


@dataclass(frozen=True, slots=True)
class InputLine:
    """A line that the world drives. `debounce_ns` 0 means that every edge counts."""

    name: str
    chip_id: int
    line: int
    bias: Bias = Bias.AS_IS
    edges: EdgeDetection = EdgeDetection.BOTH
    active_low: bool = False
    debounce_ns: int = 0


@dataclass(frozen=True, slots=True)
class OutputLine:
    """A line that we drive. `safe_value` is the logical value of its safe level.

    Orders need at least `authority`; without one for `watchdog_ns` (0: for ever) it goes to its safe state.
    """

    name: str
    chip_id: int
    line: int
    safe_value: int
    active_low: bool = False
    drive: Drive = Drive.PUSH_PULL
    authority: Authority = Authority.PROGRAM
    watchdog_ns: int = 0


@dataclass(frozen=True, slots=True)
class PwmChannel:
    """A PWM channel that we drive, with the limits of its duty.

    `pin` is the line of the header chip that carries it, where the chip is known. Safe is `safe_duty_ns`, switched
    on or off as `safe_enabled` says. The bench works without an `optional` one: its device may be missing.
    Its duty changes by `slew_ns_per_s` at most (0: at once); `authority` and `watchdog_ns` as of an `OutputLine`.
    What turns by it is a `servo` or a `motor`; a motor that turns both ways has duties below 0 in the guard.
    """

    name: str
    chip_id: int
    channel: int
    period_ns: int
    min_duty_ns: int
    max_duty_ns: int
    safe_duty_ns: int
    safe_enabled: bool
    polarity: Polarity = Polarity.NORMAL
    pin: int | None = None
    optional: bool = False
    authority: Authority = Authority.PROGRAM
    watchdog_ns: int = 0
    slew_ns_per_s: int = 0
    servo: Servo | None = None
    motor: Motor | None = None

    @property
    def limits_ns(self) -> tuple[int, int]:
        """The least and the greatest duty; backwards counts as less than nothing."""
        both_ways = self.motor is not None and bool(self.motor.lines)
        return (-self.max_duty_ns if both_ways else self.min_duty_ns), self.max_duty_ns


@dataclass(frozen=True, slots=True)
class Board:
    """One bench. `source` is the file it was read from; `model` is how /proc/device-tree/model begins there.

    A process that is silent for `watchdog_ns` (0: nobody looks) is stopped by its supervisor.
    """

    name: str
    source: str
    chips: tuple[Chip, ...]
    inputs: tuple[InputLine, ...]
    outputs: tuple[OutputLine | PwmChannel, ...]
    pwm_chips: tuple[PwmChip, ...] = ()
    model: str = ""
    description: str = ""
    watchdog_ns: int = 0
    iio: tuple[IioDevice, ...] = ()
    i2c_buses: tuple[SensorBus, ...] = ()
    sensors: tuple[Sensor, ...] = ()
    serial_ports: tuple[SerialPort, ...] = ()
    watches: tuple[Watch, ...] = ()

    def input(self, name: str) -> InputLine:
        """The input of that name. Raises `BoardError`, which names the nearest ones."""
        for line in self.inputs:
            if line.name == name:
                return line
        if any(output.name == name for output in self.outputs):
            raise BoardError(self.source, f"`{name}` is an output; edges come from inputs: {_listing(self.inputs)}")
        raise self._unknown("input", name, self.inputs)

    def output(self, name: str) -> OutputLine | PwmChannel:
        """The output of that name, a line or a PWM channel. Raises `BoardError`, which names the nearest ones."""
        for output in self.outputs:
            if output.name == name:
                return output
        if any(line.name == name for line in self.inputs):
            raise BoardError(self.source, f"`{name}` is an input, which can't be driven; {_listing(self.outputs)} can")
        raise self._unknown("output", name, self.outputs)

    def line(self, name: str) -> InputLine | OutputLine:
        """The GPIO line of that name, an input or an output. Raises `BoardError`, which names the nearest ones."""
        lines: tuple[InputLine | OutputLine, ...] = (*self.inputs, *self.output_lines)
        for line in lines:
            if line.name == name:
                return line
        if any(channel.name == name for channel in self.pwm_channels):
            raise BoardError(self.source, f"`{name}` is a PWM channel, which has no value; {_listing(lines)} have one")
        raise self._unknown("line", name, lines)

    def iio_device(self, name: str) -> IioDevice:
        """The sensor of the kernel's of that name. Raises `BoardError`, which names the nearest ones."""
        for device in self.iio:
            if device.name == name:
                return device
        raise self._unknown("iio", name, self.iio)

    def sensor(self, name: str) -> Sensor:
        """The sensor on an I2C bus of that name. Raises `BoardError`, which names the nearest ones."""
        for sensor in self.sensors:
            if sensor.name == name:
                return sensor
        raise self._unknown("sensor", name, self.sensors)

    def serial_port(self, name: str) -> SerialPort:
        """The serial port of that name. Raises `BoardError`, which names the nearest ones."""
        for port in self.serial_ports:
            if port.name == name:
                return port
        raise self._unknown("serial", name, self.serial_ports)

    @property
    def output_lines(self) -> tuple[OutputLine, ...]:
        """The outputs that are GPIO lines."""
        return tuple(o for o in self.outputs if isinstance(o, OutputLine))

    @property
    def pwm_channels(self) -> tuple[PwmChannel, ...]:
        """The outputs that are PWM channels."""
        return tuple(o for o in self.outputs if isinstance(o, PwmChannel))

    def _unknown(self, kind: str, name: str, rows: tuple[Named, ...]) -> BoardError:
        near = get_close_matches(name, [row.name for row in rows], n=1)
        table = f"[{kind}.{name}]" if kind != "line" else f"[input.{name}] or [output.{name}]"
        others = ", or use one of these" if rows else ""
        fix = f"did you mean `{near[0]}`?" if near else f"add {table} to the board file{others}"
        return BoardError(self.source, f"has no {kind} `{name}`; it has {_listing(rows)}", fix)


Named = InputLine | OutputLine | PwmChannel | IioDevice | Sensor | SerialPort


def _listing(rows: tuple[Named, ...]) -> str:
    return ", ".join(row.name for row in rows) or "none"
