"""A proved program with its maps, and where it goes when the application runs."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from axiom_hw.bpf.maps import Map
from axiom_hw.bpf.verified import Verified
from axiom_hw.errors import HookError

if TYPE_CHECKING:
    from axiom_hw.hooks import Link
    from axiom_hw.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Ready:
    """`place` is of its source, where that is Python or a watcher; `drives` the outputs that it may drive, or all."""

    verified: Verified
    maps: tuple[Map, ...]
    priority: int = 0
    place: str = ""
    drives: Collection[str] | None = None

    def attach(self, runtime: Runtime) -> Link:
        """Put it on the hook of its section. Raises `HookError`, with its place."""
        try:
            return runtime.attach(
                self.verified, self.maps, self.verified.spec.section, priority=self.priority, drives=self.drives
            )
        except HookError as error:
            place = f"{self.place}: {error.place}" if self.place else error.place
            raise HookError(place, error.problem, error.fix) from None
