"""All outputs at once, to their safe states: whatever fails on the way, and past a thread that hangs in a write."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from axiom_hw.actuation.lane import Lane, safe_order
from axiom_hw.actuation.shared_lines import SharedLines
from axiom_hw.actuation.writer import Writer

SETTLE_NS: Final = 500_000_000  # how long the safe state waits for another thread's write before it writes past it
_LOOK_AGAIN_S: Final = 0.001


class Safety:
    """The outputs of a guard, all at once.

    Synchronization: any thread, from listeners and signal handlers too.
    """

    def __init__(self, lanes: Sequence[Lane], shared: SharedLines, writer: Writer, settle_ns: int) -> None:
        self._lanes = lanes
        self._shared = shared
        self._writer = writer
        self._settle_ns = settle_ns

    def order(self, source: str) -> list[tuple[Lane, int]]:
        """Order every safe state; see `on_each`. Never waits: who is writing an output writes this next."""
        return self.on_each(lambda lane: self._order(lane, source))

    def bring(self, source: str) -> list[tuple[Lane, int]]:
        """As `order`, but return when each is written, if need be past whoever hangs in a write."""
        return self.on_each(lambda lane: self._bring(lane, source))

    def on_each(self, act: Callable[[Lane], int]) -> list[tuple[Lane, int]]:
        """Act on each output, whatever becomes of the others: those that failed, each with its negative errno.

        An exception, of a listener or a bug's, is raised behind the last output.
        """
        failed, broken = [], []
        for lane in self._lanes:
            try:
                if result := act(lane):
                    failed.append((lane, result))
            except Exception as error:  # noqa: BLE001 (the outputs behind this one may be live)
                broken.append(error)
        if broken:
            raise broken[0]
        return failed

    def _order(self, lane: Lane, source: str) -> int:
        if lane.row is not None:
            return self._shared.make_safe(lane.row, source) or 0
        return self._writer.submit(lane, safe_order(lane, source))

    def _bring(self, lane: Lane, source: str) -> int:
        if lane.row is not None:
            return self._bring_row(lane.row, source)
        order = safe_order(lane, source)
        self._writer.submit(lane, order)
        if (
            order.result is None
            and lane.holder != threading.get_ident()
            and lane.writing.acquire(timeout=self._settle_ns / 1e9)
        ):
            lane.writing.release()
        if order.result is None:
            self._writer.write(lane, order)
        return order.result or 0

    def _bring_row(self, row: int, source: str) -> int:
        before = self._shared.safe_writes(row)
        result = self._shared.make_safe(row, source)
        deadline_ns = time.monotonic_ns() + self._settle_ns
        while result is None and time.monotonic_ns() < deadline_ns:
            time.sleep(_LOOK_AGAIN_S)
            if self._shared.safe_writes(row) != before:
                result = self._shared.safe_result(row)
        return self._shared.force_safe(row, source) if result is None else result
