"""A recording as CSV, and as Parquet where pyarrow is installed."""

from __future__ import annotations

import csv
import io
from typing import Any

from axiom_hw.errors import MissingDependency
from axiom_hw.recorder.reading import Recording
from axiom_hw.recorder.rows import COLUMNS, Cell, field_names, rows_of


def to_csv(recording: Recording) -> bytes:
    """One table of all entries; a field that an entry doesn't have is empty. Arrays are numbers with blanks between
    them, bytes hexadecimal."""
    rows = list(rows_of(recording))
    names = field_names(rows)
    out = io.StringIO(newline="")
    table = csv.writer(out, lineterminator="\n")
    table.writerow((*COLUMNS, *names))
    for row in rows:
        fields = dict(row.fields)
        cells = (_text(fields[name]) if name in fields else "" for name in names)
        table.writerow((row.time_ns, row.kind, row.hook, row.name, *cells))
    return out.getvalue().encode()


def to_parquet(recording: Recording) -> bytes:
    """The same table with types: 64-bit integers, lists, binary. Raises `MissingDependency` without pyarrow."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise MissingDependency(
            "export to Parquet", "needs the package pyarrow, which isn't installed", "pip install 'axiom-hw[parquet]'"
        ) from None
    rows = list(rows_of(recording))
    columns: dict[str, list[Any]] = {
        "time_ns": [row.time_ns for row in rows], "kind": [row.kind for row in rows],
        "hook": [row.hook for row in rows], "name": [row.name for row in rows],
    }  # fmt: skip
    each = [dict(row.fields) for row in rows]
    for name in field_names(rows):
        columns[name] = [fields.get(name) for fields in each]
    out = io.BytesIO()
    arrays = {name: _array(pyarrow, values) for name, values in columns.items()}
    parquet.write_table(pyarrow.table(arrays), out)
    return out.getvalue()


def _array(pyarrow: Any, values: list[Any]) -> Any:
    """Signed 64-bit integers, unless one is too large for that; whatever else it is, as pyarrow sees it. A field that
    is a list in one context and a number in another becomes lists."""
    kinds = {type(value) for value in values if value is not None}
    if kinds == {int, list}:
        values = [[value] if isinstance(value, int) else value for value in values]
        kinds = {list}
    if kinds == {int}:
        large = any(value is not None and value >= 1 << 63 for value in values)
        return pyarrow.array(values, pyarrow.uint64() if large else pyarrow.int64())
    return pyarrow.array(values)


def _text(cell: Cell) -> str:
    match cell:
        case bytes():
            return cell.hex()
        case list():
            return " ".join(map(str, cell))
        case int():
            return str(cell)
