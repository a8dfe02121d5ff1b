"""What native code takes over from Python on a bench whose lines are the kernel's own: reading edges, driving lines."""

from __future__ import annotations

from collections.abc import Sequence

from axiom_hw.actuation.line_ops import ask
from axiom_hw.actuation.shared_lines import Ask, SharedLine
from axiom_hw.adapters.feed import Feed, Server
from axiom_hw.bpf.engine.llvm.cache import Cache
from axiom_hw.executor import Executor
from axiom_hw.hooks import Registry
from axiom_hw.keys import GpioKey
from axiom_hw.pump import Pump


class Natives:
    """Makes them, compiled where they weren't before: `make_server` for the adapter, `make_ask` for the guard.

    Compiling takes 0.1 s, and as good as nothing where `cache` has the code. Both raise `CompileError`.
    """

    def __init__(self, registry: Registry, executor: Executor, cache: Cache | None) -> None:
        self._registry = registry
        self._executor = executor
        self._cache = cache

    def make_server(self, feeds: Sequence[Feed]) -> Server:
        """A pump."""
        from axiom_hw.pump.native import compiled_loop  # here, because importing LLVM takes 40 ms

        return Pump(self._registry, self._executor, feeds, compiled_loop(self._cache))

    def make_ask(self) -> Ask:
        """The guard's rules."""
        from axiom_hw.bpf.engine.llvm.raw_code import RawCode
        from axiom_hw.bpf.engine.llvm.real_atomics import use_real_atomics

        use_real_atomics()
        return RawCode(ask, cache=self._cache)


def inputs_of(feeds: Sequence[Feed]) -> tuple[SharedLine, ...]:
    """The inputs of a board, for programs that read lines by themselves."""
    found = []
    for feed in feeds:
        for bit, offset in enumerate(feed.offsets):
            key = feed.keys[2 * bit]
            assert isinstance(key, GpioKey)
            found.append(SharedLine(f"line {offset}", key.chip_id, offset, feed.fd, bit, None))
    return tuple(found)
