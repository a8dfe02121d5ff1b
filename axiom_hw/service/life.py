"""Whether a run still handles events: asked of every thread that brings some, and of the programs under way.

An event of the service's own goes through the timers' thread and the hooks. Every other thread is woken and has to come
round. Programs that were running have to end. That a thread lives says nothing: it may hang in a device for ever.
"""

from __future__ import annotations

from axiom_hw.adapters.roll_call import Answering, RollCall
from axiom_hw.runtime import Runtime
from axiom_hw.service.self_test import SelfTest
from axiom_hw.slots import IDLE, Slot


class Life:
    """One question after the other to a run; a question costs a microsecond of each thread.

    Synchronization: one thread asks and looks.
    """

    def __init__(self, runtime: Runtime) -> None:
        """Raises `AxiomError` where the self-test can't be attached."""
        self._runtime = runtime
        self._test = SelfTest(runtime)
        self._number = 0
        self._generation = 0
        self._calls: tuple[RollCall, ...] = ()

    def ask(self) -> None:
        """Ask everybody. Returns at once."""
        runtime, registry = self._runtime, self._runtime.registry
        self._number += 1
        number = self._number
        runtime.scheduler.after(0, lambda *_: self._test.fire(number))
        registry.renew()  # wakes whoever serves devices by native code
        self._generation = registry.snapshot.generation
        self._calls = tuple(
            call for source in runtime.sources if isinstance(source, Answering) for call in source.call_roll()
        )

    def silent(self) -> tuple[str, ...]:
        """Who hasn't answered the last question yet, in words."""
        slots = self._runtime.registry.slots
        late = [slot for slot in slots if IDLE < slot.epoch < self._generation]
        found = [f"a program on {_hook_of(slot)} doesn't end" for slot in late]
        found += (f"{call.name} doesn't come round" for call in self._calls if call.is_silent)
        if not self._test.has_passed(self._number):
            found.append("no event passes through the timers' thread")
        return tuple(found)

    def close(self) -> None:
        """Ask no more."""
        self._test.close()


def _hook_of(slot: Slot) -> str:
    stretch = slot.stretch
    return str(slot.key if stretch is None else stretch.key())
