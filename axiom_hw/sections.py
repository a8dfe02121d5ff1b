"""What a section name means on a board: `gpio/button` to the keys of that line's edges, `timer/100ms` to a timer.

timer/<period>                      timer/100ms
gpio/<input>[/<edge>]               gpio/button, gpio/button/rising
gpio/<chip>/line<N>[/<edge>]        gpio/0/line17/falling      the published form of the Axiom kernel
pwm/<output>                        pwm/servo
pwm/<chip>/channel<N>               pwm/0/channel2
iio/..., scan/..., i2c/...          as in `sensor_sections`
serial/<port>                       serial/gps
"""

from __future__ import annotations

import re
from collections.abc import Callable

from axiom_hw.board import Board, EdgeDetection, InputLine, PwmChannel
from axiom_hw.board.units import parse_duration_ns
from axiom_hw.errors import BoardError, HookError
from axiom_hw.events import Edge
from axiom_hw.keys import GpioKey, HookKey, PwmKey, TimerKey
from axiom_hw.sensor_sections import i2c_keys, iio_keys, scan_keys, serial_keys

EDGES = {"rising": (Edge.RISING,), "falling": (Edge.FALLING,), "both": (Edge.RISING, Edge.FALLING)}
_SEEN = {
    EdgeDetection.NONE: (),
    EdgeDetection.RISING: (Edge.RISING,),
    EdgeDetection.FALLING: (Edge.FALLING,),
    EdgeDetection.BOTH: (Edge.RISING, Edge.FALLING),
}
_FORMS = (
    "timer/100ms, gpio/<input>, gpio/<input>/rising, pwm/<output>, iio/<device>/<channel>, scan/<device>, "
    "i2c/<sensor>/<channel>, serial/<port>"
)


def keys_of(section: str, board: Board | None, start_timer: Callable[[int], TimerKey]) -> tuple[HookKey, ...]:
    """The keys to attach a program of that section to. Timers are started, one for each call.

    Raises `HookError`, which quotes the section, where it names no hook of this board.
    """
    kind, _, rest = section.partition("/")
    match kind:
        case "timer":
            return (start_timer(_period_ns(section, rest)),)
        case "gpio":
            return _gpio_keys(section, rest, _need(board, section))
        case "pwm":
            return (_pwm_key(section, rest, _need(board, section)),)
        case "iio":
            return iio_keys(section, rest, _need(board, section))
        case "scan":
            return scan_keys(section, rest, _need(board, section))
        case "i2c":
            return i2c_keys(section, rest, _need(board, section))
        case "serial":
            return serial_keys(section, rest, _need(board, section))
        case _:
            raise HookError(f"section {section!r}", "names no hook", f"the forms are {_FORMS}")


def _need(board: Board | None, section: str) -> Board:
    if board is None:
        raise HookError(
            f"section {section!r}", "names a line of a board, but no board was chosen",
            "choose one: --board rpi5-bench, or App(..., board=\"rpi5-bench\"); `axiom-hw boards` lists them",
        )  # fmt: skip
    return board


def _period_ns(section: str, text: str) -> int:
    if not text:
        raise HookError(f"section {section!r}", "doesn't say how often", "write the period behind it: timer/100ms")
    try:
        period = parse_duration_ns(text)
    except ValueError as error:
        raise HookError(f"section {section!r}", str(error)) from None
    if period < 1:
        raise HookError(f"section {section!r}", "has a period of 0", "say how often: timer/1ms, timer/2s")
    return period


def _gpio_keys(section: str, rest: str, board: Board) -> tuple[HookKey, ...]:
    published = re.fullmatch(r"(\d+)/line(\d+)(?:/(\w+))?", rest)
    if published:
        line, edge = _line_at(section, board, int(published[1]), int(published[2])), published[3]
    else:
        name, _, edge = rest.partition("/")
        line = _input(section, board, name)
    if edge and edge not in EDGES:
        raise HookError(f"section {section!r}", f"{edge!r} is no edge", f"the edges are {', '.join(EDGES)}")
    seen = _SEEN[line.edges]
    wanted = EDGES[edge] if edge else seen
    missing = [e.name.lower() for e in wanted if e not in seen]
    if missing or not wanted:
        raise HookError(
            f"section {section!r}", f"wants {' and '.join(missing) or 'edges'} of {line.name}, whose edges are "
            f"`{line.edges.value}` in {board.source}", f'set edges = "both" in [input.{line.name}]',
        )  # fmt: skip
    return tuple(GpioKey(line.chip_id, line.line, e) for e in wanted)


def _input(section: str, board: Board, name: str) -> InputLine:
    if not name:
        there = ", ".join(line.name for line in board.inputs) or "none"
        raise HookError(f"section {section!r}", f"doesn't say which input; {board.source} has {there}",
                        "write its name behind it: gpio/<input>")  # fmt: skip
    try:
        return board.input(name)
    except BoardError as error:
        raise HookError(f"section {section!r} on {error.place}", error.problem, error.fix) from None


def _line_at(section: str, board: Board, chip_id: int, offset: int) -> InputLine:
    for line in board.inputs:
        if (line.chip_id, line.line) == (chip_id, offset):
            return line
    there = ", ".join(f"{line.chip_id}/line{line.line} ({line.name})" for line in board.inputs) or "none"
    raise HookError(
        f"section {section!r}", f"line {offset} of chip {chip_id} is no input of {board.source}; inputs: {there}",
        "declare it as an [input.NAME] of the board",
    )  # fmt: skip


def _pwm_key(section: str, rest: str, board: Board) -> PwmKey:
    published = re.fullmatch(r"(\d+)/channel(\d+)", rest)
    if published:
        chip_id, number = int(published[1]), int(published[2])
        if any((c.chip_id, c.channel) == (chip_id, number) for c in board.pwm_channels):
            return PwmKey(chip_id, number)
        there = ", ".join(f"{c.chip_id}/channel{c.channel} ({c.name})" for c in board.pwm_channels) or "none"
        raise HookError(f"section {section!r}", f"channel {number} of chip {chip_id} is no output of {board.source}; "
                        f"channels: {there}", "declare it as an [output.NAME] of the board")  # fmt: skip
    names = [c.name for c in board.pwm_channels]
    if not rest:
        raise HookError(f"section {section!r}", f"doesn't say which channel; {board.source} has "
                        f"{', '.join(names) or 'none'}", "write its name behind it: pwm/<output>")  # fmt: skip
    try:
        output = board.output(rest)
    except BoardError as error:
        raise HookError(f"section {section!r} on {error.place}", error.problem, error.fix) from None
    if not isinstance(output, PwmChannel):
        raise HookError(f"section {section!r} on {board.source}", f"`{rest}` is a GPIO line, which has no PWM state; "
                        f"the PWM channels are {', '.join(names) or 'none'}")  # fmt: skip
    return PwmKey(output.chip_id, output.channel)
