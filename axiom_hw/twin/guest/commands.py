"""Commands in the guest: started, fed, read, ended."""

from __future__ import annotations

import errno
import fcntl
import os
import pty
import signal
import struct
import subprocess
import termios
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from axiom_hw.twin.guest.frames import CHUNK, Kind

Send = Callable[[Kind, bytes], None]


@dataclass
class Command:
    """A command that runs. `streams` are the descriptors that it may still write to, by what their bytes are.

    Synchronization: one thread at a time.
    """

    pid: int
    streams: dict[int, Kind]
    stdin: int  # -1 once it was closed
    end: int  # a descriptor that polls readable at the end (pidfd_open(2))
    waiting: bytearray = field(default_factory=bytearray)  # for its standard input
    closing: bool = False  # the standard input, once `waiting` is empty
    status: int | None = None

    def read(self, descriptor: int) -> bytes:
        """What it wrote; nothing at the end of the stream, which is then closed."""
        try:
            piece = os.read(descriptor, CHUNK)
        except OSError as error:
            if error.errno != errno.EIO:  # a terminal whose last user has gone
                raise
            piece = b""
        if not piece:
            del self.streams[descriptor]
            if descriptor != self.stdin:  # a terminal is one for both directions
                os.close(descriptor)
        return piece

    def write_waiting(self) -> bool:
        """Give it some of its input. False where there is nothing left to give."""
        try:
            while self.waiting:
                del self.waiting[: os.write(self.stdin, self.waiting[:CHUNK])]
        except BlockingIOError:
            return True
        except OSError:  # it doesn't read any more
            self.waiting.clear()
        if self.closing:
            self.close_stdin()
        return False

    def close_stdin(self) -> None:
        """Close its standard input; on a terminal say so by Ctrl-D, as one does."""
        if self.stdin in self.streams:
            os.write(self.stdin, b"\4")
        elif self.stdin >= 0:
            os.close(self.stdin)
            self.stdin = -1

    def signal(self, number: int) -> None:
        """Send a signal to it and to what it started."""
        if self.status is None:
            os.killpg(self.pid, number)

    def resize(self, rows: int, columns: int) -> None:
        """Tell its terminal how large it is."""
        if self.stdin in self.streams:
            fcntl.ioctl(self.stdin, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def reap(self) -> None:
        """Take its status, once `end` is readable."""
        _, status = os.waitpid(self.pid, 0)
        self.status = os.waitstatus_to_exitcode(status)
        os.close(self.end)

    def close(self) -> None:
        """Let go of everything; what it left running keeps running."""
        for descriptor in {*self.streams, self.stdin} - {-1}:
            os.close(descriptor)
        self.streams.clear()
        self.stdin = -1


def start(told: dict[str, Any]) -> Command:
    """Start what a START tells. Raises `OSError` where it can't be started."""
    argv, env, cwd = told["argv"], told["env"], told["cwd"]
    if not os.path.isdir(cwd):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), cwd)
    return _on_terminal(argv, env, cwd) if told["terminal"] else _piped(argv, env, cwd)


def _piped(argv: list[str], env: dict[str, str], cwd: str) -> Command:
    process = subprocess.Popen(
        argv, env=env, cwd=cwd, start_new_session=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    process.returncode = 0  # it is waited for here, not by subprocess
    ends = []
    for stream in (process.stdin, process.stdout, process.stderr):
        assert stream is not None
        ends.append(os.dup(stream.fileno()))
        os.set_blocking(ends[-1], False)
        stream.close()
    stdin, stdout, stderr = ends
    return Command(process.pid, {stdout: Kind.STDOUT, stderr: Kind.STDERR}, stdin, os.pidfd_open(process.pid))


def _on_terminal(argv: list[str], env: dict[str, str], cwd: str) -> Command:
    pid, terminal = pty.fork()
    if pid == 0:
        try:
            os.chdir(cwd)
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            os.execvpe(argv[0], argv, env)
        except OSError as error:
            os.write(2, f"{argv[0]}: {error.strerror}\n".encode())
        os._exit(127)
    os.set_blocking(terminal, False)
    return Command(pid, {terminal: Kind.STDOUT}, terminal, os.pidfd_open(pid))
