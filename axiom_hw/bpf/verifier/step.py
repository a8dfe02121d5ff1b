"""What one instruction does to a state, and what must hold before it may."""

from __future__ import annotations

from axiom_hw.bpf.arithmetic import COMPARISONS, M64
from axiom_hw.bpf.insn import FRAME_POINTER, Insn, imm64
from axiom_hw.bpf.isa import Kind as Op_
from axiom_hw.bpf.isa import Op
from axiom_hw.bpf.spec import ProgramSpec
from axiom_hw.bpf.verifier import arith, branch
from axiom_hw.bpf.verifier.access import Memory, called, refuse_far
from axiom_hw.bpf.verifier.calls import Calls
from axiom_hw.bpf.verifier.cfg import Shape, target_of
from axiom_hw.bpf.verifier.num import M32, ZERO, Num, const
from axiom_hw.bpf.verifier.rejection import Refusal, place_of
from axiom_hw.bpf.verifier.values import Kind, Ptr, Reg, State, new_frame


class Step:
    """The abstract machine: `run` follows one instruction and gives the states that come of it, with their pcs."""

    def __init__(self, spec: ProgramSpec, shape: Shape, memory: Memory, calls: Calls) -> None:
        self.spec = spec
        self.shape = shape
        self.memory = memory
        self.calls = calls
        self.spread = False  # whether the last jump taught about numbers linked to those that it compared

    def run(self, state: State, pc: int) -> list[tuple[int, State]]:
        """Every (pc, state) that can follow; empty where the program ends. `state` is used up."""
        row, insn = self.shape.rows[pc], self.shape.insns[pc]
        assert row is not None, "control flow reached the second half of an immediate"
        match row.kind:
            case Op_.ALU:
                self._alu(state, row, insn)
            case Op_.MOVSX | Op_.NEG | Op_.ENDIAN:
                self._unary(state, row, insn)
            case Op_.IMM64:
                self._imm64(state, row, insn, pc)
            case Op_.LOAD | Op_.LOADSX:
                value = self.memory.load(state, state.regs[insn.src], f"r{insn.src}", insn.off, row.width // 8)
                if row.kind is Op_.LOADSX:
                    if isinstance(value, Ptr):
                        raise Refusal("V206", "reads a part of a saved pointer", [f"saved is {value!r}"])
                    value = arith.sext(value, row.width)
                self._set(state, insn.dst, value)
            case Op_.STORE | Op_.STORE_IMM:
                stored = self._read(state, insn.src) if row.kind is Op_.STORE else const(insn.imm)
                stored = self._linked(state, insn.src, stored, row) if row.kind is Op_.STORE else stored
                self.memory.store(state, state.regs[insn.dst], f"r{insn.dst}", insn.off, row.width // 8, stored)
            case Op_.ATOMIC:
                self._atomic(state, row, insn)
            case Op_.JUMP:
                return [(target_of(self.shape.insns, pc, row), state)]
            case Op_.JUMP_IF:
                return self._jump_if(state, row, insn, pc)
            case Op_.CALL:
                return self._call(state, row, insn, pc)
            case Op_.EXIT:
                return self._exit(state)
        return [(pc + row.slots, state)]

    # registers

    @staticmethod
    def _read(state: State, number: int) -> Num | Ptr:
        value = state.regs[number]
        if value is None:
            raise Refusal("V101", f"r{number} isn't initialised on this path")
        return value

    @staticmethod
    def _set(state: State, number: int, value: Reg) -> None:
        if number == FRAME_POINTER:
            raise Refusal("V102", "r10 is the frame pointer, and read-only")
        state.regs[number] = value

    def _linked(self, state: State, number: int, value: Num | Ptr, row: Op) -> Num | Ptr:
        """A number that is about to be copied gets an id, so that a later test of one copy teaches about both."""
        if isinstance(value, Ptr) or value.is_const or value.umax >> row.width:
            return value.with_id(0) if isinstance(value, Num) and value.id else value
        if not value.id:
            value = value.with_id(self.calls.fresh())
            state.regs[number] = value
        return value

    # arithmetic

    def _alu(self, state: State, row: Op, insn: Insn) -> None:
        right = self._read(state, insn.src) if row.uses_register else const(insn.imm)
        if row.verb == "mov":
            self._mov(state, row, insn, right)
            return
        left = self._read(state, insn.dst)
        if isinstance(left, Num) and isinstance(right, Num):
            if row.verb in ("sub", "xor") and row.uses_register and insn.src == insn.dst:
                self._set(state, insn.dst, ZERO)
            else:
                made = arith.alu(row.verb, row.width, left, right)
                linked = right.is_const and left.id
                made = arith.linked(made, row.verb, row.width, left, right.smin) if linked else made.with_id(0)
                self._set(state, insn.dst, made)
            return
        self._set(state, insn.dst, self._pointer_alu(row, insn, left, right))

    def _mov(self, state: State, row: Op, insn: Insn, value: Num | Ptr) -> None:
        if row.uses_register:
            value = self._linked(state, insn.src, value, row)
        if row.width == 32:
            if isinstance(value, Ptr):
                raise Refusal("V105", f"a 32-bit copy cuts the pointer in r{insn.src}", [f"r{insn.src} = {value!r}"])
            if value.umax > M32:
                value = arith.zext(value, 32).with_id(0)
        self._set(state, insn.dst, value)

    def _pointer_alu(self, row: Op, insn: Insn, left: Num | Ptr, right: Num | Ptr) -> Num | Ptr:
        names = {id(left): f"r{insn.dst}", id(right): f"r{insn.src}"}
        knows = [f"{names[id(x)]} = {x!r}" for x in (left, right) if isinstance(x, Ptr)]
        for pointer in (left, right):
            if isinstance(pointer, Ptr) and pointer.null:
                raise Refusal("V103", f"{names[id(pointer)]} may be NULL here, and NULL doesn't move", knows,
                              about=called(pointer))  # fmt: skip
        if row.width == 64 and row.verb == "sub" and isinstance(left, Ptr) and isinstance(right, Ptr):
            if left.same_object(right):
                return arith.sub(left.off, right.off)
            raise Refusal("V105", "the distance between pointers into different objects means nothing", knows)
        if row.verb == "add" and isinstance(right, Ptr):
            left, right = right, left
        if row.width != 64 or row.verb not in ("add", "sub") or not isinstance(left, Ptr) or isinstance(right, Ptr):
            raise Refusal("V105", f"`{row.name}` on a pointer gives no pointer", knows)
        if left.kind in (Kind.MAP, Kind.CODE):
            raise Refusal("V105", f"{left!r} can't be moved", knows)
        move = arith.add if row.verb == "add" else arith.sub
        return left.moved(move(left.off, right).with_id(0))

    def _unary(self, state: State, row: Op, insn: Insn) -> None:
        number = insn.src if row.kind is Op_.MOVSX else insn.dst
        value = self._read(state, number)
        if isinstance(value, Ptr):
            raise Refusal("V105", f"`{row.name}` on a pointer gives no pointer", [f"r{number} = {value!r}"])
        if row.kind is Op_.MOVSX:
            made = arith.zext(arith.sext(value, row.extend), row.width)
        elif row.kind is Op_.NEG:
            made = arith.zext(arith.neg(value), row.width)
        else:
            made = arith.swap(value, row.swap_width, row.verb)
        self._set(state, insn.dst, made.with_id(0))

    def _imm64(self, state: State, row: Op, insn: Insn, pc: int) -> None:
        high = self.shape.insns[pc + 1]
        match row.verb:
            case "value":
                self._set(state, insn.dst, const(imm64(insn, high)))
            case "map" | "map_value" | "map_index" | "map_index_value":
                self._set(state, insn.dst, self._map_pointer(row, insn.imm, high.imm & M32))
            case "code":
                self._set(state, insn.dst, Ptr(Kind.CODE, target_of(self.shape.insns, pc, row)))
            case _:
                raise Refusal("V008", "addresses of the host's variables aren't supported",
                              fix="Put the variable into a map.")  # fmt: skip

    def _map_pointer(self, row: Op, index: int, offset: int) -> Ptr:
        if not 0 <= index < len(self.spec.maps):
            raise Refusal("V006", f"this names map {index}; the program has {len(self.spec.maps)} maps")
        spec = self.spec.maps[index]
        if "value" not in row.verb:
            return Ptr(Kind.MAP, index, name=spec.name)
        if spec.type.name != "ARRAY":
            raise Refusal("V006", f"only the values of arrays have addresses; {spec.name} is {spec.type.name.lower()}")
        if offset >= spec.value_size:
            raise Refusal("V006", f"offset {offset} lies outside the first value of {spec.name}, which has "
                          f"{spec.value_size} bytes")  # fmt: skip
        return Ptr(Kind.VALUE, index, const(offset), spec.value_size, name=spec.name)

    # memory

    def _atomic(self, state: State, row: Op, insn: Insn) -> None:
        value = self._read(state, insn.src)
        if row.verb == "cmpxchg" and isinstance(self._read(state, 0), Ptr):
            raise Refusal("V106", "cmpxchg would compare the pointer in r0 as a number", [f"r0 = {state.regs[0]!r}"])
        base, size = state.regs[insn.dst], row.width // 8
        old = self.memory.modify(state, base, f"r{insn.dst}", insn.off, size, value)
        if row.verb == "cmpxchg":
            self._set(state, 0, old.with_id(0))
        elif row.verb == "xchg" or row.verb.startswith("fetch"):
            self._set(state, insn.src, old.with_id(0))

    # control

    def _jump_if(self, state: State, row: Op, insn: Insn, pc: int) -> list[tuple[int, State]]:
        self.spread = False
        left = self._read(state, insn.dst)
        right = self._read(state, insn.src) if row.uses_register else const(insn.imm)
        taken, following = target_of(self.shape.insns, pc, row), pc + 1
        if isinstance(left, Num) and isinstance(right, Num):
            if not left.mask and not right.mask:
                low = M64 if row.width == 64 else M32
                holds = COMPARISONS[row.width][row.verb](left.value & low, right.value & low)
                return [(taken if holds else following, state)]
            found: list[tuple[int, State]] = []
            yes = branch.refine(row.verb, row.width, left, right)
            no = branch.refine(branch.NEGATED[row.verb], row.width, left, right)
            for target, pair in ((taken, yes), (following, no)):
                if pair is not None:
                    other = state.copy() if yes is not None and no is not None and target == taken else state
                    self._learn(other, insn, row, pair)
                    found.append((target, other))
            return found
        return self._jump_on_pointer(state, row, insn, left, right, (taken, following))

    def _learn(self, state: State, insn: Insn, row: Op, pair: tuple[Num, Num]) -> None:
        compared = (insn.dst, insn.src) if row.uses_register else (insn.dst,)
        for number, made in zip(compared, pair, strict=False):
            if made.id:
                self.spread |= state.learn(made, compared)
            else:
                state.regs[number] = made

    def _jump_on_pointer(
        self, state: State, row: Op, insn: Insn, left: Num | Ptr, right: Num | Ptr, targets: tuple[int, int]
    ) -> list[tuple[int, State]]:
        taken, following = targets
        if isinstance(right, Ptr) and isinstance(left, Num):
            left, right = right, left
        assert isinstance(left, Ptr)
        knows = [f"r{insn.dst} = {state.regs[insn.dst]!r}"]
        if row.uses_register:
            knows.append(f"r{insn.src} = {state.regs[insn.src]!r}")
        for pointer in (left, right):
            if isinstance(pointer, Ptr):
                refuse_far(pointer.off, knows)
        if row.verb == "set":
            raise Refusal("V108", "tests the bits of an address, which differ from run to run", knows,
                          "compare pointers by == and !=, and offsets by their difference")  # fmt: skip
        equality = row.width == 64 and row.verb in ("eq", "ne")
        if equality and isinstance(right, Num) and right.is_const and right.value == 0:
            if row.verb == "ne":
                taken, following = following, taken  # `taken` is now where the pointer is NULL
            if left.kind in (Kind.CTX, Kind.MEM) and not left.size:
                return [(taken, state.copy()), (following, state)]  # engines may give NULL for nothing
            if not left.null:
                return [(following, state)]
            other = state.copy()
            state.settle_null(left.id, is_null=True)
            other.settle_null(left.id, is_null=False)
            return [(taken, state), (following, other)]
        same = isinstance(right, Ptr) and left.kind is right.kind and left.obj == right.obj
        if same and row.width == 64 and isinstance(right, Ptr) and not left.null and not right.null:
            return [(taken, state.copy()), (following, state)]
        if row.width == 32:
            raise Refusal("V108", "a 32-bit comparison sees only half of a pointer", knows,
                          f"compare the whole register: `if r{insn.dst} == 0`")  # fmt: skip
        if isinstance(right, Num):
            null = "a pointer is compared with NULL by == 0 and != 0 alone"
            raise Refusal("V108", "compares a pointer with a number", knows, null)
        raise Refusal("V108", "compares pointers that don't point into one object", knows)

    def _call(self, state: State, row: Op, insn: Insn, pc: int) -> list[tuple[int, State]]:
        if row.verb == "local":
            start = target_of(self.shape.insns, pc, row)
            frame = new_frame(start, len(state.frames), pc + 1)
            frame.regs[1:6] = state.regs[1:6]
            state.frames.append(frame)
            return [(start, state)]
        number = insn.imm
        if row.verb == "btf":
            raise Refusal("V008", "kernel functions (calls with src_reg 2) aren't supported yet",
                          fix="Use a helper; `axiom-hw helpers` lists them.")  # fmt: skip
        if row.verb == "callx":
            value = self._read(state, insn.dst)
            if not isinstance(value, Num) or not value.is_const:
                raise Refusal("V008", "a call through a register is supported where it holds a helper's number, known "
                              "at load time", [f"r{insn.dst} = {value!r}"], "Call the function directly.")  # fmt: skip
            number = value.value
        self.calls.call(state, number, pc)
        return [(pc + 1, state)]

    def _exit(self, state: State) -> list[tuple[int, State]]:
        result = state.regs[0]
        if len(state.frames) == 1:
            if result is None:
                raise Refusal("V107", "r0, the program's result, isn't set on this path")
            if isinstance(result, Ptr):
                raise Refusal("V106", "the program would return a pointer", [f"r0 = {result!r}"])
            if state.refs:
                made = ", ".join(place_of(self.spec, pc) for pc in sorted(state.refs.values()))
                raise Refusal("V306", f"the ring record reserved at {made} is neither submitted nor discarded here")
            return []
        depth = len(state.frames) - 1
        if isinstance(result, Ptr) and result.kind is Kind.STACK and result.obj == depth:
            raise Refusal("V106", "the function would return a pointer to its own stack", [f"r0 = {result!r}"])
        frame = state.frames.pop()
        state.regs[:6] = [result, None, None, None, None, None]
        return [(frame.return_pc, state)]
