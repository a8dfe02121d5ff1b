"""The text of one function while it is written: blocks, values, and where each register's value is at the moment.

Registers live in allocas, which LLVM makes values of. Within a block what is known of a register is kept as text, so
that only blocks begin with loads and end with stores; a number that is known stays a Python int until it is printed.
"""

from __future__ import annotations

from typing import Final

from axiom_hw.bpf.arithmetic import M32, M64
from axiom_hw.bpf.insn import FRAME_POINTER, REGISTERS

Value = int | str
"""An operand: a number (unsigned), or the name of an IR value."""


def text64(value: Value) -> str:
    """As an i64 operand."""
    return value if isinstance(value, str) else str(value if value < 1 << 63 else value - (1 << 64))


def text32(value: Value) -> str:
    """As an i32 operand."""
    return value if isinstance(value, str) else str(value if value < 1 << 31 else value - (1 << 32))


class Body:
    """One function. `get` and `get32` give a register's value, `set` and `set32` change it.

    `frame_end` is what r10 holds.
    """

    __slots__ = ("_dirty", "_low", "_made", "_wide", "frame_end", "here", "lines", "may_abort")

    def __init__(self, frame_end: Value) -> None:
        self.lines: list[str] = []
        self.frame_end = frame_end
        self.may_abort = False
        self.here = ""  # the label of the block that is being written
        self._made = 0
        self._wide: list[Value | None] = [None] * REGISTERS
        self._low: list[Value | None] = [None] * REGISTERS
        self._dirty = [False] * REGISTERS
        self._wide[FRAME_POINTER] = frame_end

    def fresh(self, hint: str = "v") -> str:
        """A name that the function doesn't have yet, without its sigil."""
        self._made += 1
        return f"{hint}{self._made}"

    def op(self, text: str) -> str:
        """Write an instruction; the name of its result."""
        self._made += 1
        name = f"%v{self._made}"
        self.lines.append(f"  {name} = {text}")
        return name

    def do(self, text: str) -> None:
        """Write an instruction without a result."""
        self.lines.append(f"  {text}")

    def label(self, name: str) -> None:
        """Begin a block that is reached by a jump inside of an instruction: what is known of registers stays true."""
        self.lines.append(f"{name}:")
        self.here = name

    def split(self, condition: str, yes: str, no: str) -> None:
        self.lines.append(f"  br i1 {condition}, label %{yes}, label %{no}")

    def get(self, register: int) -> Value:
        """All 64 bits."""
        value = self._wide[register]
        if value is None:
            low = self._low[register]
            if low is None:
                value = self.op(f"load i64, ptr %r{register}")
            else:
                value = low if isinstance(low, int) else self.op(f"zext i32 {low} to i64")
            self._wide[register] = value
        return value

    def get32(self, register: int) -> Value:
        """The lower half, an i32."""
        value = self._low[register]
        if value is None:
            wide = self.get(register)
            value = wide & M32 if isinstance(wide, int) else self.op(f"trunc i64 {wide} to i32")
            self._low[register] = value
        return value

    def set(self, register: int, value: Value) -> None:
        assert register != FRAME_POINTER
        self._wide[register] = value & M64 if isinstance(value, int) else value
        self._low[register] = None
        self._dirty[register] = True

    def set32(self, register: int, value: Value) -> None:
        """Set the lower half to an i32, and clear the upper one."""
        assert register != FRAME_POINTER
        if isinstance(value, int):
            value &= M32
        self._wide[register] = None
        self._low[register] = value
        self._dirty[register] = True

    def read(self, register: int, width: int) -> Value:
        """All of a register, or the lower half."""
        return self.get(register) if width == 64 else self.get32(register)

    def write(self, register: int, width: int, value: Value) -> None:
        (self.set if width == 64 else self.set32)(register, value)

    def copy(self, target: int, source: int) -> None:
        """Set a register to what another one holds."""
        value = self.get(source)
        low = self._low[source]
        self.set(target, value)
        self._low[target] = low

    def flush(self) -> None:
        """Write back what changed, at the end of a block."""
        for register in range(FRAME_POINTER):
            if self._dirty[register]:
                self.do(f"store i64 {text64(self.get(register))}, ptr %r{register}")
                self._dirty[register] = False

    def begin_block(self, name: str) -> None:
        """Begin a block that instructions jump to: nothing is known of the registers but what is in their allocas."""
        self.label(name)
        self._wide = [None] * REGISTERS
        self._low = [None] * REGISTERS
        self._wide[FRAME_POINTER] = self.frame_end


ZERO_REGISTERS: Final = tuple(
    line for n in range(FRAME_POINTER) for line in (f"  %r{n} = alloca i64", f"  store i64 0, ptr %r{n}")
)
