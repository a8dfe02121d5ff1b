"""Small programs for tests of the composition: assembly in, verified programs and live maps out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from axiom_hw.bpf.asm import assemble
from axiom_hw.bpf.layout import u64
from axiom_hw.bpf.maps import ArrayMap, ArrayView, Map, create_map
from axiom_hw.bpf.spec import ProgramSpec
from axiom_hw.bpf.verified import SEAL, Verified
from axiom_hw.bpf.verifier import verify
from axiom_hw.events import ctx_of

COUNT = """
.map seen type=array key=4 value=8 entries=4
.section "{section}"
{name}:
    r1 = map[seen][0]+0 ll
    r2 = 1
    lock *(u64 *)(r1 + 0) += r2
    r0 = 0
    exit
"""
# Each tick: its count through a ring.
TICKS = """
.map {ring} type=ringbuf entries={entries}
.section "timer/{period}"
{ring}_tick:
    r2 = r1
    r2 += 8
    r1 = map[{ring}] ll
    r3 = 4
    r4 = 0
    call ringbuf_output
    r0 = 0
    exit
"""
# Reads behind its stack: the verifier would refuse it, so `forged` takes it past.
FAULTY = """
.section "{section}"
{name}:
    r0 = *(u64 *)(r10 + 0)
    exit
"""


@dataclass(frozen=True)
class Ready:
    """A program to attach: `runtime.attach(ready.verified, ready.maps, section)`."""

    verified: Verified
    maps: tuple[Map, ...]

    def numbers(self) -> ArrayView[int]:
        """The values of the first map, an array of u64."""
        (first, *_) = self.maps
        assert isinstance(first, ArrayMap)
        return ArrayView(first, u64)


def spec_of(source: str, section: str, name: str = "test") -> ProgramSpec:
    (program,) = assemble(source.replace("{section}", section).replace("{name}", name), ctx_of=ctx_of).programs
    return program


def ready(source: str, section: str, name: str = "test") -> Ready:
    verified = verify(spec_of(source, section, name))
    return Ready(verified, tuple(create_map(spec) for spec in verified.spec.maps))


def forged(source: str, section: str, name: str = "test") -> Verified:
    """What no verifier passed: for faults, which proved programs don't have."""
    return Verified(replace(spec_of(source, section, name), section=section), 10, 0, 0, SEAL)


def write(directory: Path, source: str, file: str = "x.bpf.s", **words: object) -> Path:
    for word, value in words.items():
        source = source.replace(f"{{{word}}}", str(value))
    path = directory / file
    path.write_text(source)
    return path


def ticks(directory: Path, ring: str = "ticks", period: str = "10ms", entries: int = 4096) -> Path:
    return write(directory, TICKS, f"{ring}.bpf.s", ring=ring, period=period, entries=entries)
