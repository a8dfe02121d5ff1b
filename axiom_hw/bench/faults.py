"""What breaks on a bench: `bench.fault("button").drop(3)`, `bench.after("1s").fault("climate").unplug()`.

Each thing breaks in its own ways; a verb that it doesn't have is told, with those that it has.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, Final, Protocol

from axiom_hw.backends.mock_gpio import MockChip, MockGpio
from axiom_hw.backends.mock_i2c import MockI2c
from axiom_hw.backends.mock_iio import MockIio
from axiom_hw.backends.mock_pwm import MockPwm
from axiom_hw.backends.mock_serial import MockLine, MockSerial
from axiom_hw.bench.times import Duration, ns_of
from axiom_hw.board import Board, InputLine, OutputLine, PwmChannel
from axiom_hw.errors import BoardError

_NACK: Final = errno.EREMOTEIO  # what the kernel's I2C drivers say where nobody answers


@dataclass(frozen=True, slots=True)
class Ways:
    """The ways in which one thing can break; None for those that it doesn't have."""

    drop: Callable[[int], None] | None = None
    drop_every: Callable[[int], None] | None = None
    bounce: Callable[[int], None] | None = None
    stick: Callable[[], None] | None = None
    fail: Callable[[int, int], None] | None = None
    nack: Callable[[int], None] | None = None
    silence: Callable[[bool], None] | None = None  # it acknowledges nothing, or does again
    hang: Callable[[int], None] | None = None
    garble: Callable[[tuple[int, ...]], None] | None = None
    unplug: Callable[[], None] | None = None
    plug: Callable[[], None] | None = None
    heal: Callable[[], None] | None = None

    def verbs(self) -> str:
        """What somebody may ask for."""
        there = [field.name for field in fields(self) if getattr(self, field.name) is not None]
        return ", ".join(f"{verb}()" for verb in there if verb != "silence")


class Moment(Protocol):
    """When something breaks."""

    def do(self, action: Callable[[], object]) -> None:
        """Then."""
        ...

    def do_later(self, delay_ns: int, action: Callable[[], object]) -> None:
        """So many ns after it."""
        ...


class Fault:
    """What breaks of one thing: an input, an output, a chip, a sensor, a bus or a port.

    Each verb raises `BoardError` for a thing that can't break so.

    Synchronization: as the bench's.
    """

    def __init__(self, source: str, name: str, ways: Ways, moment: Moment) -> None:
        self._source = source
        self._name = name
        self._ways = ways
        self._moment = moment

    def drop(self, count: int = 1) -> None:
        """The kernel loses the next edges of an input, or the next scans of a sensor's buffer: it numbers them."""
        self._do("drop", self._ways.drop, count)

    def drop_every(self, kth: int) -> None:
        """From now on the kernel loses each k-th edge; 0: none any more."""
        self._do("drop_every", self._ways.drop_every, kth)

    def bounce(self, times: int) -> None:
        """The contact is worn: from now on each press and release bounces so many times."""
        self._do("bounce", self._ways.bounce, times)

    def stick(self) -> None:
        """A wire keeps its level, a sensor its values, whatever happens; until `heal`."""
        self._do("stick", self._ways.stick)

    def fail(self, number: int = errno.EIO, times: int = 1) -> None:
        """So many of the next calls fail with an errno: readings, writes, transfers."""
        self._do("fail", self._ways.fail, number, times)

    def hang(self, number: int = errno.ETIMEDOUT, lasting: Duration | None = None) -> None:
        """Every transfer of a bus fails with an errno, for a while or until `heal`: somebody holds its lines."""
        self._do("hang", self._ways.hang, number)
        if lasting is not None and self._ways.heal is not None:
            self._moment.do_later(ns_of(lasting), self._ways.heal)

    def nack(self, times: int = 1, lasting: Duration | None = None) -> None:
        """A sensor doesn't acknowledge so many transfers, or any for a while; it forgets nothing."""
        if lasting is None:
            self._do("nack", self._ways.nack, times)
        else:
            self._do("nack", self._ways.silence, True)
            self._moment.do_later(ns_of(lasting), partial(self._do, "nack", self._ways.silence, False))

    def garble(self, *flips: int) -> None:
        """Flip these bits in the next bytes of a serial port, a number for each byte: 0 leaves one as it is."""
        self._do("garble", self._ways.garble, flips or (0xFF,))

    def unplug(self) -> None:
        """It is gone: who uses it meets ENODEV, a sensor on a bus answers no more."""
        self._do("unplug", self._ways.unplug)

    def plug(self) -> None:
        """It is there again, as after power-up."""
        self._do("plug", self._ways.plug)

    def heal(self) -> None:
        """Nothing is wrong with it any more, but for what was unplugged."""
        self._do("heal", self._ways.heal)

    def _do(self, verb: str, way: Callable[..., None] | None, *arguments: Any) -> None:
        if way is None:
            raise BoardError(self._source, f"`{self._name}` has no {verb}(); what breaks of it is {self._ways.verbs()}")
        self._moment.do(partial(way, *arguments))


@dataclass(frozen=True, slots=True)
class Mocks:
    """The mock devices of a bench."""

    board: Board
    gpio: MockGpio
    pwm: MockPwm
    iio: MockIio
    i2c: MockI2c
    serial: MockSerial
    worn: dict[str, int]  # inputs whose contacts bounce, and how often


def ways_of(mocks: Mocks, name: str) -> Ways:
    """How the thing of that name can break. Raises `BoardError`, with the names there are."""
    board = mocks.board
    for line in (*board.inputs, *board.outputs):
        if line.name == name:
            return _of_channel(mocks, line) if isinstance(line, PwmChannel) else _of_line(mocks, line)
    for device in board.iio:
        if device.name == name:
            return _of_iio(mocks.iio, name)
    for sensor in board.sensors:
        if sensor.name == name:
            return _of_sensor(mocks.i2c, name)
    for bus in board.i2c_buses:
        if bus.name == name:
            return Ways(hang=partial(mocks.i2c.hang, name), heal=partial(mocks.i2c.hang, name, 0))
    for port in board.serial_ports:
        if port.name == name:
            return _of_port(mocks.serial.line(name))
    for chip in board.chips:
        if chip.name == name:
            mock = mocks.gpio.chip(chip.label)
            return Ways(unplug=mock.unplug, plug=mock.plug)
    rows = (*board.inputs, *board.outputs, *board.iio, *board.sensors, *board.i2c_buses, *board.serial_ports,
            *board.chips)  # fmt: skip
    raise BoardError(board.source, f"has nothing `{name}` that could break; it has {', '.join(r.name for r in rows)}")


def _of_line(mocks: Mocks, line: InputLine | OutputLine) -> Ways:
    chip, offset = mocks.gpio.chip(mocks.board.chips[line.chip_id].label), line.line
    if isinstance(line, OutputLine):
        return Ways(
            stick=partial(chip.stick, offset), fail=partial(_fail, chip, offset), heal=partial(chip.heal, offset)
        )
    faults = chip.faults(offset)

    def drop(count: int) -> None:
        with chip.lock:
            faults.dropping += count

    def drop_every(kth: int) -> None:
        with chip.lock:
            faults.every, faults.since = kth, 0

    def bounce(times: int) -> None:
        mocks.worn[line.name] = times

    def heal() -> None:
        mocks.worn.pop(line.name, None)
        chip.heal(offset)

    return Ways(drop=drop, drop_every=drop_every, bounce=bounce, stick=partial(chip.stick, offset),
                fail=partial(_fail, chip, offset), heal=heal)  # fmt: skip


def _fail(chip: MockChip, offset: int, number: int, times: int) -> None:
    faults = chip.faults(offset)
    with chip.lock:
        faults.errors.extend([number] * times)


def _of_channel(mocks: Mocks, row: PwmChannel) -> Ways:
    at = (mocks.board.pwm_chips[row.chip_id].device, row.channel)
    return Ways(fail=partial(mocks.pwm.fail, *at), heal=partial(mocks.pwm.fail, *at, times=0))


def _of_iio(iio: MockIio, name: str) -> Ways:
    return Ways(
        drop=partial(iio.lose, name), stick=partial(iio.stick, name), fail=partial(iio.fail, name),
        unplug=partial(iio.unplug, name), plug=partial(iio.plug, name), heal=partial(iio.heal, name),
    )  # fmt: skip


def _of_port(wire: MockLine) -> Ways:
    return Ways(garble=lambda flips: wire.noise(*flips), unplug=wire.unplug, plug=wire.plug)


def _of_sensor(i2c: MockI2c, name: str) -> Ways:
    sensor = i2c.device(name)

    def silence(on: bool) -> None:
        sensor.present = not on

    return Ways(nack=partial(sensor.fail, _NACK), silence=silence, stick=sensor.freeze, fail=sensor.fail,
                unplug=sensor.unplug, plug=sensor.plug, heal=sensor.heal)  # fmt: skip
