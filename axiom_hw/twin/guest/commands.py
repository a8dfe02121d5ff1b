"""Commands in the guest: started, fed, read, ended."""

from __future__ import annotations

import errno
import os
import signal
import struct

from axiom_hw.twin.guest.frames import CHUNK, Kind

TYPE_CHECKING = False  # as typing has it, which would have to be imported
if TYPE_CHECKING:
    from typing import Any


class Command:
    """A command that runs. `streams` are the descriptors that it may still write to, by what their bytes are.

    Synchronization: one thread at a time.
    """

    def __init__(self, pid: int, streams: dict[int, Kind], stdin: int) -> None:
        self.pid = pid
        self.streams = streams
        self.stdin = stdin  # -1 once it was closed
        self.end = os.pidfd_open(pid)  # polls readable at the end
        self.waiting = bytearray()  # for its standard input
        self.closing = False  # the standard input, once `waiting` is empty
        self.status: int | None = None

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
            import fcntl
            import termios

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
    """By posix_spawn(3): it starts no thread and imports nothing, and its child is ours to wait for."""
    ours, theirs = [], []
    for number in range(3):
        reader, writer = os.pipe()
        ours.append(writer if number == 0 else reader)
        theirs.append(reader if number == 0 else writer)
    try:
        os.chdir(cwd)
        pid = os.posix_spawn(
            _program(argv[0], env), argv, env, setsid=True, setsigdef=(signal.SIGPIPE, signal.SIGXFSZ),
            file_actions=[(os.POSIX_SPAWN_DUP2, descriptor, number) for number, descriptor in enumerate(theirs)],
        )  # fmt: skip
    except OSError:
        for descriptor in ours:
            os.close(descriptor)
        raise
    finally:
        os.chdir("/")
        for descriptor in theirs:
            os.close(descriptor)
    for descriptor in ours:
        os.set_blocking(descriptor, False)
    stdin, stdout, stderr = ours
    return Command(pid, {stdout: Kind.STDOUT, stderr: Kind.STDERR}, stdin)


def _program(name: str, env: dict[str, str]) -> str:
    """Where a command lies. Raises `FileNotFoundError`."""
    if "/" in name:
        return name
    for directory in env.get("PATH", os.defpath).split(":"):
        path = os.path.join(directory or ".", name)
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)


def _on_terminal(argv: list[str], env: dict[str, str], cwd: str) -> Command:
    import pty

    pid, terminal = pty.fork()
    if pid == 0:
        try:
            os.chdir(cwd)
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            os.execve(_program(argv[0], env), argv, env)
        except OSError as error:
            os.write(2, f"{argv[0]}: {error.strerror}\n".encode())
        os._exit(127)
    os.set_blocking(terminal, False)
    return Command(pid, {terminal: Kind.STDOUT}, terminal)
