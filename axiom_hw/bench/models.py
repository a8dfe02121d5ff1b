"""Models that close the loop: what a program drives moves what its sensors measure, on the bench's clock.

Nothing is stepped: between two changes of the outputs the equations are of the first order, and have solutions. So a
model is exact at each time at which somebody looks, and the same in every run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from axiom_hw.backends.mock_gpio import Watcher
from axiom_hw.bench.faults import Mocks
from axiom_hw.bench.hands import Later
from axiom_hw.bench.times import Duration, ns_of
from axiom_hw.board import Motor, PwmChannel
from axiom_hw.clock import MS, Clock, S
from axiom_hw.errors import BoardError, ClockError
from axiom_hw.scheduler import Scheduler

_SETTLED: Final = 60  # time constants: nothing moves any more that the numbers could tell


class Bench(Protocol):
    """What models need of a bench."""

    clock: Clock
    scheduler: Scheduler
    mocks: Mocks

    @property
    def now(self) -> Later: ...


class Power:
    """How strongly an output drives, from -1 to 1: a line's value, or a channel's duty with the way of its motor.

    Synchronization: as the bench's.
    """

    def __init__(self, mocks: Mocks, name: str) -> None:
        """Raises `BoardError` for a name that is no output."""
        self._mocks = mocks
        self.output = mocks.board.output(name)

    def __call__(self) -> float:
        output, mocks = self.output, self._mocks
        if not isinstance(output, PwmChannel):
            return mocks.gpio.chip(mocks.board.chips[output.chip_id].label).level(output.line) ^ output.active_low
        state = mocks.pwm.seen(mocks.board.pwm_chips[output.chip_id].device, output.channel)
        if not state.enabled or not state.period_ns:
            return 0.0
        return state.duty_ns / state.period_ns * self._way(output.motor)

    def _way(self, motor: Motor | None) -> int:
        if motor is None or not motor.lines:
            return 1
        chip = self._mocks.gpio.chip(self._mocks.board.chips[motor.chip_id].label)
        levels = [chip.level(line) for line in motor.lines]
        return 1 - 2 * levels[0] if len(levels) == 1 else levels[0] - levels[1]


def on_outputs(mocks: Mocks, changed: Callable[[], None]) -> None:
    """Call a function after each change of any output."""
    watcher: Watcher = lambda *_: changed()  # noqa: E731
    for chip in mocks.board.chips:
        mocks.gpio.chip(chip.label).watch(watcher)
    mocks.pwm.watch(lambda *_: changed())


class ThermalModel:
    """Something that a heater warms and a fan cools, and the channel that measures it: of the first order.

    With nothing driven it has `ambient`; the heater at full power brings it to `ambient + rise`. The fan at full power
    makes it lose heat `1 + cooling` times as fast. `always` is a warmth that nobody switches, as of a processor.

    Synchronization: as the bench's.
    """

    def __init__(
        self, bench: Bench, sensor: str, *, heater: str | None = None, fan: str | None = None, ambient: float = 20.0,
        rise: float = 40.0, always: float = 0.0, cooling: float = 3.0, time_constant: Duration = "30s",
    ) -> None:  # fmt: skip
        """Numbers are in the channel's unit. Raises `BoardError` for names that aren't on the board."""
        self._clock = bench.clock
        self._heater = Power(bench.mocks, heater) if heater is not None else None
        self._fan = Power(bench.mocks, fan) if fan is not None else None
        self._ambient, self._rise, self._always, self._cooling = ambient, rise, always, cooling
        self._tau_ns = _time_constant(time_constant)
        self._from_ns = bench.clock.now_ns()
        self._from = ambient
        self._aim, self._tau = self._drives()
        on_outputs(bench.mocks, self._changed)
        begin_ns = self._from_ns
        bench.now.sensor(sensor).follow(lambda since_ns: self.at(begin_ns + since_ns))

    @property
    def temperature(self) -> float:
        """What it is now."""
        return self.at(self._clock.now_ns())

    def at(self, time_ns: int) -> float:
        """What it is at a time, unless an output changes until then."""
        return self._aim + (self._from - self._aim) * math.exp(-max(time_ns - self._from_ns, 0) / self._tau)

    def _changed(self) -> None:
        now_ns = self._clock.now_ns()
        self._from, self._from_ns = self.at(now_ns), now_ns
        self._aim, self._tau = self._drives()

    def _drives(self) -> tuple[float, float]:
        """Where it goes, and how fast."""
        heat = self._always + (self._rise * abs(self._heater()) if self._heater is not None else 0.0)
        loss = 1 + (self._cooling * abs(self._fan()) if self._fan is not None else 0.0)
        return self._ambient + heat / loss, self._tau_ns / loss


class MotorModel:
    """A motor with an encoder on its shaft and switches along its way.

    At full power it makes `top_speed` steps a second; its speed follows the power within `time_constant`. Each step is
    an edge of the encoder's inputs. `limits` are switches by position: pressed from there on upwards, or from there
    on downwards where the position is below 0.

    Synchronization: as the bench's.
    """

    def __init__(
        self, bench: Bench, output: str, *, encoder: str | None = None, top_speed: float = 1000.0,
        time_constant: Duration = "50ms", limits: Mapping[str, int] | None = None,
    ) -> None:  # fmt: skip
        """Raises `BoardError` for names that aren't on the board."""
        board = bench.mocks.board
        self._bench = bench
        self._power = Power(bench.mocks, output)
        if not isinstance(self._power.output, PwmChannel):
            raise BoardError(board.source, f"`{output}` is a line; a motor turns by a PWM output")
        self._lines = (board.input(f"{encoder}_a"), board.input(f"{encoder}_b")) if encoder is not None else None
        self._limits = {board.input(name).name: position for name, position in (limits or {}).items()}
        self._pressed = dict.fromkeys(self._limits, False)
        self._top_speed = top_speed
        self._tau = float(_time_constant(time_constant))
        self._from_ns = bench.clock.now_ns()
        self._x, self._v = 0.0, 0.0  # steps, steps a ns, at `_from_ns`
        self._aim = self._wanted()
        self._plan = 0  # counts changes: an edge that was planned before one isn't made
        self.steps = 0  # edges made upwards, less those made downwards
        on_outputs(bench.mocks, self._changed)
        self._next()

    @property
    def position(self) -> float:
        """Steps from where it began."""
        return self._x_after(self._bench.clock.now_ns() - self._from_ns)

    @property
    def speed(self) -> float:
        """Steps a second."""
        return self._v_after(self._bench.clock.now_ns() - self._from_ns) * S

    def _wanted(self) -> float:
        return self._power() * self._top_speed / S

    def _v_after(self, dt_ns: float) -> float:
        return self._aim + (self._v - self._aim) * math.exp(-dt_ns / self._tau)

    def _x_after(self, dt_ns: float) -> float:
        return self._x + self._aim * dt_ns + (self._v - self._aim) * self._tau * (1 - math.exp(-dt_ns / self._tau))

    def _changed(self) -> None:
        aim = self._wanted()
        if aim != self._aim:
            dt_ns = self._bench.clock.now_ns() - self._from_ns
            self._x, self._v = self._x_after(dt_ns), self._v_after(dt_ns)
            self._from_ns += dt_ns
            self._aim = aim
            self._next()

    def _next(self) -> None:
        """Plan the next step. From here on it goes one way, or one way first and then the other."""
        self._plan += 1
        now_ns = float(self._bench.clock.now_ns() - self._from_ns)
        turns_ns = self._tau * math.log(1 - self._v / self._aim) if self._aim * self._v < 0 else 0.0
        if now_ns < turns_ns and self._try(now_ns, turns_ns, self._v > 0):
            return
        begin_ns = max(now_ns, turns_ns)
        self._try(begin_ns, begin_ns + self._longest(), (self._aim or self._v) > 0)

    def _longest(self) -> float:
        """After so long it has made a step, or it never will."""
        return _SETTLED * self._tau + (2 / abs(self._aim) if self._aim else 0.0)

    def _try(self, low: float, high: float, forwards: bool) -> bool:
        """Plan the step where the shaft meets the next mark, if it does in that time; it goes one way meanwhile."""
        mark = self.steps + 1 if forwards else self.steps - 1

        def beyond(dt_ns: float) -> bool:
            return self._x_after(dt_ns) >= mark if forwards else self._x_after(dt_ns) <= mark

        if not beyond(high):
            return False
        while high - low > 0.5:
            middle = (low + high) / 2
            low, high = (low, middle) if beyond(middle) else (middle, high)
        plan = self._plan
        due_ns = max(self._from_ns + math.ceil(high), self._bench.clock.now_ns() + 1)
        self._bench.scheduler.at(due_ns, lambda *_: self._step(plan, forwards))
        return True

    def _step(self, plan: int, forwards: bool) -> None:
        if plan != self._plan:
            return
        self.steps += 1 if forwards else -1
        if self._lines is not None:
            self._bench.now.step(*self._lines, forwards)
        for name, position in self._limits.items():
            reached = self.steps >= position if position >= 0 else self.steps <= position
            if reached is not self._pressed[name]:
                self._pressed[name] = reached
                (self._bench.now.press if reached else self._bench.now.release)(name)
        if plan == self._plan:  # the switch may have stopped it
            self._next()


def _time_constant(duration: Duration) -> int:
    found = ns_of(duration)
    if found < MS // 1000:
        raise ClockError("time_constant", f"is {found} ns; the least is 1 us")
    return found
