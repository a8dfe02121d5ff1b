"""The mock bench: a board's devices in one virtual world, on a clock of its own, and hands that use them.

docs/mock-bench.md has every verb.
"""

from axiom_hw.bench.hands import BOUNCE_NS, Later
from axiom_hw.bench.history import History
from axiom_hw.bench.models import MotorModel, ThermalModel
from axiom_hw.bench.world import MockBench

__all__ = ["BOUNCE_NS", "History", "Later", "MockBench", "MotorModel", "ThermalModel"]
