"""`axiom-hw boards`: the benches that are declared, what one of them says about each pin, and the header drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from axiom_hw.cli.output import table
from axiom_hw.errors import BoardError

if TYPE_CHECKING:
    from axiom_hw.board import Board, OutputLine, PwmChannel


def complete_boards(incomplete: str) -> list[str]:
    """Names for the shell."""
    from axiom_hw.board import available_boards

    return [name for name in (*available_boards(), "auto") if name.startswith(incomplete)]


def boards(
    name: Annotated[
        str,
        typer.Argument(metavar="[BOARD]", help="A board's name, a .toml file, or auto: the one of this machine.",
                       autocompletion=complete_boards),
    ] = "",
    pinout: Annotated[bool, typer.Option("--pinout", help="Draw the 40-pin header: what is claimed.")] = False,
    functions: Annotated[bool, typer.Option("--functions", help="With what else each line can be.")] = False,
    live: Annotated[bool, typer.Option("--live", help="With who holds which line now.")] = False,
    keys: Annotated[bool, typer.Option("--keys", help="Every key that a board file can have.")] = False,
) -> None:  # fmt: skip
    """List the boards, or show one: pins, ports, limits, safe states."""
    from axiom_hw.board import load_board

    if keys:
        _keys()
    elif pinout or functions or live:
        _pinout(name, functions, live)
    elif name:
        show_board(load_board(name))
    else:
        _list_boards()


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command("boards")(boards)


def show_board(board: Board) -> None:
    """Everything that the file declares, and what a line's `chip_id` means."""
    for label, text in (("board", board.name), ("file", board.source), ("model", board.model),
                        ("about", board.description)):  # fmt: skip
        if text:
            typer.echo(f"{label:<6} {text}")
    chips = [(f"gpio {n}", chip.name, chip.label, f"{chip.lines} lines") for n, chip in enumerate(board.chips)]
    chips += [(f"pwm {n}", c.name, c.device, f"{c.channels} channels") for n, c in enumerate(board.pwm_chips)]
    _section(("CHIP", "NAME", "FOUND BY", "SIZE"), chips)
    _section(("INPUT", "AT", "BIAS", "EDGES", "1 MEANS", "DEBOUNCE"), [
        (line.name, f"{board.chips[line.chip_id].name} line {line.line}", line.bias.value, line.edges.value,
         "low" if line.active_low else "high", _duration(line.debounce_ns) if line.debounce_ns else "-")
        for line in board.inputs
    ])  # fmt: skip
    _section(
        ("OUTPUT", "AT", "DRIVE OR LIMITS", "1 MEANS", "SAFE"), [_output_row(board, output) for output in board.outputs]
    )
    _section(("KERNEL'S SENSOR", "FOUND BY", "CHANNELS", "EVERY", "TRIGGER"), [
        (one.name, f"{one.subsystem.value} {one.found_by.value} {one.device}", ", ".join(one.channels),
         _duration(one.period_ns) if one.period_ns else "-", one.trigger.value)
        for one in board.iio
    ])  # fmt: skip
    _section(("I2C SENSOR", "AT", "CHANNELS", "EVERY", "DRIVER"), [
        (one.name, f"{_bus(board, one.bus_id)} 0x{one.address:02x}", ", ".join(part.name for part in one.channels),
         _duration(one.period_ns), one.driver or "-")
        for one in board.sensors
    ])  # fmt: skip
    _section(("PORT", "AT", "BAUD", "RECORDS", "CHECKSUM"), [
        (one.name, one.where, str(one.baud), f"{one.framing.value} {one.size or ''}".strip(), one.checksum.value)
        for one in board.serial_ports
    ])  # fmt: skip
    _section(("WATCHER", "ON", "TRUE WHEN", "THEN", "ELSE"), [
        (one.name, one.on, f"{one.field} {one.condition}", one.then or "-", one.otherwise or "-")
        for one in board.watches
    ])  # fmt: skip


def _keys() -> None:
    from axiom_hw.board.reference import SECTIONS

    for n, section in enumerate(SECTIONS):
        typer.echo(f"{chr(10) if n else ''}{section.header or 'above all tables'}: {section.meaning}")
        table(
            ("KEY", "TAKES", "WITHOUT IT", "MEANING"),
            [(key.name, key.takes, key.default or "has to be given", key.meaning) for key in section.keys],
        )


def _pinout(name: str, functions: bool, live: bool) -> None:
    from axiom_hw.board import load_board
    from axiom_hw.board.machine import detect
    from axiom_hw.board.models import model_named
    from axiom_hw.cli import pinout

    if not name and (found := detect()).model is not None and found.model.header is not None:
        name = "auto"
    if name:
        board = load_board(name)
        header, names = pinout.header_of(board), pinout.claims(board, pinout.header_of(board).label)
        title = f"{board.name}: {board.model or 'any machine'}, {header.label}"
    else:  # on a laptop, say: what a header looks like
        some = model_named("Raspberry Pi 5")
        assert some is not None
        assert some.header is not None
        header, names = some.header, {}
        title = f"The header of a {some.name}, {header.label}. For what is claimed: axiom-hw boards BOARD --pinout"
    holders: Mapping[int, str] = {}
    if live:
        from axiom_hw.backends.survey import survey

        holders = pinout.held(survey().gpio, header.label)
    pinout.draw(title, names, holders)
    if functions:
        typer.echo()
        pinout.functions(header.label)


def _list_boards() -> None:
    from axiom_hw.board import available_boards, load_board
    from axiom_hw.board.find import fits, fitting_board
    from axiom_hw.board.machine import detect

    found = detect()
    names = available_boards()
    if not names:
        raise BoardError("boards", "there are none", "write boards/NAME.toml; boards/rpi5-bench.toml is an example")
    rows, broken = [], []
    for name in names:
        try:
            board = load_board(name)
        except BoardError as error:
            rows.append((name, "-", "can't be read, see below", "-", "-"))
            broken.append(error)
            continue
        here = "fits" if board.model and fits(board.model, found) else "-"
        rows.append((name, board.model or "-", board.description or "-", here, board.source))
    table(("BOARD", "MODEL", "ABOUT", "HERE", "FILE"), rows)
    typer.echo(f"\nThis machine: {found.text}")
    try:
        typer.echo(f"Its board:    {fitting_board(found)} (--board auto)")
    except BoardError as error:
        typer.echo(f"Its board:    {error.problem}")
    for problem in broken:
        typer.echo(f"\n{problem}", err=True)
    if broken:
        raise typer.Exit(1)


def _section(headers: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    if rows:
        typer.echo()
        table(headers, rows)


def _output_row(board: Board, output: OutputLine | PwmChannel) -> tuple[str, ...]:
    from axiom_hw.board import OutputLine

    if isinstance(output, OutputLine):
        at = f"{board.chips[output.chip_id].name} line {output.line}"
        active = "low" if output.active_low else "high"
        return (output.name, at, output.drive.value, active, f"value {output.safe_value}")
    pin = f" (line {output.pin})" if output.pin is not None else ""
    chip = board.pwm_chips[output.chip_id]
    at = f"{chip.name} {f'line {output.channel}' if chip.software_label else f'channel {output.channel}{pin}'}"
    limits = f"duty {_duration(output.min_duty_ns)} to {_duration(output.max_duty_ns)} of {_duration(output.period_ns)}"
    if output.servo is not None:
        limits += f", {output.servo.min_mdeg / 1000:g} to {output.servo.max_mdeg / 1000:g} degrees"
    if output.motor is not None:
        lines = " and ".join(map(str, output.motor.lines))
        limits += f", turns both ways by line {lines}" if lines else ", turns one way"
    safe = f"duty {_duration(output.safe_duty_ns)}" if output.safe_enabled else "off"
    return (output.name, at, limits, "-", safe)


def _bus(board: Board, bus_id: int) -> str:
    bus = board.i2c_buses[bus_id]
    return bus.path or bus.adapter


def _duration(ns: int) -> str:
    for unit, size in (("s", 10**9), ("ms", 10**6), ("us", 10**3)):
        if ns and ns % size == 0:
            return f"{ns // size}{unit}"
    return f"{ns}ns"
