"""PWM of one pin: a channel of the chip at nanoseconds, or a thread that switches the line."""

from __future__ import annotations

import threading
import time
from typing import Protocol

from axiom_hw.backends.gpio import GpioRequest
from axiom_hw.backends.pwm import PwmOutput, PwmState
from axiom_hw.errors import BackendError


class PinPwm(Protocol):
    """What makes a pin's pulses.

    Synchronization: one thread at a time.
    """

    def apply(self, period_ns: int, duty_ns: int) -> None:
        """Pulse from now on: high for `duty_ns` of each `period_ns`. Raises `BackendError`."""
        ...

    def stop(self) -> None:
        """No more pulses: the pin is low, until the next `apply`."""
        ...

    def close(self) -> None:
        """Stop, and give back what made the pulses."""
        ...


class HardwarePwm:
    """A channel of a PWM chip."""

    def __init__(self, output: PwmOutput) -> None:
        self._output = output

    def apply(self, period_ns: int, duty_ns: int) -> None:
        """See `PinPwm.apply`."""
        self._output.apply(PwmState(period_ns, duty_ns, enabled=True))

    def stop(self) -> None:
        """See `PinPwm.stop`. The channel stays ours: to get one takes udev some time."""
        period_ns = self._output.state().period_ns
        if period_ns:
            self._output.apply(PwmState(period_ns, 0, enabled=False))

    def close(self) -> None:
        """See `PinPwm.close`."""
        self.stop()
        self._output.close()


class SoftwarePwm:
    """A line that a thread of this process switches: pulses are late by what Linux and Python take, and end with it.

    A duty of nothing or of the whole period is a level, for which the thread sleeps.
    """

    def __init__(self, request: GpioRequest, line: int) -> None:
        self._request = request
        self._line = line
        self._changed = threading.Event()
        self._pulse = (0, 0)
        self._ended = False
        self._error: BackendError | None = None
        self._thread = threading.Thread(target=self._run, name=f"axiom-pwm-{line}", daemon=True)
        self._thread.start()

    def apply(self, period_ns: int, duty_ns: int) -> None:
        """See `PinPwm.apply`. An error of the line is raised by the next call."""
        if self._error is not None:
            raise self._error
        self._pulse = (period_ns, duty_ns)
        self._changed.set()

    def stop(self) -> None:
        """See `PinPwm.stop`."""
        self.apply(1, 0)

    def close(self) -> None:
        """See `PinPwm.close`. The request stays its owner's."""
        self._ended = True
        self._changed.set()
        self._thread.join()
        self._request.set(self._line, 0)

    def _run(self) -> None:
        try:
            while not self._ended:
                self._changed.clear()
                period_ns, duty_ns = self._pulse
                if 0 < duty_ns < period_ns:
                    self._pulses(period_ns, duty_ns)
                elif not self._ended:
                    self._request.set(self._line, int(duty_ns > 0))
                    if self._pulse == (period_ns, duty_ns):
                        self._changed.wait()
        except BackendError as error:
            self._error = error

    def _pulses(self, period_ns: int, duty_ns: int) -> None:
        """Until something changes. Each edge is due by the clock, so that delays don't add up."""
        begin_ns = time.monotonic_ns()
        while not self._changed.is_set():
            self._request.set(self._line, 1)
            if self._sleep_until(begin_ns + duty_ns):
                return
            self._request.set(self._line, 0)
            begin_ns += period_ns
            if self._sleep_until(begin_ns):
                return
            begin_ns = max(begin_ns, time.monotonic_ns() - period_ns)  # a long delay isn't made up for by a burst

    def _sleep_until(self, deadline_ns: int) -> bool:
        left_ns = deadline_ns - time.monotonic_ns()
        return self._changed.wait(left_ns / 1e9) if left_ns > 0 else self._changed.is_set()
