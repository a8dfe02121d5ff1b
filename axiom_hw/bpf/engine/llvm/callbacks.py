"""Helpers that are Python, as functions that native code can call: `i64 (run, r1, ... r5)`.

What one raises stays in `errors`, at the index of the slot, and `abort` is set in the run state: native code leaves at
once, and whoever entered it raises that.
"""

from __future__ import annotations

import ctypes
import errno
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from axiom_hw.bpf.arithmetic import M64
from axiom_hw.bpf.engine.calls import FORMAT_BYTES
from axiom_hw.bpf.engine.llvm.runstate import Abort, RunState
from axiom_hw.bpf.engine.machine import Env
from axiom_hw.bpf.engine.printf import render
from axiom_hw.bpf.helpers import BY_ID
from axiom_hw.bpf.maps.create import Map
from axiom_hw.bpf.maps.ringbuf import RingBuf

Errors = list[BaseException | None]
Function = Callable[[int, int, int, int, int], int]

PREFIX: Final = "helper_"
_SIGNATURE: Final = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_void_p, *[ctypes.c_uint64] * 5)  # takes the GIL


class Callbacks:
    """The callbacks that a program needs. `addresses` are valid for as long as this object lives."""

    __slots__ = ("_functions", "addresses", "errors")

    def __init__(self, needs: Iterable[str], env: Env, maps: Sequence[Map], slots: int) -> None:
        """`needs` are the undefined symbols of its code, of which those that begin with `PREFIX` are meant."""
        self.errors: Errors = [None] * slots
        offered = _offered(env, maps)
        self._functions: dict[str, Any] = {
            name: _SIGNATURE(_guarded(offered[name[len(PREFIX) :]], self.errors))
            for name in needs
            if name.startswith(PREFIX) and name[len(PREFIX) :] in offered
        }
        self.addresses = {
            # Not ctypes.cast, which makes a circle of references.
            name: ctypes.c_size_t.from_address(ctypes.addressof(function)).value
            for name, function in self._functions.items()
        }


def _offered(env: Env, maps: Sequence[Map]) -> dict[str, Function]:
    found: dict[str, Function] = {
        BY_ID[id].name: _cut(function, len(BY_ID[id].args)) for id, function in env.hardware.items()
    }

    def now(a: int, b: int, c: int, d: int, e: int) -> int:
        return env.now_ns()

    def random(a: int, b: int, c: int, d: int, e: int) -> int:
        return env.random_u32()

    def printk(address: int, size: int, c: int, d: int, e: int) -> int:
        if not 0 < size <= FORMAT_BYTES:
            return -errno.EINVAL
        text = render(ctypes.string_at(address, size), (c, d, e))
        if text is None:
            return -errno.EINVAL
        env.trace(text)
        return len(text)

    def wake(index: int, b: int, c: int, d: int, e: int) -> int:
        ring = maps[index]
        assert isinstance(ring, RingBuf)
        ring.wake()
        return 0

    return {**found, "ktime_get_ns": now, "get_prandom_u32": random, "trace_printk": printk, "wake": wake}


def _cut(function: Callable[..., int], count: int) -> Function:
    def call(a: int, b: int, c: int, d: int, e: int) -> int:
        return function(*(a, b, c, d, e)[:count])

    return call


def _guarded(function: Function, errors: Errors) -> Callable[[int, int, int, int, int, int], int]:
    def call(run: int, a: int, b: int, c: int, d: int, e: int) -> int:
        try:
            return function(a, b, c, d, e) & M64
        except BaseException as error:  # noqa: BLE001 (native code lies between here and who can handle it)
            state = RunState.from_address(run)
            errors[state.slot] = error
            state.abort = Abort.RAISED
            return 0

    return call
