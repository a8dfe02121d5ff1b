"""The benchmark's programs on our own engine. Without llvmlite `why_not` says so, and the rest isn't to be called."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from axiom_hw.bpf.engine.llvm.available import why_not
from axiom_hw.bpf.maps import Map, create_map
from axiom_hw.bpf.maps.mem import Mem
from axiom_hw.bpf.verified import Verified

if TYPE_CHECKING:
    from axiom_hw.bpf.engine.llvm.cache import Cache
    from axiom_hw.bpf.engine.llvm.native import Native

__all__ = ["Outside", "cache_in", "in_order", "maps_of", "native", "text", "unload", "why_not"]


class Outside:
    """The surroundings of a program without hardware, on the machine's own clock."""

    hardware: Mapping[int, Callable[..., int]] = MappingProxyType({})
    monotonic = True  # now_ns is CLOCK_MONOTONIC: native code may ask the system itself

    def now_ns(self) -> int:
        return time.monotonic_ns()

    def random_u32(self) -> int:
        return 0  # no program of the benchmark asks

    def trace(self, text: str) -> None:
        raise AssertionError(text)


def maps_of(program: Verified, files: Mapping[str, Path] | None = None) -> dict[str, Map]:
    """New maps for a program, by name; those named in `files` in new files that other processes may open."""
    found = {}
    for declared in program.spec.maps:
        path = (files or {}).get(declared.name)
        plain = create_map(declared)
        found[declared.name] = plain if path is None else create_map(declared, Mem.create(path, plain.mem.size))
    return found


def native(
    program: Verified, maps: Mapping[str, Map], *, slots: int = 1, cache: Cache | None = None, quick: bool = False
) -> Native:
    """A program, compiled, on those maps. Without a cache nothing is taken from disk, nor left there."""
    from axiom_hw.bpf.engine.llvm.native import Native

    return Native(program, in_order(program, maps), Outside(), slots=slots, cache=cache, quick=quick)


def cache_in(directory: Path) -> Cache:
    """A cache of compiled programs."""
    from axiom_hw.bpf.engine.llvm.cache import Cache

    return Cache(directory)


def unload() -> None:
    """Give the code back of programs that nobody holds any more."""
    from axiom_hw.bpf.engine.llvm.loading import reap

    reap()


def text(program: Verified, maps: Mapping[str, Map]) -> str:
    """What LLVM is given to compile."""
    from axiom_hw.bpf.engine.llvm.native import module_text, offers_of

    return module_text(program, in_order(program, maps), offers_of(Outside()))


def in_order(program: Verified, maps: Mapping[str, Map]) -> list[Map]:
    """Maps as the program declares them."""
    return [maps[declared.name] for declared in program.spec.maps]
