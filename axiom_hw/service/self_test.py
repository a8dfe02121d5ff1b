"""An event of the service's own: a small program on a hook of its own answers it through the hooks of the run."""

from __future__ import annotations

import struct
from typing import Final

from axiom_hw.bpf.asm import assemble
from axiom_hw.bpf.layout import u64
from axiom_hw.bpf.maps import ArrayMap, ArrayView
from axiom_hw.bpf.maps.create import create_map
from axiom_hw.bpf.verifier import verify
from axiom_hw.keys import ServiceKey
from axiom_hw.runtime import Runtime

HOOK: Final = ServiceKey("self-test")
_SIGN: Final = 0x5E1F_7E57  # so that an answer can't be mistaken for its question
_SOURCE: Final = f"""
.map self_test type=array key=4 value=8 entries=1
.ctx 8
.section "{HOOK}"
self_test:
    r2 = *(u64 *)(r1 + 0)             // the number of the event
    r2 ^= {_SIGN:#x}
    r1 = map[self_test][0]+0 ll
    *(u64 *)(r1 + 0) = r2
    r0 = 0
    exit
"""


class SelfTest:
    """The program, attached to a run. Neither recordings nor the run's own report see it.

    Synchronization: `fire` in the thread that is to be tested; `has_passed` in any.
    """

    def __init__(self, runtime: Runtime) -> None:
        """Verify, load and attach it. Raises `AxiomError` where that can't be."""
        (spec,) = assemble(_SOURCE, "self-test").programs
        found = create_map(spec.maps[0])
        assert isinstance(found, ArrayMap)
        self._answers: ArrayView[int] = ArrayView(found, u64)
        self._executor = runtime.executor
        self.link = runtime.registry.attach(runtime.load(verify(spec), (found,)), HOOK)

    def fire(self, number: int) -> None:
        """Raise the event of that number, as an adapter does."""
        self._executor.fire(HOOK, struct.pack("<Q", number))

    def has_passed(self, number: int) -> bool:
        """Whether the program has answered it: read from its map."""
        return self._answers[0] == number ^ _SIGN

    def close(self) -> None:
        """Take it off its hook."""
        self.link.detach()
