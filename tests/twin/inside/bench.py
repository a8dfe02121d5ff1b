"""What the tests inside of the twin share: a runtime on the real devices, children that do one thing, and demos."""

from __future__ import annotations

import os
import re
import runpy
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from axiom_hw.backends.limits import GpioChoice, open_gpio
from axiom_hw.backends.pyserial_port import PyserialBackend
from axiom_hw.backends.smbus2_i2c import Smbus2Backend
from axiom_hw.backends.sysfs_iio import SysfsIio
from axiom_hw.backends.sysfs_pwm import SysfsPwm
from axiom_hw.board import Board
from axiom_hw.bpf.engine.choice import Engine
from axiom_hw.clock import MonotonicClock
from axiom_hw.errors import AxiomError
from axiom_hw.runtime import Runtime
from axiom_hw.sources import Devices

DEMOS = Path(__file__).parents[3] / "demos"
PATIENCE_S = 200.0  # a Python on an emulated processor takes long to start


def opened(board: Board, engine: Engine, errors: list[AxiomError]) -> Runtime:
    """A runtime on the twin's devices, as a run without options has it, to be started. What fails later comes to
    `errors`."""
    devices = Devices(open_gpio(GpioChoice.GPIOD), SysfsPwm(), SysfsIio(), Smbus2Backend(), PyserialBackend())
    return Runtime(board, MonotonicClock(), devices, engine=engine, on_error=errors.append, on_trouble=errors.append)


@contextmanager
def real_runtime(
    board: Board, engine: Engine = Engine.INTERP, errors: list[AxiomError] | None = None
) -> Iterator[Runtime]:
    """As `opened`, and closed at the end; without `errors` nothing may fail."""
    found = errors if errors is not None else []
    runtime = opened(board, engine, found)
    try:
        yield runtime
    finally:
        runtime.close()
    assert errors is not None or found == []


def until(condition: Callable[[], bool], seconds: float = PATIENCE_S, pause_s: float = 0.01) -> None:
    """Wait until something holds; fails where it doesn't."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(pause_s)


@contextmanager
def child(do: Callable[[], object]) -> Iterator[int]:
    """A process of its own that does something, so that it shares no GIL with who watches. Killed at the end."""
    pid = os.fork()
    if pid == 0:
        _leave(do)
    try:
        yield pid
    finally:
        if os.waitpid(pid, os.WNOHANG) == (0, 0):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def ended(pid: int) -> int:
    """Wait for the end of a child; its status."""
    info = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert info is not None
    return info.si_status


class Demo:
    """A demo as `python demos/NAME.py OPTIONS` runs it, but in a process that has everything imported already.

    Synchronization: one thread.
    """

    def __init__(self, name: str, *options: str) -> None:
        ours, theirs = os.pipe()
        self.said = ""
        self._ours = ours
        self.pid = os.fork()
        if self.pid == 0:
            for descriptor in (1, 2):
                os.dup2(theirs, descriptor)
            sys.stdout = sys.__stdout__ = os.fdopen(1, "w", closefd=False)
            sys.stderr = sys.__stderr__ = os.fdopen(2, "w", closefd=False)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            sys.argv = [str(DEMOS / f"{name}.py"), *options]
            _leave(lambda: runpy.run_path(sys.argv[0], run_name="__main__"))
        os.close(theirs)

    def expect(self, pattern: str, seconds: float = PATIENCE_S) -> re.Match[str]:
        """Wait until what it says matches."""
        end = time.monotonic() + seconds
        while (found := re.search(pattern, self.said)) is None:
            assert self._read(end), f"it never said {pattern!r}, but:\n{self.said}"
        return found

    def finish(self, number: int = 0, seconds: float = PATIENCE_S) -> str:
        """Send a signal, unless it ends by itself; all that it said."""
        if number:
            os.kill(self.pid, number)
        end = time.monotonic() + seconds
        while self._read(end):
            pass
        if os.waitpid(self.pid, os.WNOHANG) == (0, 0):
            until(lambda: os.waitpid(self.pid, os.WNOHANG) != (0, 0), max(1.0, end - time.monotonic()))
        os.close(self._ours)
        return self.said

    def _read(self, end: float) -> bool:
        readable, _, _ = select.select([self._ours], [], [], max(0.0, end - time.monotonic()))
        piece = os.read(self._ours, 65536) if readable else b""
        self.said += piece.decode()
        return piece != b""


def _leave(do: Callable[[], object]) -> None:
    """Do it, and end this process, which is a copy of pytest's, without pytest."""
    status = 1
    try:
        do()
        status = 0
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:  # noqa: BLE001  the reader of the test wants to see it
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
