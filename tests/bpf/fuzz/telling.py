"""Programs whose result tells of every number that they still hold: where two engines differ, r0 does."""

from __future__ import annotations

from axiom_hw.bpf.spec import ProgramSpec
from tests.bpf.fuzz.choices import Choices
from tests.bpf.fuzz.model import ANY, Model, Number
from tests.bpf.fuzz.traps import TrapWriter

_FACTOR = 31


class TellingWriter(TrapWriter):
    """A writer that calculates more, and folds all registers and saved numbers into the result."""

    def __init__(self, choices: Choices) -> None:
        super().__init__(choices)
        self.menu.append((8, self.arithmetic))

    def leave(self, model: Model, source: int | None = None) -> None:
        if source is not None:
            super().leave(model, source)
            return
        first = self.number(model)
        others = [r for r in model.numbers() if r not in (0, first)]
        if first:
            if 0 in model.numbers():
                self.code.add("add64 reg", first, 0)
            self.code.add("mov64 reg", 0, first)
        model.regs[0] = ANY
        for register in others:
            self._fold(register)
        scratch = next((r for r in others if r not in model.locked), None)
        if scratch is not None:
            for off in sorted(off for off, held in model.slots.items() if isinstance(held, Number)):
                self.code.add("load64", scratch, 10, off)
                self._fold(scratch)
        self.code.add("exit")

    def _fold(self, register: int) -> None:
        self.code.add("mul64 imm", 0, imm=_FACTOR)
        self.code.add("add64 reg", 0, register)


def generate_telling(data: bytes) -> ProgramSpec:
    """The program that these decisions make."""
    return TellingWriter(Choices(data)).program()
