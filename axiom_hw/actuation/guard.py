"""The guard: the only writer of outputs; it knows limits, safe states and the latched emergency stop.

    with Guard.open(board, gpio, pwm, clock) as guard:      # every output is in its safe state from here on
        guard.set_gpio(18, 1, "follow")                     # 0, or a negative errno
        guard.write_pwm(0, 0, 7, "sweep")
    # and again from here on, whatever happened in between

Lock-free: each output has a lane. A caller appends its order and, if nobody is writing this output, writes all that
waits; else whoever is writing does so next. Orders of one output are written in the order they were appended, and
nobody waits, so a program, a listener or a signal handler may ask the guard at any moment.
"""

from __future__ import annotations

import errno
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Protocol, Self

from axiom_hw.actuation.actuator import CONSUMER, Actuator, open_actuators
from axiom_hw.actuation.audit import Audit, Decision, Verdict
from axiom_hw.actuation.shared_lines import MakeAsk, SharedLine, SharedLines, plain_ask
from axiom_hw.backends.gpio import GpioBackend
from axiom_hw.backends.pwm import PwmBackend
from axiom_hw.board import Board, PwmChannel
from axiom_hw.bpf.engine.machine import NativeHelper
from axiom_hw.errors import BackendError, OutputError
from axiom_hw.events import PwmEvent

AUDIT_ENTRIES: Final = 256
_LOOK_AGAIN_S: Final = 0.001
SETTLE_NS: Final = 500_000_000  # how long the safe state waits for another thread's write before it writes past it

PwmListener = Callable[[PwmChannel, PwmEvent], object]
ReadInput = Callable[[int, int], int]


class Time(Protocol):
    """What the guard needs of a clock."""

    def now_ns(self) -> int: ...


@dataclass(frozen=True, slots=True, eq=False)
class Stop:
    """An emergency stop: who asked for it, why, and when."""

    reason: str
    source: str
    timestamp_ns: int


@dataclass(frozen=True, slots=True)
class Failure:
    """An output that couldn't be brought to its safe state."""

    output: str
    problem: str


@dataclass(slots=True)
class _Order:
    """A request on its way; `result` is set by whoever writes it."""

    source: str
    wanted: int
    level: int
    enabled: bool
    verdict: Verdict
    is_safe: bool = False
    result: int | None = None


class _Lane:
    """The orders of one output, and who is writing them.

    Synchronization: `pending` by atomic deque operations; the device by whoever holds `writing`, which is tried and
    never waited for, but by the safe state.
    """

    __slots__ = ("actuator", "holder", "pending", "row", "writing")

    def __init__(self, actuator: Actuator) -> None:
        self.actuator = actuator
        self.pending: deque[_Order] = deque()
        self.writing = threading.Lock()
        self.holder = 0
        self.row: int | None = None  # of a line whose orders native code writes too: SharedLines has them instead


class Guard:
    """The only writer of a board's outputs.

    `read_input(chip_id, line)` answers for lines that aren't outputs, and raises `BackendError` for others. With
    `make_ask` native code may write the lines too, where all of them are the kernel's own, and read these and `inputs`.

    Synchronization: every method from any thread, without a lock, from listeners and signal handlers too. `close`
    once, by the owner.
    """

    def __init__(
        self,
        actuators: Sequence[Actuator],
        clock: Time,
        *,
        read_input: ReadInput | None = None,
        audit_entries: int = AUDIT_ENTRIES,
        settle_ns: int = SETTLE_NS,
        make_ask: MakeAsk | None = None,
        inputs: Sequence[SharedLine] = (),
    ) -> None:
        self._clock = clock
        self._read_input = read_input
        self._lines: dict[tuple[int, int], _Lane] = {}
        self._channels: dict[tuple[int, int], _Lane] = {}
        for actuator in actuators:
            output, lane = actuator.output, _Lane(actuator)
            if isinstance(output, PwmChannel):
                self._channels[output.chip_id, output.channel] = lane
            else:
                self._lines[output.chip_id, output.line] = lane
        self._lanes = (*self._lines.values(), *self._channels.values())
        shared = _shared(actuators) if make_ask is not None else ()
        ask = make_ask() if make_ask is not None and shared else plain_ask
        self._shared = SharedLines((*shared, *inputs) if shared else (), ask)
        for line in shared:
            self._lines[line.chip_id, line.line].row = self._shared.row(line.chip_id, line.line)
        self._is_shared = bool(shared)
        self._audit = Audit(audit_entries, self._shared.next_number if shared else None)
        self._audit_entries = audit_entries
        self._settle_ns = settle_ns
        self._listeners: tuple[PwmListener, ...] = ()
        self._stop: Stop | None = None  # the last one; whether it is latched stands in the shared state
        self._is_closed = False

    @classmethod
    def open(
        cls,
        board: Board,
        gpio: GpioBackend,
        pwm: PwmBackend | None,
        clock: Time,
        *,
        read_input: ReadInput | None = None,
        consumer: str = CONSUMER,
        audit_entries: int = AUDIT_ENTRIES,
        on_missing: Callable[[PwmChannel, BackendError], object] | None = None,
        make_ask: MakeAsk | None = None,
        inputs: Sequence[SharedLine] = (),
    ) -> Guard:
        """Take every output of the board, each in its safe state from the first moment; see `open_actuators`."""
        actuators = open_actuators(board, gpio, pwm, consumer, on_missing)
        return cls(
            actuators, clock, read_input=read_input, audit_entries=audit_entries, make_ask=make_ask, inputs=inputs
        )

    def set_gpio(self, line: int, value: int, source: str, chip_id: int = 0) -> int:
        """Drive an output line to 0 or 1. `source` is who asks, for the audit.

        0, or a negative errno: ENODEV no such output, EINVAL no such value, EPERM the emergency stop is latched and
        the safe value was written instead, ESHUTDOWN closed, or what the device said. 0 also where another thread is
        writing this output and will write this next.
        """
        lane = self._lines.get((chip_id, line))
        if lane is None:
            return self._refuse(f"gpio/{chip_id}/line{line}", source, value, Verdict.UNKNOWN, errno.ENODEV)
        if lane.row is not None:
            return self._shared.set(lane.row, value, source)
        if value not in (0, 1):
            return self._refuse(lane.actuator.output.name, source, value, Verdict.REFUSED, errno.EINVAL)
        return self._submit(lane, _Order(source, value, value, True, Verdict.APPLIED))

    def get_gpio(self, line: int, chip_id: int = 0) -> int:
        """The value of an input or output line, or a negative errno: ENODEV for a line that the board doesn't have."""
        lane = self._lines.get((chip_id, line))
        try:
            if lane is not None:
                return lane.actuator.read()
            return -errno.ENODEV if self._read_input is None else self._read_input(chip_id, line)
        except BackendError as error:
            return -_number(error)

    def write_pwm(self, chip_id: int, channel: int, percent: int, source: str) -> int:
        """Switch a channel on with a duty of 0 to 100 % of its period, clamped to its limits. As `set_gpio`."""
        lane = self._channels.get((chip_id, channel))
        if lane is None or not isinstance(lane.actuator.output, PwmChannel):
            return self._refuse(f"pwm/{chip_id}/channel{channel}", source, percent, Verdict.UNKNOWN, errno.ENODEV)
        if not 0 <= percent <= 100:
            return self._refuse(lane.actuator.output.name, source, percent, Verdict.REFUSED, errno.EINVAL)
        return self._write_duty(lane, lane.actuator.output, lane.actuator.output.period_ns * percent // 100, source)

    def write_pwm_duty(self, chip_id: int, channel: int, duty_ns: int, source: str) -> int:
        """Switch a channel on with a duty in ns: a servo needs finer steps than percent. As `write_pwm`."""
        lane = self._channels.get((chip_id, channel))
        if lane is None or not isinstance(lane.actuator.output, PwmChannel):
            return self._refuse(f"pwm/{chip_id}/channel{channel}", source, duty_ns, Verdict.UNKNOWN, errno.ENODEV)
        if duty_ns < 0:
            return self._refuse(lane.actuator.output.name, source, duty_ns, Verdict.REFUSED, errno.EINVAL)
        return self._write_duty(lane, lane.actuator.output, duty_ns, source)

    def emergency_stop(self, reason: str, source: str) -> int:
        """Latch the stop, then bring every output to its safe state, whatever fails on the way.

        Anybody may. 0, or the negative errno of the first output that couldn't be made safe. An output that another
        thread is writing just now is made safe by that thread, right after.
        """
        self._stop = Stop(reason, source, self._clock.now_ns())
        self._shared.stop()  # the latch: from here on every write makes safe
        self._record(source, f"all outputs: {reason}", 0, None, Verdict.LATCHED, 0)
        if self._is_closed:
            return 0  # the devices were made safe and given back
        results = [self._make_safe(lane, source) for lane in self._lanes]
        return next((result for result in results if result), 0)

    def _make_safe(self, lane: _Lane, source: str) -> int:
        if lane.row is not None:
            return self._shared.make_safe(lane.row, source) or 0
        return self._submit(lane, _safe_order(lane, source))

    @property
    def stopped(self) -> Stop | None:
        """The stop that is latched, or None."""
        return self._stop if self._shared.is_stopped else None

    def release_stop(self, operator: str) -> bool:
        """Unlatch the stop; `operator` is the person, for the audit. Restores nothing: outputs stay safe until written.

        False where none was latched. Raises `OutputError` for a nameless operator. There is no helper for this, so no
        program can.
        """
        if not operator.strip():
            raise OutputError("emergency stop", "is released by an operator, who has a name", "give the person's name")
        seen = self._shared.stops  # one that comes in from here on stays latched
        if not self._shared.is_stopped:
            return False
        self._shared.release_stop(seen)
        self._record(operator, "all outputs", 0, None, Verdict.RELEASED, 0)
        return True

    def safe_state(self, source: str = "safe state") -> tuple[Failure, ...]:
        """Bring every output to its declared safe state; try all, and report those that failed.

        For exit, exceptions and SIGTERM: where another thread hangs in a write for 0.5 s, it writes past that thread.
        """
        failures = []
        for lane in self._lanes:
            if lane.row is not None:
                if result := self._settle(lane.row, source):
                    failures.append(_failure(lane, result))
                continue
            order = _safe_order(lane, source)
            self._submit(lane, order)
            if (
                order.result is None
                and lane.holder != threading.get_ident()
                and lane.writing.acquire(timeout=self._settle_ns / 1e9)
            ):
                lane.writing.release()
            if order.result is None:
                self._write(lane, order)
            if order.result:
                failures.append(_failure(lane, order.result))
        return tuple(failures)

    def _settle(self, row: int, source: str) -> int:
        """Make a shared line safe: 0 or a negative errno."""
        before = self._shared.safe_writes(row)
        result = self._shared.make_safe(row, source)
        deadline_ns = time.monotonic_ns() + self._settle_ns
        while result is None and time.monotonic_ns() < deadline_ns:
            time.sleep(_LOOK_AGAIN_S)
            if self._shared.safe_writes(row) != before:
                result = self._shared.safe_result(row)
        return self._shared.force_safe(row, source) if result is None else result

    def on_pwm_applied(self, listener: PwmListener) -> None:
        """Call `listener(channel, event)` after each state that was written, by the thread that wrote it.

        Nothing is held meanwhile: the listener may write, this channel too. Its exceptions are that thread's.
        """
        self._listeners = (*self._listeners, listener)

    def audit(self) -> tuple[Decision, ...]:
        """The last decisions, oldest first."""
        kept = self._audit.decisions()
        if not self._is_shared:
            return kept
        return tuple(sorted((*kept, *self._shared.decisions()), key=_number_of)[-self._audit_entries :])

    @property
    def overwritten(self) -> int:
        """How many decisions the audit no longer holds."""
        kept = self.audit()
        return kept[0].number - 1 if kept else 0

    def natives(self, source: str) -> Mapping[int, NativeHelper]:
        """Helpers that native code runs by itself, for one program; none where a line isn't the kernel's own."""
        return self._shared.natives(source) if self._is_shared else {}

    def close(self) -> tuple[Failure, ...]:
        """Make every output safe, refuse what comes after, give the devices back. A second time does nothing."""
        if self._is_closed:
            return ()
        self._is_closed = True
        self._shared.close()
        failures = list(self.safe_state("close"))
        for lane in self._lanes:
            try:
                lane.actuator.release()
            except BackendError as error:
                failures.append(Failure(lane.actuator.output.name, error.problem))
        return tuple(failures)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        failures = self.close()
        if failures and error is None:
            listed = ", ".join(f"{failure.output} ({failure.problem})" for failure in failures)
            raise OutputError("safe state", f"wasn't reached by {listed}", "look at these outputs: they may be live")

    def _write_duty(self, lane: _Lane, channel: PwmChannel, duty_ns: int, source: str) -> int:
        level = min(max(duty_ns, channel.min_duty_ns), channel.max_duty_ns)
        verdict = Verdict.APPLIED if level == duty_ns else Verdict.CLAMPED
        return self._submit(lane, _Order(source, duty_ns, level, True, verdict))

    def _submit(self, lane: _Lane, order: _Order) -> int:
        lane.pending.append(order)
        events: list[PwmEvent] = []
        # Looking again after the release catches an order that was appended too late for the writer to see.
        while lane.pending and lane.writing.acquire(blocking=False):
            try:
                lane.holder = threading.get_ident()
                while lane.pending:
                    event = self._write(lane, lane.pending.popleft())
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

    def _write(self, lane: _Lane, order: _Order) -> PwmEvent | None:
        """Decide and write one order; the latch is looked at here, after which only a stop's own order can follow."""
        output = lane.actuator.output
        level, enabled, verdict, number = order.level, order.enabled, order.verdict, 0
        if not order.is_safe:
            now = self._shared.verdict()
            if now is Verdict.CLOSED:
                self._record(order.source, output.name, order.wanted, None, Verdict.CLOSED, errno.ESHUTDOWN)
                order.result = -errno.ESHUTDOWN
                return None
            if now is Verdict.STOPPED:
                (level, enabled), verdict, number = lane.actuator.safe, Verdict.STOPPED, errno.EPERM
        try:
            lane.actuator.write(level, enabled)
        except BackendError as error:
            number = _number(error)
            self._record(order.source, output.name, order.wanted, None, Verdict.FAILED, number)
            order.result = -number
            return None
        self._record(order.source, output.name, order.wanted, level, verdict, number)
        order.result = -number
        if not isinstance(output, PwmChannel):
            return None
        now_ns, polarity = self._clock.now_ns(), int(output.polarity)
        return PwmEvent(now_ns, output.chip_id, output.channel, output.period_ns, level, polarity, int(enabled))

    def _refuse(self, output: str, source: str, wanted: int, verdict: Verdict, number: int) -> int:
        self._record(source, output, wanted, None, verdict, number)
        return -number

    def _record(
        self, source: str, output: str, wanted: int, written: int | None, verdict: Verdict, number: int
    ) -> None:
        self._audit.record(self._clock.now_ns(), source, output, wanted, written, verdict, number)


def _safe_order(lane: _Lane, source: str) -> _Order:
    level, enabled = lane.actuator.safe
    return _Order(source, level, level, enabled, Verdict.APPLIED, is_safe=True)


def _shared(actuators: Sequence[Actuator]) -> tuple[SharedLine, ...]:
    """The lines that native code can write: all of a board's, or none."""
    lines = [(a.output, a.fd) for a in actuators if not isinstance(a.output, PwmChannel)]
    return (
        tuple(
            SharedLine(line.name, line.chip_id, line.line, fd, 0, line.safe_value)
            for line, fd in lines
            if fd is not None
        )
        if all(fd is not None for _, fd in lines)
        else ()
    )


def _failure(lane: _Lane, result: int) -> Failure:
    return Failure(lane.actuator.output.name, errno.errorcode.get(-result, str(result)))


def _number_of(decision: Decision) -> int:
    return decision.number


def _number(error: BackendError) -> int:
    return error.errno or errno.EIO
