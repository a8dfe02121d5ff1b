"""Watchers as programs on an engine, with rings that are read and a guard that writes down what it is asked."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from axiom_hw.bpf.maps import Map, RingBuf, RingReader, create_map
from axiom_hw.bpf.spec import MapSpec, MapType
from axiom_hw.bpf.verifier import verify
from axiom_hw.watch.emit import programs_of
from axiom_hw.watch.event import WatchEvent
from axiom_hw.watch.state import Listed
from tests.bpf.engines import Witness, load

RING = MapSpec("fired", MapType.RINGBUF, 0, 0, 1 << 16)
OTHER = MapSpec("others", MapType.RINGBUF, 0, 0, 1 << 16)


class Running:
    """The programs of some watchers on one hook."""

    def __init__(self, engine: str, on: str, watchers: Sequence[Listed]) -> None:
        self.witness = Witness(Random(1))
        self._rings: dict[MapSpec, Map] = {spec: create_map(spec) for spec in (RING, OTHER)}
        self.programs = []
        self._states: list[Map] = []
        for spec in (compiled.spec for compiled in programs_of(on, watchers)):
            maps = [self._rings[one] if one in self._rings else create_map(one) for one in spec.maps]
            self._states.append(maps[0])
            self.programs.append(load(engine, verify(spec), maps, self.witness))
        self._readers = {
            spec: RingReader(ring, WatchEvent) for spec, ring in self._rings.items() if isinstance(ring, RingBuf)
        }

    def forget(self) -> None:
        """As if there had been no event yet."""
        for state in self._states:
            at = state.values.origin
            state.mem.u8[at : at + state.spec.value_size] = bytes(state.spec.value_size)

    def event(self, ctx: bytes) -> None:
        for program in self.programs:
            assert program.run(ctx) == 0

    def told(self, ring: MapSpec = RING) -> list[WatchEvent]:
        """What came since the last call."""
        return list(self._readers[ring].consume_n(1 << 30))

    def done(self) -> list[tuple[object, ...]]:
        """What was asked of the guard, all of it; arguments as registers carry them."""
        return [(found[0], *found[1:]) for found in self.witness.seen if isinstance(found, tuple)]

    def close(self) -> None:
        for reader in self._readers.values():
            reader.close()
