"""What runs in the supervisor's process. See `axiom_hw.supervisor`, which starts it with a `Plan` on its input."""

from __future__ import annotations

import errno
import os
import pickle
import select
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from axiom_hw.actuation import GuardState, Stop, Verdict, open_actuator
from axiom_hw.backends.gpio import GpioBackend
from axiom_hw.backends.limits import open_gpio
from axiom_hw.backends.machine_pwm import open_pwm
from axiom_hw.backends.mock_gpio import MockGpio
from axiom_hw.backends.mock_pwm import MockPwm
from axiom_hw.backends.pwm import PwmBackend
from axiom_hw.backends.sysfs_pwm import SysfsPwm
from axiom_hw.backends.wires import Wires
from axiom_hw.board import PwmChannel
from axiom_hw.clock import VirtualClock
from axiom_hw.errors import BackendError, OutputError
from axiom_hw.scheduler import Scheduler
from axiom_hw.service.journal import install, say
from axiom_hw.supervisor import GOODBYE, LENGTH_BYTES, READY, Plan

NAME: Final = "supervisor"
_AGAIN_S: Final = 0.001
_GIVE_UP_S: Final = 10.0  # somebody else has the lines then: a child of the dead process, or the next run
_DYING_S: Final = 0.05  # the pipe may close a moment before the lines are free
_IGNORED: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP, signal.SIGPIPE)


def main() -> None:
    """Read the plan, say ready, and keep watch."""
    install()
    for number in _IGNORED:  # a unit that is stopped gets SIGTERM in each process; this one ends behind the other
        signal.signal(number, signal.SIG_IGN)
    with suppress(PermissionError):  # as root: when it acts, it should come before others
        os.nice(-10)
    pipe = sys.stdin.fileno()
    plan: Plan = pickle.loads(_exactly(pipe, int.from_bytes(_exactly(pipe, LENGTH_BYTES), "little")))
    devices = _Mock(plan) if plan.wires is not None else _Real(plan)
    devices.warm_up()
    try:
        process = os.pidfd_open(plan.pid)
        os.write(sys.stdout.fileno(), READY)
    except (ProcessLookupError, BrokenPipeError):
        return  # the other process ended before it was told that it may drive anything
    watch = Watch(plan, process, pipe, time.monotonic_ns)
    if not watch.until_gone():
        return
    began_ns = time.monotonic_ns()
    failures = devices.make_safe()
    _tell(plan, failures, time.monotonic_ns() - began_ns)


def _exactly(fd: int, count: int) -> bytes:
    """So many bytes and no more: a goodbye may lie behind them already, which a buffer would swallow."""
    found = b""
    while len(found) < count:
        more = os.read(fd, count - len(found))
        if not more:
            raise SystemExit(0)  # the other process ended before it had an output
        found += more
    return found


class Watch:
    """Waits for the end of a process, for its goodbye on a pipe, and for heartbeats that don't come.

    Synchronization: one thread.
    """

    def __init__(self, plan: Plan, process: int, pipe: int, now_ns: Callable[[], int]) -> None:
        """`process` is its pidfd."""
        self._plan = plan
        self._process = process
        self._pipe = pipe
        self._now_ns = now_ns
        self._state: GuardState | None = None
        self._is_blind = False  # to heartbeats
        self._latched_ns: int | None = None  # when, because of silence

    def until_gone(self) -> bool:
        """True when the process is gone without a goodbye; False when it said one."""
        watchdog_ns = self._plan.board.watchdog_ns
        poll = select.poll()
        poll.register(self._process, select.POLLIN)
        poll.register(self._pipe, select.POLLIN)
        while True:
            found = {fd for fd, _ in poll.poll(watchdog_ns / 4e6 if watchdog_ns else None)}
            if self._pipe in found:
                if os.read(self._pipe, 1) == GOODBYE:
                    return False
                # Closed: it died, or became another program by exec, which has none of its devices.
                select.select([self._process], [], [], _DYING_S)
                return True
            if self._process in found:
                return True
            if watchdog_ns:
                self._look_at_heartbeat(watchdog_ns)

    def _look_at_heartbeat(self, watchdog_ns: int) -> None:
        if self._state is None and not self._is_blind:  # the guard makes it, when it opens
            try:
                self._state = GuardState.look(self._plan.state_dir, self._plan.board.name)
            except OutputError as error:  # it must live on: the process may end without a word
                self._is_blind = True
                _say(f"no heartbeat is looked at: {error.place} {error.problem}")
        last_ns = self._state.last_beat_ns if self._state is not None else 0
        now_ns = self._now_ns()
        if self._state is None or not last_ns or now_ns - last_ns <= watchdog_ns:
            self._latched_ns = None
        elif self._latched_ns is None:
            self._latched_ns = now_ns
            silent = f"process {self._plan.pid} gave no heartbeat for {(now_ns - last_ns) // 1_000_000} ms"
            self._state.latch(Stop(silent, NAME, now_ns))
            _say(f"{silent}: the emergency stop is latched")
        elif now_ns - self._latched_ns > watchdog_ns:
            _say(f"process {self._plan.pid} is still silent: it is killed, so that its outputs can be made safe")
            signal.pidfd_send_signal(self._process, signal.SIGKILL)


class _Real:
    """The devices of a machine."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._gpio = open_gpio(plan.gpio)
        self._pwm = open_pwm(self._gpio, channels=SysfsPwm(plan.pwm_root))  # safe states are levels: no need for lgpio

    def warm_up(self) -> None:
        """Open each chip once: what is read from files then is in memory when it counts."""
        for chip in self._plan.board.chips:
            with suppress(BackendError):  # the process says so, when it opens them
                self._gpio.open(chip.label).close()

    def make_safe(self) -> list[str]:
        """See `make_safe`."""
        return make_safe(self._plan, self._gpio, self._pwm)


class _Mock:
    """A mock bench of its own on the wires of the other process."""

    def __init__(self, plan: Plan) -> None:
        assert plan.wires is not None
        self._plan = plan
        clock = VirtualClock()
        self._gpio = MockGpio.for_board(plan.board, clock, Scheduler(clock))
        self._pwm = MockPwm.for_board(plan.board)
        self._wires = Wires(plan.wires, plan.board)

    def warm_up(self) -> None:
        """Nothing to read beforehand."""

    def make_safe(self) -> list[str]:
        """See `make_safe`."""
        deadline = time.monotonic() + _GIVE_UP_S
        while not self._wires.take():
            if time.monotonic() > deadline:
                return [f"{self._wires.path} is in use"]
            time.sleep(_AGAIN_S)
        failures = make_safe(self._plan, self._gpio, self._pwm)
        self._wires.follow(self._gpio, self._pwm)
        return failures


def make_safe(plan: Plan, gpio: GpioBackend, pwm: PwmBackend) -> list[str]:
    """Take each output of the board in its safe state, and give it back; what failed, in words.

    Each is tried first, before those that are busy are tried again.
    """
    try:
        state = GuardState.look(plan.state_dir, plan.board.name)
    except OutputError as error:  # the outputs count, not the notes of them
        state = None
        _say(f"what is done is noted nowhere: {error.place} {error.problem}")
    left, failures = list(plan.board.outputs), []
    deadline = time.monotonic() + _GIVE_UP_S
    while left:
        again = []
        for output in left:
            try:
                actuator = open_actuator(plan.board, output, gpio, pwm, f"axiom_hw {NAME}")
                level, _ = actuator.safe
                actuator.release()
            except BackendError as error:
                if error.errno == errno.EBUSY and time.monotonic() < deadline:
                    again.append(output)
                elif error.errno != errno.ENODEV or not (isinstance(output, PwmChannel) and output.optional):
                    failures.append(f"{output.name}, because {error.place} {error.problem}")
                    if state is not None:
                        state.note(NAME, output.name, None, Verdict.FAILED, error.errno or errno.EIO)
                continue
            except Exception as error:  # noqa: BLE001 (the outputs behind this one may be live)
                failures.append(f"{output.name}, because of {type(error).__name__}: {error}")
                continue
            if state is not None:
                state.note(NAME, output.name, level, Verdict.APPLIED)
        left = again
        if left:
            time.sleep(_AGAIN_S)
    return failures


def _tell(plan: Plan, failures: Sequence[str], took_ns: int) -> None:
    names = ", ".join(output.name for output in plan.board.outputs)
    took = f"{took_ns / 1e6:.1f} ms"
    _say(f"process {plan.pid} is gone without a word; outputs of {plan.board.name} made safe in {took}: {names}")
    for failure in failures:
        _say(f"not safe: {failure}")


def _say(text: str) -> None:
    with suppress(OSError):  # the terminal may be gone as well
        say(f"axiom_hw {NAME}: {text}")
