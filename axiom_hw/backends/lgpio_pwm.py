"""PWM by lgpio's thread, which is C: its edges don't wait for Python. For lines that have no channel.

From lgPthTx.c and lgGpio.c of lg 0.2.2: one thread for all lines sleeps from edge to edge; a change waits for the end
of the period under way, and replaces one that waits already; pulses that stop leave the level as it is; to stop what
doesn't run is an error. `tx_pwm` makes whole microseconds of its frequency and percentage, and calls `tx_pulse`;
here they are given to that directly, so that none is lost in between.
"""

from __future__ import annotations

from typing import Final

from axiom_hw.backends.gpio import LineOutput
from axiom_hw.backends.lgpio_gpio import LgpioBackend, LgpioRequest
from axiom_hw.backends.software_pwm import SoftwarePwmOutput
from axiom_hw.board.model import SOFTWARE

_US: Final = 1_000


class LgpioPwm:
    """Lines of lgpio as PWM channels: device "software:pinctrl-rp1", channel 23 is its line 23.

    Synchronization: as `PwmBackend` says.
    """

    def __init__(self, lgpio: LgpioBackend) -> None:
        self._lgpio = lgpio

    def open(self, device: str, channel: int) -> SoftwarePwmOutput:
        """See `PwmBackend.open`. Raises `BackendError` as a request of the line does: EBUSY with who holds it."""
        label = device.removeprefix(SOFTWARE)
        chip = self._lgpio.open(label)
        try:
            request = chip.request_outputs([LineOutput(channel, 0)], "")  # lgpio holds it as "lg"
        finally:
            chip.close()
        return SoftwarePwmOutput(request, label, channel, _LgpioPulses(request, channel))


class _LgpioPulses:
    """A line that lgpio's thread pulses, to the microsecond.

    Synchronization: one thread at a time.
    """

    def __init__(self, request: LgpioRequest, line: int) -> None:
        self._request = request
        self._line = line
        self._is_pulsing = False

    def apply(self, period_ns: int, high_ns: int) -> None:
        """See `LinePulses.apply`."""
        high_us, period_us = round(high_ns / _US), round(period_ns / _US)
        if 0 < high_us < period_us:
            self._request.pulse(self._line, high_us, period_us - high_us)
            self._is_pulsing = True
        else:
            self.close(int(high_us > 0))

    def close(self, level: int) -> None:
        """See `LinePulses.close`. At once: lgpio's thread writes nothing behind its stop."""
        if self._is_pulsing:
            self._request.pulse(self._line, 0, 0)
            self._is_pulsing = False
        self._request.set(self._line, level)
