"""Lines of a board file by name: "GPIO17" on a Pi's header, and the names that the table of another chip gives its own.

Programs are compiled for numbers before a device is opened, so names are known from the file, not asked of the chip.
"""

from __future__ import annotations

from difflib import get_close_matches

from axiom_hw.board.model import Chip
from axiom_hw.board.pins import known_chip
from axiom_hw.board.table import Table


def line_named(table: Table, chip: Chip, name: str) -> int:
    """The line of that name. Raises `BoardError`, which names the nearest one."""
    names = _names(chip)
    if name in names:
        return names[name]
    near = get_close_matches(name, names, n=1)
    if name.isdecimal():
        fix = f"write line = {int(name)}"
    elif not names:
        fix = f"give its number, or name the lines of the chip: [chip.{chip.name}] line_names = [...]"
    else:
        fix = f'did you mean "{near[0]}"?' if near else "`axiom-hw boards --pinout` draws a Pi's header"
    raise table.error(f'`line` is "{name}", which no line of {chip.label} is called', fix, "line")


def chip_line_names(table: Table, lines: int) -> tuple[str, ...]:
    """The names of a chip's lines in the order of their numbers, "" for one without. Raises `BoardError`."""
    names = table.data.get("line_names", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise table.error("`line_names` takes a list of names", 'write line_names = ["door", "", "bell"]', "line_names")
    if len(names) > lines:
        raise table.error(f"`line_names` has {len(names)} names for {lines} lines", "", "line_names")
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise table.error(f'`line_names` has "{twice[0]}" twice', "a name is for one line", "line_names")
    return tuple(names)


def _names(chip: Chip) -> dict[str, int]:
    found = {name: number for number, name in enumerate(chip.line_names) if name}
    if known := known_chip(chip.label):
        # The kernel's own names, but for the two of the HAT's EEPROM, which it calls ID_SDA and ID_SCL.
        header = {f"GPIO{number}": number for number in range(known.header_lines)}
        found = {**header, "ID_SDA": 0, "ID_SCL": 1, **found}
    return found
