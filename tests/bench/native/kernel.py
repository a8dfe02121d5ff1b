"""The benchmark's programs on this machine's own Linux: with maps of the same shapes, run by BPF_PROG_TEST_RUN."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from axiom_hw.bpf import isa
from axiom_hw.bpf.insn import Insn, encode
from axiom_hw.bpf.spec import MapFlag, MapSpec, ProgramSpec
from tests.bpf.linux import Refused, bpf

_MAP_CREATE, _MAP_UPDATE, _PROG_LOAD, _PROG_TEST_RUN, _MAP_FREEZE = 0, 2, 5, 10, 22  # enum bpf_cmd
_SOCKET_FILTER: Final = 1  # enum bpf_prog_type
_ETHERNET_BYTES: Final = 14  # which a socket filter doesn't see, and doesn't count
LEAST_SEED: Final = 32  # a packet has some bytes at least
_JIT: Final = Path("/proc/sys/net/core/bpf_jit_enable")
_LICENSE: Final = ctypes.create_string_buffer(b"GPL")


def why_not() -> str:
    """Why the kernel can't be compared with, or an empty string."""
    try:
        jit = _JIT.read_text().strip()
    except OSError as error:
        return f"{_JIT}: {error.strerror}"
    if jit == "0":
        return f"the kernel's JIT is off ({_JIT} says 0)"
    try:
        KernelProgram(ProgramSpec("probe", (Insn(0xB7, imm=0), Insn(0x95)))).close()
    except Refused as refused:
        return f"the kernel loads no programs for us: {refused}"
    return ""


class KernelProgram:
    """A loaded program whose context is one u32: the seed comes as the length of a packet.

    `contents` are keys and values of maps by the map's name, set before the program is loaded. Raises `Refused`.
    """

    def __init__(self, spec: ProgramSpec, contents: Mapping[str, Mapping[bytes, bytes]] | None = None) -> None:
        self._maps: list[int] = []
        self._fd = -1
        try:
            for declared in spec.maps:
                self._maps.append(_create(declared))
                _fill(self._maps[-1], declared, (contents or {}).get(declared.name, {}))
            self._fd = _load(_patched(spec.insns, self._maps))
        except BaseException:
            self.close()
            raise

    def run(self, seed: int, times: int) -> tuple[int, int]:
        """Run so many times with a seed of 32 or more: the u32 that it returns, and ns a run as the kernel says."""
        if seed < LEAST_SEED:
            raise ValueError(f"the seed is a packet's length, {LEAST_SEED} at least; got {seed}")
        packet = ctypes.create_string_buffer(seed + _ETHERNET_BYTES)
        at = ctypes.addressof(packet)
        _, answer = bpf(_PROG_TEST_RUN, struct.pack("<IIIIQQII", self._fd, 0, len(packet), 0, at, 0, times, 0))
        result, duration_ns = struct.unpack_from("<I", answer, 4)[0], struct.unpack_from("<I", answer, 36)[0]
        return result, duration_ns

    def run_ns(self, seed: int, times: int) -> int:
        """How many ns so many runs take by the kernel's clock: a test run has fixed costs, which that leaves out."""
        return self.run(seed, times)[1] * times

    def close(self) -> None:
        """Give the program and its maps back."""
        for fd in (self._fd, *self._maps):
            if fd >= 0:
                os.close(fd)
        self._fd, self._maps = -1, []


def _create(spec: MapSpec) -> int:
    flags = spec.flags | (MapFlag.RDONLY_PROG if spec.frozen else 0)
    sizes = (spec.type, spec.key_size, spec.value_size, spec.max_entries, flags)
    fd, _ = bpf(_MAP_CREATE, struct.pack("<IIIII", *sizes))
    return fd


def _fill(fd: int, spec: MapSpec, entries: Mapping[bytes, bytes]) -> None:
    if spec.data is not None:
        entries = {bytes(4): spec.data.ljust(spec.value_size, b"\0")}
    for key, value in entries.items():
        at = [ctypes.create_string_buffer(data, len(data)) for data in (key, value)]
        bpf(_MAP_UPDATE, struct.pack("<IIQQQ", fd, 0, *map(ctypes.addressof, at), 0))
    if spec.frozen:
        bpf(_MAP_FREEZE, struct.pack("<I", fd))


def _patched(insns: tuple[Insn, ...], fds: list[int]) -> tuple[Insn, ...]:
    """The instructions with file descriptors where ours have indices of maps."""
    wide, kinds = isa.LD | isa.SIZES[64], (isa.IMM_MAP, isa.IMM_MAP_VALUE)
    return tuple(
        replace(insn, imm=fds[insn.imm]) if insn.code == wide and insn.src in kinds else insn for insn in insns
    )


def _load(insns: tuple[Insn, ...]) -> int:
    code = encode(insns)
    text = ctypes.create_string_buffer(code, len(code))
    head = (_SOCKET_FILTER, len(insns), ctypes.addressof(text), ctypes.addressof(_LICENSE))
    log = ctypes.create_string_buffer(1 << 16)
    try:
        fd, _ = bpf(_PROG_LOAD, struct.pack("<IIQQ", *head))
    except Refused as refused:
        try:  # once more with a log, which costs time, to say why
            bpf(_PROG_LOAD, struct.pack("<IIQQIIQ", *head, 1, len(log), ctypes.addressof(log)))
        except Refused:
            last = log.value.decode(errors="replace").strip().splitlines()[-3:]
            raise Refused(f"{refused}; its verifier says: {' / '.join(last)}") from None
        raise
    return fd
