"""What is wrong with a mock line: edges that the kernel drops, a wire that is stuck, calls that fail."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field


@dataclass(slots=True)
class LineFaults:
    """The faults of one line, and how many edges it had. A dropped edge has a number all the same, as in the kernel.

    Synchronization: under the chip's lock.
    """

    dropping: int = 0  # of the next edges, so many are dropped
    every: int = 0  # the k-th, the 2k-th, ... edge from here on is dropped; 0: none
    since: int = 0  # edges since `every` was set
    stuck_at: int | None = None  # the level of the wire, whoever drives it
    errors: deque[int] = field(default_factory=deque)  # errnos of the next calls on the line
    sent: int = 0  # edges that the line had while somebody listened, dropped ones included
    dropped: int = 0

    def keeps(self) -> bool:
        """Count an edge, and say whether it reaches the buffer."""
        self.sent += 1
        self.since += 1
        if self.dropping:
            self.dropping -= 1
        elif not self.every or self.since % self.every:
            return True
        self.dropped += 1
        return False

    def heal(self) -> None:
        """Nothing is wrong any more; what was counted stays."""
        self.dropping = self.every = 0
        self.stuck_at = None
        self.errors.clear()
