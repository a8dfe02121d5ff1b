"""Statements that call: helpers, lookups with their test for NULL, records with their release, functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from axiom_hw.bpf import isa
from axiom_hw.bpf.helpers import BY_NAME
from axiom_hw.bpf.spec import ProgramSpec
from tests.bpf.fuzz.choices import Choices
from tests.bpf.fuzz.generate import BEATS, SIZES, TABLE, as_spec
from tests.bpf.fuzz.memory import MemoryWriter
from tests.bpf.fuzz.model import ANY, Maybe, Model, Number, Pointer, Target

_FUNCTIONS = 3
_SHARED_BYTES = 16  # what a function gets of its caller's stack


@dataclass(slots=True)
class _Function:
    label: int
    takes: str  # what r2 is: number, stack or value
    most: int | None  # the limit of its result, and of what it leaves in the first slot that it takes


class ProgramWriter(MemoryWriter):
    """A writer that knows everything; `program` writes one."""

    def __init__(self, choices: Choices) -> None:
        super().__init__(choices)
        self.menu += [
            (6, self.look_up), (3, self.update), (1, self.delete), (4, self.record), (2, self.output),
            (3, self.ask), (2, self.drive), (1, self.print), (3, self.call_function), (3, self.check),
        ]  # fmt: skip
        self.functions: list[_Function] = []
        self.behind: list[Callable[[], None]] = []  # functions that stand behind all others
        self.lookups = 0
        self.depth = 0  # of the function that is being written: it calls later ones only

    def program(self) -> ProgramSpec:
        """A whole program."""
        model = Model()
        model.regs[1] = Pointer(Target.CTX, self.ctx.size, self.ctx.writable)
        if self.ctx.length_in_r2:
            model.regs[2] = Number(self.ctx.size)
        self.code.add("mov64 reg", 6, 1)
        model.regs[6] = model.regs[1]
        if not self.choices.once_in(8):
            model.locked |= {6}
        self.statements(model, 6 + self.choices.below(20))
        self.leave(model)
        self.in_function = True
        while self.depth < len(self.functions):
            function = self.functions[self.depth]
            self.depth += 1
            self._function(function)
        for write in self.behind:
            write()
        return as_spec(self)

    def _function(self, function: _Function) -> None:
        self.code.place(function.label)
        model = Model()
        model.regs[1] = ANY
        model.regs[2] = self._parameter(function)
        if function.takes == "stack":
            model.locked |= {2}
        self.statements(model, 1 + self.choices.below(5))
        if function.most is not None:
            self._keep_promise(model, function, function.most)
        self.leave(model, 0 if function.most is not None else None)

    def _keep_promise(self, model: Model, function: _Function, most: int) -> None:
        """Leave a small number in r0, and in what r2 points at."""
        out = self.code.label()
        self.number(model)
        source = self.choices.pick(model.numbers())
        register = 3 if function.takes == "stack" and isinstance(model.regs[2], Pointer) else 0
        self.code.add("mov64 imm", 0, imm=0)
        model.regs[0] = ANY
        if source != register:
            self.code.add("mov64 reg", register, source)
        model.regs[register] = ANY
        self.bound(model, register, most, out)
        if register:
            self.code.add("store64 reg", 2, register, 0)
            self.code.add("mov64 reg", 0, register)
        self.code.place(out)
        self.code.add("and64 imm", 0, imm=most)
        model.regs[0] = Number(most)

    def _parameter(self, function: _Function) -> Number | Pointer:
        match function.takes:
            case "stack":
                return Pointer(Target.STACK, _SHARED_BYTES)
            case "value":
                return Pointer(Target.VALUE, self.maps[TABLE].value_size)
            case _:
                return ANY

    # functions

    def call_function(self, model: Model) -> None:
        """A call of a function that may not exist yet."""
        later = self.functions[self.depth :]
        if len(self.functions) < _FUNCTIONS and (not later or self.choices.once_in(3)):
            takes = self.choices.pick(("stack", "number", "stack", "value"))
            later = [_Function(self.code.label(), takes, self.choices.pick((7, None, 1, 15)))]
            self.functions += later
        if not later:
            return
        function = self.choices.pick(later)
        shared: int | None = None
        if function.takes == "stack":
            found = self.region(model, _SHARED_BYTES)
            if not found:
                return
            source = self.number(model)
            self.code.add("mov64 reg", 1, source)
            self.code.add("mov64 reg", 2, 10)
            self.code.add("add64 imm", 2, imm=found[0])
            if function.most is not None:
                self.code.add("store64 imm", 10, off=found[0], imm=self.choices.below(function.most + 1))
            for off in found:
                model.slots[off] = ANY
            shared = found[0]
        elif function.takes == "value":
            self.code.add("mov64 reg", 1, self.number(model))
            self.code.map_value(2, TABLE, 0)
        else:
            first, second = self.number(model), self.number(model)
            if second != 1:
                self.code.add("mov64 reg", 1, first)
                self.code.add("mov64 reg", 2, second)
            else:
                self.code.add("mov64 reg", 2, second)
                self.code.add("mov64 reg", 1, first)
        self.code.jump(isa.BY_NAME["call local"], function.label)
        model.clobber()
        model.regs[0] = Number(function.most)
        if shared is not None:
            model.slots[shared] = Number(function.most)

    # maps

    def look_up(self, model: Model) -> None:
        """A lookup and, nearly always, the test for NULL in one of its forms."""
        index = self.choices.pick((TABLE, TABLE, SIZES, 3))
        if not self.key(model, index, 2):
            return
        self.code.add("imm64 map", 1, imm=index)
        self.helper("map_lookup_elem")
        model.clobber()
        pointer = Pointer(Target.VALUE, self.maps[index].value_size, writable=index != 3)
        if self.choices.below(3):
            self._unless_null(model, pointer)
            return
        self.lookups += 1
        model.regs[0] = Maybe(pointer, self.lookups)
        for home in (7, 8, 9):  # keep it, and test it later
            if home not in model.locked and not self.choices.once_in(3):
                self.code.add("mov64 reg", home, 0)
                model.regs[home] = model.regs[0]
                break

    def check(self, model: Model) -> None:
        """A late test for NULL: all copies are pointers from there on."""
        found = model.maybes()
        if not found:
            return
        register, skip = self.choices.pick(found), self.code.label()
        tested = self.choices.pick(found) if self.slip() else register
        held = model.regs[register]
        assert isinstance(held, Maybe)
        inverted = self.choices.below(2)
        self.code.jump(isa.BY_NAME["jne64 imm" if inverted else "jeq64 imm"], skip, tested)
        side = model.copy()
        there = side if inverted else model
        model.settle(held.number, ANY if inverted else held.pointer)
        side.settle(held.number, held.pointer if inverted else ANY)
        if inverted:
            self.statements(model, self.choices.below(2))
            end = self.code.label()
            self.goto(end)
            self.code.place(skip)
            self.access(side)
            self.statements(side, 1 + self.choices.below(3))
            self.code.place(end)
        else:
            self.access(there)
            self.statements(there, 1 + self.choices.below(3))
            self.code.place(skip)
        model.meet(side)

    def _unless_null(self, model: Model, pointer: Pointer) -> None:
        """r0 may be NULL: go on, in one of the usual ways, with what it points at."""
        home = self.take(model, among=range(7, 10))
        copied = home >= 7 and home not in model.locked and bool(self.choices.below(2))
        form, watched = self.choices.below(8), 0
        if copied:
            self.code.add("mov64 reg", home, 0)
            model.regs[home] = None
            watched = home if self.choices.once_in(3) else 0
        if form == 7 and -88 not in model.kept:
            self.code.add("store64 reg", 10, 0, -88)
            model.slots.pop(-88, None)
        skip = self.code.label()
        if self.slip():
            form = 8
        side = model.copy()
        side.regs[0] = ANY
        if copied:
            side.regs[home] = ANY
        if form in (0, 1, 2) and not model.records:
            self.code.jump(isa.BY_NAME["jne64 imm"], skip, watched)
            self.code.add("mov64 imm", 0, imm=self.choices.below(9))
            self.code.add("exit")
            self.code.place(skip)
        elif form != 8:
            self.code.jump(isa.BY_NAME["jeq64 imm"], skip, watched)
        model.regs[0] = pointer
        if copied:
            model.regs[home] = pointer
        if form == 7 and -88 not in model.kept:
            self.code.add("load64", 0, 10, -88)
            model.slots[-88] = pointer
        if form in (0, 1, 2) and not model.records:
            self.access(model)
            return
        model.depth += 1
        self.access(model)
        self.statements(model, 1 + self.choices.below(3))
        model.depth -= 1
        if form != 8:
            self.code.place(skip)
            model.meet(side)

    def key(self, model: Model, index: int, register: int) -> bool:
        """A key on the stack, and its address in a register."""
        spec = self.maps[index]
        off = self.slot(model)
        if off is None:
            return False
        if self.choices.below(2):
            self.code.add(f"store{spec.key_size * 8} imm", 10, off=off, imm=self.choices.below(5))
        else:
            self.code.add(f"store{spec.key_size * 8} reg", 10, self.number(model), off)
        model.slots.pop(off, None)
        if spec.key_size == 8:
            model.slots[off] = ANY
        self.code.add("mov64 reg", register, 10)
        self.code.add("add64 imm", register, imm=off + (1 if self.slip() else 0))
        model.regs[register] = None
        return True

    def update(self, model: Model) -> None:
        """A new value for a key."""
        index = self.choices.pick((TABLE, SIZES))
        found = self.region(model, self.maps[index].value_size)
        if not found:
            return
        keep = model.kept
        model.kept |= frozenset(found)
        done = self.key(model, index, 2)
        model.kept = keep
        if not done:
            return
        self.code.add("mov64 reg", 3, 10)
        self.code.add("add64 imm", 3, imm=found[0])
        self.code.add("imm64 map", 1, imm=index)
        self.put(model, 4, self.choices.below(4))
        self.helper("map_update_elem")
        model.clobber()
        model.regs[0] = ANY

    def delete(self, model: Model) -> None:
        """A key goes."""
        if self.key(model, SIZES, 2):
            self.code.add("imm64 map", 1, imm=SIZES)
            self.helper("map_delete_elem")
            model.clobber()
            model.regs[0] = ANY

    # records

    def record(self, model: Model) -> None:
        """A record: reserved, filled, submitted or discarded."""
        free = [r for r in (7, 8, 9) if r not in model.locked]
        if not free:
            return
        home, size = self.choices.pick(free), self.choices.pick((16, 8, 24, 1, 100))
        self.code.add("imm64 map", 1, imm=BEATS)
        self.put(model, 2, size)
        self.put(model, 3, 0)
        self.helper("ringbuf_reserve")
        model.clobber()
        model.regs[0] = ANY
        model.regs[home] = ANY
        skip = self.code.label()
        early = self.choices.below(2)
        if early:
            self.code.add("mov64 reg", home, 0)
        self.code.jump(isa.BY_NAME["jeq64 imm"], skip, 0)
        if not early:
            self.code.add("mov64 reg", home, 0)
        side = model.copy()
        before = model.locked
        pointer = Pointer(Target.RECORD, size)
        model.regs[0] = model.regs[home] = pointer
        model.locked |= {home}
        model.records += 1
        model.depth += 1
        self.access(model)
        self.statements(model, self.choices.below(4))
        model.depth -= 1
        model.records -= 1
        model.locked = before
        if not self.slip():
            self.code.add("mov64 reg", 1, home)
            if self.slip():
                self.code.add("add64 imm", 1, imm=8)
            self.put(model, 2, self.choices.below(3))
            self.helper(self.choices.pick(("ringbuf_submit", "ringbuf_discard")))
        model.clobber()
        if not self.slip():
            model.regs = [None if held == pointer else held for held in model.regs]
            model.slots = {off: held for off, held in model.slots.items() if held != pointer}
        else:
            self.statements(model, 1)
        self.code.place(skip)
        model.meet(side)

    def output(self, model: Model) -> None:
        """A record copied from somewhere."""
        if self.choices.below(2):
            held = model.pointers(Target.CTX, Target.VALUE, Target.STACK, Target.RECORD)
            if not held:
                return
            source = self.choices.pick(held)
            size = self.pointer(model, source).size
            self.code.add("mov64 reg", 2, source)
        else:
            found = self.region(model)
            if not found:
                return
            size = 8 * len(found)
            self.code.add("mov64 reg", 2, 10)
            self.code.add("add64 imm", 2, imm=found[0])
        model.regs[2] = None
        skip = self.code.label()
        side: Model | None = None
        numbers = [r for r in model.numbers() if r > 2]
        if numbers and self.choices.once_in(3):
            self.code.add("mov64 reg", 3, self.choices.pick(numbers))
            model.regs[3] = ANY
            side = model.copy()
            self.bound(model, 3, size, skip)
        else:
            self.put(model, 3, size + (1 if self.slip() else 0))
        self.code.add("imm64 map", 1, imm=BEATS)
        self.put(model, 4, self.choices.below(3))
        self.helper("ringbuf_output")
        model.clobber()
        model.regs[0] = ANY
        self.code.place(skip)
        if side is not None:
            for r in range(6):
                side.regs[r] = None
            model.meet(side)

    # others

    def ask(self, model: Model) -> None:
        """A helper that takes little and gives a number."""
        name = self.choices.pick(
            ("ktime_get_ns", "get_prandom_u32", "get_smp_processor_id", "gpio_get", "ringbuf_query")
        )
        if name == "gpio_get":
            self.code.add("mov64 reg", 1, self.number(model))
        elif name == "ringbuf_query":
            self.put(model, 2, self.choices.below(5))
            self.code.add("imm64 map", 1, imm=BEATS)
        if name in ("ktime_get_ns", "get_prandom_u32") and self.choices.once_in(6):
            self.put(model, 1, BY_NAME[name].id)
            self.code.add("callx", 1)
        else:
            self.helper(name)
        model.clobber()
        model.regs[0] = ANY

    def drive(self, model: Model) -> None:
        """A helper that takes numbers and drives something."""
        name = self.choices.pick(("gpio_set", "pwm_write", "emergency_stop"))
        for register in range(len(BY_NAME[name].args), 0, -1):
            source = self.number(model)
            if self.slip():
                source = self.choices.below(11)
            self.code.add("mov64 reg", register, source)
            model.regs[register] = ANY
        self.helper(name)
        model.clobber()
        model.regs[0] = ANY

    def print(self, model: Model) -> None:
        """A format on the stack, and numbers for it."""
        off = self.slot(model)
        if off is None:
            return
        text = self.choices.pick((b"%d %u\n\0\0", b"%llx %p\0", b"100%%%c\0", b"plain\0\0\0", b"%s%s%s\0\0"))
        register = self.number(model)
        self.code.imm64(5, int.from_bytes(text[:8], "little"))
        self.code.add("store64 reg", 10, 5, off)
        model.slots[off] = ANY
        self.code.add("mov64 reg", 3, register if register != 5 else 10 if self.slip() else 5)
        self.code.add("mov64 reg", 4, 3)
        self.code.add("mov64 reg", 1, 10)
        self.code.add("add64 imm", 1, imm=off)
        self.put(model, 2, 8)
        self.helper("trace_printk")
        model.clobber()
        model.regs[0] = ANY

    def helper(self, name: str) -> None:
        self.code.add("call", imm=BY_NAME[name].id)
