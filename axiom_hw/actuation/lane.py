"""The orders of one output, who is writing them, and where the output stands on its way to what was ordered."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import Final

from axiom_hw.actuation.actuator import Actuator
from axiom_hw.actuation.audit import Verdict
from axiom_hw.board import PwmChannel

_S: Final = 1_000_000_000
STEP_NS: Final = 5_000_000  # how often an output on its way is written, where its period isn't longer


class Kind(Enum):
    """What an order is for."""

    ORDINARY = "somebody's"
    SAFE = "the safe state"
    STEP = "a step further on the way"
    EXPIRED = "the safe state, unless an order has come meanwhile"


@dataclass(slots=True)
class Order:
    """A request on its way; `result` is set by whoever writes it."""

    source: str
    wanted: int
    level: int
    enabled: bool
    verdict: Verdict
    kind: Kind = Kind.ORDINARY
    result: int | None = None


class Lane:
    """The orders of one output.

    Synchronization: `pending` by atomic deque operations; the device and what follows it here by whoever holds
    `writing`, which is tried and never waited for, but by the safe state.
    """

    __slots__ = (
        "_from_level", "_from_ns", "actuator", "enabled", "holder", "last_order_ns", "least", "level", "name",
        "pending", "row", "slew", "source", "stepping", "takes_time", "target", "watchdog_ns", "watching", "writing",
    )  # fmt: skip

    def __init__(self, actuator: Actuator) -> None:
        self.actuator = actuator
        self.name = actuator.output.name
        self.least = int(actuator.output.authority)
        self.watchdog_ns = actuator.output.watchdog_ns
        self.pending: deque[Order] = deque()
        self.writing = threading.Lock()
        self.holder = 0
        self.row: int | None = None  # of a line whose orders native code writes too: SharedLines has them instead
        self.slew = actuator.output.slew_ns_per_s if isinstance(actuator.output, PwmChannel) else 0
        self.takes_time = bool(self.slew or self.watchdog_ns)  # so that timers see to it
        self.level, self.enabled = actuator.safe
        self.target: int | None = None  # where it is on its way to
        self.source = ""  # who ordered that
        self._from_level = self._from_ns = 0  # where the way began
        self.last_order_ns: int | None = None  # of the last one that was carried out; None in the safe state
        self.stepping = self.watching = False  # whether a timer is on its way

    def head_for(self, level: int, now_ns: int) -> int:
        """Be ordered to a level: the one that may be written now.

        The way begins at the order, however long the output stood still before. Where a channel that was off has no
        level that says where its servo stands, nobody knows the way: then at once.
        """
        if not self.slew or (not self.enabled and self._is_unknown()):
            self.target = None
            return level
        stands = self.stands(now_ns)
        on_its_way = self.target is not None and (self.target > self._from_level) is (level > stands)
        if not on_its_way:  # else the way goes on: a way that began anew with each order would lose what it rounds
            self._from_level, self._from_ns = stands, now_ns
        self.target = level
        return self.stands(now_ns)

    def stands(self, now_ns: int) -> int:
        """The level that may be written at a time."""
        if self.target is None:
            return self.level if self.enabled else 0
        way = self.slew * (now_ns - self._from_ns) // _S
        if self.target > self._from_level:
            return min(self._from_level + way, self.target)
        return max(self._from_level - way, self.target)

    def written(self, level: int, enabled: bool) -> None:
        """The device has it."""
        self.level, self.enabled = level, enabled
        if level == self.target:
            self.target = None

    def made_safe(self) -> None:
        """The device has its safe state: no way goes on, no watchdog looks."""
        self.level, self.enabled = self.actuator.safe
        self.target = self.last_order_ns = None

    def step_ns(self) -> int:
        """How long until the next step is worth a write."""
        output = self.actuator.output
        return max(output.period_ns, STEP_NS) if isinstance(output, PwmChannel) else STEP_NS

    def _is_unknown(self) -> bool:
        output = self.actuator.output
        return isinstance(output, PwmChannel) and output.limits_ns[0] > 0


def safe_order(lane: Lane, source: str, kind: Kind = Kind.SAFE) -> Order:
    """The order that makes it safe."""
    level, enabled = lane.actuator.safe
    return Order(source, level, level, enabled, Verdict.EXPIRED if kind is Kind.EXPIRED else Verdict.APPLIED, kind)
