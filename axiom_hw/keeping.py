"""What of a run outlives it: the directory of its state, and the supervisor; started before devices are opened."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from axiom_hw.actuation import state_directory
from axiom_hw.backends.wires import Wires
from axiom_hw.bench import MockBench
from axiom_hw.board import Board
from axiom_hw.clock import Clock, MonotonicClock
from axiom_hw.errors import OutputError
from axiom_hw.options import Options
from axiom_hw.supervisor import Plan, Supervisor


@dataclass(slots=True)
class Kept:
    """What of a run outlives it: the directory of its state, and the supervisor; None where nothing does.

    Synchronization: one owner.
    """

    state_dir: Path | None = None
    supervisor: Supervisor | None = None

    def wait_ready(self) -> None:
        """Return when the supervisor could act at once. Raises `OutputError` where it can't."""
        if self.supervisor is not None:
            self.supervisor.wait_ready()

    def say_goodbye(self) -> None:
        """The outputs are safe, or were never taken."""
        if self.supervisor is not None:
            self.supervisor.say_goodbye()


def keep(board: Board, options: Options, clock: Clock, bench: MockBench | None) -> Kept:
    """Start what a run's options ask for; `bench` is the mock's, None on real devices. Before devices are opened.

    Raises `OutputError` where the directory can't be used, or holds wires that another process drives.
    """
    if options.state is None and bench is not None:
        return Kept()
    state_dir = Path(options.state).absolute() if options.state is not None else state_directory()
    if not options.supervised or not isinstance(clock, MonotonicClock):
        return Kept(state_dir)
    wires = None
    if bench is not None:
        wires = state_dir / f"{board.name}.wires"
        try:
            state_dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(str(state_dir), f"can't be made: {error.strerror}", "name another: --state DIR") from None
        shown = Wires(wires, board)
        if not shown.take():
            raise OutputError(
                str(wires), "are driven by another process", "end that one first, or name another directory: --state"
            )
        shown.follow(bench.gpio, bench.pwm)
    return Kept(state_dir, Supervisor.start(Plan(os.getpid(), board, state_dir, options.gpio, wires)))
