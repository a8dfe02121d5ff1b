"""A command that runs in the twin: what it wrote, how it ended, and what it can be told meanwhile."""

from __future__ import annotations

import json
import signal
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType

from axiom_hw.errors import TwinError
from axiom_hw.twin.channel import Conversation, refused
from axiom_hw.twin.guest.frames import CHUNK, Kind
from axiom_hw.twin.tools import last_lines

Take = Callable[[bytes], None]
_DYING_S = 5.0  # after SIGTERM and after SIGKILL


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended: `returncode` is negative where a signal ended it, as in `subprocess`."""

    argv: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str

    def check(self) -> Done:
        """Itself. Raises `TwinError` with the last words where the command failed."""
        if self.returncode != 0:
            said = last_lines(self.stdout + self.stderr)
            raise TwinError(f"`{' '.join(self.argv)}` in the twin", f"ended with status {self.returncode}:\n{said}")
        return self


class Running:
    """A command that was started. As a context manager it is ended at the latest at its end.

    Synchronization: one thread reads and waits; any may send signals and input.
    """

    def __init__(self, argv: Sequence[str], conversation: Conversation, out: Take | None, err: Take | None) -> None:
        """`out` and `err` take what it writes as it comes."""
        self.argv = tuple(argv)
        self._conversation = conversation
        self._takers = {Kind.STDOUT: out, Kind.STDERR: err}
        self._written = {Kind.STDOUT: bytearray(), Kind.STDERR: bytearray()}
        self._status: int | None = None

    @property
    def stdout(self) -> str:
        """What it has written so far, as far as `wait` or `expect` have read."""
        return self._written[Kind.STDOUT].decode(errors="backslashreplace")

    @property
    def stderr(self) -> str:
        """As `stdout`."""
        return self._written[Kind.STDERR].decode(errors="backslashreplace")

    def write(self, data: bytes) -> None:
        """Give it input."""
        for begin in range(0, len(data), CHUNK):
            self._conversation.send(Kind.STDIN, data[begin : begin + CHUNK])

    def end_input(self) -> None:
        """No more input comes."""
        self._conversation.send(Kind.STDIN_END)

    def signal(self, number: int) -> None:
        """Send a signal to it and to what it started."""
        self._conversation.send(Kind.SIGNAL, bytes([number]))

    def resize(self, rows: int, columns: int) -> None:
        """Its terminal has another size."""
        self._conversation.send(Kind.SIZE, struct.pack("<HH", rows, columns))

    def expect(self, text: str, timeout_s: float = 30.0) -> None:
        """Wait until it has written `text` to either stream. Raises `TwinError` where it ends or waits too long."""
        end = time.monotonic() + timeout_s
        while text not in self.stdout and text not in self.stderr:
            if self._status is not None:
                raise self._error(f"ended with status {self._status} and never said {text!r}")
            if not self._step(end):
                raise self._error(f"didn't say {text!r} within {timeout_s:g} s")

    def wait(self, timeout_s: float | None = None) -> Done:
        """Wait for its end. Raises `TwinError` after `timeout_s`; the command is then ended."""
        end = None if timeout_s is None else time.monotonic() + timeout_s
        while self._status is None:
            if not self._step(end):
                self.stop()
                raise self._error(f"didn't end within {timeout_s:g} s")
        return Done(self.argv, self._status, self.stdout, self.stderr)

    def stop(self) -> None:
        """End it: by SIGTERM, then by SIGKILL."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self._status is None:
                self.signal(number)
            end = time.monotonic() + _DYING_S
            while self._status is None and self._step(end):
                pass
        self._conversation.close()

    def __enter__(self) -> Running:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _step(self, end: float | None) -> bool:
        """Take one frame; False where none came in time."""
        try:
            frame = self._conversation.next(None if end is None else max(0.0, end - time.monotonic()))
        except TimeoutError:
            return False
        match frame.kind:
            case Kind.STDOUT | Kind.STDERR:
                taker = self._takers[frame.kind]
                if taker is None:
                    self._written[frame.kind] += frame.payload
                else:
                    taker(frame.payload)
            case Kind.END:
                self._status = json.loads(frame.payload)
                self._conversation.close()
            case Kind.FAILED:
                self._conversation.close()
                raise refused(frame, f"`{' '.join(self.argv)}` in the twin")
            case _:
                raise AssertionError(frame.kind)
        return True

    def _error(self, problem: str) -> TwinError:
        said = last_lines(self.stdout + self.stderr)
        return TwinError(
            f"`{' '.join(self.argv)}` in the twin", f"{problem}; its last words:\n{said or '    | (none)'}"
        )
