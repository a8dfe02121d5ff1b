"""A small process beside the one that drives outputs: it makes them safe when that one dies without a word.

A Raspberry Pi keeps outputs driven after the death of their process, and PWM goes on everywhere. So the supervisor is
started before the first device is opened, has all that it needs in memory, and waits for one of three things:

    the word that all is well and over    it ends
    the end of the process                it takes each output of the board, in its safe state, and gives it back
    no heartbeat for the board's watchdog it latches the emergency stop; after as long again it kills the process

A latch alone stops what goes on writing, but moves nothing in a process that hangs; and lines can't be taken from a
living one. A board that declares no watchdog has nobody killed.
"""

from __future__ import annotations

import os
import pickle
import select
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from axiom_hw.backends.limits import GpioChoice
from axiom_hw.board import Board
from axiom_hw.errors import OutputError

READY: Final = b"R"
GOODBYE: Final = b"G"
LENGTH_BYTES: Final = 4  # of the plan, in front of it
_READY_S: Final = 60.0  # importing takes half a second on a slow board, and much more while a whole system starts
_GOODBYE_S: Final = 5.0
# The package is found where this process found it, wherever the script lies.
_CODE: Final = "import sys; sys.path.insert(0, sys.argv[1]); from axiom_hw.supervisor_process import main; main()"


@dataclass(frozen=True, slots=True)
class Plan:
    """What the supervisor is told: whose outputs it keeps, and by what it reaches them.

    `wires` is the file of a mock bench, `pwm_root` where the kernel shows PWM chips.
    """

    pid: int
    board: Board
    state_dir: Path
    gpio: GpioChoice = GpioChoice.GPIOD
    wires: Path | None = None
    pwm_root: Path = Path("/sys/class/pwm")


class Supervisor:
    """The process that keeps the outputs of this one's board.

    Synchronization: one owner.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._is_ready = False

    @classmethod
    def start(cls, plan: Plan) -> Self:
        """Start it; it isn't ready yet. Raises `OutputError` where no process can be started."""
        root = str(Path(__file__).resolve().parents[1])
        try:
            process = subprocess.Popen(
                [sys.executable, "-c", _CODE, root], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                start_new_session=True,  # Ctrl-C at the terminal isn't meant for it
                cwd="/",
            )  # fmt: skip
            assert process.stdin is not None
            data = pickle.dumps(plan)
            process.stdin.write(len(data).to_bytes(LENGTH_BYTES, "little") + data)
            process.stdin.flush()
        except OSError as error:
            raise _failed(f"can't be started: {error}") from None
        return cls(process)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def wait_ready(self) -> None:
        """Return when it could act at once. Raises `OutputError` where it ended instead, or takes for ever."""
        if self._is_ready:
            return
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], _READY_S)
        if not ready or os.read(self._process.stdout.fileno(), 1) != READY:
            self._process.kill()
            self._process.wait()
            raise _failed("ended at its start" if ready else f"wasn't ready after {_READY_S:g} s")
        self._is_ready = True

    def say_goodbye(self) -> None:
        """All outputs are safe: nobody has to see to them. Returns when the supervisor has ended; twice is fine."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        if self._process.returncode is None:
            with suppress(BrokenPipeError):  # it has ended already
                self._process.stdin.write(GOODBYE)
                self._process.stdin.flush()
            try:
                self._process.wait(_GOODBYE_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.stdout.close()


def _failed(problem: str) -> OutputError:
    return OutputError(
        "the supervisor, which makes outputs safe after a kill,", problem,
        "run without it, where that does no harm: --no-supervisor",
    )  # fmt: skip
