"""Tables: drawn on a terminal, plain aligned columns in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer


def table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under headers. In a pipe, columns are two blanks apart and nothing is cut or wrapped."""
    if sys.stdout.isatty():
        _drawn(headers, rows)
        return
    widths = [max(len(row[n]) for row in (headers, *rows)) for n in range(len(headers))]
    for row in (headers, *rows):
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def count(number: int, what: str) -> str:
    """`1 output`, `2 outputs`."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def write_bytes(data: bytes, file: str) -> None:
    """Write a file, or standard output where `file` is `-`. Raises `SpecError` where it can't be written."""
    from pathlib import Path

    from axiom_hw.errors import SpecError

    if file == "-":
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        return
    try:
        Path(file).write_bytes(data)
    except OSError as error:
        fix = "name a file in a directory that is there, and that you may write to"
        raise SpecError(file, f"can't be written: {error.strerror}", fix) from None


def _drawn(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for header in headers:
        drawn.add_column(header, overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(cell) for cell in row))  # Text: brackets are brackets, not markup
    Console().print(drawn)
