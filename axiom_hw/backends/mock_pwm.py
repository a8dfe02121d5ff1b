"""PWM chips in memory that obey the kernel's rules, and show what a scope on the pin would see."""

from __future__ import annotations

import errno
import os
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from axiom_hw.backends.pwm import PwmState, channel_busy, check_state, closed, no_such_channel, no_such_device
from axiom_hw.board import Board
from axiom_hw.errors import BackendError

RESET = PwmState(period_ns=0, duty_ns=0, enabled=False)  # of a channel that nobody has used yet

PwmWatcher = Callable[[str, int, PwmState], None]


@dataclass(slots=True)
class _Chip:
    channels: int
    states: dict[int, PwmState] = field(default_factory=dict)
    taken: set[int] = field(default_factory=set)
    errors: dict[int, deque[int]] = field(default_factory=dict)  # of the next writes, by channel


class MockPwm:
    """PWM chips by device name; a channel goes on when its owner closes it.

    Synchronization: as `PwmBackend` and `PwmOutput` say; opening and closing are atomic set operations.
    """

    def __init__(self, chips: Iterable[tuple[str, int]]) -> None:
        self._chips = {device: _Chip(channels) for device, channels in chips}
        self._watchers: tuple[PwmWatcher, ...] = ()

    @classmethod
    def for_board(cls, board: Board) -> MockPwm:
        """The PWM chips that a board declares."""
        return cls((chip.device, chip.channels) for chip in board.pwm_chips)

    def open(self, device: str, channel: int) -> MockPwmOutput:
        """See `PwmBackend.open`."""
        chip = self._chip(device)
        if not 0 <= channel < chip.channels:
            raise no_such_channel(device, channel, chip.channels)
        if channel in chip.taken:
            raise channel_busy(device, channel)
        chip.taken.add(channel)
        return MockPwmOutput(self, device, channel)

    def seen(self, device: str, channel: int) -> PwmState:
        """What a scope on the pin shows, whether anybody owns the channel or not."""
        return self._chip(device).states.get(channel, RESET)

    def fail(self, device: str, channel: int, number: int = errno.EIO, times: int = 1) -> None:
        """Let so many of the next writes to a channel fail with an errno; 0 times: none any more."""
        errors = self._chip(device).errors.setdefault(channel, deque())
        if not times:
            errors.clear()
        errors.extend([number] * times)

    def watch(self, watcher: PwmWatcher) -> None:
        """Call `watcher(device, channel, state)` after each state that was applied."""
        self._watchers = (*self._watchers, watcher)

    def _chip(self, device: str) -> _Chip:
        if device not in self._chips:
            raise no_such_device(device, self._chips)
        return self._chips[device]

    def applied(self, device: str, channel: int, state: PwmState) -> None:
        """A channel's word to its bench. Raises `BackendError` where a write is to fail."""
        errors = self._chips[device].errors.get(channel)
        if errors:
            number = errors.popleft()
            name = errno.errorcode.get(number, "?")
            place = f"channel {channel} of {device}"
            raise BackendError(place, f"can't be written: {os.strerror(number)} ({name})", errno=number)
        self._chips[device].states[channel] = state
        for watcher in self._watchers:
            watcher(device, channel, state)

    def let_go(self, device: str, channel: int) -> None:
        """A channel's last word."""
        self._chips[device].taken.discard(channel)


class MockPwmOutput:
    """A mock channel that is ours until `close`.

    Synchronization: calls on one channel must not overlap.
    """

    def __init__(self, bench: MockPwm, device: str, channel: int) -> None:
        self._bench = bench
        self._device = device
        self._channel = channel
        self._is_closed = False

    def apply(self, state: PwmState) -> None:
        """See `PwmOutput.apply`."""
        self._check_open()
        check_state(f"channel {self._channel} of {self._device}", state)
        self._bench.applied(self._device, self._channel, state)

    def state(self) -> PwmState:
        """See `PwmOutput.state`."""
        self._check_open()
        return self._bench.seen(self._device, self._channel)

    def close(self) -> None:
        """See `PwmOutput.close`. A second time does nothing."""
        if not self._is_closed:
            self._is_closed = True
            self._bench.let_go(self._device, self._channel)

    def _check_open(self) -> None:
        if self._is_closed:
            raise closed(self._device, self._channel)
