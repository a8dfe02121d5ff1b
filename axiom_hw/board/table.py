"""One table of a board file, read strictly: each key has a type, a range and a place in the file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from enum import Enum
from typing import Final, TypeVar

from axiom_hw.board.units import parse_duration_ns
from axiom_hw.errors import BoardError

_HEADER: Final = re.compile(r"\s*\[([^\[\]]+)\]\s*(?:#.*)?")
_KEY: Final = re.compile(r"""\s*("[^"]*"|'[^']*'|[A-Za-z0-9_-]+)\s*[=.]""")

E = TypeVar("E", bound=Enum)


class Places:
    """Which line of the text a key stands on; tomllib doesn't say, so this looks again.

    Inline tables and dotted keys are found by their first part only: the place is then near, not exact.
    """

    def __init__(self, source: str, text: str) -> None:
        self.source = source
        self._lines: dict[tuple[str, ...], int] = {}
        table: tuple[str, ...] = ()
        for number, line in enumerate(text.splitlines(), 1):
            if header := _HEADER.fullmatch(line):
                table = tuple(part.strip().strip("\"'") for part in header[1].split("."))
                for length in range(1, len(table) + 1):
                    self._lines.setdefault(table[:length], number)
            elif key := _KEY.match(line):
                self._lines.setdefault((*table, key[1].strip("\"'")), number)

    def of(self, path: tuple[str, ...], key: str | None = None) -> str:
        """`boards/x.toml:12 [input.button]`, as exact as it is known."""
        full = path if key is None else (*path, key)
        line = next((self._lines[full[:n]] for n in range(len(full), 0, -1) if full[:n] in self._lines), None)
        place = self.source if line is None else f"{self.source}:{line}"
        return f"{place} [{'.'.join(path)}]" if path else place


class Table:
    """A table whose keys are known beforehand; any other key is refused on construction."""

    def __init__(self, places: Places, path: tuple[str, ...], data: object, allowed: tuple[str, ...]) -> None:
        self.places = places
        self.path = path
        if not isinstance(data, Mapping):
            raise BoardError(places.of(path), f"is {_described(data)} where a table is expected",
                             f"write [{'.'.join(path)}] and its keys below")  # fmt: skip
        self.data: Mapping[str, object] = data
        for key in self.data:
            if key not in allowed:
                near = get_close_matches(key, allowed, n=1)
                fix = f"did you mean `{near[0]}`?" if near else f"the keys here are {', '.join(allowed)}"
                where = "this table" if path else "a board file"
                raise self.error(f"`{key}` isn't a key of {where}", fix, key=key)

    def __contains__(self, key: str) -> bool:
        return key in self.data

    def error(self, problem: str, fix: str = "", key: str | None = None) -> BoardError:
        """An error that points at a key, or at the table."""
        return BoardError(self.places.of(self.path, key), problem, fix)

    def missing(self, key: str, fix: str) -> BoardError:
        """An error about a key that has to be there."""
        return self.error(f"`{key}` is missing", fix)

    def text(self, key: str, default: str = "") -> str:
        """A string, not empty where it is given."""
        value = self.data.get(key, default)
        if not isinstance(value, str):
            raise self.error(f"`{key}` is {_described(value)}; it takes a string", f'write {key} = "{value}"', key)
        if key in self.data and not value:
            raise self.error(f"`{key}` is empty", "say what it is, or leave the key out", key)
        return value

    def flag(self, key: str, default: bool = False) -> bool:
        """true or false."""
        value = self.data.get(key, default)
        if not isinstance(value, bool):
            raise self.error(f"`{key}` is {_described(value)}; it takes true or false", f"write {key} = true", key)
        return value

    def integer(self, key: str, low: int, high: int, default: int = 0, meaning: str = "") -> int:
        """A whole number from `low` to `high`, both included; `meaning` says why these are the limits."""
        value = self.data.get(key, default)
        limits = f"{low} to {high}" + (f" ({meaning})" if meaning else "")
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.error(f"`{key}` is {_described(value)}; it takes a whole number, {limits}", "", key)
        if not low <= value <= high:
            raise self.error(f"`{key}` is {value}; it takes {limits}", "", key)
        return value

    def choice(self, key: str, kind: type[E], default: E) -> E:
        """One of an enum's members, by value where the values are words, else by name in small letters."""
        words = {str(m.value) if isinstance(m.value, str) else m.name.lower(): m for m in kind}
        if key not in self.data:
            return default
        value = self.data[key]
        if isinstance(value, str) and value in words:
            return words[value]
        near = get_close_matches(str(value), words, n=1)
        fix = f'did you mean "{near[0]}"?' if near else ""
        raise self.error(f"`{key}` is {_described(value)}; it takes {_either(list(words))}", fix, key)

    def duration_ns(self, key: str, default: int = 0) -> int:
        """A duration with its unit, in ns."""
        if key not in self.data:
            return default
        value = self.data[key]
        if not isinstance(value, str):
            fix = f'write {key} = "{value}ms", if milliseconds are meant'
            raise self.error(f"`{key}` is {_described(value)}; a duration says its unit", fix, key)
        try:
            return parse_duration_ns(value)
        except ValueError as error:
            raise self.error(f"`{key}`: {error}", "", key) from None


def _described(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return f'"{value}"'
        case int() | float():
            return str(value)
        case list():
            return "a list"
        case Mapping():
            return "a table"
        case _:
            return f"{value}"


def _either(words: list[str]) -> str:
    quoted = [f'"{word}"' for word in words]
    return " or ".join([", ".join(quoted[:-1]), quoted[-1]]) if len(quoted) > 1 else quoted[0]
