"""What a program does to the outputs of the mock bench, a line for each change: `0.500 s  led  on`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from axiom_hw.clock import VirtualClock

if TYPE_CHECKING:
    from axiom_hw.app import App
    from axiom_hw.backends.mock_gpio import Watcher
    from axiom_hw.backends.mock_pwm import PwmWatcher
    from axiom_hw.backends.pwm import PwmState
    from axiom_hw.bench import MockBench

_Tell = Callable[[int, str, str], None]


def show_outputs(app: App, bench: MockBench) -> None:
    """Print every change of an output from now on: lines as on and off, PWM channels as duty and period.

    Times count from the start of the run. In virtual time that is 0; the real clock counts from the machine's start.
    """
    board = bench.board
    began = 0 if isinstance(bench.clock, VirtualClock) else bench.clock.now_ns()
    width = max((len(output.name) for output in board.outputs), default=0)

    def tell(timestamp_ns: int, name: str, state: str) -> None:
        try:
            print(f"{(timestamp_ns - began) / 1e9:9.3f} s  {name:<{width}}  {state}", flush=True)
        except BrokenPipeError:  # whoever read went away (`| head`); the program that drove the output isn't to blame
            app.end()

    for number, chip in enumerate(board.chips):
        names = {o.line: (o.name, o.active_low) for o in board.output_lines if o.chip_id == number}
        bench.gpio.open(chip.label).watch(_line_watcher(names, tell))
    channels = {(board.pwm_chips[o.chip_id].device, o.channel): o.name for o in board.pwm_channels}
    seen = {at: bench.pwm.seen(*at) for at in channels}
    bench.pwm.watch(_channel_watcher(channels, seen, bench.clock.now_ns, tell))


def _line_watcher(names: dict[int, tuple[str, bool]], tell: _Tell) -> Watcher:
    def changed(timestamp_ns: int, offset: int, level: int) -> None:
        if offset in names:
            name, active_low = names[offset]
            tell(timestamp_ns, name, "on" if level ^ active_low else "off")

    return changed


def _channel_watcher(
    names: dict[tuple[str, int], str], seen: dict[tuple[str, int], PwmState], now_ns: Callable[[], int], tell: _Tell
) -> PwmWatcher:
    def applied(device: str, channel: int, state: PwmState) -> None:
        at = (device, channel)
        if at in names and state != seen[at]:  # a write of the same state changes nothing on the wire
            seen[at] = state
            tell(now_ns(), names[at], _text(state))

    return applied


def _text(state: PwmState) -> str:
    return f"{state.duty_ns / 1e3:g} of {state.period_ns / 1e3:g} us" if state.enabled else "off"
