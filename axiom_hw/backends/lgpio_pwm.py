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
from axiom_hw.backends.pwm import PwmState
from axiom_hw.backends.software_pwm import check_pulses, closed_line, end_level, high_ns, software_place
from axiom_hw.board.model import SOFTWARE

_US: Final = 1_000
_FRESH: Final = PwmState(0, 0, enabled=False)


class LgpioPwm:
    """Lines of lgpio as PWM channels: device "software:pinctrl-rp1", channel 23 is its line 23.

    Synchronization: as `PwmBackend` says.
    """

    def __init__(self, lgpio: LgpioBackend) -> None:
        self._lgpio = lgpio

    def open(self, device: str, channel: int) -> LgpioPwmOutput:
        """See `PwmBackend.open`. Raises `BackendError` as a request of the line does: EBUSY with who holds it."""
        label = device.removeprefix(SOFTWARE)
        chip = self._lgpio.open(label)
        try:
            request = chip.request_outputs([LineOutput(channel, 0)], "")  # lgpio holds it as "lg"
        finally:
            chip.close()
        return LgpioPwmOutput(request, label, channel)


class LgpioPwmOutput:
    """A line that is ours, and pulsed by lgpio, until `close`.

    Synchronization: calls on one channel must not overlap.
    """

    def __init__(self, request: LgpioRequest, label: str, line: int) -> None:
        self._request = request
        self._line = line
        self._place = software_place(label, line)
        self._state = _FRESH
        self._is_pulsing = False
        self._is_closed = False

    def apply(self, state: PwmState) -> None:
        """See `PwmOutput.apply`. Pulses are rounded to microseconds; switched off, the line has its inactive level."""
        self._check_open()
        check_pulses(self._place, state)
        high_us, period_us = round(high_ns(state) / _US), round(state.period_ns / _US)
        if 0 < high_us < period_us:
            self._request.pulse(self._line, high_us, period_us - high_us)
            self._is_pulsing = True
        else:
            self._rest(int(high_us > 0))
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
            self._rest(end_level(self._state))
        finally:
            self._request.release()

    def _rest(self, level: int) -> None:
        """A level, at once: lgpio's thread writes nothing behind its stop."""
        if self._is_pulsing:
            self._request.pulse(self._line, 0, 0)
            self._is_pulsing = False
        self._request.set(self._line, level)

    def _check_open(self) -> None:
        if self._is_closed:
            raise closed_line(self._place)
