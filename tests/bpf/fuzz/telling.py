"""Programs for comparing engines: their result tells of every number that they still hold, and registers point into
one object on one path and into another on the next, which is where native code has to know what it follows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from axiom_hw.bpf import isa
from axiom_hw.bpf.spec import ProgramSpec
from tests.bpf.fuzz.choices import Choices
from tests.bpf.fuzz.emit import JUMP_ROWS
from tests.bpf.fuzz.generate import LIMITS, SIZES, TABLE
from tests.bpf.fuzz.model import ANY, Model, Number, Pointer
from tests.bpf.fuzz.traps import TrapWriter

_FACTOR = 31


class TellingWriter(TrapWriter):
    """A writer that calculates more, and folds all registers and saved numbers into the result."""

    def __init__(self, choices: Choices) -> None:
        super().__init__(choices)
        self.menu += [(8, self.arithmetic), (8, self.either), (2, self.either_map)]

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

    def either(self, model: Model) -> None:
        """A register that points into one of two objects, of which 8 bytes are used in one of many ways."""
        slots = self.region(model, 8)
        home = self.take(model, among=range(7, 10))
        if not slots or home < 7 or home in model.locked:
            return
        places: list[Callable[[], None]] = [lambda: self._stack(home, slots[0])]
        if self.maps[TABLE].value_size >= 8:
            places.append(lambda: self.code.map_value(home, TABLE, 0))
        readable = [*places, lambda: self.code.map_value(home, LIMITS, self.choices.pick((0, 8)))]
        if isinstance(model.regs[6], Pointer) and self.ctx.size >= 8:
            (places if self.ctx.writable else readable).append(lambda: self.code.add("mov64 reg", home, 6))
        use = self.choices.pick(("load", "load", "spill", "store", "atomic", "null", "compare", "key", "call"))
        self._on_two_paths(model, places if use in ("store", "atomic") else readable)
        model.regs[home] = None
        self._use(model, use, home)
        for slot in slots:
            model.slots[slot] = ANY

    def _stack(self, home: int, off: int) -> None:
        self.code.add("mov64 reg", home, 10)
        self.code.add("add64 imm", home, imm=off)

    def _on_two_paths(self, model: Model, ways: Sequence[Callable[[], None]]) -> None:
        other, end = self.code.label(), self.code.label()
        self.code.jump(self.choices.pick(JUMP_ROWS), other, self.number(model), self.number(model), self.choices.imm())
        self.choices.pick(ways)()
        self.goto(end)
        self.code.place(other)
        self.choices.pick(ways)()
        self.code.place(end)

    def _use(self, model: Model, use: str, home: int) -> None:
        dst = self.take(model, avoid=(home,), among=range(6))
        off = self.choices.pick((0, 0, 4)) if use in ("load", "store") else 0
        match use:
            case "load":
                self.code.add(self.choices.pick(("load64", "load32", "load16", "loadsx8"))
                              if not off else "load32", dst, home, off)  # fmt: skip
            case "spill":
                self.code.add("store64 reg", 10, home, -96)
                self.code.add("load64", dst, 10, -96)
                self.code.add("load64", dst, dst)
                model.slots.pop(-96, None)
            case "store":
                self.code.add("store32 reg", home, self.number(model), off)
                return
            case "atomic":
                source = self.number(model)
                self.code.add("atomic_fetch_add64", home, source)
                model.regs[source] = ANY
                return
            case "null":
                skip = self.code.label()
                self.code.add("mov64 imm", dst, imm=1)
                self.code.jump(isa.BY_NAME[self.choices.pick(("jne64 imm", "jeq64 imm"))], skip, home)
                self.code.add("mov64 imm", dst, imm=2)
                self.code.place(skip)
            case "compare":
                skip, near = self.code.label(), self.take(model, avoid=(home, dst), among=range(6))
                self.code.add("mov64 reg", near, home)
                self.code.add("add64 imm", near, imm=self.choices.below(9) - 4)
                model.regs[near] = None
                self.code.add("mov64 imm", dst, imm=1)
                row = self.choices.pick(("jgt64 reg", "jeq64 reg", "jslt64 reg", "jsge64 reg", "jset64 reg"))
                self.code.jump(isa.BY_NAME[row], skip, near, home)
                self.code.add("mov64 imm", dst, imm=2)
                self.code.place(skip)
            case "key":
                self.code.add("mov64 reg", 2, home)
                self._look_up_or(model)
                return
            case "call":
                self.code.add("mov64 reg", 3, home)
                self.code.add("mov64 imm", 4, imm=0)
                self.code.add("mov64 reg", 2, home)
                self.code.add("imm64 map", 1, imm=SIZES)
                if self.maps[SIZES].value_size == 8:
                    self.helper("map_update_elem")
                    model.clobber()
                    model.regs[0] = ANY
                return
        model.regs[dst] = ANY

    def either_map(self, model: Model) -> None:
        """A lookup in one of two maps; the value, or NULL, is one of either."""
        if not self.key(model, SIZES, 2):
            return
        self._look_up_or(model)

    def _look_up_or(self, model: Model) -> None:
        ways = [lambda: self.code.add("imm64 map", 1, imm=SIZES), lambda: self.code.add("imm64 map", 1, imm=TABLE)]
        kept = model.copy()
        model.regs[1] = model.regs[2] = None
        model.locked |= {1, 2}
        self._on_two_paths(model, ways)
        model.locked = kept.locked
        self.helper("map_lookup_elem")
        model.clobber()
        skip = self.code.label()
        self.code.jump(isa.BY_NAME["jeq64 imm"], skip, 0)
        self.code.add(self.choices.pick(("load32", "loadsx16", "load8")), 0, 0)
        self.code.place(skip)
        model.regs[0] = ANY

    def _fold(self, register: int) -> None:
        self.code.add("mul64 imm", 0, imm=_FACTOR)
        self.code.add("add64 reg", 0, register)


def generate_telling(data: bytes) -> ProgramSpec:
    """The program that these decisions make."""
    return TellingWriter(Choices(data)).program()
