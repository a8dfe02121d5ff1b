"""A run as a service: ready when an event has passed through its hooks, alive as long as events do, then stopping.

service = Service.begin("button")               # first: what is printed from here on goes to the journal
with app.running(options) as runtime, service.serving(runtime):
    ...
"""

from __future__ import annotations

import faulthandler
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from axiom_hw.errors import AxiomError, BackendError
from axiom_hw.runtime import Runtime
from axiom_hw.service.exits import Exit, SelfTestFailed, exit_of
from axiom_hw.service.journal import Priority, install, say
from axiom_hw.service.life import Life
from axiom_hw.service.notify import Notifier

TEST_S: Final = 10.0  # for the first event; a slow board compiles meanwhile
_LOOK_AGAIN_S: Final = 0.01


class Service:
    """What an application is to systemd.

    Synchronization: one owner; the watchdog has a thread of its own.
    """

    def __init__(self, name: str, notifier: Notifier) -> None:
        self.name = name
        self._notifier = notifier

    @classmethod
    def begin(cls, name: str) -> Service:
        """At the start of a process. Says once where nobody asked to be told."""
        install()
        if not faulthandler.is_enabled():  # the watchdog kills by SIGABRT: the stacks say where it hung
            faulthandler.enable(2)
        notifier = Notifier.take(os.environ, os.getpid(), lambda problem: say(problem, Priority.WARNING))
        if not notifier.is_asked:
            say(f"{name}: --systemd, but nobody asked to be told: there is no NOTIFY_SOCKET", Priority.NOTICE)
        return cls(name, notifier)

    @contextmanager
    def serving(self, runtime: Runtime) -> Iterator[None]:
        """Say ready, and that all is well, until the end of the block; then, that it stops.

        Raises `SelfTestFailed` where no event passes through the hooks.
        """
        life = Life(runtime)
        try:
            self._prove(life)
            self._notifier.ready(_status(runtime))
            say(f"{self.name}: ready, {_status(runtime)}", Priority.INFO)
            watchdog = Watchdog(self._notifier, life, lambda: _status(runtime))
            watchdog.start()
            try:
                yield
            finally:
                watchdog.stop()
        finally:
            self._notifier.stopping("making outputs safe")
            life.close()

    def failed(self, error: AxiomError) -> Exit:
        """Tell why the service failed; what the process is to end with."""
        number = error.errno if isinstance(error, BackendError) and error.errno else 0
        self._notifier.status(f"{error.place}: {error.problem}" if error.place else error.problem, number)
        return exit_of(error)

    def ended(self, code: int) -> None:
        """The last word: the outputs are safe, and the process is about to end."""
        if code == 0:
            self._notifier.status("stopped, outputs are safe")
        self._notifier.close()

    def _prove(self, life: Life) -> None:
        deadline = time.monotonic() + TEST_S
        life.ask()
        while silent := life.silent():
            if time.monotonic() > deadline:
                raise SelfTestFailed(
                    "self-test", f"no answer within {TEST_S:g} s: {'; '.join(silent)}",
                    "what hangs there? Its device may; `axiom-hw doctor` looks at them",
                )  # fmt: skip
            time.sleep(_LOOK_AGAIN_S)


class Watchdog:
    """Tells systemd that all is well, twice in each of its periods, as long as that is so.

    Where somebody doesn't answer, it says who, and pings no more until all do: then systemd kills the process, and the
    supervisor makes its outputs safe.

    Synchronization: started and stopped by one owner; `round` in the thread that runs it.
    """

    def __init__(
        self, notifier: Notifier, life: Life, status: Callable[[], str], now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._notifier = notifier
        self._life = life
        self._status = status
        self._now_s = now_s
        self._period_s = notifier.watchdog_ns / 2e9
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Where systemd waits for signs of life, give them from now on."""
        if not self._period_s:
            return
        self._notifier.alive()  # the period began with the process, not with its readiness
        self._thread = threading.Thread(target=self._run, name="axiom-watchdog", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Give none any more. Returns when the thread has ended."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def round(self, wait: Callable[[float], bool]) -> None:
        """Ask everybody, and ping when all have answered; `wait(seconds)` says whether to give up instead."""
        self._life.ask()
        asked_s, told = self._now_s(), False
        while silent := self._life.silent():
            if not told and self._now_s() - asked_s > self._period_s / 2:
                told = True
                self._tell("; ".join(silent))
            if wait(_LOOK_AGAIN_S):
                return
        if told:
            say("watchdog: all events are handled again", Priority.WARNING)
        self._notifier.alive(self._status())

    def _tell(self, silent: str) -> None:
        say(f"watchdog: {silent}; systemd is told nothing, and will end this process", Priority.CRITICAL)
        self._notifier.status(f"hangs: {silent}")

    def _run(self) -> None:
        while not self._stopping.wait(self._period_s):
            self.round(self._stopping.wait)


def _status(runtime: Runtime) -> str:
    """A line for `systemctl status`."""
    links, board, guard = runtime.attached, runtime.board, runtime.guard
    runs, faults = sum(link.runs for link in links), sum(link.faults for link in links)
    where = f" on {board.name}" if board is not None else ""
    text = f"{_count(len(links), 'program')}{where}, {_count(runs, 'run')}, {_count(faults, 'fault')}"
    stop = guard.stopped if guard is not None else None
    return text if stop is None else f"{text}; emergency stop latched by {stop.source}: {stop.reason}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
