"""What a service prints, as lines that read well in the journal: whole ones, with priorities as in sd-daemon(3).

Nothing changes unless standard error is connected to the journal, which JOURNAL_STREAM says.
"""

from __future__ import annotations

import atexit
import io
import os
import re
import sys
import threading
from collections.abc import Mapping
from enum import IntEnum
from typing import Final, TextIO

_ESCAPE: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")  # ECMA-48
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_MARKED: Final = re.compile(r"<[0-7]>")
_ERROR: Final = re.compile(r"([^\n]*)\n    fix    ([^\n]*)")


class Priority(IntEnum):
    """How much a line matters, as syslog numbers it."""

    CRITICAL = 2
    ERROR = 3
    WARNING = 4
    NOTICE = 5
    INFO = 6


class JournalText(io.TextIOBase):
    """Text on its way to the journal: marked lines, whole, without colours and what moves a cursor.

    Each thread's words wait for the end of its line, so that lines of several threads don't mix.

    Synchronization: any thread.
    """

    def __init__(self, under: TextIO, priority: Priority) -> None:
        """Lines that say no priority of their own get `priority`."""
        self._under = under
        self._priority = priority
        self._local = threading.local()
        self._writing = threading.RLock()  # a signal handler may print in the middle of a line

    def write(self, text: str, /) -> int:
        begun = getattr(self._local, "begun", "") + text
        *lines, self._local.begun = begun.split("\n")
        self._put(lines, self._priority)
        return len(text)

    def say(self, text: str, priority: Priority) -> None:
        """Write lines of one priority. An error of two lines, the second its way out, is one."""
        error = _ERROR.fullmatch(text)
        self._put([f"{error[1]}; {error[2]}"] if error else text.split("\n"), priority)

    def finish(self) -> None:
        """Write a line that has no end yet."""
        if getattr(self._local, "begun", ""):
            self.write("\n")

    def flush(self) -> None:
        self._under.flush()

    def fileno(self) -> int:
        return self._under.fileno()

    def isatty(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    @property
    def encoding(self) -> str:  # type: ignore[override]  # of the stream below
        return self._under.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        return self._under.errors

    @property
    def buffer(self) -> io.BufferedIOBase:
        """For who writes bytes: they go through as they are."""
        return self._under.buffer  # type: ignore[return-value]

    def _put(self, lines: list[str], priority: Priority) -> None:
        marked = "".join(f"{_marked(line, priority)}\n" for line in map(_plain, lines) if line.strip())
        if marked:
            with self._writing:
                self._under.write(marked)
                self._under.flush()


def is_journal(fd: int, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether a descriptor leads to the journal: JOURNAL_STREAM has its device and inode."""
    try:
        found = os.fstat(fd)
    except OSError:
        return False
    return environment.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


def install(environment: Mapping[str, str] = os.environ) -> None:
    """From now on what is printed goes to the journal line by line, where it goes there at all. Twice is fine."""
    for name, priority in (("stdout", Priority.INFO), ("stderr", Priority.WARNING)):
        stream = getattr(sys, name)
        if isinstance(stream, JournalText):
            continue
        try:
            leads_there = is_journal(stream.fileno(), environment)
        except (OSError, AttributeError, ValueError):  # a stand-in, or closed
            continue
        if leads_there:
            text = JournalText(stream, priority)
            setattr(sys, name, text)
            atexit.register(text.finish)
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True)  # a file or a pipe: who looks at it sees whole lines at once


def say(text: str, priority: Priority = Priority.WARNING) -> None:
    """Print on standard error, with its priority where that is the journal."""
    stream = sys.stderr
    if isinstance(stream, JournalText):
        stream.say(text, priority)
    else:
        print(text, file=stream)


def _plain(line: str) -> str:
    """Without colours; of a line that was written over itself, what would stand there at the end."""
    line = _ESCAPE.sub("", line).rstrip("\r ")
    return _CONTROL.sub("", line.rpartition("\r")[2])


def _marked(line: str, priority: Priority) -> str:
    return line if _MARKED.match(line) else f"<{int(priority)}>{line}"
