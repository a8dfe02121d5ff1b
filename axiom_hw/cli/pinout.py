"""`axiom-hw boards --pinout`: the 40-pin header, what a board file claims on it, and who holds a line right now."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, assert_never

import typer

from axiom_hw.board import Board, OutputLine, PwmChannel
from axiom_hw.board.models import model_named
from axiom_hw.board.pins import HEADER, HeaderPin, PinKind, known_chip, known_pwm
from axiom_hw.cli.output import table
from axiom_hw.errors import BoardError

if TYPE_CHECKING:
    from rich.text import Text

    from axiom_hw.backends.survey import GpioSeen
    from axiom_hw.board.pins import KnownChip

_ID_LINES: Final = (0, 1)  # the memory of a HAT
_STYLES: Final = MappingProxyType({
    PinKind.POWER_5V: "bold red",
    PinKind.POWER_3V3: "yellow",
    PinKind.GROUND: "bright_black",
    PinKind.LINE: "green",
})  # fmt: skip
_ID_STYLE: Final = "blue"
_CLAIM_STYLE: Final = "bold cyan"
_HELD_STYLE: Final = "magenta"
_NUMBER_STYLE: Final = "dim"


@dataclass(frozen=True, slots=True)
class Label:
    """What stands beside a pin: the names that the board file gives it, and who holds its line."""

    claims: tuple[str, ...] = ()
    holder: str = ""

    def __str__(self) -> str:
        return " ".join((*self.claims, *([f"[{self.holder}]"] if self.holder else [])))


def header_of(board: Board) -> KnownChip:
    """The chip of the board's header. Raises `BoardError` for a board without one."""
    for chip in board.chips:
        if known := known_chip(chip.label):
            return known
    raise BoardError(
        board.source, "declares no chip with a 40-pin header, so there is nothing to draw",
        "name another board: axiom-hw boards --pinout rpi5-bench",
    )  # fmt: skip


def claims(board: Board, label: str) -> dict[int, tuple[str, ...]]:
    """By line of the chip `label`: what the board file calls it, and what it is."""
    found: dict[int, tuple[str, ...]] = {}
    for line in board.inputs:
        if board.chips[line.chip_id].label == label:
            found[line.line] = (*found.get(line.line, ()), f"{line.name} (in)")
    for output in board.outputs:
        for at, what in _outputs(board, output, label):
            found[at] = (*found.get(at, ()), f"{output.name} ({what})")
    for at, text in _ports(board, label):
        found[at] = (*found.get(at, ()), text)
    return found


def held(seen: tuple[GpioSeen, ...], label: str) -> Mapping[int, str]:
    """By line: who holds it. Raises `BoardError` where the chip isn't there or can't be opened."""
    for chip in seen:
        if chip.info is not None and chip.info.label == label:
            return {line: who or "somebody" for line, who in chip.info.used.items()}
    closed = [chip for chip in seen if chip.info is None]
    problem = f"{closed[0].path} can't be opened: {closed[0].problem}" if closed else f"{label} isn't on this machine"
    raise BoardError("--live", problem, "`axiom-hw doctor` says what to do; leave --live out for what is declared")


def draw(title: str, names: Mapping[int, tuple[str, ...]], holders: Mapping[int, str]) -> None:
    """Print the header: in colours on a terminal, in a pipe as plain text."""
    if sys.stdout.isatty():
        rows = list(_rows(names, holders))
        _in_colours(title, rows, max(len(str(label)) for (_, label), _ in rows))
        return
    typer.echo(f"{title}\n\n{text_of(names, holders)}", nl=False)


def text_of(names: Mapping[int, tuple[str, ...]], holders: Mapping[int, str]) -> str:
    """The header as plain text, a line for each pair of pins."""
    rows = list(_rows(names, holders))
    left = max(len(str(label)) for (_, label), _ in rows)
    lines = (
        f"{outer!s:>{left}}  {odd.name:>6}  {odd.number:>2}  {even.number:<2}  {even.name:<6}  {inner}"
        for (odd, outer), (even, inner) in rows
    )
    return "".join(f"{line.rstrip()}\n" for line in lines)


def functions(label: str) -> None:
    """Print what else each line of a chip can be."""
    from axiom_hw.board.functions import COLUMNS, FUNCTIONS

    by_line = {pin.line: pin.number for pin in HEADER}
    rows = [(f"GPIO{line}", str(by_line[line]), *row) for line, row in enumerate(FUNCTIONS[label])]
    table(("LINE", "PIN", *COLUMNS[label]), rows)


def _outputs(board: Board, output: OutputLine | PwmChannel, label: str) -> Iterator[tuple[int, str]]:
    match output:
        case OutputLine():
            if board.chips[output.chip_id].label == label:
                yield output.line, "out"
        case PwmChannel():
            known = known_pwm(board.pwm_chips[output.chip_id].device)
            if output.pin is not None and known is not None and known.label == label:
                yield output.pin, f"PWM {output.channel}"
            if board.pwm_chips[output.chip_id].software_label == label:
                yield output.channel, "PWM by software"
            if output.motor is not None and output.motor.lines and board.chips[output.motor.chip_id].label == label:
                ways = ("direction",) if len(output.motor.lines) == 1 else ("forward", "backward")
                yield from zip(output.motor.lines, ways, strict=True)
        case _:
            assert_never(output)


def _ports(board: Board, label: str) -> Iterator[tuple[int, str]]:
    """The lines of buses and serial ports, where the machine that the board is for is known."""
    model = model_named(board.model) if board.model else None
    if model is None or model.chip != label:
        return
    for bus in board.i2c_buses:
        for known in model.buses:
            if bus.path == f"/dev/i2c-{known.number}":
                yield known.lines[0], f"{bus.name} (SDA)"
                yield known.lines[1], f"{bus.name} (SCL)"
    for port in board.serial_ports:
        for uart in model.uarts:
            if port.port == f"/dev/{uart.device}":
                yield uart.lines[0], f"{port.name} (TXD)"
                yield uart.lines[1], f"{port.name} (RXD)"


def _rows(
    names: Mapping[int, tuple[str, ...]], holders: Mapping[int, str]
) -> Iterator[tuple[tuple[HeaderPin, Label], tuple[HeaderPin, Label]]]:
    """Pairs of pins as they lie beside each other, each with its label."""
    labelled = [
        (pin, Label() if pin.line is None else Label(names.get(pin.line, ()), holders.get(pin.line, "")))
        for pin in HEADER
    ]
    yield from zip(labelled[::2], labelled[1::2], strict=True)


def _in_colours(title: str, rows: list[tuple[tuple[HeaderPin, Label], tuple[HeaderPin, Label]]], left: int) -> None:
    from rich.console import Console
    from rich.text import Text

    drawn = Text(f"{title}\n\n")
    for (odd, outer), (even, inner) in rows:
        drawn.append(" " * (left - len(str(outer))))
        _label(drawn, outer)
        drawn.append(f"  {odd.name:>6}", _style(odd))
        drawn.append(f"  {odd.number:>2}  {even.number:<2}", _NUMBER_STYLE)
        drawn.append(f"  {even.name:<6}", _style(even))
        drawn.append("  ")
        _label(drawn, inner)
        drawn.append("\n")
    Console().print(drawn, end="", soft_wrap=True)


def _label(drawn: Text, label: Label) -> None:
    text = " ".join(label.claims)
    drawn.append(text, _CLAIM_STYLE)
    if label.holder:
        drawn.append(f"{' ' if text else ''}[{label.holder}]", _HELD_STYLE)


def _style(pin: HeaderPin) -> str:
    return _ID_STYLE if pin.line in _ID_LINES else _STYLES[pin.kind]
