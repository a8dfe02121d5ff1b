"""PWM of one pin: a channel of the chip at nanoseconds; or a `PulsedLine` of `backends/software_pwm.py`."""

from __future__ import annotations

from typing import Protocol

from axiom_hw.backends.pwm import PwmOutput, PwmState


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
