"""What sensors had last, as events tell: for runs that are recorded or replayed, where only events are the same."""

from __future__ import annotations

import struct
from typing import Final

from axiom_hw.adapters.iio_record import CTX_DEVICE, IIO_BYTES, IIO_MICRO, SCAN_MICROS

_WHERE: Final = struct.Struct("<II")  # device, and channel or count
_MICRO: Final = struct.Struct("<q")


class LastValues:
    """A program in Python for the hooks of all sensors, ahead of the others.

    Synchronization: any thread runs it; a value is replaced in one step.
    """

    name = "last values of sensors"
    worst_case_insns = None

    def __init__(self) -> None:
        self._micros: dict[tuple[int, int], int] = {}

    def run(self, ctx: bytes, slot: int) -> int:
        """Keep an event's value, or those of a scan."""
        device, number = _WHERE.unpack_from(ctx, CTX_DEVICE)
        if len(ctx) == IIO_BYTES:
            (self._micros[device, number],) = _MICRO.unpack_from(ctx, IIO_MICRO)
            return 0
        for channel in range(number):
            (self._micros[device, channel],) = _MICRO.unpack_from(ctx, SCAN_MICROS + 8 * channel)
        return 0

    def get(self, device: int, channel: int) -> int | None:
        """In millionths of the unit; None before the first."""
        return self._micros.get((device, channel))
