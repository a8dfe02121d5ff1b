"""What stops a program in the middle: light exceptions inside the engine, which `run` turns into a `Fault`."""

from __future__ import annotations


class Trap(Exception):
    """An instruction that can't be carried out. `address` and `region` say where it touched memory, if it did."""

    def __init__(self, problem: str, address: int | None = None, region: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.address = address
        self.region = region


class MemoryFault(Trap):
    """An access that lies in no live region, or isn't allowed there."""

    def __init__(self, address: int, size: int, write: bool, region: str, reason: str) -> None:
        verb = "writes" if write else "reads"
        plural = "" if size == 1 else "s"
        super().__init__(f"{verb} {size} byte{plural} at {address:#x}: {reason}", address, region)
        self.size = size
        self.write = write
        self.reason = reason
