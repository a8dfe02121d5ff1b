"""What a driver is: it wakes a part, and reads all of its channels."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from axiom_hw.backends.i2c import I2cPort
from axiom_hw.errors import BackendError


@dataclass(frozen=True, slots=True)
class Reading:
    """One channel: the number of its registers, and the quantity in millionths of its unit."""

    value: int
    micro: int


class Driver(Protocol):
    """One part on a bus.

    Synchronization: one thread at a time, the one that has the bus.
    """

    def begin(self, port: I2cPort) -> None:
        """Find out whether the part is there and the right one, and let it measure. Again after it was away.

        Raises `BackendError`: ENODEV for another part, and what a transfer raises.
        """
        ...

    def read(self, port: I2cPort) -> Sequence[Reading]:
        """All channels, in the board's order. Raises `BackendError`: EAGAIN where nothing was measured yet."""
        ...


def wrong_part(place: str, found: int, wanted: str, fix: str) -> BackendError:
    """The error of an address at which another part answers."""
    return BackendError(place, f"says that it is {found:#04x}, which is no {wanted}", fix, errno.ENODEV)


def not_ready(place: str) -> BackendError:
    """The error of a part that hasn't measured yet."""
    return BackendError(place, "has measured nothing since it was switched on", "it will have, next time", errno.EAGAIN)
