"""Which engine runs a program: the interpreter, which is there at once, or native code, which takes some milliseconds.

Native code comes in two steps: quick code soon, optimised code later, unless the cache has that. With LLVM a program
starts on quick code, with AUTO on the interpreter. One thread compiles the rest, in the order in which programs were
loaded, quick code first, and hands each program over by single stores while events come. All work on the same maps
and run states, so any moment is fine.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, assert_never
from weakref import ref

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

# So long quick code runs before it is improved: who loads ten programs in a row, or a program for an instant, mustn't
# wait for a compiler that is busy with the one before.
_IMPROVE_AFTER_S: Final = 0.2


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
class _ToCompile:
    """On the interpreter. A program that nobody holds any more is passed over."""

    loaded: ref[Loaded]
    verified: Verified
    maps: Sequence[Map]
    env: Env


@dataclass(frozen=True, slots=True)
class _ToImprove:
    """On quick code, until `due_s` at least, of the monotonic clock."""

    loaded: ref[Loaded]
    due_s: float


_Job = _ToCompile | _ToImprove


class Loader:
    """Loads programs for an engine, each with `slots` slots.

    `swapped(loaded)` is called in the compiling thread when a program has become native code, and when that is
    optimised; `failed(error)` when it can't be, and the program stays what it is. `cache` keeps optimised programs on
    disk.

    Synchronization: `load` from any thread; `close` from one that isn't the compiling thread.
    """

    __slots__ = (
        "_busy", "_closing", "_failed", "_settling", "_slots", "_swapped", "_thread", "_to_compile", "_to_improve",
        "_turn", "cache", "engine",
    )  # fmt: skip

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
        self._to_compile: deque[_ToCompile] = deque()
        self._to_improve: deque[_ToImprove] = deque()
        self._turn = threading.Condition()
        self._thread: threading.Thread | None = None
        self._busy = False
        self._settling = 0  # how many wait for the end of all
        self._closing = False

    def load(self, verified: Verified, maps: Sequence[Map], env: Env) -> Loaded:
        """Bind maps and helpers. Raises `SpecError` for a map or helper that doesn't exist."""
        if self.engine is Engine.LLVM:
            loaded = Loaded(verified, native := self._native(verified, maps, env))
            if native.is_quick:
                self._submit(_to_improve(loaded))
            return loaded
        loaded = Loaded(verified, Interpreter(verified, maps, env, slots=self._slots))
        if self.engine is Engine.AUTO:
            self._submit(_ToCompile(ref(loaded), verified, maps, env))
        return loaded

    def settle(self, timeout_s: float | None = None) -> bool:
        """Wait until nothing is left to compile, or to improve. Whether that came in time."""
        with self._turn:
            self._settling += 1
            self._turn.notify_all()
            try:
                return self._turn.wait_for(self._is_settled, timeout_s)
            finally:
                self._settling -= 1

    def _is_settled(self) -> bool:
        return self._closing or not (self._busy or self._to_compile or self._to_improve)

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
            match job:
                case _ToCompile():
                    self._to_compile.append(job)
                case _ToImprove():
                    self._to_improve.append(job)
                case _:
                    assert_never(job)
            if self._thread is None:
                self._thread = threading.Thread(target=self._compile, name="axiom-compile", daemon=True)
                self._thread.start()
            self._turn.notify_all()

    def _compile(self) -> None:
        while (job := self._next()) is not None:
            loaded = job.loaded()
            try:
                if loaded is not None:
                    self._do(job, loaded)
                    self._swapped(loaded)
            except AxiomError as error:
                self._failed(error)
            except Exception as error:  # noqa: BLE001 (a bug of ours mustn't end a run that goes on without it)
                problem = f"can't be compiled: {type(error).__name__}: {error}"
                self._failed(CompileError("" if loaded is None else loaded.name, problem, REPORT))
            del job, loaded  # they mustn't live until the next one comes

    def _do(self, job: _Job, loaded: Loaded) -> None:
        match job:
            case _ToCompile():
                native = self._native(job.verified, job.maps, job.env)
                loaded.become(native)
                if native.is_quick:
                    self._submit(_to_improve(loaded))
            case _ToImprove():
                assert loaded.native is not None
                loaded.native.improve()
            case _:
                assert_never(job)

    def _next(self) -> _Job | None:
        """The oldest job that is due, when there is one."""
        with self._turn:
            self._busy = False
            self._turn.notify_all()
            while not self._closing:
                wait_s = None
                if self._to_compile:
                    self._busy = True
                    return self._to_compile.popleft()
                if self._to_improve:
                    wait_s = 0.0 if self._settling else self._to_improve[0].due_s - time.monotonic()
                    if wait_s <= 0:
                        self._busy = True
                        return self._to_improve.popleft()
                self._turn.wait(wait_s)
            return None

    def _native(self, verified: Verified, maps: Sequence[Map], env: Env) -> Native:
        from axiom_hw.bpf.engine.llvm.native import Native  # here, because importing LLVM takes 40 ms

        return Native(verified, maps, env, slots=self._slots, cache=self.cache, quick=True)


def _to_improve(loaded: Loaded) -> _ToImprove:
    return _ToImprove(ref(loaded), time.monotonic() + _IMPROVE_AFTER_S)


def open_cache(wanted: bool = True) -> Cache | None:
    """The user's cache of compiled programs."""
    return Cache(default_directory()) if wanted else None


__all__: Final = ["Engine", "Loaded", "Loader", "open_cache", "why_not"]
