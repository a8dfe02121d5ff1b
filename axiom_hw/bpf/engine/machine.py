"""What one slot has while it runs: registers, address space, call stack, ring records that are still its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Protocol

from axiom_hw.bpf.engine.linkage import BoundTable, Linkage
from axiom_hw.bpf.engine.memory import AddressSpace, Region
from axiom_hw.bpf.engine.traps import Trap
from axiom_hw.bpf.helpers import Helper
from axiom_hw.bpf.insn import FRAME_POINTER, REGISTERS
from axiom_hw.bpf.maps.mem import Mem, Window
from axiom_hw.bpf.maps.ringbuf import RingBuf
from axiom_hw.bpf.spec import CtxSpec
from axiom_hw.errors import SpecError

FRAME_BYTES: Final = 512
FRAMES: Final = 8
DONE: Final = -1  # in the place of a pc: the program has ended
_BLANK_FRAME: Final = bytes(FRAME_BYTES)


class Env(Protocol):
    """What a program reaches beyond its memory. Time and randomness come from here, so that tests can script them.

    `hardware` maps ids of hardware helpers (from 1000 on) to functions of as many numbers as their row in the
    helper table has arguments; each is an unsigned 64-bit number as the register held it, and so is the result,
    where a negative one stands for -errno.
    """

    @property
    def hardware(self) -> Mapping[int, Callable[..., int]]: ...

    def now_ns(self) -> int:
        """CLOCK_MONOTONIC in ns."""
        ...

    def random_u32(self) -> int:
        """A number from 0 to 2**32 - 1."""
        ...

    def trace(self, text: str) -> None:
        """A line that the program prints."""
        ...


@dataclass(frozen=True, slots=True)
class NativeHelper:
    """A helper in restricted Python, `function(mem, *registers) -> int`: native code inlines it.

    Of the argument registers it takes as many as its row in the helper table has arguments.
    """

    function: Callable[..., int]
    mem: Mem


_NONE: Final[Mapping[int, NativeHelper]] = MappingProxyType({})


def natives_of(env: Env) -> Mapping[int, NativeHelper]:
    """The helpers in restricted Python, by id, that an environment has in an attribute `natives`, if it has one."""
    found: Mapping[int, NativeHelper] = getattr(env, "natives", _NONE)
    return found


def is_monotonic(env: Env) -> bool:
    """Whether the time of an environment is the system's CLOCK_MONOTONIC: it says so by an attribute `monotonic`."""
    return bool(getattr(env, "monotonic", False))


class Machine:
    """One slot of one loaded program.

    Synchronization: one thread at a time. Different slots may run at once; they share nothing but the maps.
    """

    __slots__ = ("_back", "_context", "_frames", "_link", "_records", "env", "name", "registers", "slot", "space")

    def __init__(self, name: str, slot: int, env: Env, ctx: CtxSpec, link: Linkage) -> None:
        self.name = name
        self.slot = slot
        self.env = env
        self.registers = [0] * REGISTERS
        self.space = AddressSpace()
        self._link = link
        link.place(self.space)
        self._context = _buffer("the context", ctx.size, writable=ctx.writable)
        self._frames = [_buffer(f"frame {n}" if n else "the stack", FRAME_BYTES, writable=True) for n in range(FRAMES)]
        self._back: list[tuple[int, int, int, int, int, int]] = []
        self._records: dict[int, tuple[RingBuf, int, Region]] = {}

    def begin(self, ctx: bytes | bytearray | memoryview, length: int) -> list[int]:
        """Set the registers up for a run on `ctx`: r1 its address (0 where it is empty), r2 `length`,
        r10 the end of a blank frame.
        """
        region, r = self._context, self.registers
        if len(ctx) != region.limit:
            raise SpecError(self.name, f"takes a context of {region.limit} bytes, got {len(ctx)}")
        region.mem.u8[: region.limit] = ctx
        r[:] = (0,) * REGISTERS
        address = self.space.open(region)
        r[1] = address if region.limit else 0
        r[2] = length
        r[FRAME_POINTER] = self._open_frame(0)
        return r

    def end(self, ctx: bytes | bytearray | memoryview) -> None:
        """Close what the run left open, and write a writable context back to the caller's buffer.

        Records of a program that faulted are discarded, so that no consumer waits for them.
        """
        while self._back:
            self.space.close(self._frames[len(self._back)])
            self._back.pop()
        self.space.close(self._frames[0])
        self.space.close(self._context)
        if self._records:
            self._give_up_records()
        if self._context.writable and not (view := memoryview(ctx)).readonly:
            view[:] = self._context.mem.u8[: self._context.limit]

    def enter(self, back: int) -> None:
        """Call a local function that returns to pc `back`: save r6 to r10, open a blank frame."""
        depth = len(self._back) + 1
        if depth == FRAMES:
            raise Trap(f"calls a function from frame {depth}; {FRAMES} frames is the limit")
        r = self.registers
        self._back.append((back, r[6], r[7], r[8], r[9], r[10]))
        r[FRAME_POINTER] = self._open_frame(depth)

    def leave(self) -> int:
        """Return from a function: close its frame, restore r6 to r10. The pc to go on at, or `DONE` from main."""
        if not self._back:
            return DONE
        self.space.close(self._frames[len(self._back)])
        r = self.registers
        back, r[6], r[7], r[8], r[9], r[10] = self._back.pop()
        return back

    def table(self, address: int, row: Helper) -> BoundTable:
        """The map with values that the first argument of helper `row` means. Traps where it means none."""
        found = self._link.tables.get(address)
        if found is None or found.table.spec.type not in row.maps:
            raise self._no_map(address, row)
        return found

    def ring(self, address: int, row: Helper) -> RingBuf:
        """The ring that the first argument of helper `row` means. Traps where it means none."""
        found = self._link.rings.get(address)
        if found is None:
            raise self._no_map(address, row)
        return found

    def hold_record(self, ring: RingBuf, at: int, size: int) -> int:
        """Give a reserved record to the program as a region of its own. Its address."""
        region = Region(f"a record of {ring.spec.name}", ring.mem, Window(at, size, size, 1), writable=True)
        address = self.space.open(region)
        self._records[address] = (ring, at, region)
        return address

    def release_record(self, address: int, row: Helper) -> tuple[RingBuf, int]:
        """Take a record back. Traps unless `address` is the start of one that the program still holds."""
        held = self._records.pop(address, None)
        if held is None:
            raise Trap(f"{row.name} expects a live record in r1, which holds {address:#x}", address)
        ring, at, region = held
        self.space.close(region)
        return ring, at

    def _no_map(self, address: int, row: Helper) -> Trap:
        kinds = " or ".join(kind.name for kind in row.maps)
        return Trap(f"{row.name} expects a map of type {kinds} in r1, which holds {address:#x}", address)

    def _give_up_records(self) -> None:
        for ring, at, region in self._records.values():
            self.space.close(region)
            ring.discard(at, 0)
        self._records.clear()

    def _open_frame(self, depth: int) -> int:
        frame = self._frames[depth]
        frame.mem.u8[:FRAME_BYTES] = _BLANK_FRAME
        return self.space.open(frame) + FRAME_BYTES


def _buffer(name: str, size: int, *, writable: bool) -> Region:
    mem = Mem(bytearray(-(-size // 8) * 8))
    return Region(name, mem, Window(0, size, size, 1), writable=writable)
