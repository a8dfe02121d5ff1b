"""A command in the twin, on this terminal: its output as it comes, Ctrl-C, its end."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import termios
import threading
import tty
from collections.abc import Iterator
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Final

from axiom_hw.errors import TwinError

if TYPE_CHECKING:
    from axiom_hw.twin import Running, Twin

_INTERRUPTED: Final = 130  # 128 + SIGINT, as shells count
_PIECE: Final = 4096


def follow(twin: Twin, command: list[str], terminal: bool) -> int:
    """Run a command to its end; gives what a shell would call its status. A second Ctrl-C cuts the twin's power."""
    # Without a terminal a Python program would keep its output until it has 8 KB of it.
    env = {"PYTHONUNBUFFERED": "1", "TERM": os.environ.get("TERM", "dumb")}
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.flush()
    running = twin.start(command, env=env, terminal=terminal, out=partial(_write, 1), err=partial(_write, 2))
    threading.Thread(target=_pass_input, args=(running, terminal), name="axiom-twin-input", daemon=True).start()
    with _raw(running) if terminal and sys.stdin.isatty() else _interrupts(twin, running) as cut:
        try:
            status = running.wait().returncode
        except TwinError:
            if cut:
                return _INTERRUPTED
            raise
    return status if status >= 0 else 128 - status


@contextlib.contextmanager
def _interrupts(twin: Twin, running: Running) -> Iterator[list[int]]:
    """Ctrl-C goes to the command; the second one is told in the list, and ends everything."""
    seen: list[int] = []
    cut: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        seen.append(number)
        if len(seen) == 1 and number == signal.SIGINT:
            running.signal(number)
            os.write(2, b"twin: interrupted; once more cuts the power\n")
        else:
            cut.append(number)
            twin.cut()

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield cut
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _raw(running: Running) -> Iterator[list[int]]:
    """Every key goes to the command's terminal, Ctrl-C too."""

    def resize(*_: object) -> None:
        size = shutil.get_terminal_size()
        running.resize(size.lines, size.columns)

    settings = termios.tcgetattr(0)
    before = signal.signal(signal.SIGWINCH, resize)
    try:
        resize()
        tty.setraw(0)
        yield []
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, settings)
        signal.signal(signal.SIGWINCH, before)


def _pass_input(running: Running, terminal: bool) -> None:
    with contextlib.suppress(TwinError):  # the twin has gone off: whoever waits for the command says so
        while piece := _input():
            running.write(piece)
        if not terminal or not sys.stdin.isatty():
            running.end_input()


def _input() -> bytes:
    try:
        return os.read(0, _PIECE)
    except OSError:  # closed, or a terminal of which this isn't the foreground
        return b""


def _write(descriptor: int, piece: bytes) -> None:
    """Write all of it; a reader that has gone is no error."""
    rest = memoryview(piece)
    with contextlib.suppress(BrokenPipeError):
        while rest:
            rest = rest[os.write(descriptor, rest) :]
