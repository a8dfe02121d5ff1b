"""The outputs of a running application, as the application and its operator drive them: `app.outputs`.

app.outputs.write("wheel", 300)                    # a motor: thousandths, forwards
app.outputs.write("relay", 1, operator="Ada")      # for an output that demands authority = "operator"
app.outputs.stop("the door is open")
app.outputs.release("Ada")
"""

from __future__ import annotations

import os
from collections.abc import Callable

from axiom_hw.actuation import Asker, Guard, Stop
from axiom_hw.board.model import Authority
from axiom_hw.errors import OutputError, SpecError
from axiom_hw.runtime import Runtime


class Outputs:
    """What asks the guard in the application's name.

    Synchronization: any thread.
    """

    def __init__(self, name: str, runtime: Callable[[], Runtime | None]) -> None:
        self._name = name
        self._runtime = runtime

    def write(self, output: str, value: int, *, operator: str = "") -> None:
        """Order a line's 0 or 1, a servo's thousandths of a degree, a motor's -1000 to 1000, or ns of duty.

        `operator` is the person in whose name, for the audit; without one it is the application. Raises `BoardError`
        for a name that the board doesn't have, `OutputError` for what the guard refuses.
        """
        guard = self._guard()
        runtime = self._runtime()
        if runtime is not None and runtime.board is not None:
            runtime.board.output(output)
        asker = Asker(operator or self._name, Authority.OPERATOR if operator.strip() else Authority.APPLICATION)
        result = guard.write(output, value, asker)
        if result < 0:
            stop = guard.stopped
            why = f"the emergency stop is latched: {stop.reason}" if stop is not None else os.strerror(-result)
            fix = "somebody releases it: app.outputs.release(NAME), or `axiom-hw stop release`" if stop else ""
            raise OutputError(f"output {output}", f"isn't driven to {value}: {why}", fix)

    def stop(self, reason: str) -> None:
        """Latch the emergency stop: every output is in its safe state, until an operator releases it."""
        self._guard().emergency_stop(reason, Asker(self._name, Authority.APPLICATION))

    def release(self, operator: str) -> bool:
        """Release the stop, on the word of a person; outputs stay as they are until they are driven. False where none
        was latched. Raises `OutputError` for a nameless operator."""
        return self._guard().release_stop(operator)

    @property
    def stopped(self) -> Stop | None:
        """The stop that is latched, or None."""
        return self._guard().stopped

    def _guard(self) -> Guard:
        runtime = self._runtime()
        if runtime is None or runtime.guard is None or runtime.closed:
            raise SpecError(
                self._name,
                "has no outputs unless it runs on a board",
                "drive them in the function that main() is given",
            )
        return runtime.guard
