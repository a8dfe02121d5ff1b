"""Statements in the shape of real verifier bugs: most are refused, and where one is accepted wrongly, a run shows it.

Each ends in something that can be seen: an access that faults when its index is too large, or a number in a map.
"""

from __future__ import annotations

from axiom_hw.bpf import isa
from axiom_hw.bpf.helpers import BY_NAME
from axiom_hw.bpf.spec import ProgramSpec
from tests.bpf.fuzz.calls import ProgramWriter
from tests.bpf.fuzz.choices import Choices
from tests.bpf.fuzz.emit import JUMP_ROWS
from tests.bpf.fuzz.generate import BEATS, TABLE
from tests.bpf.fuzz.model import ANY, Model, Number, Target

_FAR = 4096


class TrapWriter(ProgramWriter):
    """A writer that sets a trap now and then."""

    def __init__(self, choices: Choices) -> None:
        super().__init__(choices)
        self.menu.append((2, self.trap))

    def trap(self, model: Model) -> None:
        """One of them."""
        self.choices.pick((
            self.growing_index, self.unwritten_slot, self.copy_on_one_path, self.narrow_copy, self.released_record,
            self.index_of_two_paths, self.function_of_two_paths, self.address_to_a_map,
            self.flag, self.bound_of_two_paths, self.bound_of_two_paths,
        ))(model)  # fmt: skip

    def growing_index(self, model: Model) -> None:
        """An index that grows in a loop: too far, or not."""
        counters = [r for r in (7, 8, 9) if r not in model.locked]
        if len(counters) < 2:
            return
        index, counter = counters[:2]
        step, rounds = 1 + self.choices.below(8), 1 + self.choices.below(9)
        self.code.add("mov64 imm", index, imm=0)
        self.code.add("mov64 imm", counter, imm=rounds)
        model.regs[index] = model.regs[counter] = ANY
        head = self.code.label()
        self.code.place(head)
        self.follow(model, index)
        self.code.add("add64 imm", index, imm=step)
        self.code.add("add64 imm", counter, imm=-1)
        self.code.jump(isa.BY_NAME["jne64 imm"], head, counter, imm=0)

    def unwritten_slot(self, model: Model) -> None:
        """A piece of stack that may not be written, copied to a map."""
        off = self.slot(model)
        if off is None:
            return
        dst = self.take(model, among=range(6))
        size = self.choices.pick((64, 32, 8))
        if self.choices.below(2):  # it is, on one path or in part
            skip = self.code.label()
            self.code.jump(
                self.choices.pick(JUMP_ROWS), skip, self.number(model), self.number(model), self.choices.imm()
            )
            self.code.add(self.choices.pick(("store64 imm", "store32 imm")), 10, off=off)
            self.code.place(skip)
        self.code.add(f"load{size}", dst, 10, off)
        model.regs[dst] = ANY
        self.show(model, dst)

    def copy_on_one_path(self, model: Model) -> None:
        """Two registers hold one number on one of two paths; one is bounded, the other is an index."""
        source = self.unknown(model)
        copy = self.take(model, avoid=(source,))
        if copy == source:
            return
        other, end, out = self.code.label(), self.code.label(), self.code.label()
        self.code.jump(self.choices.pick(JUMP_ROWS), other, self.number(model), self.number(model), self.choices.imm())
        paths = [lambda: self.code.add("mov64 reg", copy, source), lambda: self.code.add("mov64 imm", copy, imm=1)]
        if self.choices.below(2):
            paths.reverse()
        paths[0]()
        self.goto(end)
        self.code.place(other)
        paths[1]()
        self.code.place(end)
        model.regs[copy] = ANY
        self.bound_simply(copy, out)
        self.follow(model, source)
        self.code.place(out)

    def narrow_copy(self, model: Model) -> None:
        """A number goes through a narrow piece of stack, is bounded there, and its original is an index."""
        off = self.slot(model)
        source = self.unknown(model)
        copy = self.take(model, avoid=(source,))
        if off is None or copy == source:
            return
        store, load = self.choices.pick(((32, 32), (8, 8), (16, 16), (64, 32), (64, 8), (64, 16)))
        out = self.code.label()
        self.code.add(f"store{store} reg", 10, source, off)
        self.code.add(self.choices.pick((f"load{load}", f"loadsx{load}")), copy, 10, off)
        model.slots.pop(off, None)
        model.regs[copy] = ANY
        self.bound_simply(copy, out)
        self.follow(model, source)
        self.code.place(out)

    def released_record(self, model: Model) -> None:
        """A record is used after it was given away, through one of its copies."""
        free = [r for r in (7, 8, 9) if r not in model.locked]
        off = self.slot(model)
        if not free or off is None:
            return
        home, out = free[0], self.code.label()
        self.code.add("imm64 map", 1, imm=BEATS)
        self.put(model, 2, 8)
        self.put(model, 3, 0)
        self.helper("ringbuf_reserve")
        model.clobber()
        model.regs[home] = None
        model.slots.pop(off, None)
        self.code.add("mov64 reg", home, 0)
        self.code.jump(isa.BY_NAME["jeq64 imm"], out, 0)
        self.code.add("store64 reg", 10, 0, off)
        self.code.add("mov64 reg", 1, 0)
        self.put(model, 2, 0)
        self.helper("ringbuf_submit")
        model.clobber()
        if self.choices.below(2):
            self.code.add("load64", home, 10, off)
        if self.choices.below(2):
            self.code.add("load64", 2, home, 0)
            self.show(model, 2)
        else:
            self.code.add("mov64 reg", 1, home)
            self.put(model, 2, 0)
            self.code.add("call", imm=BY_NAME["ringbuf_discard"].id)
        self.code.place(out)
        model.clobber()

    def index_of_two_paths(self, model: Model) -> None:
        """An index that is small on one path and large on the other goes to the stack and comes back."""
        off = self.slot(model)
        if off is None:
            return
        index = self.take(model, among=range(6))
        alias = self.take(model, avoid=(index,), among=range(6))
        if alias == index:
            return
        self.two_paths(model, index)
        self.code.add("mov64 reg", alias, 10)
        self.code.add("add64 imm", alias, imm=off)
        writes = self.choices.below(4)
        self.code.add("store64 imm", 10, off=off)
        if writes == 0:
            self.code.add("store64 reg", alias, index, 0)
        elif writes == 1:
            self.code.add("store32 reg", alias, index, 0)
        elif writes == 2:
            self.code.add("atomic_add64", alias, index, 0)
        else:
            self.code.add("store64 reg", 10, index, off)
        if self.choices.below(2):
            self.code.add("load64", index, 10, off)
        else:
            self.code.add("load64", index, alias, 0)
        model.slots[off] = model.regs[index] = ANY
        model.regs[alias] = None
        self.follow(model, index)

    def function_of_two_paths(self, model: Model) -> None:
        """A function leaves such an index in its caller's frame, or in r0."""
        off = self.slot(model)
        if off is None:
            return
        self.code.add("store64 imm", 10, off=off)
        self.code.add("mov64 reg", 1, self.number(model))
        self.code.add("mov64 reg", 2, 10)
        self.code.add("add64 imm", 2, imm=off)
        label = self.code.label()
        self.code.jump(isa.BY_NAME["call local"], label)
        model.clobber()
        model.slots[off] = model.regs[0] = ANY
        if self.choices.below(2):
            self.code.add("load64", 0, 10, off)
        self.follow(model, 0)
        self.behind.append(lambda: self._function_of_two_paths(label))

    def _function_of_two_paths(self, label: int) -> None:
        self.code.place(label)
        model = Model()
        model.regs[1] = ANY
        self.two_paths(model, 3)
        self.code.add("store64 reg", 2, 3, 0)
        if self.choices.below(2):
            self.code.add("mov64 reg", 0, 3)
        else:
            self.code.add("mov64 imm", 0, imm=0)
        self.code.add("exit")

    def address_to_a_map(self, model: Model) -> None:
        """An address, or a number on one path and an address on the other, is stored where the user sees it."""
        value = self.take(model, among=range(6))
        place = self.take(model, avoid=(value,), among=range(6))
        left = self.number(model)
        if place == value or left in (place, value):
            return
        meet = self.code.label()
        both = self.choices.below(3)
        sources = (lambda: self.code.add("mov64 imm", value), lambda: self.code.add("mov64 reg", value, 10))
        first, second = sources if self.choices.below(2) else sources[::-1]
        first()
        if both:
            self.code.jump(self.choices.pick(JUMP_ROWS), meet, left, left, self.choices.imm())
            second()
        self.code.place(meet)
        self.code.map_value(place, TABLE, 0)
        width = self.choices.pick((8, 16, 32, 64)) if self.maps[TABLE].value_size >= 8 else 8
        self.code.add(f"store{width} reg", place, value, 0)
        model.regs[value] = model.regs[place] = None

    def flag(self, model: Model) -> None:
        """A number that two paths set decides whether an index is far; between the two it may be copied or spilled."""
        flag = self.take(model, among=range(6))
        index = self.take(model, avoid=(flag,), among=range(6))
        off = self.slot(model)
        if index == flag or off is None:
            return
        self.two_paths(model, flag)
        model.regs[flag] = ANY
        match self.choices.below(3):
            case 0:
                self.code.add("store64 reg", 10, flag, off)
                self.code.add("load64", flag, 10, off)
                model.slots[off] = ANY
            case 1:
                self.code.add("mov32 reg", index, flag)
                self.code.add("mov64 reg", flag, index)
            case _:
                pass
        skip = self.code.label()
        self.code.add("mov64 imm", index, imm=1)
        row = self.choices.pick(("jgt64 imm", "jle64 imm", "jlt32 imm", "jsge32 imm", "jset64 imm"))
        self.code.jump(isa.BY_NAME[row], skip, flag, imm=7)
        self.code.add("mov64 imm", index, imm=_FAR)
        self.code.place(skip)
        model.regs[index] = ANY
        self.follow(model, index)

    def bound_of_two_paths(self, model: Model) -> None:
        """A number is compared with such a bound, or steps by it first; its copy is an index."""
        bound = self.take(model, among=range(6))
        source = self.take(model, avoid=(bound,), among=range(6))
        copy = self.take(model, avoid=(bound, source), among=range(6))
        off = self.slot(model)
        if len({bound, source, copy}) < 3 or off is None:
            return
        self.code.map_value(source, TABLE, 0)
        self.code.add("load64" if self.maps[TABLE].value_size >= 8 else "load8", source, source, 0)
        model.regs[source] = ANY
        self.two_paths(model, bound)
        out, saved = self.code.label(), self.choices.below(2)
        self.code.add("mov64 reg", copy, source)
        if saved:
            self.code.add("store64 reg", 10, source, off)
        match self.choices.below(3):
            case 0:
                self.code.jump(isa.BY_NAME[self.choices.pick(("jgt64 reg", "jge64 reg"))], out, source, bound)
            case 1:
                self.code.add("add64 imm", source, imm=self.choices.below(4))
                self.code.jump(isa.BY_NAME["jgt64 reg"], out, source, bound)
            case _:
                self.code.add("add64 reg", source, bound)
                self.bound_simply(source, out)
        if saved:
            self.code.add("load64", copy, 10, off)
            model.slots[off] = ANY
        model.regs[source] = model.regs[copy] = ANY
        self.follow(model, copy)
        self.code.place(out)

    # pieces

    def unknown(self, model: Model) -> int:
        """A register with a number that nobody knows."""
        dst = self.take(model)
        held = model.pointers(Target.CTX)
        if held and self.ctx.size >= 8:
            self.code.add("load64", dst, self.choices.pick(held), 8 * self.choices.below(self.ctx.size // 8))
        else:
            self.code.map_value(dst, TABLE, 0)
            self.code.add("load64" if self.maps[TABLE].value_size >= 8 else "load8", dst, dst, 0)
        model.regs[dst] = ANY
        return dst

    def two_paths(self, model: Model, index: int) -> None:
        """A register gets one constant or another."""
        small, large = self.choices.below(7), self.choices.pick((_FAR, 1, 80))
        first, second = (small, large) if self.choices.below(2) else (large, small)
        meet = self.code.label()
        row = self.choices.pick(JUMP_ROWS)
        left, right = self.number(model), self.number(model)
        if index in (left, right):
            model.regs[index] = None
            return
        self.code.add("mov64 imm", index, imm=first)
        self.code.jump(row, meet, left, right, self.choices.imm())
        self.code.add("mov64 imm", index, imm=second)
        self.code.place(meet)
        model.regs[index] = Number(max(small, large))

    def bound_simply(self, register: int, out: int) -> None:
        self.code.jump(isa.BY_NAME[self.choices.pick(("jgt64 imm", "jgt32 imm", "jne64 imm"))], out, register, imm=3)

    def follow(self, model: Model, index: int) -> None:
        """A byte of the table at that index, however large."""
        place = self.take(model, avoid=(index,), among=range(6))
        if place == index:
            return
        self.code.map_value(place, TABLE, 0)
        self.code.add("add64 reg", place, index)
        self.code.add("load8", place, place, 0)
        model.regs[place] = ANY

    def show(self, model: Model, register: int) -> None:
        """Put a number where the user sees it."""
        place = self.take(model, avoid=(register,), among=range(6))
        if place == register:
            return
        self.code.map_value(place, TABLE, 0)
        self.code.add("store8 reg", place, register, 0)
        model.regs[place] = None


def generate(data: bytes) -> ProgramSpec:
    """The program that these decisions make."""
    return TrapWriter(Choices(data)).program()
