"""Which engine runs a program: the interpreter, which is there at once, or native code, which takes some milliseconds.

With AUTO a program starts on the interpreter; one thread compiles, in the order in which programs were loaded, and
hands each over to its native code by one store while events come. Both work on the same maps, so any moment is fine.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from axiom_hw.bpf.engine.choice import Engine
from axiom_hw.bpf.engine.interp import Interpreter
from axiom_hw.bpf.engine.llvm.available import why_not
from axiom_hw.bpf.engine.llvm.cache import Cache, default_directory
from axiom_hw.bpf.engine.llvm.code import REPORT, CompileError
from axiom_hw.bpf.engine.machine import Env
from axiom_hw.bpf.maps import Map
from axiom_hw.bpf.verified import Verified
from axiom_hw.errors import AxiomError, MissingDependency
from axiom_hw.pump.table import Entry

if TYPE_CHECKING:
    from axiom_hw.bpf.engine.llvm.native import Native


class Loaded:
    """A verified program with its maps bound and an engine to run it: what a hook holds."""

    def __init__(self, verified: Verified, start: Interpreter | Native) -> None:
        self.name = verified.spec.name
        self.worst_case_insns: int | None = verified.worst_case_insns
        self.run: Callable[[bytes, int], int] = start.run
        self.native: Native | None = None if isinstance(start, Interpreter) else start

    @property
    def engine(self) -> Engine:
        """INTERP or LLVM: what the next event runs on."""
        return Engine.INTERP if self.native is None else Engine.LLVM

    def become(self, native: Native) -> None:
        """Run as native code from now on. Attachments that exist must be told: `Registry.retarget`."""
        self.native = native
        self.run = native.run

    # For pumps; see `axiom_hw.pump.table.NativeProgram`.

    def entry(self, slot: int) -> Entry | None:
        """Where its native code lies, and its state in a slot; None while it has none."""
        native = self.native
        if native is None:
            return None
        state = native.state_address(slot)
        return Entry(native.program_address, state, state + native.abort_offset)

    def fault(self, slot: int) -> BaseException:
        """What ended the last run in a slot early; the next run may begin."""
        assert self.native is not None, "only native code is run by address"
        return self.native.fault(slot)


@dataclass(frozen=True, slots=True)
class _Job:
    loaded: Loaded
    verified: Verified
    maps: Sequence[Map]
    env: Env


class Loader:
    """Loads programs for an engine, each with `slots` slots.

    `swapped(loaded)` is called in the compiling thread when a program has become native code; `failed(error)` when one
    can't, and stays on the interpreter. `cache` keeps compiled programs on disk.

    Synchronization: `load` from any thread; `close` from one that isn't the compiling thread.
    """

    __slots__ = ("_closing", "_failed", "_jobs", "_slots", "_swapped", "_thread", "_turn", "cache", "engine")

    def __init__(
        self,
        engine: Engine,
        slots: int,
        cache: Cache | None,
        swapped: Callable[[Loaded], None],
        failed: Callable[[AxiomError], None],
    ) -> None:
        """Raises `MissingDependency` where native code is asked for and can't be had."""
        if engine is Engine.LLVM and (why := why_not()):
            raise MissingDependency("--engine llvm", f"can't be had: {why}", "use --engine auto, or interp")
        self.engine = Engine.INTERP if engine is Engine.AUTO and why_not() else engine
        self.cache = cache
        self._slots = slots
        self._swapped = swapped
        self._failed = failed
        self._jobs: deque[_Job] = deque()
        self._turn = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closing = False

    def load(self, verified: Verified, maps: Sequence[Map], env: Env) -> Loaded:
        """Bind maps and helpers. Raises `SpecError` for a map or helper that doesn't exist."""
        if self.engine is Engine.LLVM:
            return Loaded(verified, self._native(verified, maps, env))
        loaded = Loaded(verified, Interpreter(verified, maps, env, slots=self._slots))
        if self.engine is Engine.AUTO:
            self._submit(_Job(loaded, verified, maps, env))
        return loaded

    def settle(self, timeout_s: float | None = None) -> bool:
        """Wait until nothing is left to compile. Whether that came in time."""
        with self._turn:
            return self._turn.wait_for(lambda: not self._jobs or self._closing, timeout_s)

    def close(self) -> None:
        """Compile nothing more, and wait for what is being compiled: LLVM mustn't be at work when a process ends."""
        with self._turn:
            self._closing = True
            self._turn.notify_all()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _submit(self, job: _Job) -> None:
        with self._turn:
            if self._closing:
                return
            self._jobs.append(job)
            if self._thread is None:
                self._thread = threading.Thread(target=self._compile, name="axiom-compile", daemon=True)
                self._thread.start()
            self._turn.notify_all()

    def _compile(self) -> None:
        while (job := self._next()) is not None:
            try:
                job.loaded.become(self._native(job.verified, job.maps, job.env))
                self._swapped(job.loaded)
            except AxiomError as error:
                self._failed(error)
            except Exception as error:  # noqa: BLE001 (a bug of ours mustn't end a run that goes on without it)
                problem = f"can't be compiled: {type(error).__name__}: {error}"
                self._failed(CompileError(job.loaded.name, problem, REPORT))
            finally:
                with self._turn:
                    self._jobs.popleft()
                    self._turn.notify_all()
            del job  # it mustn't live until the next one comes

    def _next(self) -> _Job | None:
        """The oldest job, which stays in the queue until it is done."""
        with self._turn:
            self._turn.wait_for(lambda: self._jobs or self._closing)
            return None if self._closing else self._jobs[0]

    def _native(self, verified: Verified, maps: Sequence[Map], env: Env) -> Native:
        from axiom_hw.bpf.engine.llvm.native import Native  # here, because importing LLVM takes 40 ms

        return Native(verified, maps, env, slots=self._slots, cache=self.cache)


def open_cache(wanted: bool = True) -> Cache | None:
    """The user's cache of compiled programs."""
    return Cache(default_directory()) if wanted else None


__all__: Final = ["Engine", "Loaded", "Loader", "open_cache", "why_not"]
