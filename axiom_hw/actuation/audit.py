"""What the guard decided, the last so many times: a ring that counts what it overwrites."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from itertools import count


class Verdict(Enum):
    """What became of a request."""

    APPLIED = "applied"
    CLAMPED = "clamped to a limit"
    SLEWED = "on its way, as fast as the output may change"
    EXPIRED = "made safe, because no order came in time"
    DENIED = "refused: not for this one to drive"
    STOPPED = "made safe, because the emergency stop is latched"
    UNKNOWN = "refused: no such output"
    REFUSED = "refused: not a value that this output takes"
    CLOSED = "refused: the guard is closed"
    CROWDED = "refused: as many orders as there is room for wait for the device"
    FAILED = "the device failed"
    LATCHED = "emergency stop latched"
    RELEASED = "emergency stop released"


@dataclass(frozen=True, slots=True)
class Decision:
    """One line of the audit. `wanted` and `written` are values of lines and duties (ns) of channels; a motor that turns
    backwards has one below 0.

    `written` is None where nothing was written; `errno` is 0 or positive.
    """

    number: int  # from 1, over the guard's life
    timestamp_ns: int
    source: str
    output: str
    wanted: int
    written: int | None
    verdict: Verdict
    errno: int = 0


class Audit:
    """The last `entries` decisions.

    Synchronization: any thread, without a lock; appending to the ring and counting are atomic.
    """

    def __init__(self, entries: int, next_number: Callable[[], int] | None = None) -> None:
        """`next_number` counts the decisions, where others are kept elsewhere."""
        # Kept as tuples: building a Decision would cost a third of a write, and few are ever read.
        self._rows: deque[tuple[int, int, str, str, int, int | None, Verdict, int]] = deque(maxlen=entries)
        self._next_number = next_number if next_number is not None else count(1).__next__

    def record(
        self,
        timestamp_ns: int,
        source: str,
        output: str,
        wanted: int,
        written: int | None,
        verdict: Verdict,
        errno: int,
    ) -> None:
        """Append one decision; the oldest makes room."""
        self._rows.append((self._next_number(), timestamp_ns, source, output, wanted, written, verdict, errno))

    def decisions(self) -> tuple[Decision, ...]:
        """What is kept, oldest first."""
        while True:
            try:
                rows = tuple(self._rows)
            except RuntimeError:  # another thread appended meanwhile: look again
                continue
            return tuple(Decision(*row) for row in rows)
