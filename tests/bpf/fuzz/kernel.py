"""A program on this machine's own Linux: what it leaves behind there, compared with what the interpreter left.

It is loaded as a program of the type `syscall`, whose context is plain memory, in a frame that stores r0 behind the
context. Compared are r0, the context, and the values of arrays and hashes. Programs that ask for the time, a random
number or the hardware aren't loaded; what the kernel's verifier refuses isn't either.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Final

from axiom_hw.bpf import isa
from axiom_hw.bpf.insn import Insn, check, encode
from axiom_hw.bpf.spec import MapSpec, MapType, ProgramSpec
from tests.bpf import linux
from tests.bpf.engines import Entries, Outcome

_MAP_CREATE, _MAP_LOOKUP, _MAP_UPDATE, _MAP_NEXT_KEY, _PROG_LOAD, _TEST_RUN = 0, 1, 2, 4, 5, 10  # enum bpf_cmd
_SYSCALL: Final = 31  # enum bpf_prog_type
_SLEEPABLE: Final = 1 << 4  # BPF_F_SLEEPABLE: programs of that type must be
_LICENSE: Final = ctypes.create_string_buffer(b"GPL")
_SAME_EVERYWHERE: Final = frozenset((1, 2, 3, 130, 131, 132, 133, 134))  # ids of helpers that answer alike
_BY_DESCRIPTOR: Final = {
    isa.IMM_MAP: isa.IMM_MAP, isa.IMM_MAP_VALUE: isa.IMM_MAP_VALUE, isa.IMM_MAP_INDEX: isa.IMM_MAP,
    isa.IMM_MAP_INDEX_VALUE: isa.IMM_MAP_VALUE,
}  # fmt: skip
_MAP_SOURCES: Final = frozenset(_BY_DESCRIPTOR)
_MOV, _SET, _STORE = (isa.BY_NAME[name].code for name in ("mov64 reg", "mov64 imm", "store64 reg"))
_CALL, _EXIT = (isa.BY_NAME[name].code for name in ("call local", "exit"))


def answers_alike(spec: ProgramSpec) -> bool:
    """Whether the program asks for nothing that is different in each run."""
    calls = (insn.imm for insn, row in zip(spec.insns, check(spec.insns), strict=True) if row and row.verb == "helper")
    return _permitted() and all(number in _SAME_EVERYWHERE for number in calls)


def difference(
    spec: ProgramSpec, before: Sequence[Entries], ctx: bytes, ours: Outcome, after: Sequence[Entries]
) -> str:
    """What a run on these entries and this context leaves on the kernel, if it isn't what it left here.

    Raises `linux.Refused` for programs and maps that the kernel doesn't take.
    """
    used = {insn.imm for insn in spec.insns if insn.code == isa.LD | isa.SIZES[64] and insn.src in _MAP_SOURCES}
    maps: dict[int, int] = {}
    try:
        for index in used:
            maps[index] = _create(spec.maps[index])
            _fill(spec.maps[index], maps[index], before[index])
        r0, left = _run(spec, maps, ctx)
        if r0 != ours.r0:
            return f"r0 is {ours.r0:#x} or {r0:#x}"
        if spec.ctx.writable and left != ours.ctx:
            return f"the context is {ours.ctx.hex()} or {left.hex()} afterwards"
        for index, fd in maps.items():
            if spec.maps[index].type is not MapType.RINGBUF:
                there = _entries(spec.maps[index], fd)
                if there != after[index]:
                    return f"the map {spec.maps[index].name} holds {_shown(after[index])} or {_shown(there)}"
        return ""
    finally:
        for fd in maps.values():
            os.close(fd)


def _run(spec: ProgramSpec, maps: Mapping[int, int], ctx: bytes) -> tuple[int, bytes]:
    """r0, and the context afterwards."""
    room = -(-spec.ctx.size // 8) * 8
    frame = [Insn(_MOV, 6, 1)]
    if spec.ctx.length_in_r2:
        frame.append(Insn(_SET, 2, imm=spec.ctx.size))
    if not spec.ctx.size:
        frame.append(Insn(_SET, 1))  # no context is NULL there
    end = (Insn(_STORE, 6, 0, room), Insn(_SET, 0), Insn(_EXIT))
    program = (*frame, Insn(_CALL, src=1, imm=len(end)), *end, *_linked(spec.insns, maps))
    code = encode(program)
    text = ctypes.create_string_buffer(code, len(code))
    head = (_SYSCALL, len(program), ctypes.addressof(text), ctypes.addressof(_LICENSE), 0, 0, 0, 0, _SLEEPABLE)
    fd, _ = linux.bpf(_PROG_LOAD, struct.pack("<IIQQIIQII", *head))
    try:
        block = ctypes.create_string_buffer(ctx.ljust(room, b"\0") + bytes(8), room + 8)
        attr = struct.pack("<IIIIQQIIIIQQ", fd, 0, 0, 0, 0, 0, 0, 0, room + 8, 0, ctypes.addressof(block), 0)
        linux.bpf(_TEST_RUN, attr)
    finally:
        os.close(fd)
    return int.from_bytes(block.raw[room : room + 8], "little"), block.raw[: spec.ctx.size]


def _linked(insns: tuple[Insn, ...], maps: Mapping[int, int]) -> Iterator[Insn]:
    """The instructions with descriptors in the place of the maps' indices."""
    for insn in insns:
        named = insn.code == isa.LD | isa.SIZES[64] and insn.src in _MAP_SOURCES
        yield replace(insn, imm=maps[insn.imm], src=_BY_DESCRIPTOR[insn.src]) if named else insn


def _create(spec: MapSpec) -> int:
    sizes = (int(spec.type), spec.key_size, spec.value_size, spec.max_entries, spec.flags)
    fd, _ = linux.bpf(_MAP_CREATE, struct.pack("<IIIII", *sizes))
    return fd


def _fill(spec: MapSpec, fd: int, entries: Entries) -> None:
    for key, value in entries.items():
        _call(_MAP_UPDATE, fd, key, value)


def _entries(spec: MapSpec, fd: int) -> Entries:
    """All of a map's; those of an array in order."""
    found: dict[bytes, bytes] = {}
    key: bytes | None = None
    while True:
        room = ctypes.create_string_buffer(spec.key_size)
        start = ctypes.create_string_buffer(key, spec.key_size) if key is not None else None
        attr = struct.pack("<IIQQQ", fd, 0, ctypes.addressof(start) if start else 0, ctypes.addressof(room), 0)
        try:
            linux.bpf(_MAP_NEXT_KEY, attr)
        except linux.Refused:  # there is no other
            return found
        key = room.raw
        found[key] = _call(_MAP_LOOKUP, fd, key, bytes(spec.value_size))


def _call(command: int, fd: int, key: bytes, value: bytes) -> bytes:
    at = ctypes.create_string_buffer(key, len(key)), ctypes.create_string_buffer(value, -(-len(value) // 8) * 8)
    linux.bpf(command, struct.pack("<IIQQQ", fd, 0, *map(ctypes.addressof, at), 0))
    return at[1].raw[: len(value)]


def _shown(entries: Entries) -> str:
    return ", ".join(f"{key.hex()}: {value.hex()}" for key, value in sorted(entries.items())) or "nothing"


@cache
def _permitted() -> bool:
    """Whether this process may load such programs."""
    spec = ProgramSpec("probe", (Insn(_SET, 0, imm=7), Insn(_EXIT)))
    try:
        return _run(spec, {}, b"") == (7, b"")
    except linux.Refused:
        return False
