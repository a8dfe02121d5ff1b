"""What a service's process ends with, so that systemd knows whether starting it again makes sense.

The numbers are those of sysexits.h, whose names `systemctl status` prints beside them: status=75/TEMPFAIL.
"""

from __future__ import annotations

import errno
from enum import IntEnum
from typing import Final

from axiom_hw.errors import (
    AsmError,
    AxiomError,
    BackendError,
    BoardError,
    EncodingError,
    HookError,
    MapError,
    MissingDependency,
    ObjectError,
    OtherMachine,
    OutputError,
    SpecError,
)

__all__ = ["FINAL", "Exit", "SelfTestFailed", "exit_of"]


class Exit(IntEnum):
    """How a service's process ended."""

    FINE = 0  # as it was told to: a stop, or the end of --for
    FAILED = 1  # a mistake in the application, or anything without a number of its own
    USAGE = 2  # a command line that can't be read
    REFUSED = 65  # DATAERR: a program that isn't safe, or doesn't fit its hook
    ABSENT = 69  # UNAVAILABLE: a device that isn't there, or was unplugged
    UNTESTED = 70  # SOFTWARE: the self-test event didn't come through the hooks
    DEVICE = 74  # IOERR: a device that failed
    BUSY = 75  # TEMPFAIL: somebody else has a line, a port or the outputs
    FORBIDDEN = 77  # NOPERM: the user of the unit may not open a device
    BOARD = 78  # CONFIG: a board file that is wrong, or for another machine; a package that isn't installed


FINAL: Final = (Exit.USAGE, Exit.REFUSED, Exit.FORBIDDEN, Exit.BOARD)
"""Those that another start wouldn't change: for RestartPreventExitStatus=."""

_BUSY: Final = (errno.EBUSY, errno.EAGAIN, errno.ETIMEDOUT)
_ABSENT: Final = (errno.ENODEV, errno.ENXIO, errno.ENOENT)
_FORBIDDEN: Final = (errno.EACCES, errno.EPERM)


class SelfTestFailed(AxiomError, RuntimeError):
    """The event of a service's own didn't pass through the hooks as it should."""


def exit_of(error: AxiomError) -> Exit:
    """What a process ends with because of an error."""
    from axiom_hw.bpf.verifier.rejection import Rejected  # here: not everybody who prints has to load it

    match error:
        case OtherMachine() | BoardError() | MissingDependency():
            return Exit.BOARD
        case BackendError():
            return _of_device(error)
        case SelfTestFailed():
            return Exit.UNTESTED
        case OutputError():
            return Exit.BUSY
        case Rejected() | HookError() | SpecError() | ObjectError() | AsmError() | EncodingError() | MapError():
            return Exit.REFUSED
        case _ if isinstance(error, SyntaxError):  # a program that the front end refused
            return Exit.REFUSED
        case _:
            return Exit.FAILED


def _of_device(error: BackendError) -> Exit:
    if error.errno in _BUSY:
        return Exit.BUSY
    if error.errno in _ABSENT:
        return Exit.ABSENT
    return Exit.FORBIDDEN if error.errno in _FORBIDDEN else Exit.DEVICE
