"""Statements about memory: context, stack, spills, map values, records, at constant and at computed places, atomics."""

from __future__ import annotations

from axiom_hw.bpf.isa import Kind, Op
from tests.bpf.fuzz.choices import Choices
from tests.bpf.fuzz.emit import ATOMIC_ROWS, LOAD_ROWS, STORE_ROWS
from tests.bpf.fuzz.generate import Writer
from tests.bpf.fuzz.model import ANY, Maybe, Model, Number, Pointer, Target

OWN_SLOTS = tuple(range(-8, -97, -8))


class MemoryWriter(Writer):
    """A writer that knows memory."""

    def __init__(self, choices: Choices) -> None:
        super().__init__(choices)
        self.menu += [
            (4, self.load_ctx), (4, self.spill), (5, self.fill), (5, self.access), (5, self.access_at_index),
            (3, self.atomic), (2, self.point_at_stack), (2, self.map_address),
        ]  # fmt: skip

    def load_ctx(self, model: Model) -> None:
        """A field of the context."""
        held = model.pointers(Target.CTX)
        if not held:
            return
        row = self.choices.pick(LOAD_ROWS)
        size = row.width // 8
        last = self.ctx.size - size + (self.choices.below(4) if self.slip() else 0)
        if last < 0:
            return
        off = self.choices.below(last + 1)
        if not self.choices.once_in(4):
            off -= off % size
        source = self.choices.pick(held)
        dst = self.take(model)
        self.code.row(row, dst, source, off)
        model.regs[dst] = ANY if row.width == 64 or row.kind is Kind.LOADSX else Number((1 << row.width) - 1)

    def spill(self, model: Model) -> None:
        """A store to the frame."""
        off = self.slot(model)
        if off is None:
            return
        held = [r for r in range(10) if model.regs[r] is not None]
        row = self.choices.pick(STORE_ROWS)
        size = row.width // 8
        source = self.choices.pick(held) if held else self.number(model)
        value = model.regs[source]
        if isinstance(value, Pointer | Maybe) and row.kind is Kind.STORE and size < 8 and not self.slip():
            source = self.number(model)
            value = model.regs[source]
        before = model.slots.get(off)
        if size < 8 and not isinstance(before, Number) and not self.slip():
            self.code.add("store64 imm", 10, off=off, imm=self.choices.imm())
        inside = off + self.choices.below(8 // size) * size
        self.code.row(row, 10, source, inside, self.choices.imm())
        if row.kind is Kind.STORE_IMM or size < 8:
            model.slots[off] = ANY
        else:
            assert value is not None
            model.slots[off] = value

    def fill(self, model: Model) -> None:
        """A load from the frame."""
        written = sorted(model.slots)
        if not written:
            return
        off = self.choices.pick(written)
        if self.slip():
            off = self.choices.pick(OWN_SLOTS)
        value = model.slots.get(off, ANY)
        if isinstance(value, Pointer | Maybe) and not self.slip():
            dst = self.take(model)
            self.code.add("load64", dst, 10, off)
            model.regs[dst] = value
            return
        row = self.choices.pick(LOAD_ROWS)
        dst, size = self.take(model), row.width // 8
        self.code.row(row, dst, 10, off + self.choices.below(8 // size) * size)
        model.regs[dst] = value if row.width == 64 and row.kind is Kind.LOAD else ANY

    def access(self, model: Model) -> None:
        """A load or store at a constant place of what a pointer points at."""
        base = self.base(model)
        if base is None:
            return
        pointer = self.pointer(model, base)
        row = self.row_for(pointer)
        if row is None:
            return
        size = row.width // 8
        last = pointer.size - size + (self.choices.below(9) if self.slip() else 0)
        off = self.choices.below(last + 1)
        if pointer.target is Target.STACK:
            off -= off % size
        self.touch(model, row, base, off, pointer)

    def access_at_index(self, model: Model) -> None:
        """A load or store at a place that a number tells: one that is bounded here, or was made small before."""
        base = self.base(model)
        if base is None:
            return
        pointer = self.pointer(model, base)
        row = self.row_for(pointer)
        if row is None:
            return
        size, skip = row.width // 8, self.code.label()
        scale = size.bit_length() - 1 if pointer.target is Target.STACK or self.choices.below(2) else 0
        last = pointer.size - size >> scale
        trusted = model.small(last)
        trusting = bool(trusted) and self.choices.below(3) > 0
        source = self.choices.pick(trusted) if trusting else self.number(model)
        index = self.take(model, avoid=(base, source))
        if index in (base, source):
            return
        model.regs[index] = ANY
        self.code.add("mov64 reg", index, source)
        side = model.copy()
        if not trusting:
            self._bound_index(model, source, index, last, skip)
        side.meet(model)  # what the bound changed besides
        if scale:
            self.code.add("lsh64 imm", index, imm=scale)
        place = self._place(model, base, index)
        if place is not None:
            model.regs[place] = side.regs[place] = None
            self.touch(model, row, place, 0, pointer)
            if self.choices.below(2):
                self.statements(model, 1)
        self.code.place(skip)
        model.meet(side)

    def _bound_index(self, model: Model, source: int, index: int, last: int, skip: int) -> None:
        """Bound a copy of a number by itself, by its original, or by a copy on the stack."""
        watched = source if self.choices.once_in(4) and source not in model.locked else index
        spilled = self.choices.once_in(4) and -96 not in model.kept
        width = self.choices.pick((64, 64, 32, 16, 8)) if spilled and self.slip() else 64
        if spilled:
            self.code.add("store64 imm", 10, off=-96)
            self.code.add(f"store{width} reg", 10, source, -96)
            model.slots[-96] = ANY
            if self.choices.below(2):
                self.code.add(f"load{width}", watched, 10, -96)
        self.bound(model, watched, last, skip)
        if spilled and self.choices.below(2):
            self.code.add("load64", index, 10, -96)
        model.regs[watched] = model.regs[index] = ANY

    def _place(self, model: Model, base: int, index: int) -> int | None:
        """The register that holds base + index."""
        if self.choices.below(2) and base not in model.locked:
            self.code.add("add64 reg", index, base)
            return index
        place = self.take(model, avoid=(index, base))
        if place in (index, base):
            return None
        self.code.add("mov64 reg", place, base)
        self.code.add("add64 reg", place, index)
        return place

    def atomic(self, model: Model) -> None:
        """An atomic operation on the frame, a map value or a record."""
        row = self.choices.pick(ATOMIC_ROWS)
        size = row.width // 8
        fetches = row.verb in ("xchg", "cmpxchg") or row.verb.startswith("fetch")
        source = self.number(model, writable=fetches)
        base = self.base(model)
        if row.verb == "cmpxchg" and not isinstance(model.regs[0], Number):
            self.put(model, 0, self.choices.below(4))
            if base == 0 or source == 0:
                return
        if base is not None and self.choices.below(2):
            pointer = self.pointer(model, base)
            if not pointer.writable or pointer.size < size or pointer.target is Target.CTX:
                return
            off = self.choices.below(pointer.size - size + 1)
            off -= 0 if self.slip() else off % size
            self.code.row(row, base, source, off)
            self.wrote(model, pointer)
        else:
            numbers = sorted(off for off, held in model.slots.items() if isinstance(held, Number))
            if not numbers:
                return
            off = self.choices.pick(numbers)
            self.code.row(row, 10, source, off + (4 if size == 4 and self.choices.below(2) else 0))
            model.slots[off] = ANY
        if row.verb == "cmpxchg":
            model.regs[0] = ANY
        elif fetches:
            model.regs[source] = ANY

    def point_at_stack(self, model: Model) -> None:
        """A pointer to some slots that hold numbers."""
        found = self.region(model)
        if found:
            dst = self.take(model)
            self.code.add("mov64 reg", dst, 10)
            self.code.add("add64 imm", dst, imm=found[0])
            model.regs[dst] = Pointer(Target.STACK, 8 * len(found), slots=found)

    def map_address(self, model: Model) -> None:
        """The address of an array's first value."""
        dst, index = self.take(model), self.choices.pick((0, 3))
        spec = self.maps[index]
        off = self.choices.below(spec.value_size) if self.choices.once_in(3) else 0
        self.code.map_value(dst, index, off)
        model.regs[dst] = Pointer(Target.VALUE, spec.value_size - off, writable=index == 0)

    # pieces

    def slot(self, model: Model) -> int | None:
        """A slot to overwrite."""
        free = [off for off in OWN_SLOTS if off not in model.kept]
        return self.choices.pick(free) if free else None

    def region(self, model: Model, size: int = 0) -> tuple[int, ...]:
        """Neighbouring slots that hold numbers, lowest first; `size` bytes of them, or any number."""
        count = -(-size // 8) or 1 + self.choices.below(3)
        start = self.choices.below(len(OWN_SLOTS) - count + 1)
        chosen = OWN_SLOTS[start : start + count]
        if any(off in model.kept for off in chosen):
            return ()
        for off in chosen:
            if not isinstance(model.slots.get(off), Number) and not self.slip():
                self.code.add("store64 imm", 10, off=off, imm=self.choices.imm())
                model.slots[off] = ANY
        return tuple(sorted(chosen))

    def base(self, model: Model) -> int | None:
        """A register that points at something."""
        held = model.pointers(Target.VALUE, Target.RECORD, Target.STACK, *((Target.CTX,) if self.ctx.writable else ()))
        return self.choices.pick(held) if held else None

    @staticmethod
    def pointer(model: Model, register: int) -> Pointer:
        held = model.regs[register]
        assert isinstance(held, Pointer)
        return held

    def row_for(self, pointer: Pointer) -> Op | None:
        """A load or store that fits."""
        rows = [*LOAD_ROWS, *(STORE_ROWS if pointer.writable or self.slip() else ())]
        row = self.choices.pick(rows)
        return row if row.width // 8 <= pointer.size else None

    def touch(self, model: Model, row: Op, base: int, off: int, pointer: Pointer) -> None:
        """The access itself."""
        if row.kind in (Kind.LOAD, Kind.LOADSX):
            dst = self.take(model)
            self.code.row(row, dst, base, off)
            model.regs[dst] = ANY
            return
        source = self.number(model) if row.kind is Kind.STORE else 0
        if self.slip():
            source = self.choices.below(10)
        if model.regs[base] is None and source == base:
            return
        self.code.row(row, base, source, off, self.choices.imm())
        self.wrote(model, pointer)

    @staticmethod
    def wrote(model: Model, pointer: Pointer) -> None:
        """The slots that a pointer means may hold other numbers now."""
        for slot in pointer.slots:
            if isinstance(model.slots.get(slot), Number):
                model.slots[slot] = ANY
