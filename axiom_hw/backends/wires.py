"""The outputs of a mock bench in a file, so that other processes see its wires, and drive them when it is gone.

Who drives them holds a lock on the file, which the kernel drops with the process, as it frees the lines of a chip.
The mocks of `mock_gpio` and `mock_pwm` drive; what they do is shown here.
"""

from __future__ import annotations

import fcntl
import os
from functools import partial
from pathlib import Path
from typing import Final

from axiom_hw.backends.mock_gpio import MockGpio
from axiom_hw.backends.mock_pwm import MockPwm
from axiom_hw.backends.pwm import PwmState
from axiom_hw.board import Board, Polarity, PwmChannel
from axiom_hw.bpf.maps.mem import Mem, load_u64, store_u64
from axiom_hw.errors import BackendError

_ROW_BYTES: Final = 40  # a line: u64 level. A channel: u64 period, duty, enabled, polarity; then u64 changes so far
_CHANGES: Final = 32


class Wires:
    """The file of a board's outputs, made where it is missing.

    Synchronization: one process drives (`take`), any number look.
    """

    def __init__(self, path: Path, board: Board) -> None:
        """Raises `BackendError` where the file can't be made."""
        self.path = path
        self._board = board
        self._at = {output.name: number * _ROW_BYTES for number, output in enumerate(board.outputs)}
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            os.ftruncate(self._fd, max(len(board.outputs), 1) * _ROW_BYTES)
        except OSError as error:
            raise BackendError(str(path), f"can't hold the mock's wires: {error.strerror}") from None
        self._mem = Mem.open(path)

    def take(self) -> bool:
        """Be who drives them; False while another process is."""
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        """Let somebody else drive them."""
        os.close(self._fd)

    def follow(self, gpio: MockGpio, pwm: MockPwm) -> None:
        """Show what the mocks have on their outputs, now and after each change."""
        board = self._board
        for line in board.output_lines:
            self._show_level(line.name, gpio.open(board.chips[line.chip_id].label).level(line.line))
        for number, chip in enumerate(board.chips):
            names = {line.line: line.name for line in board.output_lines if line.chip_id == number}
            gpio.open(chip.label).watch(partial(self._changed, names))
        channels = {(board.pwm_chips[o.chip_id].device, o.channel): o.name for o in board.pwm_channels}
        for at, name in channels.items():
            self._show_state(name, pwm.seen(*at))
        pwm.watch(lambda device, channel, state: self._applied(channels, (device, channel), state))

    def level(self, name: str) -> int:
        """What a meter on an output line shows, 0 or 1."""
        return load_u64(self._mem, self._at[name])

    def pwm_state(self, name: str) -> PwmState:
        """What a scope on a PWM output shows."""
        at = self._at[name]
        period, duty, enabled, polarity = (load_u64(self._mem, at + 8 * n) for n in range(4))
        return PwmState(period, duty, bool(enabled), Polarity(polarity))

    def is_safe(self) -> bool:
        """Whether each output is in its safe state."""
        return all(
            self._is_safe(output) if isinstance(output, PwmChannel)
            else self.level(output.name) == output.safe_value ^ output.active_low
            for output in self._board.outputs
        )  # fmt: skip

    def changes(self) -> int:
        """How often any output changed."""
        return sum(load_u64(self._mem, at + _CHANGES) for at in self._at.values())

    def _is_safe(self, channel: PwmChannel) -> bool:
        state = self.pwm_state(channel.name)
        return state.enabled is channel.safe_enabled and (not state.enabled or state.duty_ns == channel.safe_duty_ns)

    def _changed(self, names: dict[int, str], _timestamp_ns: int, line: int, level: int) -> None:
        if line in names:
            self._show_level(names[line], level)

    def _applied(self, names: dict[tuple[str, int], str], at: tuple[str, int], state: PwmState) -> None:
        if at in names:
            self._show_state(names[at], state)

    def _show_level(self, name: str, level: int) -> None:
        self._show(name, (level, 0, 0, 0))

    def _show_state(self, name: str, state: PwmState) -> None:
        self._show(name, (state.period_ns, state.duty_ns, int(state.enabled), int(state.polarity)))

    def _show(self, name: str, words: tuple[int, int, int, int]) -> None:
        at = self._at[name]
        for number, word in enumerate(words):
            store_u64(self._mem, at + 8 * number, word)
        store_u64(self._mem, at + _CHANGES, load_u64(self._mem, at + _CHANGES) + 1)
