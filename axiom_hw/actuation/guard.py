"""The guard: the only writer of outputs; it knows limits, safe states and the latched emergency stop.

    with Guard.open(board, gpio, pwm, clock) as guard:      # every output is in its safe state from here on
        guard.set_gpio(18, 1, "follow")                     # 0, or a negative errno
        guard.write_pwm(0, 0, 7, "sweep")
    # and again from here on, whatever happened in between

Lock-free: each output has a lane (`writer.py`). Orders of one output are written in the order they were appended, and
nobody waits, so a program, a listener or a signal handler may ask the guard at any moment.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from axiom_hw.actuation.actuator import CONSUMER, Actuator, open_actuators
from axiom_hw.actuation.asker import Asker, Source, asker_of
from axiom_hw.actuation.audit import Audit, Decision, Verdict
from axiom_hw.actuation.lane import Lane, Order
from axiom_hw.actuation.safety import SETTLE_NS, Safety
from axiom_hw.actuation.shared_lines import MakeAsk, SharedLine, SharedLines, plain_ask, shared_lines_of
from axiom_hw.actuation.state import ALL_OUTPUTS, GuardState, Stop
from axiom_hw.actuation.writer import PwmListener, Time, Timers, Writer, number_of
from axiom_hw.backends.gpio import GpioBackend
from axiom_hw.backends.pwm import PwmBackend
from axiom_hw.board import Board, PwmChannel
from axiom_hw.bpf.engine.machine import NativeHelper
from axiom_hw.bpf.helpers import TABLE, Effect
from axiom_hw.errors import BackendError, OutputError

AUDIT_ENTRIES: Final = 256
HEARTBEAT_NS: Final = 50_000_000
DRIVING: Final = frozenset(row.id for row in TABLE if row.effect is Effect.ACTUATES)
_ANGLE_MAX: Final = 1 << 31  # thousandths of a degree

ReadInput = Callable[[int, int], int]


@dataclass(frozen=True, slots=True)
class Failure:
    """An output that couldn't be brought to its safe state."""

    output: str
    problem: str


class Guard:
    """The only writer of a board's outputs.

    `read_input(chip_id, line)` answers for lines that aren't outputs, and raises `BackendError` for others. With
    `make_ask` native code may write the lines too, where all of them are the kernel's own, and read these and `inputs`.
    `timers`, on the same clock, carry on what takes time: slew rates and watchdogs. `state` keeps the latched stop and
    the decisions beyond the process.

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
        timers: Timers | None = None,
        state: GuardState | None = None,
    ) -> None:
        """Raises `OutputError` where an output needs timers, and there are none."""
        for actuator in actuators if timers is None else ():
            actuator.refuse_without_timers()
        self._clock = clock
        self._read_input = read_input
        self._lines: dict[tuple[int, int], Lane] = {}
        self._channels: dict[tuple[int, int], Lane] = {}
        for actuator in actuators:
            output, lane = actuator.output, Lane(actuator)
            if isinstance(output, PwmChannel):
                self._channels[output.chip_id, output.channel] = lane
            else:
                self._lines[output.chip_id, output.line] = lane
        self._lanes = (*self._lines.values(), *self._channels.values())
        shared = shared_lines_of(actuators) if make_ask is not None else ()
        ask = make_ask() if make_ask is not None and shared else plain_ask
        self._state = state
        memory = state.memory if state is not None else None
        self._shared = SharedLines((*shared, *inputs) if shared else (), ask, memory)
        self._audit = Audit(audit_entries, self._shared.next_number if shared else None)
        self._writer = Writer(self._shared, self._audit, clock, timers, keeps_all=state is not None)
        for line in shared:
            lane = self._lines[line.chip_id, line.line]
            lane.row = self._shared.row(line.chip_id, line.line)
            self._writer.watch_row(lane)
        self._is_shared = bool(shared)
        self._audit_entries = audit_entries
        self._safety = Safety(self._lanes, self._shared, self._writer, settle_ns)
        self._on_stop: Callable[[Stop], object] = lambda stop: None
        self._stop: Stop | None = None  # the last one; whether it is latched stands in the shared state
        self._is_closed = False
        if state is not None and state.is_latched:
            self._stop = state.read()
            if not self._shared.is_stopped:
                self._shared.stop()
        self._seen_stops = self._shared.stops

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
        timers: Timers | None = None,
        state_dir: Path | None = None,
    ) -> Guard:
        """Take every output of the board, each in its safe state from the first moment; see `open_actuators`.

        `state_dir` is where the latched stop and the decisions lie. Raises `OutputError` where another process guards
        this board with the same directory.
        """
        lines = len(board.output_lines) + len(inputs)
        state = GuardState.own(state_dir, board.name, lines) if state_dir is not None else None
        actuators: tuple[Actuator, ...] = ()
        try:
            actuators = open_actuators(board, gpio, pwm, consumer, on_missing)
            return cls(
                actuators, clock, read_input=read_input, audit_entries=audit_entries, make_ask=make_ask, inputs=inputs,
                timers=timers, state=state,
            )  # fmt: skip
        except BaseException:  # they are safe: nobody has driven them yet
            for actuator in actuators:
                actuator.release()
            if state is not None:
                state.close()
            raise

    def set_gpio(self, line: int, value: int, source: Source, chip_id: int = 0) -> int:
        """Drive an output line to 0 or 1. `source` is who asks: a program's name, or an `Asker`.

        0, or a negative errno: ENODEV no such output, EACCES it isn't for this one to drive, EINVAL no such value,
        EPERM the emergency stop is latched and the safe value was written instead, ESHUTDOWN closed, or what the device
        said. 0 also where another thread is writing this output and will write this next.
        """
        lane, asker = self._lines.get((chip_id, line)), asker_of(source)
        name = asker.name
        if lane is None:
            return self._writer.refuse(f"gpio/{chip_id}/line{line}", name, value, Verdict.UNKNOWN, errno.ENODEV)
        if (denied := self._denied(lane, asker, value)) is not None:
            return denied
        if lane.row is not None:
            return self._shared.set(lane.row, value, name)
        if value not in (0, 1):
            return self._writer.refuse(lane.actuator.output.name, name, value, Verdict.REFUSED, errno.EINVAL)
        return self._writer.submit(lane, Order(name, value, value, True, Verdict.APPLIED))

    def get_gpio(self, line: int, chip_id: int = 0) -> int:
        """The value of an input or output line, or a negative errno: ENODEV for a line that the board doesn't have."""
        lane = self._lines.get((chip_id, line))
        try:
            if lane is not None:
                return lane.actuator.read()
            return -errno.ENODEV if self._read_input is None else self._read_input(chip_id, line)
        except BackendError as error:
            return -number_of(error)

    def write_pwm(self, chip_id: int, channel: int, percent: int, source: Source) -> int:
        """Switch a channel on with a duty of 0 to 100 % of its period, clamped to its limits. As `set_gpio`.

        Where the board sets a slew rate, the duty is on its way then, and gets there by itself.
        """
        return self._order(chip_id, channel, percent, source, lambda output: (
            output.period_ns * percent // 100 if 0 <= percent <= 100 else None
        ))  # fmt: skip

    def write_pwm_duty(self, chip_id: int, channel: int, duty_ns: int, source: Source) -> int:
        """Switch a channel on with a duty in ns: a servo needs finer steps than percent. As `write_pwm`."""
        return self._order(chip_id, channel, duty_ns, source, lambda output: duty_ns if duty_ns >= 0 else None)

    def set_servo(self, chip_id: int, channel: int, mdeg: int, source: Source) -> int:
        """Turn a servo to an angle in thousandths of a degree, clamped to its range. As `write_pwm`; EINVAL also where
        no servo is declared there."""
        return self._order(chip_id, channel, mdeg, source, lambda output: (
            None if output.servo is None or abs(mdeg) > _ANGLE_MAX
            else output.servo.duty_ns(mdeg, output.min_duty_ns, output.max_duty_ns)
        ))  # fmt: skip

    def set_motor(self, chip_id: int, channel: int, permille: int, source: Source) -> int:
        """Drive a motor with -1000 to 1000 thousandths of the period, backwards below 0, clamped to its limits.

        As `write_pwm`; EINVAL also where no motor is declared there.
        """
        return self._order(chip_id, channel, permille, source, lambda output: (
            None if output.motor is None or abs(permille) > 1000 else _toward_zero(output.period_ns * permille, 1000)
        ))  # fmt: skip

    def write(self, output: str, value: int, source: Source) -> int:
        """Order an output by its name: a line's value, a servo's thousandths of a degree, a motor's permille, else a
        duty in ns. As the methods above."""
        lane = next((lane for lane in self._lanes if lane.actuator.output.name == output), None)
        if lane is None:
            return self._writer.refuse(output, asker_of(source).name, value, Verdict.UNKNOWN, errno.ENODEV)
        found = lane.actuator.output
        if not isinstance(found, PwmChannel):
            return self.set_gpio(found.line, value, source, found.chip_id)
        if found.servo is not None:
            return self.set_servo(found.chip_id, found.channel, value, source)
        if found.motor is not None:
            return self.set_motor(found.chip_id, found.channel, value, source)
        return self.write_pwm_duty(found.chip_id, found.channel, value, source)

    def emergency_stop(self, reason: str, source: Source) -> int:
        """Latch the stop, then bring every output to its safe state, whatever fails on the way.

        Anybody may. 0, or the negative errno of the first output that couldn't be made safe. An output that another
        thread is writing just now is made safe by that thread, right after.
        """
        name = asker_of(source).name
        self._stop = stop = Stop(reason, name, self._clock.now_ns())
        was_stopped = self._shared.is_stopped
        self._shared.stop()  # the latch: from here on every write makes safe
        self._seen_stops = self._shared.stops
        self._writer.record(name, f"{ALL_OUTPUTS}: {reason}", 0, None, Verdict.LATCHED, 0)
        if self._is_closed:
            return 0  # the devices were made safe and given back
        try:
            failed = self._safety.order(name)
        finally:
            if self._state is not None and not was_stopped:  # last: a disk takes its time
                self._keep(self._state, stop)
        return next((result for _, result in failed), 0)

    def _keep(self, state: GuardState, stop: Stop) -> None:
        try:
            state.keep(stop)
        except OutputError:  # it is latched all the same, in memory that outlives the process
            self._writer.record(stop.source, f"file {state.stop_path}", 0, None, Verdict.FAILED, errno.EIO)

    @property
    def is_stopped(self) -> bool:
        """Whether a stop is latched, by whichever process."""
        return self._shared.is_stopped

    @property
    def stopped(self) -> Stop | None:
        """The stop that is latched, or None."""
        if not self._shared.is_stopped:
            return None
        if self._stop is None and self._state is not None:  # somebody else's
            return self._state.read()
        return self._stop

    def release_stop(self, operator: str) -> bool:
        """Unlatch the stop; `operator` is the person, for the audit. Restores nothing: outputs stay safe until written.

        False where none was latched. Raises `OutputError` for a nameless operator, and where the file that keeps the
        stop can't be removed. There is no helper for this, so no program can.
        """
        if not operator.strip():
            raise OutputError("emergency stop", "is released by an operator, who has a name", "give the person's name")
        if self._state is not None:
            released = self._state.release(operator)
        else:
            seen = self._shared.stops  # one that comes in from here on stays latched
            released = self._shared.is_stopped
            if released:
                self._shared.release_stop(seen)
                self._writer.record(operator, ALL_OUTPUTS, 0, None, Verdict.RELEASED, 0)
        if not self._shared.is_stopped:
            self._stop = None
        return released

    def beat(self) -> None:
        """Tell the supervisor that the process is well, and see what other processes did to the stop.

        To be called every `HEARTBEAT_NS` or so, in real time.
        """
        if self._state is None:
            return
        self._state.beat(time.monotonic_ns())
        stops = self._shared.stops
        if not self._shared.is_stopped:
            self._stop = None
        elif stops != self._seen_stops:
            self._stop = stop = self._state.read()
            self._safety.order(stop.source)
            self._seen_stops = stops  # before it is told: once
            self._on_stop(stop)
        self._seen_stops = stops

    def on_stop(self, told: Callable[[Stop], object]) -> None:
        """Call `told(stop)` when another process has latched the stop, by the thread that calls `beat`."""
        self._on_stop = told

    def beats_no_more(self) -> None:
        """Tell the supervisor that no heartbeat comes from here on, because the run is ending in good order."""
        if self._state is not None:
            self._state.beat(0)

    def safe_state(self, source: str = "safe state") -> tuple[Failure, ...]:
        """Bring every output to its declared safe state; try all, and report those that failed.

        For exit, exceptions and SIGTERM: where another thread hangs in a write for 0.5 s, it writes past that thread.
        """
        failed = self._safety.bring(source)
        return tuple(Failure(lane.name, errno.errorcode.get(-result, str(result))) for lane, result in failed)

    def on_pwm_applied(self, listener: PwmListener) -> None:
        """Call `listener(channel, event)` after each state that was written, by the thread that wrote it.

        Nothing is held meanwhile: the listener may write, this channel too. Its exceptions are that thread's.
        """
        self._writer.on_pwm_applied(listener)

    def audit(self) -> tuple[Decision, ...]:
        """The last decisions, oldest first."""
        kept = self._audit.decisions()
        if not self._is_shared and self._state is None:
            return kept
        return tuple(sorted((*kept, *self._shared.decisions()), key=_number_of)[-self._audit_entries :])

    @property
    def overwritten(self) -> int:
        """How many decisions the audit no longer holds."""
        kept = self.audit()
        return kept[0].number - 1 if kept else 0

    def natives(self, source: str, drives: frozenset[str] | None = None) -> Mapping[int, NativeHelper]:
        """Helpers that native code runs by itself, for one program; none where a line isn't the kernel's own.

        Which outputs one may drive, native code doesn't know: with `drives` it asks Python.
        """
        if not self._is_shared:
            return {}
        found = self._shared.natives(source)
        return found if drives is None else {id: helper for id, helper in found.items() if id not in DRIVING}

    def refuse_all(self) -> None:
        """Make every output safe, and refuse what comes after: before `close`, which may have to wait for somebody."""
        self._shared.close()
        self._safety.bring("close")

    def close(self) -> tuple[Failure, ...]:
        """Make every output safe, refuse what comes after, give the devices back. A second time does nothing."""
        if self._is_closed:
            return ()
        self._is_closed = True
        self._shared.close()
        failures: list[Failure] = []
        try:
            failures += self.safe_state("close")
        finally:
            try:
                self._safety.on_each(lambda lane: self._release(lane, failures))
            finally:
                if self._state is not None:
                    self._state.close()
        return tuple(failures)

    def _release(self, lane: Lane, failures: list[Failure]) -> int:
        try:
            lane.actuator.release()
        except BackendError as error:
            failures.append(Failure(lane.name, error.problem))
        return 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        failures = self.close()
        if failures and error is None:
            listed = ", ".join(f"{failure.output} ({failure.problem})" for failure in failures)
            raise OutputError("safe state", f"wasn't reached by {listed}", "look at these outputs: they may be live")

    def _order(
        self, chip_id: int, channel: int, wanted: int, source: Source, duty_of: Callable[[PwmChannel], int | None]
    ) -> int:
        """Order a duty; None is no value that the output takes."""
        lane, asker = self._channels.get((chip_id, channel)), asker_of(source)
        name = asker.name
        if lane is None or not isinstance(lane.actuator.output, PwmChannel):
            return self._writer.refuse(f"pwm/{chip_id}/channel{channel}", name, wanted, Verdict.UNKNOWN, errno.ENODEV)
        if (denied := self._denied(lane, asker, wanted)) is not None:
            return denied
        output = lane.actuator.output
        duty_ns = duty_of(output)
        if duty_ns is None:
            return self._writer.refuse(output.name, name, wanted, Verdict.REFUSED, errno.EINVAL)
        least, most = output.limits_ns
        level = min(max(duty_ns, least), most)
        verdict = Verdict.APPLIED if level == duty_ns else Verdict.CLAMPED
        return self._writer.submit(lane, Order(name, duty_ns, level, True, verdict))

    def _denied(self, lane: Lane, asker: Asker, wanted: int) -> int | None:
        """The refusal where this one may not drive the output. Nothing is written: who may is not disturbed."""
        if asker.authority >= lane.least and (asker.drives is None or lane.name in asker.drives):
            return None
        return self._writer.refuse(lane.name, asker.name, wanted, Verdict.DENIED, errno.EACCES)


def _number_of(decision: Decision) -> int:
    return decision.number


def _toward_zero(dividend: int, divisor: int) -> int:
    return dividend // divisor if dividend >= 0 else -(-dividend // divisor)
