"""Code bound to the maps, helpers and slots of one loaded program: what its builtins hold, and fall back on."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NoReturn

from axiom_hw.bpf.engine.llvm.builtin import Gate, MethodDef, make_builtin, method_def, small_ints
from axiom_hw.bpf.engine.llvm.cache import Cache
from axiom_hw.bpf.engine.llvm.callbacks import Callbacks
from axiom_hw.bpf.engine.llvm.code import Code
from axiom_hw.bpf.engine.llvm.entry import (
    CTX_ALIGNMENT,
    ENTER,
    ENTER_BATCH,
    ENTRIES,
    LINE_BYTES,
    PROGRAM,
    RUN_BATCH,
    SMALL_INTS,
    STATE_STRIDE,
)
from axiom_hw.bpf.engine.llvm.identity import compiled_text
from axiom_hw.bpf.engine.llvm.loading import Library, load
from axiom_hw.bpf.engine.llvm.runstate import HELD_SHIFT, Abort, RunState
from axiom_hw.bpf.engine.llvm.symbols import resolve
from axiom_hw.bpf.engine.llvm.target import LOCK
from axiom_hw.bpf.engine.machine import Env, natives_of
from axiom_hw.bpf.maps.create import Map
from axiom_hw.bpf.maps.mem import Mem
from axiom_hw.bpf.maps.ringbuf import RingBuf
from axiom_hw.bpf.spec import ProgramSpec
from axiom_hw.errors import Fault, SpecError

Buffer = bytes | bytearray | memoryview

_HELD_MASK: Final = (1 << HELD_SHIFT) - 1
_NEVER: Final = (1 << 64) - 1  # the length of no bytes
_ENTRIES: Final = "the entries"
_CALL: Final = ctypes.PYFUNCTYPE(ctypes.c_uint64, ctypes.c_void_p, ctypes.c_void_p)  # keeps the GIL


class Instance:
    """The code of one program in memory, with a run state for each slot.

    Synchronization: each slot belongs to one thread at a time; runs in different slots may overlap. `improve` from any
    thread, by one at a time.
    """

    __slots__ = ("_callbacks", "_gate", "_given", "_keep", "_libraries", "_program", "begun", "maps", "spec", "states")

    def __init__(self, code: Code, spec: ProgramSpec, maps: Sequence[Map], env: Env, slots: int) -> None:
        """Raises `SpecError` for code that needs what neither maps nor environment have."""
        block = ctypes.create_string_buffer(slots * STATE_STRIDE + LINE_BYTES)
        start = -(-ctypes.addressof(block) // LINE_BYTES) * LINE_BYTES
        self.states = [RunState.from_address(start + slot * STATE_STRIDE) for slot in range(slots)]
        for slot, state in enumerate(self.states):
            state.slot = slot
        self.spec = spec
        self.maps = maps
        self.begun = [0] * slots  # by each slot's last batch that stopped early
        self._callbacks = Callbacks(code.needs, env, maps, slots)
        memories = {name: _Memory(mem, spec.name) for name, mem in _memories(maps, env) if name in code.needs}
        self._keep = (block, memories)
        self._given = {**self._callbacks.addresses, **{name: memory.address for name, memory in memories.items()}}
        self._gate = Gate(slots, _NEVER if spec.ctx.writable else spec.ctx.size, None, None, start, small_ints()[1])
        self._libraries: tuple[Library, ...] = ()
        self.improve(code)

    def improve(self, code: Code) -> None:
        """Run this code from the next event, or batch, on; it means the same, and needs nothing more.

        What is running goes on in the code before, so that stays as well. Raises as making one does.
        """
        library = load(code, resolve(code.needs, self._given, self.spec.name), self.spec.name)
        self._libraries = (*self._libraries, library)
        self._program = _CALL(library.addresses[PROGRAM])
        # Builtins read these at each call, in one piece, and have the GIL then.
        self._gate.program = library.addresses[PROGRAM]
        self._gate.run_batch = library.addresses[RUN_BATCH]

    def address(self, name: str) -> int:
        """Of `program` or `run_batch`, of the best code there is. Valid while this object lives."""
        return self._libraries[-1].addresses[name]

    def state_address(self, slot: int) -> int:
        """Of a slot's run state."""
        return ctypes.addressof(self.states[slot])

    def builtin(self, name: str) -> Callable[..., int]:
        """`run` or `run_batch` as a builtin that holds this object: native code where the arguments are as usual."""
        call = self.run if name == "run" else self.run_batch
        gate = _Gate.from_address(ctypes.addressof(self._gate))
        gate.bind(self, call)
        return make_builtin(entries()[name], gate)

    def run(self, ctx: Buffer = b"", slot: int = 0) -> int:
        """Run once on any buffer of the right size; see `Interpreter.run`. Raises what that raises."""
        size, state = self.spec.ctx.size, self.states[slot]
        if len(ctx) != size:
            raise SpecError(self.spec.name, f"takes a context of {size} bytes, got {len(ctx)}")
        scratch = ctypes.create_string_buffer(bytes(ctx), max(size, 1))
        try:
            result: int = self._program(ctypes.addressof(scratch), ctypes.addressof(state))
            if state.abort:
                self.failed(slot)
            return result
        finally:
            if self.spec.ctx.writable and not (view := memoryview(ctx)).readonly:
                view[:] = scratch.raw[:size]

    def run_batch(self, ctxs: Buffer, slot: int = 0) -> int:
        """Run on each of the contexts that a buffer holds back to back; how many there were. Raises as `run` does."""
        size, state = self.spec.ctx.size, self.states[slot]
        data = bytes(ctxs)
        if size == 0 or len(data) % size:
            raise SpecError(
                self.spec.name,
                f"takes contexts of {size} bytes back to back, got {len(data)} bytes",
                "give a whole number of them" if size else "a program without a context is run by `run`",
            )
        stride = -(-size // CTX_ALIGNMENT) * CTX_ALIGNMENT
        scratch = ctypes.create_string_buffer(stride)
        count, begun = len(data) // size, 0
        while begun < count and not state.abort:
            scratch.raw = data[begun * size : (begun + 1) * size].ljust(stride, b"\0")
            self._program(ctypes.addressof(scratch), ctypes.addressof(state))
            begun += 1
        if state.abort:
            self.failed(slot, begun)
        return count

    def failed(self, slot: int, begun: int = 1) -> NoReturn:
        """Raise what ended a run early. `begun` counts the runs of its batch, it included."""
        self.begun[slot] = begun
        raise self.fault(slot)

    def fault(self, slot: int) -> BaseException:
        """What ended a slot's last run early: what a helper raised. The records that it held are discarded."""
        state = self.states[slot]
        self._give_up_records(state)
        abort, state.abort = state.abort, Abort.NONE
        error, self._callbacks.errors[slot] = self._callbacks.errors[slot], None
        if abort == Abort.RAISED and error is not None:
            return error
        return Fault(self.spec.name, state.pc, "reached an instruction that the proof excludes: a bug of axiom_hw")

    def _give_up_records(self, state: RunState) -> None:
        held, state.held_count = state.held[: state.held_count], 0
        for record in held:
            ring = self.maps[record >> HELD_SHIFT]
            assert isinstance(ring, RingBuf)
            ring.discard(record & _HELD_MASK, 0)


class _Gate(Gate):
    """Holds the instance, is called with what isn't as usual, and raises what native code can't.

    Its fields are the instance's own gate, so that all builtins see what that changes, and it needn't know them.
    """

    def bind(self, instance: Instance, call: Callable[..., int]) -> None:
        self._instance = instance
        self._call = call

    def __call__(self, *args: Any, **kwargs: Any) -> int:
        return self._call(*args, **kwargs)

    def failed(self, slot: int, begun: int = 1) -> NoReturn:
        self._instance.failed(slot, begun)


class _Entries:
    """The functions that all builtins are made of; loaded once, and kept for good."""

    def __init__(self, code: Code) -> None:
        self._library = load(code, resolve(code.needs, {SMALL_INTS: small_ints()[0]}, _ENTRIES), _ENTRIES)
        at = self._library.addresses
        self.by_name = {"run": method_def("run", at[ENTER]), "run_batch": method_def("run_batch", at[ENTER_BATCH])}


_loaded: list[_Entries] = []


def entries(cache: Cache | None = None) -> Mapping[str, MethodDef]:
    """By `run` and `run_batch`; made on first use, or read from the cache."""
    with LOCK:
        if not _loaded:
            _loaded.append(_Entries(compiled_text(ENTRIES, _ENTRIES, cache)))
    return _loaded[0].by_name


def _memories(maps: Sequence[Map], env: Env) -> Iterator[tuple[str, Mem]]:
    """What code may reach by name; see `lift`."""
    for n, live in enumerate(maps):
        yield f"map_{n}", live.mem
        if isinstance(live, RingBuf):
            yield f"bell_{n}", live.bell
    for id, native in natives_of(env).items():
        yield f"native_{id}", native.mem


class _Memory:
    """The address of a map's memory, which stays where it is as long as this object lives."""

    __slots__ = ("_hold", "address")

    def __init__(self, mem: Mem, name: str) -> None:
        if mem.readonly:
            raise SpecError(
                f"map {name}", "lies in memory that is read-only", "native code needs maps that it may write"
            )
        self._hold: Any = ctypes.c_char.from_buffer(mem.u8)
        self.address = ctypes.addressof(self._hold)
