"""Runs one command and ends it with its owner: `python keeper.py DESCRIPTOR DIRECTORY COMMAND...`, as a script.

The owner keeps the other end of the pipe DESCRIPTOR. When it goes away in whatever way, SIGKILL included, the pipe
closes; the command is killed then, and DIRECTORY, where it has its files, is removed. The death of this process kills
the command through the kernel (PR_SET_PDEATHSIG): that alone would not do for the owner, because it counts the death of
a thread.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys

_PDEATHSIG = 1  # PR_SET_PDEATHSIG of linux/prctl.h


def main(argv: list[str]) -> int:
    """The status of the command; 128 and the signal's number if one ended it."""
    owner, directory, command = int(argv[1]), argv[2], argv[3:]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group: the owner decides what it means
    pid = os.fork()
    if pid == 0:
        ctypes.CDLL(None).prctl(_PDEATHSIG, signal.SIGKILL)
        os.close(owner)
        try:
            os.execvp(command[0], command)
        except OSError as error:
            os.write(2, f"{command[0]}: {error.strerror}\n".encode())
        os._exit(127)
    end = os.pidfd_open(pid)
    readable, _, _ = select.select([end, owner], [], [])
    if end not in readable:
        os.kill(pid, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if end not in readable:
        _remove(directory)
    return status if status >= 0 else 128 - status


def _remove(directory: str) -> None:
    """A directory with files; the owner may be at it, too."""
    try:
        for name in os.listdir(directory):
            os.unlink(os.path.join(directory, name))
        os.rmdir(directory)
    except FileNotFoundError:
        pass


if __name__ == "__main__":
    sys.exit(main(sys.argv))
