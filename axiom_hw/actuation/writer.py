"""Orders to devices: each output's in turn while nobody waits, past the latch, at its slew rate, under its watchdog.

A caller appends its order and, if nobody is writing this output, writes all that waits; else whoever is writing does so
next. What has to happen later (the next step of a way, the look of a watchdog) comes by a timer, as an order.
"""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

from axiom_hw.actuation.audit import Audit, Verdict
from axiom_hw.actuation.lane import Kind, Lane, Order, safe_order
from axiom_hw.actuation.shared_lines import SharedLines
from axiom_hw.board import PwmChannel
from axiom_hw.errors import BackendError
from axiom_hw.events import PwmEvent

WATCHDOG: Final = "watchdog"  # who asks where no order came in time

PwmListener = Callable[[PwmChannel, PwmEvent], object]


class Time(Protocol):
    """What the guard needs of a clock."""

    def now_ns(self) -> int: ...


class Timers(Protocol):
    """What the guard needs of a scheduler, on the same clock."""

    def at(self, due_ns: int, callback: Callable[[int, int, int], None], /) -> object: ...

    def every(self, period_ns: int, callback: Callable[[int, int, int], None], /) -> object: ...


class Writer:
    """Writes orders, and notes what became of each. `keep` notes where other processes can read it.

    Synchronization: any thread, without a lock, from listeners and signal handlers too.
    """

    def __init__(
        self, shared: SharedLines, audit: Audit, clock: Time, timers: Timers | None, *, keeps_all: bool = False
    ) -> None:
        """Decisions go to `audit`, or with `keeps_all` to the shared memory, as those of native code do."""
        self._shared = shared
        self._audit = audit
        self._clock = clock
        self._timers = timers
        self._keeps_all = keeps_all
        self._listeners: tuple[PwmListener, ...] = ()

    def on_pwm_applied(self, listener: PwmListener) -> None:
        """See `Guard.on_pwm_applied`."""
        self._listeners = (*self._listeners, listener)

    def submit(self, lane: Lane, order: Order) -> int:
        """Write an order, or leave it to whoever is writing this output: 0 then. A negative errno where it failed."""
        lane.pending.append(order)
        events: list[PwmEvent] = []
        # Looking again after the release catches an order that was appended too late for the writer to see.
        while lane.pending and lane.writing.acquire(blocking=False):
            try:
                lane.holder = threading.get_ident()
                while lane.pending:
                    event = self.write(lane, lane.pending.popleft())
                    if event is not None:
                        events.append(event)
            finally:
                lane.holder = 0
                lane.writing.release()
        if isinstance(lane.actuator.output, PwmChannel):
            for event in events:
                for listener in self._listeners:
                    listener(lane.actuator.output, event)
        return order.result or 0

    def write(self, lane: Lane, order: Order) -> PwmEvent | None:
        """Decide and write one order; the latch is looked at here, after which only a stop's own order can follow."""
        output, now_ns, kind = lane.actuator.output, self._clock.now_ns(), order.kind
        level, enabled, verdict, number = order.level, order.enabled, order.verdict, 0
        is_safe = kind is Kind.SAFE or kind is Kind.EXPIRED
        if kind is Kind.EXPIRED and not self._is_late(lane, now_ns):
            return None
        if not is_safe:
            now = self._shared.verdict()
            if kind is Kind.STEP and (lane.target is None or now is not Verdict.APPLIED):
                return None  # the way has ended meanwhile
            if now is Verdict.CLOSED:
                self.record(order.source, output.name, order.wanted, None, Verdict.CLOSED, errno.ESHUTDOWN)
                order.result = -errno.ESHUTDOWN
                return None
            if now is Verdict.STOPPED:
                (level, enabled), verdict, number, is_safe = lane.actuator.safe, Verdict.STOPPED, errno.EPERM, True
            elif kind is Kind.STEP:
                level = lane.stands(now_ns)
            elif lane.slew:
                level = lane.head_for(order.level, now_ns)
                verdict = verdict if level == order.level else Verdict.SLEWED
                lane.source = order.source
        try:
            lane.actuator.write(level, enabled)
        except BackendError as error:
            number = number_of(error)
            lane.target = None
            self.record(order.source, output.name, order.wanted, None, Verdict.FAILED, number)
            order.result = -number
            return None
        order.result = -number
        if is_safe:
            lane.made_safe()
        else:
            lane.written(level, enabled)
            if kind is Kind.ORDINARY:
                lane.last_order_ns = now_ns
        if kind is not Kind.STEP or lane.target is None:  # of a way, the order and its end are kept
            self.record(order.source, output.name, order.wanted, level, verdict, number)
        if lane.takes_time:
            self._look_after(lane, now_ns)
        if not isinstance(output, PwmChannel):
            return None
        after_ns, polarity = self._clock.now_ns(), int(output.polarity)
        return PwmEvent(after_ns, output.chip_id, output.channel, output.period_ns, abs(level), polarity, int(enabled))

    def refuse(self, output: str, source: str, wanted: int, verdict: Verdict, number: int) -> int:
        """Note that nothing is written; `number` is why, and the result its negative."""
        self.record(source, output, wanted, None, verdict, number)
        return -number

    def record(self, source: str, output: str, wanted: int, written: int | None, verdict: Verdict, number: int) -> None:
        """Note a decision."""
        now_ns = self._clock.now_ns()
        if self._keeps_all:
            self._shared.note(now_ns, source, output, wanted, written, verdict, number)
        else:
            self._audit.record(now_ns, source, output, wanted, written, verdict, number)

    def watch_row(self, lane: Lane) -> None:
        """Look after a line that native code writes: nobody tells of its orders, so a timer asks for the last one."""
        output = lane.actuator.output
        if self._timers is None or lane.row is None or not output.watchdog_ns:
            return
        now_ns = self._clock.now_ns()
        last_ns = self._shared.last_order_ns(lane.row)
        if last_ns and now_ns - last_ns >= output.watchdog_ns:
            self._shared.expire(lane.row, WATCHDOG)
            last_ns = 0
        if self._shared.verdict() is not Verdict.CLOSED:
            self._timers.at((last_ns or now_ns) + output.watchdog_ns, lambda *_: self.watch_row(lane))

    def _look_after(self, lane: Lane, now_ns: int) -> None:
        """Start the timers that an output needs from now on. For whoever writes the lane."""
        if self._timers is None:
            return
        if lane.target is not None and not lane.stepping:
            lane.stepping = True
            self._timers.at(now_ns + lane.step_ns(), partial(self._step, lane))
        if lane.watchdog_ns and lane.last_order_ns is not None and not lane.watching:
            lane.watching = True
            self._timers.at(lane.last_order_ns + lane.watchdog_ns, partial(self._expire, lane))

    def _step(self, lane: Lane, *_expiration: int) -> None:
        lane.stepping = False
        target = lane.target
        if target is not None:
            self.submit(lane, Order(lane.source, target, target, True, Verdict.APPLIED, Kind.STEP))

    def _expire(self, lane: Lane, *_expiration: int) -> None:
        lane.watching = False
        self.submit(lane, safe_order(lane, WATCHDOG, Kind.EXPIRED))

    def _is_late(self, lane: Lane, now_ns: int) -> bool:
        """Whether no order came in time; else the next look is arranged."""
        last_ns = lane.last_order_ns
        if last_ns is None:
            return False
        if now_ns - last_ns >= lane.watchdog_ns:
            return True
        self._look_after(lane, now_ns)
        return False


def number_of(error: BackendError) -> int:
    """The errno of a device that failed."""
    return error.errno or errno.EIO
