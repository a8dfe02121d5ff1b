"""Plausible programs from a string of decisions: what a compiler might emit, with a mistake here and there.

A program has four maps, a context, a prologue that saves it, statements in nested branches and loops, and functions.
`Writer` holds what all kinds of statement share: numbers, registers, branches, loops. `memory` and `calls` add theirs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from axiom_hw.bpf import isa
from axiom_hw.bpf.isa import Kind
from axiom_hw.bpf.spec import CtxSpec, MapFlag, MapSpec, MapType, ProgramSpec
from tests.bpf.fuzz.choices import Choices
from tests.bpf.fuzz.emit import ALU_ROWS, JUMP_ROWS, Code
from tests.bpf.fuzz.model import ANY, Held, Maybe, Model, Number, Pointer, Target

MISTAKES: Final = 40  # one in so many chances is taken
_MOST_SLOTS: Final = 160  # a program that is this long gets no further statement
TABLE, SIZES, BEATS, LIMITS = range(4)

Statement = Callable[[Model], None]


class Writer:
    """Writes the body of one program. Statements are methods that take the model of the place where they stand."""

    def __init__(self, choices: Choices) -> None:
        self.choices = choices
        self.code = Code()
        self.maps = _maps(choices)
        size = choices.pick((32, 32, 32, 32, 32, 8, 16, 0))
        self.ctx = CtxSpec(size, writable=True, length_in_r2=True) if choices.once_in(6) else CtxSpec(size)
        self.menu: list[tuple[int, Statement]] = [
            (6, self.arithmetic), (3, self.set_number), (3, self.branch), (2, self.loop), (1, self.compare_pointers),
        ]  # fmt: skip
        self.in_function = False

    def slip(self) -> bool:
        """Whether to make a mistake here."""
        return self.choices.once_in(MISTAKES)

    # statements

    def statements(self, model: Model, most: int) -> None:
        """Up to `most` statements."""
        total = sum(weight for weight, _ in self.menu)
        for _ in range(most):
            if not self.choices.left or len(self.code.insns) > _MOST_SLOTS:
                return
            at = self.choices.below(total)
            for weight, statement in self.menu:
                if at < weight:
                    statement(model)
                    break
                at -= weight

    def arithmetic(self, model: Model) -> None:
        """Any operation of the table on numbers."""
        row = self.choices.pick(ALU_ROWS)
        dst = self.number(model, writable=True)
        src = self.number(model) if row.uses_register else 0
        imm = self.choices.imm()
        for operand in (src, dst) if row.uses_register else (dst,):
            if self.choices.below(2) and operand not in model.locked:
                self.shape(model, operand)
        if self.slip():
            dst, src = self.choices.below(11), self.choices.below(11)
        self.code.row(row, dst, src, 0, imm)
        if dst < 10:
            bounded = row.verb in ("and", "mov") and not row.uses_register and imm >= 0 and row.kind is Kind.ALU
            model.regs[dst] = Number(imm) if bounded else ANY

    def shape(self, model: Model, register: int) -> None:
        """Give a number limits, on one side or on both, that may hold zero or the sign."""
        if not isinstance(model.regs[register], Number):
            return
        name, imm = self.choices.pick((
            ("and64 imm", 7), ("and32 imm", -8), ("or64 imm", 1), ("add64 imm", -4), ("xor32 imm", -1),
            ("rsh64 imm", 61), ("arsh64 imm", 60), ("rsh32 imm", 29), ("arsh32 imm", 28), ("movsx64 8", 0),
            ("movsx32 8", 0), ("mod64 imm", 5), ("smod64 imm", 3), ("sdiv32 imm", -7),
            ("mov64 imm", self.choices.imm()), ("mov32 imm", self.choices.imm()),
        ))  # fmt: skip
        self.code.add(name, register, register, imm=imm)
        model.regs[register] = ANY

    def set_number(self, model: Model) -> None:
        """A constant into a register."""
        dst = self.take(model)
        if self.choices.once_in(4):
            self.code.imm64(dst, self.choices.imm() << self.choices.below(33))
            model.regs[dst] = ANY
        else:
            imm = self.choices.imm()
            self.code.add("mov64 imm" if self.choices.below(2) else "mov32 imm", dst, imm=imm)
            model.regs[dst] = Number(imm) if imm >= 0 else ANY

    def branch(self, model: Model) -> None:
        """A comparison of numbers, with one side or two."""
        other, end = self.code.label(), self.code.label()
        row = self.choices.pick(JUMP_ROWS)
        left = self.number(model)
        right = self.number(model) if row.uses_register else 0
        self.code.jump(row, other, left, right, self.choices.imm())
        taken = model.copy()
        taken.depth = model.depth = model.depth + 1
        self.statements(model, 1 + self.choices.below(3))
        if self.choices.below(2):
            self.goto(end)
            self.code.place(other)
            self.statements(taken, 1 + self.choices.below(3))
        else:
            self.code.place(other)
        self.code.place(end)
        model.meet(taken)
        model.depth -= 1

    def loop(self, model: Model) -> None:
        """A counted loop."""
        counters = [r for r in (7, 8, 9) if r not in model.locked]
        if not counters or model.depth > 2:
            return
        counter, rounds = self.choices.pick(counters), 1 + self.choices.below(6)
        width = self.choices.pick((64, 32))
        row, start, step, limit = self.choices.pick((
            ("jne", 0, 1, rounds), ("jlt", 0, 1, rounds), ("jslt", -2, 1, rounds), ("jle", 1, 2, rounds),
            ("jne", rounds, -1, 0), ("jsgt", rounds, -1, 0), ("jgt", rounds, -1, 0), ("jsge", rounds, -1, 1),
        ))  # fmt: skip
        if self.slip():
            step = self.choices.below(5) - 2
        self.code.add(f"mov{width} imm", counter, imm=start)
        model.regs[counter] = ANY
        model.blur()
        body = model.copy()
        body.depth += 1
        body.locked |= {counter, *(r for r in range(10) if isinstance(model.regs[r], Pointer | Maybe))}
        body.kept |= frozenset(off for off, held in model.slots.items() if isinstance(held, Pointer | Maybe))
        head = self.code.label()
        self.code.place(head)
        self.statements(body, 1 + self.choices.below(4))
        self.code.add(f"add{width} imm", counter, imm=step)
        self.code.jump(isa.BY_NAME[f"{row}{width} imm"], head, counter, imm=limit)
        model.meet(body)

    def compare_pointers(self, model: Model) -> None:
        """A comparison of pointers: for NULL, or with a neighbour."""
        pointers = model.pointers(*Target)
        if not pointers:
            return
        pointer, end = self.choices.pick(pointers), self.code.label()
        if self.choices.below(2):
            self.code.jump(isa.BY_NAME["jeq64 imm"], end, pointer)
        else:
            held = model.regs[pointer]
            assert isinstance(held, Pointer)
            neighbour = self.take(model, avoid=(pointer,))
            if neighbour == pointer:
                return
            self.code.add("mov64 reg", neighbour, pointer)
            numbers = model.numbers()
            if numbers and self.slip():
                self.code.add("add64 reg", neighbour, self.choices.pick(numbers))
            else:
                self.code.add("add64 imm", neighbour, imm=self.choices.below(9))
            model.regs[neighbour] = None
            row = self.choices.pick(("jgt64 reg", "jeq64 reg", "jslt64 reg", "jle64 reg"))
            self.code.jump(isa.BY_NAME[row], end, neighbour, pointer)
        side = model.copy()
        self.statements(model, 1)
        self.code.place(end)
        model.meet(side)

    # operands

    def number(self, model: Model, *, writable: bool = False) -> int:
        """A register that holds a number; sets one where there is none."""
        found = [r for r in model.numbers() if not (writable and r in model.locked)]
        if found:
            return self.choices.pick(found)
        dst = self.take(model)
        self.code.add("mov64 imm", dst, imm=self.choices.below(10))
        model.regs[dst] = ANY
        return dst

    def take(self, model: Model, avoid: tuple[int, ...] = (), among: range = range(10)) -> int:
        """A register to overwrite."""
        free = [r for r in model.free() if r in among and r not in avoid]
        if not free:
            return avoid[0] if avoid else 0
        near = free[: max(1, len(free) - len(model.pointers(*Target)) - len(model.maybes()))]
        return self.choices.pick(near)

    def put(self, model: Model, dst: int, imm: int) -> None:
        """A small constant into an argument register."""
        self.code.add("mov64 imm", dst, imm=imm)
        model.regs[dst] = Number(imm)

    def goto(self, label: int) -> None:
        self.code.jump(isa.BY_NAME["gotol" if self.choices.once_in(8) else "goto"], label)

    def leave(self, model: Model, source: int | None = None) -> None:
        """Return a number."""
        if source is None:
            source = self.number(model)
        if source:
            self.code.add("mov64 reg", 0, source)
        self.code.add("exit")

    def bound(self, model: Model, register: int, limit: int, skip: int) -> Held:
        """Bring a number into 0..limit, in one way or in two on two paths; jumps to `skip` where it isn't."""
        if not self.choices.once_in(5):
            return self._bound(model, register, limit, skip)
        other, end = self.code.label(), self.code.label()
        row = self.choices.pick(JUMP_ROWS)
        self.code.jump(row, other, self.number(model), self.number(model), self.choices.imm())
        for first in (True, False):
            if self.choices.below(2):
                constant = self.choices.below(limit + 1) + (self.choices.below(64) if self.slip() else 0)
                self.code.add("mov64 imm", register, imm=constant)
            else:
                self._bound(model, register, limit, skip)
            if first:
                self.goto(end)
                self.code.place(other)
        self.code.place(end)
        return Number(limit)

    def _bound(self, model: Model, register: int, limit: int, skip: int) -> Held:
        """Bring a number into 0..limit in one of the ways that compilers know; jumps to `skip` where it isn't."""
        mask = (1 << (limit + 1).bit_length() - 1) - 1
        if self.slip():
            limit, mask = limit + 1 + self.choices.below(8), mask * 2 + 1
        match self.choices.below(12):
            case 0 | 1:
                self.code.add("and64 imm", register, imm=mask)
                limit = mask
            case 2:
                self.code.add("and32 imm", register, imm=mask)
                limit = mask
            case 3 | 4:
                self.code.jump(isa.BY_NAME["jgt64 imm"], skip, register, imm=limit)
            case 5:
                self.code.jump(isa.BY_NAME["jsgt64 imm"], skip, register, imm=limit)
                if not self.slip():
                    self.code.jump(isa.BY_NAME["jslt64 imm"], skip, register, imm=0)
            case 6:
                self.code.add("mod64 imm", register, imm=limit + 1)
            case 7:
                self.code.add("rsh64 imm", register, imm=64 - mask.bit_length())
                limit = mask
            case 8:
                if not self.slip():
                    self.code.add("mov32 reg", register, register)
                self.code.jump(isa.BY_NAME["jgt32 imm"], skip, register, imm=limit)
            case 9:
                self.code.add("lsh64 imm", register, imm=32)
                shift = self.choices.pick(("rsh64 imm", "arsh64 imm"))
                self.code.add(shift, register, imm=32)
                self.code.jump(isa.BY_NAME["jgt64 imm"], skip, register, imm=limit)
            case 10:
                extend = self.choices.pick(("movsx64 8", "movsx64 16", "movsx64 32", "movsx32 8", "movsx32 16"))
                self.code.add(extend, register, register)
                self.code.jump(isa.BY_NAME["jsgt64 imm"], skip, register, imm=limit)
                if not self.slip():
                    self.code.jump(isa.BY_NAME["jslt64 imm"], skip, register, imm=0)
            case _:
                other = self.take(model, avoid=(register,), among=range(6))
                if other == register:
                    self.code.add("and64 imm", register, imm=mask)
                    return Number(mask)
                self.code.add("mov64 imm", other, imm=limit)
                model.regs[other] = Number(limit)
                self.code.jump(isa.BY_NAME["jgt64 reg"], skip, register, other)
        return Number(limit)


def _maps(choices: Choices) -> tuple[MapSpec, ...]:
    return (
        MapSpec("table", MapType.ARRAY, 4, choices.pick((16, 8, 64, 48, 7)), choices.pick((4, 1, 3))),
        MapSpec("sizes", MapType.HASH, choices.pick((8, 4)), choices.pick((8, 16)), choices.pick((4, 1))),
        MapSpec("beats", MapType.RINGBUF, 0, 0, choices.pick((4096, 64, 256))),
        MapSpec("limits", MapType.ARRAY, 4, 16, 1, MapFlag.RDONLY_PROG),
    )


def as_spec(writer: Writer) -> ProgramSpec:
    """The program as the verifier takes it."""
    return ProgramSpec("fuzzed", writer.code.finish(), writer.maps, writer.ctx)
