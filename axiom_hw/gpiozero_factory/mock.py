"""A header in memory: AXIOM_MOCK=1. Its pins are driven from a test, with the words of gpiozero's own mock pins.

The chip obeys the kernel's rules (see `backends/mock_gpio.py`): bounce is debounced, lines have one owner, edges are
numbered. Time is real, unless another clock is given: a script's `sleep` isn't ours.
"""

from __future__ import annotations

import os
from math import isclose
from typing import TYPE_CHECKING, Any, Final

from gpiozero.pins.mock import PinState
from gpiozero.pins.pi import PiBoardInfo

from axiom_hw.backends.gpiozero_gpio import header_label
from axiom_hw.backends.mock_gpio import MockChip, MockGpio
from axiom_hw.backends.mock_pwm import MockPwm
from axiom_hw.board.pins import PWMS, known_chip
from axiom_hw.clock import Clock, MonotonicClock
from axiom_hw.gpiozero_factory.pin import AxiomPin
from axiom_hw.scheduler import Scheduler

if TYPE_CHECKING:
    from axiom_hw.gpiozero_factory.factory import AxiomFactory

REVISION: Final = "d04170"  # Pi 5, 8 GB
REVISION_FROM: Final = "GPIOZERO_MOCK_REVISION"  # gpiozero's own name for it


class MockHeader:
    """The chip and the PWM of one Pi, on a clock.

    `chip` is the world's side: `chip.drive(17, 1)`, `chip.level(18)`, `chip.watch(...)`. `pwm` shows what a scope
    would: `pwm.seen("1f00098000.pwm", 0)`. Timers of `scheduler` play what happens later.

    Synchronization: as `MockChip` and `MockPwm`.
    """

    def __init__(self, revision: int | None = None, clock: Clock | None = None) -> None:
        """`revision` is that of the Pi to be: by default GPIOZERO_MOCK_REVISION, or a Pi 5."""
        self.revision = revision if revision is not None else int(os.environ.get(REVISION_FROM, REVISION), 16)
        self.clock: Clock = clock if clock is not None else MonotonicClock()
        self.scheduler = Scheduler(self.clock)
        self.scheduler.start()
        label = header_label(PiBoardInfo.from_revision(self.revision).soc)
        known = known_chip(label)
        assert known is not None
        self.chip = MockChip(label, known.lines, self.clock, self.scheduler)
        self.gpio = MockGpio([self.chip])
        self.pwm = MockPwm((pwm.device, pwm.channels) for pwm in PWMS if pwm.label == label)

    def close(self) -> None:
        """End its timers."""
        self.scheduler.stop()


class MockedPin(AxiomPin):
    """A pin that a test drives, and asks what it did, as `gpiozero.pins.mock.MockPin`.

    Synchronization: as `AxiomPin`. `drive_high` and `drive_low` return when the handlers of the edge have.
    """

    def __init__(self, factory: AxiomFactory, info: Any) -> None:
        assert factory.bench is not None
        self._bench = factory.bench
        super().__init__(factory, info)
        self.states: list[PinState] = []
        self._last_change = 0
        self.clear_states()

    def drive_high(self) -> None:
        """Be the world, and drive the pin high."""
        self._drive(1)

    def drive_low(self) -> None:
        """Be the world, and drive the pin low."""
        self._drive(0)

    def drive_floating(self) -> None:
        """Let go of the pin: its pull decides."""
        self._drive(None)

    def clear_states(self) -> None:
        """Begin to note states, with the one that the pin has."""
        self._last_change = self._factory.ticks()
        self.states = [PinState(0.0, self._seen())]

    def assert_states(self, expected_states: list[float]) -> None:
        """That the pin went through these states, in this order."""
        seen = [state.state for state in self.states[: len(expected_states)]]
        assert seen == list(expected_states), f"{self!r} went through {seen}"

    def assert_states_and_times(self, expected_states: list[tuple[float, float]]) -> None:
        """The same, each after so many seconds, to 5 % or 50 ms."""
        assert len(self.states) >= len(expected_states), f"{self!r} went through {self.states}"
        for actual, (after, state) in zip(self.states, expected_states, strict=False):
            assert isclose(actual.timestamp, after, rel_tol=0.05, abs_tol=0.05), f"{self!r}: {self.states}"
            assert isclose(actual.state, state), f"{self!r}: {self.states}"

    def _drive(self, level: int | None) -> None:
        assert self._function == "input", f"{self!r} is an output: the script drives it"
        self._bench.chip.drive(self.line, level)
        self._note()
        self._factory.edges.deliver()

    def _seen(self) -> float:
        if self._frequency is not None:
            return self._duty
        return bool(self._bench.chip.level(self.line))

    def _note(self) -> None:
        state = self._seen()
        if self.states and state == self.states[-1].state:
            return
        now = self._factory.ticks()
        self.states.append(PinState(self._factory.ticks_diff(now, self._last_change), state))
        self._last_change = now

    def _set_state(self, value: float) -> None:
        super()._set_state(value)
        self._note()

    def _set_frequency(self, value: float | None) -> None:
        super()._set_frequency(value)
        self._note()

    def _claim_input(self) -> None:
        super()._claim_input()
        self._note()

    def _claim_output(self, state: bool) -> None:
        super()._claim_output(state)
        self._note()
