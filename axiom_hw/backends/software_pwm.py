"""PWM by a thread that switches a line of any GPIO backend, for lines that have no channel, where lgpio isn't there.

Each edge is late by what Linux and Python take to wake the thread: an LED doesn't mind, a servo trembles. The pulses
end with the process.
"""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

from axiom_hw.backends.gpio import GpioBackend, GpioRequest, LineOutput
from axiom_hw.backends.pwm import PwmState, check_state
from axiom_hw.board import Polarity
from axiom_hw.board.model import SOFTWARE
from axiom_hw.board.software_pwm import PERIOD_MAX_NS, PERIOD_MIN_NS
from axiom_hw.board.units import format_duration
from axiom_hw.clock import Clock, MonotonicClock
from axiom_hw.errors import BackendError

CONSUMER: Final = "axiom_hw pwm"
_FRESH: Final = PwmState(0, 0, enabled=False)


class Timers(Protocol):
    """What virtual time needs instead of a thread: a scheduler on the same clock."""

    def at(self, due_ns: int, callback: Callable[[int, int, int], None], /) -> object: ...


class Pulses:
    """The edges of one line: which is next, and when. It doesn't wait.

    A level comes at once, a change of pulses with the next period, as hardware does it: whoever changes the duty more
    often than once a period would otherwise cut each pulse short.

    Synchronization: `want` from any thread; `step` from one at a time.
    """

    def __init__(self, put: Callable[[int], None]) -> None:
        """`put` sets the line."""
        self._put = put
        self._wanted = (1, 0)  # the period, and how long of it the line is 1
        self._shape: tuple[int, int] | None = None  # what is pulsed; None at a level
        self._begin_ns = 0
        self._is_high = False
        self._level: int | None = None

    def want(self, period_ns: int, high_ns: int) -> None:
        """From now on 1 for `high_ns` of each `period_ns`; nothing or all of it is a level."""
        self._wanted = (period_ns, high_ns)

    def step(self, now_ns: int) -> int | None:
        """Bring the line to what it is to be now; returns when to come again, None at a level."""
        period_ns, high_ns = wanted = self._wanted
        if not 0 < high_ns < period_ns:
            self._shape = None
            self._set(int(high_ns > 0))
            return None
        if self._shape is None:
            return self._start(wanted, now_ns)
        period_ns, high_ns = self._shape
        due_ns = self._begin_ns + (high_ns if self._is_high else period_ns)
        if now_ns < due_ns:
            return due_ns
        if self._is_high:
            self._is_high = False
            self._set(0)
            return self._begin_ns + period_ns
        # Each period begins by the clock, so that delays don't add up. But one that would lose much of a pulse, as
        # beside a thread that keeps Python to itself, is late as a whole; missed periods aren't made up for.
        high_ns = wanted[1]
        bearable_ns = min(high_ns, wanted[0] - high_ns) // 2
        return self._start(wanted, due_ns if now_ns - due_ns <= bearable_ns else now_ns)

    def _start(self, shape: tuple[int, int], begin_ns: int) -> int:
        self._shape, self._begin_ns, self._is_high = shape, begin_ns, True
        self._set(1)
        return begin_ns + shape[1]

    def _set(self, value: int) -> None:
        if value != self._level:
            self._level = None  # where this fails nobody knows what the line is, so the next level is put in any case
            self._put(value)
            self._level = value


class PulseThread:
    """Pulses in real time, by a thread of their own. It ends where the line fails, which the next call tells.

    Synchronization: one owner at a time, in a signal handler too; its lock keeps the thread's edges and the owner's
    levels apart.
    """

    def __init__(self, pulses: Pulses, name: str, clock: Clock) -> None:
        self._pulses = pulses
        self._clock = clock
        self._wake = threading.Event()
        self._stepping = threading.RLock()
        self._ended = False
        self._error: BackendError | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def changed(self) -> None:
        """The pulses are to be others; a level is there on return. Raises `BackendError` where the line fails, or did.

        A level is tried again on a line that failed: it may be a safe one.
        """
        with self._stepping:
            due_ns = self._pulses.step(self._clock.now_ns())
        if self._error is not None and due_ns is not None:
            raise self._error
        self._wake.set()

    def end(self) -> None:
        """Returns when no edge will come any more. Twice is fine."""
        self._ended = True
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._ended:
                self._wake.clear()
                with self._stepping:
                    due_ns = self._pulses.step(self._clock.now_ns())
                self._clock.wait_until(due_ns, self._wake)
        except BackendError as error:
            self._error = error


class PulseTimers:
    """Pulses in virtual time: whoever moves the clock makes the edges.

    Synchronization: one thread.
    """

    def __init__(self, pulses: Pulses, timers: Timers, clock: Clock) -> None:
        self._pulses = pulses
        self._timers = timers
        self._clock = clock
        self._turn = 0  # of the timer that counts; those before it were overtaken by a change

    def changed(self) -> None:
        """The pulses are to be others. Raises `BackendError` where the line fails."""
        self._turn += 1
        self._step(self._turn)

    def end(self) -> None:
        """No edge comes any more."""
        self._turn += 1

    def _step(self, turn: int, *_expiration: int) -> None:
        if turn != self._turn:
            return
        due_ns = self._pulses.step(self._clock.now_ns())
        if due_ns is not None:
            self._timers.at(due_ns, partial(self._step, turn))


class PulsedLine:
    """A line of a request, pulsed: by a thread, or by `timers` where time is virtual. The request stays its owner's.

    Synchronization: one thread at a time.
    """

    def __init__(
        self, request: GpioRequest, line: int, clock: Clock | None = None, timers: Timers | None = None
    ) -> None:
        clock = clock if clock is not None else MonotonicClock()
        self._put = partial(request.set, line)
        self._pulses = Pulses(self._put)
        self._driver = (
            PulseThread(self._pulses, f"axiom-pwm-{line}", clock) if timers is None
            else PulseTimers(self._pulses, timers, clock)
        )  # fmt: skip

    def apply(self, period_ns: int, high_ns: int) -> None:
        """Be 1 for `high_ns` of each `period_ns`. Raises `BackendError` where the line fails, or did meanwhile."""
        self._pulses.want(period_ns, high_ns)
        self._driver.changed()

    def stop(self) -> None:
        """No more pulses: the line is 0, until the next `apply`."""
        self.apply(1, 0)

    def close(self, level: int = 0) -> None:
        """End the pulses at a level. Raises `BackendError` where the line fails."""
        self._driver.end()
        self._put(level)


class SoftwarePwm:
    """Lines of `gpio` as PWM channels: device "software:pinctrl-rp1", channel 23 is its line 23.

    Synchronization: as `PwmBackend` says.
    """

    def __init__(self, gpio: GpioBackend, clock: Clock | None = None, timers: Timers | None = None) -> None:
        """On a virtual clock, `timers` are its scheduler."""
        self._gpio = gpio
        self._clock = clock
        self._timers = timers

    def open(self, device: str, channel: int) -> SoftwarePwmOutput:
        """See `PwmBackend.open`. Raises `BackendError` as a request of the line does: EBUSY with who holds it."""
        label = device.removeprefix(SOFTWARE)
        chip = self._gpio.open(label)
        try:
            request = chip.request_outputs([LineOutput(channel, 0)], CONSUMER)
        finally:
            chip.close()
        return SoftwarePwmOutput(request, label, channel, PulsedLine(request, channel, self._clock, self._timers))


class LinePulses(Protocol):
    """What makes the pulses of a line. Synchronization: one thread at a time."""

    def apply(self, period_ns: int, high_ns: int) -> None:
        """Be 1 for `high_ns` of each `period_ns`. Raises `BackendError` where the line fails."""
        ...

    def close(self, level: int) -> None:
        """End the pulses at a level. Raises `BackendError` where the line fails."""
        ...


class SoftwarePwmOutput:
    """A line that is ours, and pulsed, until `close`.

    Synchronization: calls on one channel must not overlap.
    """

    def __init__(self, request: GpioRequest, label: str, line: int, pulsed: LinePulses) -> None:
        self._request = request
        self._place = f"software PWM on line {line} of {label}"
        self._pulsed = pulsed
        self._state = _FRESH
        self._is_closed = False

    def apply(self, state: PwmState) -> None:
        """See `PwmOutput.apply`. Switched off, the line has its inactive level."""
        self._check_open()
        _check_pulses(self._place, state)
        self._pulsed.apply(state.period_ns, _high_ns(state))
        self._state = state

    def state(self) -> PwmState:
        """See `PwmOutput.state`."""
        self._check_open()
        return self._state

    def close(self) -> None:
        """See `PwmOutput.close`, but that pulses end, at the inactive level; a level stays."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            self._pulsed.close(_end_level(self._state))
        finally:
            self._request.release()

    def _check_open(self) -> None:
        if self._is_closed:
            raise BackendError(self._place, "was closed", "open it again", errno.EPERM)


def _check_pulses(place: str, state: PwmState) -> None:
    """The kernel's check, and what software can't do. Raises `BackendError`, EINVAL."""
    check_state(place, state)
    if state.enabled and not PERIOD_MIN_NS <= state.period_ns <= PERIOD_MAX_NS:
        limits = f"software makes {format_duration(PERIOD_MIN_NS)} to {format_duration(PERIOD_MAX_NS)}"
        raise BackendError(place, f"a period of {format_duration(state.period_ns)}; {limits}", errno=errno.EINVAL)


def _high_ns(state: PwmState) -> int:
    """How long of a period the line is high."""
    active_ns = state.duty_ns if state.enabled else 0
    return active_ns if state.polarity is Polarity.NORMAL else state.period_ns - active_ns


def _end_level(state: PwmState) -> int:
    """The level that a line is left at: the one it has, or for pulses the inactive one."""
    high = _high_ns(state)
    if 0 < high < state.period_ns:
        return int(state.polarity is Polarity.INVERSED)
    return int(high > 0)
