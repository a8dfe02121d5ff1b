"""The mock bench: a board's devices in one virtual world, on a clock of its own, and the hands of somebody who uses them.

docs/mock-bench.md has every verb.
"""

from axiom_hw.bench.world import BOUNCE_NS, Later, MockBench

__all__ = ["BOUNCE_NS", "Later", "MockBench"]
