"""One pin of the header, as gpiozero's devices use it: `PiPin` of gpiozero 2, on a request of our backends.

A pin that becomes an output isn't requested before it is given a level or a frequency: to request a line makes it a
plain GPIO, which would take it away from its PWM channel.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Final

from gpiozero.exc import (
    PinFixedPull,
    PinInvalidBounce,
    PinInvalidEdges,
    PinInvalidFunction,
    PinInvalidPull,
    PinInvalidState,
    PinPWMFixedValue,
    PinSetInput,
)
from gpiozero.pins.pi import PiPin

from axiom_hw.backends.gpio import MAX_EVENT_BUFFER, GpioRequest, LineEvent, LineInput, LineOutput
from axiom_hw.board import Bias, EdgeDetection
from axiom_hw.events import Edge
from axiom_hw.gpiozero_factory.pwm import PinPwm

if TYPE_CHECKING:
    from axiom_hw.gpiozero_factory.factory import AxiomFactory

_BIAS: Final = {"up": Bias.PULL_UP, "down": Bias.PULL_DOWN, "floating": Bias.DISABLED}
_EDGES: Final = ("both", "rising", "falling", "none")
_LONGEST_BOUNCE_S: Final = ((1 << 32) - 1) / 1e6  # the kernel's u32 of µs
_BATCH: Final = 64


class AxiomPin(PiPin):  # type: ignore[misc]  # gpiozero has no types
    """A pin. `lost` counts edges that the kernel dropped because handlers took longer than edges came.

    Synchronization: gpiozero's devices call from any thread; a lock orders changes of the pin. It isn't held while a
    handler runs, so that one that never ends doesn't keep the pin from being closed.
    """

    _factory: AxiomFactory

    def __init__(self, factory: AxiomFactory, info: Any) -> None:
        super().__init__(factory, info)
        self.line: int = self._number
        self.lost = 0
        self._function = "input"
        self._pull: str = info.pull or "floating"
        self._bounce: float | None = None
        self._edges = "both"
        self._request: GpioRequest | None = None
        self._input: LineInput | None = None  # what the request is, where it is one for an input
        self._seqno = 0
        self._detecting = False
        self._pwm: PinPwm | None = None
        self._frequency: float | None = None
        self._duty = 0.0

    def close(self) -> None:
        """An output becomes an input, and pulses end: the pin is as safe as gpiozero can make it. Twice is fine."""
        with self._when_changed_lock:
            self._detecting, self._when_changed = False, None
            driven = self._function == "output" and self._request is not None
            self._close_pwm()
            self._function = "input"
            self._pull = self._info.pull or "floating"
            self._bounce, self._edges = None, "both"
            if driven:
                self._claim_input()  # on a Pi 5 a line that is only given back stays driven
            self._let_go()

    def output_with_state(self, state: float) -> None:
        """An output that has its level from the first moment."""
        with self._when_changed_lock:
            self._close_pwm()
            self._function = "output"
            self._claim_output(bool(state))

    def input_with_pull(self, pull: str) -> None:
        """An input that has its resistor from the first moment."""
        with self._when_changed_lock:
            self._check_pull(pull)
            self._close_pwm()
            self._function = "input"
            self._pull = pull
            self._claim_input()

    # what gpiozero's properties call

    def _get_function(self) -> str:
        return self._function

    def _set_function(self, value: str) -> None:
        if value not in ("input", "output"):
            raise PinInvalidFunction(f'invalid function "{value}" for pin {self!r}')
        with self._when_changed_lock:
            if value == self._function and (self._request is not None or value == "output"):
                return
            self._close_pwm()
            self._function = value
            if value == "input":
                self._claim_input()
            else:
                self._let_go()  # requested with its first level

    def _get_state(self) -> float:
        with self._when_changed_lock:
            if self._frequency is not None:
                return self._duty
            if self._function == "output" and self._request is None:
                return False
            if self._request is None:
                self._claim_input()
            assert self._request is not None
            return bool(self._request.get(self.line))

    def _set_state(self, value: float) -> None:
        with self._when_changed_lock:
            if self._function == "input":
                raise PinSetInput(f"cannot set state of pin {self!r}")
            if not 0 <= value <= 1:
                raise PinInvalidState(f'invalid state "{value}" for pin {self!r}; it takes 0 to 1')
            if self._frequency is not None:
                self._pulse(self._frequency, float(value))
            else:
                self._close_pwm()
                self._claim_output(bool(value))

    def _get_pull(self) -> str:
        return self._pull

    def _set_pull(self, value: str) -> None:
        with self._when_changed_lock:
            if self._function != "input":
                raise PinFixedPull(f"cannot set pull on non-input pin {self!r}")
            self._check_pull(value)
            self._pull = value
            self._claim_input()

    def _get_frequency(self) -> float | None:
        return self._frequency

    def _set_frequency(self, value: float | None) -> None:
        with self._when_changed_lock:
            if not value:
                self._frequency, self._duty = None, 0.0
                if self._pwm is not None:
                    self._pwm.stop()
                return
            if self._function != "output":
                raise PinPWMFixedValue(f"cannot start PWM on pin {self!r}, which is an input")
            if value < 0 or round(1e9 / value) < 1:
                raise PinPWMFixedValue(f"a frequency of {value} Hz; pin {self!r} takes more than 0 Hz, below 1 GHz")
            self._pulse(value, self._duty)

    def _get_bounce(self) -> float | None:
        return self._bounce

    def _set_bounce(self, value: float | None) -> None:
        if value is not None and not 0 <= value <= _LONGEST_BOUNCE_S:
            raise PinInvalidBounce(f"bounce is {value} s; pin {self!r} takes 0 to {_LONGEST_BOUNCE_S} s")
        with self._when_changed_lock:
            self._bounce = value or None
            self._claim_again()

    def _get_edges(self) -> str:
        return self._edges

    def _set_edges(self, value: str) -> None:
        if value not in _EDGES:
            raise PinInvalidEdges(f'invalid edges "{value}" for pin {self!r}; they are {", ".join(_EDGES)}')
        with self._when_changed_lock:
            self._edges = value
            self._claim_again()

    def _enable_event_detect(self) -> None:
        self._detecting = True
        self._claim_again()

    def _disable_event_detect(self) -> None:
        self._detecting = False
        self._claim_again()

    # edges

    def take(self, until_ns: int) -> tuple[GpioRequest | None, list[LineEvent]]:
        """See `edges.Pin`."""
        with self._when_changed_lock:
            request = self._request if self._input is not None else None
            found: list[LineEvent] = []
            while request is not None and (not found or found[-1].timestamp_ns <= until_ns):
                batch = request.read_events(_BATCH)
                if not batch:
                    break
                found += batch
            return request, found

    def hand_on(self, request: GpioRequest | None, event: LineEvent) -> None:
        """See `edges.Pin`."""
        with self._when_changed_lock:
            handler = self._get_when_changed() if self._request is request else None
        if handler is not None:  # else what it belonged to was closed, or set up anew
            self._count(event.line_seqno)
            handler(event.timestamp_ns, int(event.edge is Edge.RISING))

    def _count(self, seqno: int) -> None:
        missing = seqno - self._seqno - 1
        self._seqno = seqno
        if missing:
            self.lost += missing
            if self.lost == missing:
                warnings.warn(
                    f"{self!r}: {missing} edges were lost, because handlers took longer than {MAX_EVENT_BUFFER} edges; "
                    "from now on pin.lost counts them",
                    RuntimeWarning,
                    stacklevel=2,
                )

    # the line

    def _claim_again(self) -> None:
        if self._function == "input" and (self._request is not None or self._detecting):
            self._claim_input()

    def _claim_input(self) -> None:
        edges = EdgeDetection(self._edges) if self._detecting else EdgeDetection.NONE
        wanted = LineInput(self.line, edges, _BIAS[self._pull], debounce_ns=round((self._bounce or 0) * 1e6) * 1000)
        if wanted == self._input:
            return
        self._let_go()
        self._request = self._factory.request_input(wanted)
        self._input = wanted
        self._seqno = 0
        if edges is not EdgeDetection.NONE:
            self._factory.edges.watch(self._request.fileno(), self)

    def _claim_output(self, state: bool) -> None:
        if self._request is not None and self._input is None:
            self._request.set(self.line, int(state))
            return
        self._let_go()
        self._request = self._factory.request_output(LineOutput(self.line, int(state)))

    def _let_go(self) -> None:
        request, self._request, self._input = self._request, None, None
        if request is not None:
            self._factory.edges.forget(request.fileno())
            request.release()

    # PWM

    def _pulse(self, frequency: float, duty: float) -> None:
        if self._pwm is not None and (frequency, duty) == (self._frequency, self._duty):
            return  # servos set their frequency before each move
        if self._pwm is None:
            self._pwm = self._open_pwm()
        period_ns = round(1e9 / frequency)
        self._pwm.apply(period_ns, round(duty * period_ns))
        self._frequency, self._duty = frequency, duty

    def _open_pwm(self) -> PinPwm:
        hardware = self._factory.open_hardware_pwm(self)
        if hardware is not None:
            self._let_go()
            return hardware
        self._claim_output(False)
        assert self._request is not None
        return self._factory.pulse(self._request, self.line)

    def _close_pwm(self) -> None:
        pwm, self._pwm = self._pwm, None
        self._frequency, self._duty = None, 0.0
        if pwm is not None:
            pwm.close()

    def _check_pull(self, value: str) -> None:
        if value not in _BIAS:
            raise PinInvalidPull(f'invalid pull "{value}" for pin {self!r}; it is up, down or floating')
        if self._info.pull not in (value, ""):
            raise PinFixedPull(f"{self!r} has a physical pull-{self._info.pull} resistor")
